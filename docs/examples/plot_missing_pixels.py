"""
Pixels that are missing
=======================

NaN in X may be what it says: an entry that is not known. A coder with
``missing="mask"`` fits a code to the entries that are, and the atoms of the code say
what the others are.
"""

# %%
# Half of the pixels of a part of a photograph are lost.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.feature_extraction.image import reconstruct_from_patches_2d

from sparselearn.decomposition import KSVD, SparseCoder

rng = np.random.default_rng(0)
image = load_sample_image("flower.jpg").mean(axis=2)[120:248, 230:358]
lost = rng.uniform(size=image.shape) < 0.5
holed = np.where(lost, np.nan, image)

# %%
# The patches of 8 by 8 pixels, less the mean of what is left of each. K-SVD learns from
# patches with gaps: it takes what the codes say for what is missing, and then atoms
# that fit this better, by turns. No atom has seen a whole patch.

patches = np.lib.stride_tricks.sliding_window_view(holed, (8, 8)).reshape(-1, 64)
means = np.nanmean(patches, axis=1, keepdims=True)
coder = SparseCoder(method="omp", n_nonzero_coefs=3, missing="mask")
learner = KSVD(64, coder=coder, init="svd", tol=0.01, random_state=0)
learner.fit((patches - means)[::5])
codes = learner.transform(patches - means)
filled = learner.inverse_transform(codes) + means
restored = reconstruct_from_patches_2d(filled.reshape(-1, 8, 8), image.shape)
restored = np.where(lost, restored, image)

# %%
# How good is it? The root mean squared error over the lost pixels, and that of the mean
# of the patches around them.

flat = np.broadcast_to(means, patches.shape).reshape(-1, 8, 8)
simple = np.where(lost, reconstruct_from_patches_2d(flat, image.shape), image)


def error(guess):
    """Over the lost pixels, in grey levels."""
    return np.sqrt(np.mean((guess - image)[lost] ** 2))


fig, axes = plt.subplots(2, 2, figsize=(7, 7.4), layout="constrained")
shown = {
    "half of the pixels": np.where(lost, 0, image),
    f"by means, error {error(simple):.1f}": simple,
    f"by atoms, error {error(restored):.1f}": restored,
    "the image": image,
}
for ax, (name, picture) in zip(axes.flat, shown.items()):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=255)
    ax.set_title(name)
    ax.set_axis_off()
plt.show()

# %%
# Entries that are known can be hidden to see how well they are filled in, which chooses
# the number of non-zeros without a look at the lost ones.

known = (patches - means)[1::50]
held_out = ~np.isnan(known) & (rng.uniform(size=known.shape) < 0.2)
for n_nonzero_coefs in (1, 2, 4, 8, 16):
    learner.set_params(coder__n_nonzero_coefs=n_nonzero_coefs)
    score = learner.score(known, held_out=held_out)
    print(f"{n_nonzero_coefs:2} non-zeros: R2 of hidden pixels {score:.3f}")
