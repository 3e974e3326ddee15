"""
The centroids behind a code
===========================

What a :class:`~sparselearn.cluster.KMeansCoder` learns from images can be looked at:
its centroids are images themselves, and a code says which of them an image is near.
"""

# %%
# Sixty-four centroids of the handwritten digits, those nearest to the most images
# first.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from sparselearn.cluster import KMeansCoder
from sparselearn.metrics import explained_variance

X, y = load_digits(return_X_y=True)
coder = KMeansCoder(64, n_nonzero_coefs=4, random_state=0).fit(X)

fig, axes = plt.subplots(8, 8, figsize=(5, 5), layout="constrained")
order = np.argsort(-coder.counts_)
for ax, j in zip(axes.flat, order):
    ax.imshow(coder.components_[j].reshape(8, 8), cmap="gray_r")
    ax.set_axis_off()
plt.show()

# %%
# The code of an image has four entries, one for each of its nearest centroids: by how
# much they are nearer to it than the mean of all 64. ``inverse_transform`` mixes these
# centroids in the proportions of the code.

codes = coder.transform(X)
n_images, n_entries = codes.shape
print(f"{n_images} codes of {n_entries} entries, {coder.sparsity_:.1%} zeros")

images = [0, 5, 8, 13]
fig, axes = plt.subplots(len(images), 6, figsize=(7, 5), layout="constrained")
for row, i in zip(axes, images):
    code = codes[[i]]
    near = code.indices[np.argsort(-code.data)]
    pictures = [X[i], *coder.components_[near], coder.inverse_transform(code)[0]]
    titles = ["image", *(f"{value:.1f}" for value in np.sort(code.data)[::-1]), "mixed"]
    for ax, picture, title in zip(row, pictures, titles):
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set_title(title, fontsize=10)
        ax.set_axis_off()
plt.show()

# %%
# How much of the images do the codes still tell? The share of the variance that the
# mixture explains, against the number of entries that a code keeps. A mixture of many
# centroids is a blur: a triangle code is made to be read by a linear model, not to
# give the image back.

sizes = [1, 2, 4, 8, 16, 32]
explained = []
for size in sizes:
    coder.set_params(n_nonzero_coefs=size)
    explained.append(explained_variance(X, coder.inverse_transform(coder.transform(X))))

fig, ax = plt.subplots(layout="constrained")
ax.semilogx(sizes, explained, "o-", base=2)
ax.set_xticks(sizes, sizes)
ax.set(xlabel="Non-zeros of a code", ylabel="Explained variance")
plt.show()
