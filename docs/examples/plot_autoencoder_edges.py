"""
Edges from natural images
=========================

What should a small number of sigmoid units say of patches of photographs, if each may
be on in one patch of thirty only? Where an edge is, and how it is turned: units of the
primary visual cortex do much the same. The experiment is the first one of Ng's lecture
notes on sparse autoencoders.
"""

# %%
# Patches of 10 x 10 pixels of two photographs. Those that show nothing, such as sky,
# are left out; the others are divided by their contrast, lest a few strong edges be all
# that counts. Then they are whitened: neighbouring pixels, which are nearly equal, no
# longer tell the same twice. Directions in which patches hardly vary are noise, and are
# not blown up to the size of the others.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import least_squares

from sparselearn.datasets import load_image_patches
from sparselearn.feature_extraction import ZCAWhitening
from sparselearn.inspection import AtomsDisplay
from sparselearn.neural_network import SparseAutoencoder

SIZE = 10
patches = np.concatenate(
    [
        load_image_patches(8000, patch_size=(SIZE, SIZE), image=name, random_state=0)
        for name in ("china", "flower")
    ]
)
variances = patches.var(axis=1)
shown = variances > np.quantile(variances, 0.4)
patches, variances = patches[shown], variances[shown]
patches /= np.sqrt(variances + 0.1 * variances.mean())[:, None]
X = ZCAWhitening(eps=0.5).fit_transform(patches).astype(np.float32)
print(f"{len(X)} patches")

# %%
# Sixty-four units with a mean activation of 0.03, held by a Kullback-Leibler penalty,
# and L-BFGS on all patches at once. Half the squared error of a patch of which nothing
# is explained is 50, half the number of pixels; beside that the penalty has to weigh.

autoencoder = SparseAutoencoder(
    64,
    activation="sigmoid",
    sparsity_target=0.03,
    alpha=100.0,
    l2=200.0,
    solver="lbfgs",
    max_iter=300,
    random_state=0,
).fit(X)
means = autoencoder.transform(X).mean(axis=0)
print(f"mean activations from {means.min():.3f} to {means.max():.3f}")

# %%
# Are these edges? The receptive fields of simple cells are described by Gabor's
# function, a wave below a bell: with the coordinates u across its stripes and v along
# them, after a shift and a turn,
#
# .. math:: g(u, v) = \exp \left( -\frac{u^2}{2 \sigma_u^2} - \frac{v^2}{2 \sigma_v^2}
#           \right) (a \cos 2 \pi f u + b \sin 2 \pi f u) .
#
# The pair a and b is amplitude and phase. It enters linearly, so that for given
# position, angle, frequency and widths it is known by least squares, and these six are
# all that has to be searched for.

rows, columns = np.mgrid[:SIZE, :SIZE].reshape(2, -1)


def waves(shape):
    """The cosine and the sine of a Gabor function, below its bell."""
    row, column, angle, frequency, across, along = shape
    u = (columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)
    v = (rows - row) * np.cos(angle) - (columns - column) * np.sin(angle)
    bell = np.exp(-0.5 * ((u / across) ** 2 + (v / along) ** 2))
    turns = 2 * np.pi * frequency * u
    return np.column_stack([bell * np.cos(turns), bell * np.sin(turns)])


def gabor(shape, atom):
    """The Gabor function of this shape that is nearest to the atom."""
    pair = waves(shape)
    return pair @ np.linalg.lstsq(pair, atom, rcond=None)[0]


def fit_gabor(atom):
    """Its shape and itself, from where the atom and its Fourier transform are large."""
    power = np.abs(np.fft.rfft2(atom.reshape(SIZE, SIZE), s=(32, 32))) ** 2
    peak = np.unravel_index(power.argmax(), power.shape)
    f_row, f_column = np.fft.fftfreq(32)[peak[0]], peak[1] / 32
    frequency = np.clip(np.hypot(f_row, f_column), 0.02, 0.48)
    share = atom**2 / (atom**2).sum()
    angle = np.arctan2(f_row, f_column)
    low = [-1, -1, -np.inf, 0.0, 0.6, 0.6]
    high = [SIZE, SIZE, np.inf, 0.5, SIZE, SIZE]
    fits = [
        least_squares(
            lambda shape: gabor(shape, atom) - atom,
            [share @ rows, share @ columns, angle + turn, frequency, 2.0, 2.0],
            bounds=(low, high),
            max_nfev=60,
        )
        for turn in (0.0, -0.4, 0.4)
    ]
    shape = min(fits, key=lambda fit: fit.cost).x
    return shape, gabor(shape, atom)


atoms = autoencoder.components_.astype(float)
shapes, fits = map(np.array, zip(*[fit_gabor(atom) for atom in atoms]))
left_over = ((atoms - fits) ** 2).sum(axis=1) / (atoms**2).sum(axis=1)
explained = 1 - left_over
order = np.argsort(-explained)

# %%
# The atoms, those first that are most like a Gabor function, and their fits.

fig, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
for ax, pictures, title in zip(axes, [atoms, fits], ["Atoms", "Gabor functions"]):
    AtomsDisplay(pictures[order], image_shape=(SIZE, SIZE)).plot(ax=ax, n_columns=8)
    ax.set_title(title)
plt.show()

# %%
# What share of an atom its fit explains, beside that of as good a fit to white noise;
# and how the edges are turned. Photographs, and those of a temple above all, have more
# that is level or upright.

noise = np.random.default_rng(0).standard_normal((50, SIZE * SIZE))
of_noise = [1 - ((x - fit_gabor(x)[1]) ** 2).sum() / (x**2).sum() for x in noise]
print(f"explained {np.median(explained):.2f}, of noise {np.median(of_noise):.2f}")

# An edge is at a right angle to the wave; lines of an image are counted downwards.
# Level ones, at 0 and 180, are one bar.
angles = (np.degrees(np.pi / 2 - shapes[:, 2]) + 7.5) % 180 - 7.5
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
bins = np.linspace(0, 1, 21)
left.hist(of_noise, bins, density=True, alpha=0.5, color="0.6", label="noise")
left.hist(explained, bins, density=True, alpha=0.8, label="atoms")
left.set_xlabel("Explained variance of the fit")
left.set_ylabel("Density")
left.legend(frameon=False)
right.hist(angles, np.linspace(-7.5, 172.5, 13))
right.set_xlabel("Angle of the edge, in degrees")
right.set_ylabel("Atoms")
right.set_xticks([0, 45, 90, 135])
plt.show()
