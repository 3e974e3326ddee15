"""
An image without its noise
==========================

Noise has no structure that few atoms could share, an image has: what a dictionary
learned from the patches of a noisy image can say with few of its atoms is nearly the
image.
"""

# %%
# A part of a photograph, and Gaussian noise of a standard deviation of 20 grey levels.
# The peak signal-to-noise ratio (PSNR) measures how near an image is to the one without
# noise.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.feature_extraction.image import (
    extract_patches_2d,
    reconstruct_from_patches_2d,
)

from sparselearn.decomposition import KSVD, SparseCoder

SIGMA = 20.0
rng = np.random.default_rng(0)
clean = load_sample_image("flower.jpg").mean(axis=2)[100:292, 200:392]
noisy = clean + SIGMA * rng.standard_normal(clean.shape)


def psnr(image):
    """Against the clean image, in decibels."""
    return 10 * np.log10(255**2 / np.mean((image - clean) ** 2))


# %%
# All patches of 8 by 8 pixels, which overlap, less the mean of each. A dictionary of
# 128 atoms is learned from every fourth. The price ``alpha`` of an atom in a code is
# set so that an atom must explain more than noise alone does: by a part of length 3.2
# sigma along it.

patches = extract_patches_2d(noisy, (8, 8)).reshape(-1, 64)
means = patches.mean(axis=1, keepdims=True)
price = 0.5 * (3.2 * SIGMA) ** 2
coder = SparseCoder(method="omp", alpha=price)
learner = KSVD(128, coder=coder, tol=1e-3, random_state=0)
learner.fit((patches - means)[::4])
codes = learner.transform(patches - means)
print(f"{codes.nnz / codes.shape[0]:.1f} atoms a patch of 64 pixels")

# %%
# A pixel is in up to 64 patches; the mean of what they say is the image. The same with
# a fixed dictionary, the cosines of the JPEG format, is for comparison.


def image_of(fitted):
    """The mean of overlapping patches."""
    return reconstruct_from_patches_2d(fitted.reshape(-1, 8, 8), clean.shape)


frequency, position = np.arange(8)[:, None], np.arange(8) + 0.5
cosines = np.cos(np.pi * frequency * position / 8)
cosines /= np.linalg.norm(cosines, axis=1, keepdims=True)
fixed = SparseCoder(np.kron(cosines, cosines), method="omp", alpha=price)
images = {
    "noisy": noisy,
    "cosines": image_of(
        fixed.inverse_transform(fixed.fit_transform(patches - means)) + means
    ),
    "learned atoms": image_of(learner.inverse_transform(codes) + means),
    "without noise": clean,
}
fig, axes = plt.subplots(2, 2, figsize=(7, 7.4), layout="constrained")
for ax, (name, image) in zip(axes.flat, images.items()):
    ax.imshow(image, cmap="gray", vmin=0, vmax=255)
    quality = "" if image is clean else f", {psnr(image):.1f} dB"
    ax.set_title(name + quality)
    ax.set_axis_off()
plt.show()

# %%
# The atoms, the most used first: edges and textures of this image.

fig, axes = plt.subplots(6, 16, figsize=(8, 3.1), layout="constrained")
for ax, atom in zip(axes.flat, learner.components_):
    limit = np.abs(atom).max()
    ax.imshow(atom.reshape(8, 8), cmap="gray", vmin=-limit, vmax=limit)
    ax.set_axis_off()
plt.show()
