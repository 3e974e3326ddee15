"""
Edges from natural images
=========================

What should a small number of sigmoid units say of patches of photographs, if each may
be on in one patch of twenty only? Where an edge is, and how it is turned: units of the
primary visual cortex do much the same. The experiment is the first one of Ng's lecture
notes on sparse autoencoders.
"""

# %%
# Patches of 10 x 10 pixels of a photograph, whitened: neighbouring pixels, which are
# nearly equal, no longer tell the same twice. Directions in which patches hardly vary
# are noise, and are not blown up to the size of the others.

import matplotlib.pyplot as plt
import numpy as np

from sparselearn.datasets import load_image_patches
from sparselearn.feature_extraction import ZCAWhitening
from sparselearn.inspection import AtomsDisplay
from sparselearn.neural_network import SparseAutoencoder

SIZE = 10
patches = load_image_patches(12000, patch_size=(SIZE, SIZE), random_state=0)
contrast = patches.std(axis=1)
patches = patches[contrast > np.quantile(contrast, 0.3)]
X = ZCAWhitening(eps=0.5).fit_transform(patches).astype(np.float32)
print(f"{len(X)} patches")

# %%
# Forty-nine units with a mean activation of 0.03, held by a Kullback-Leibler penalty,
# and L-BFGS on all patches at once. Half the squared error of a patch of which nothing
# is explained is 50, half the number of pixels; beside that the penalty has to weigh.

autoencoder = SparseAutoencoder(
    49,
    activation="sigmoid",
    sparsity_target=0.03,
    alpha=100.0,
    l2=100.0,
    solver="lbfgs",
    max_iter=200,
    random_state=0,
).fit(X)
means = autoencoder.transform(X).mean(axis=0)
print(f"mean activations from {means.min():.3f} to {means.max():.3f}")

display = AtomsDisplay.from_estimator(
    autoencoder, image_shape=(SIZE, SIZE), n_columns=7
)
display.figure_.set_size_inches(5, 5)
plt.show()

# %%
# Are these edges? The Fourier transform of an edge has its power
# at one angle, that of noise at all. As a measure of orientation, the length of the
# mean of ``exp(2 i angle)``, weighted by power: 1 for a grating, near 0 for noise. The
# photograph is of a temple, so most edges are level or upright.


def orientation(atoms):
    """The angle of each atom, from 0 to pi, and how much of it has this angle."""
    power = np.abs(np.fft.fft2(atoms.reshape(-1, SIZE, SIZE), s=(32, 32))) ** 2
    frequency = np.fft.fftfreq(32)
    angles = np.arctan2(frequency[:, None], frequency[None, :])
    mean = (power * np.exp(2j * angles)).sum(axis=(1, 2)) / power.sum(axis=(1, 2))
    return np.angle(mean) / 2 % np.pi, np.abs(mean)


angles, strengths = orientation(autoencoder.components_)
noise = np.random.default_rng(0).standard_normal((1000, SIZE * SIZE))
_, of_noise = orientation(noise)
print(f"orientation {np.median(strengths):.2f}, of noise {np.median(of_noise):.2f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(7, 3), layout="constrained")
bins = np.linspace(0, 1, 21)
left.hist(of_noise, bins, density=True, alpha=0.5, color="0.6", label="noise")
left.hist(strengths, bins, density=True, alpha=0.8, label="atoms")
left.set_xlabel("Orientation")
left.set_ylabel("Density")
left.legend(frameon=False)
right.hist(np.degrees(angles), np.linspace(0, 180, 13))
right.set_xlabel("Angle of the atom")
right.set_ylabel("Atoms")
right.set_xticks([0, 45, 90, 135, 180])
plt.show()
