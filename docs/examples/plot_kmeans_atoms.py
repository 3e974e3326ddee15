"""
What K-means finds in image patches
===================================

Centroids of image patches are images themselves. Of plain patches they are light and
dark blurs; of whitened ones, as directions, they are edges, as the first layer of a
network would learn.
"""

# %%
# Ten thousand patches of 8 by 8 pixels of a photograph, less their means, and of one
# contrast but for those that hardly have any. They are clustered twice: as they are,
# and whitened, with ``spherical=True``, where a patch is a multiple of its centroid.

import matplotlib.pyplot as plt
import numpy as np

from sparselearn.cluster import KMeansCoder
from sparselearn.datasets import load_image_patches
from sparselearn.inspection import AtomsDisplay
from sparselearn.metrics import explained_variance

X = load_image_patches(10000, random_state=0).astype(np.float32)
X /= np.sqrt(X.var(axis=1, keepdims=True) + 0.1 * X.var())
options = {"max_iter": 20, "random_state": 0, "n_jobs": 2}
plain = KMeansCoder(100, **options).fit(X)
edges = KMeansCoder(100, spherical=True, whiten="zca", whiten_eps=0.3, **options).fit(X)

fig, axes = plt.subplots(1, 2, figsize=(8, 4.2), layout="constrained")
for ax, components, title in (
    (axes[0], plain.components_, "as they are"),
    (axes[1], edges.whitened_components_, "whitened, as directions"),
):
    AtomsDisplay(components, image_shape=(8, 8)).plot(ax=ax)
    ax.set_title(title)
plt.show()

# %%
# A code of the second coder with ``encoder="topk"`` keeps the few largest projections
# of a patch, with their signs: an edge from dark to light and one from light to dark
# are the same direction. ``inverse_transform`` gives the shortest patch that has these
# projections.

edges.set_params(encoder="topk", n_nonzero_coefs=6)
patches = X[[3, 11, 17, 29]]
codes = edges.transform(patches)

fig, axes = plt.subplots(len(patches), 8, figsize=(8, 4.2), layout="constrained")
for row, i in zip(axes, range(len(patches))):
    code = codes[[i]]
    order = np.argsort(-np.abs(code.data))
    largest = edges.whitened_components_[code.indices[order]]
    pictures = [patches[i], *largest, edges.inverse_transform(code)[0]]
    titles = ["patch", *(f"{value:.1f}" for value in code.data[order]), "given back"]
    for ax, picture, title in zip(row, pictures, titles):
        limit = np.abs(picture).max()
        ax.imshow(picture.reshape(8, 8), cmap="gray", vmin=-limit, vmax=limit)
        ax.set_title(title, fontsize=9)
        ax.set_axis_off()
plt.show()

# %%
# How much of the patches do codes still tell? The share of the variance that is given
# back, against the number of entries of a code. Projections on whitened directions and
# the weights of near centroids (``encoder="llc"``) tell more with each entry. A
# triangle code gives a mean of centroids: it is made to be read by a linear model, not
# to give the patch back.

sizes = [1, 2, 4, 8, 16, 32]
some = X[::10]
coders = {
    "topk, whitened directions": edges,
    "llc": plain.set_params(encoder="llc"),
    "triangle": KMeansCoder(100, **options).fit(X),
}
fig, ax = plt.subplots(layout="constrained")
for title, coder in coders.items():
    shares = []
    for size in sizes:
        codes = coder.set_params(n_nonzero_coefs=size).transform(some)
        shares.append(explained_variance(some, coder.inverse_transform(codes)))
    ax.semilogx(sizes, shares, "o-", base=2, label=title)
ax.set_xticks(sizes, sizes)
ax.set(xlabel="Non-zeros of a code", ylabel="Explained variance")
ax.legend()
plt.show()
