"""
Digits by their patches
=======================

A linear classifier of pixels has to be told every place where a stroke may be. One of
patches needs to know which strokes there are, and roughly where. What strokes look like
is learned from images without labels.
"""

# %%
# Patches of 4 x 4 pixels, drawn at random places of random images, are whitened, and
# K-means learns 64 directions of them. Here they are in the units of the patches, those
# of the most patches first: edges of strokes, then finer things.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.cluster import KMeansCoder
from sparselearn.feature_extraction import PatchEncoder
from sparselearn.inspection import AtomsDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, test_size=0.4, stratify=y, random_state=0
)
coder = KMeansCoder(
    64,
    spherical=True,
    whiten="zca",
    whiten_eps=1.0,
    encoder="topk",
    n_nonzero_coefs=3,
    split_sign=True,
    random_state=0,
)
encoder = PatchEncoder(
    coder, patch_size=4, n_patches=10_000, sparse_output=False, random_state=0
)
encoder.fit(X_train)
order = np.argsort(-encoder.coder_.counts_)
AtomsDisplay(encoder.components_[order], image_shape=(4, 4)).plot()
plt.show()

# %%
# The code of a patch has three numbers that are not zero, for the directions on which
# its projections are the largest. A direction and its negative have a column each. An
# 8 x 8 image has 25 patches; with as many cells as patches nothing is pooled, and for
# each column there is a map of where in the image it is found. Here are images and, for
# the three columns that are largest in them, the direction and its map. At the right
# is what a classifier sees of the first of the maps: its sums over quadrants.


def maps_of(images, n_cells):
    """Codes by column: (n_images, 128, n_cells, n_cells)."""
    codes = encoder.set_params(grid=n_cells).transform(images)
    return codes.reshape(-1, n_cells, n_cells, 128).transpose(0, 3, 1, 2)


images = X_test[[0, 1, 2]]
directions = np.concatenate([encoder.components_, -encoder.components_])

fig, axes = plt.subplots(3, 8, figsize=(9, 3.6), layout="constrained")
for row, image, maps, pooled in zip(
    axes, images, maps_of(images, 5), maps_of(images, 2)
):
    row[0].imshow(image.reshape(8, 8), cmap="gray_r")
    most = np.argsort(-maps.sum(axis=(1, 2)))[:3]
    for k, j in enumerate(most):
        row[2 * k + 1].imshow(directions[j].reshape(4, 4), cmap="gray_r")
        row[2 * k + 2].imshow(maps[j], cmap="Reds", vmin=0, vmax=maps.max())
    row[7].imshow(pooled[most[0]], cmap="Reds", vmin=0)
    for ax in row:
        ax.set_axis_off()
for ax, title in zip(axes[0], ["image", *["direction", "map"] * 3, "pooled"]):
    ax.set_title(title, fontsize=9)
plt.show()

# %%
# How good is that for a classifier, and for how few labels? Centroids have learned from
# all training images, which takes no labels; the classifier gets some of them.

codes = {"pixels": (X_train, X_test)}
both = {
    "triangle codes": KMeansCoder(64, whiten="zca", whiten_eps=1.0, random_state=0),
    "3 largest projections": coder,
}
for name, other in both.items():
    encoder = PatchEncoder(
        other, patch_size=4, n_patches=10_000, sparse_output=False, random_state=0
    )
    codes[name] = encoder.fit(X_train).transform(X_train), encoder.transform(X_test)

sizes = [50, 100, 200, 400, len(X_train)]
fig, ax = plt.subplots(layout="constrained")
for (name, (Z_train, Z_test)), marker in zip(codes.items(), "osD"):
    scores = []
    for size in sizes:
        classifier = make_pipeline(
            StandardScaler(), RidgeClassifierCV(alphas=np.logspace(-1, 4, 11))
        )
        classifier.fit(Z_train[:size], y_train[:size])
        scores.append(classifier.score(Z_test, y_test))
    ax.semilogx(sizes, scores, marker + "-", label=name)
    print(f"{name:22s}", "  ".join(f"{score:.3f}" for score in scores))
ax.set_xticks(sizes, sizes)
ax.set_xticks([], minor=True)
ax.set(xlabel="Images with a label", ylabel="Accuracy on other images")
ax.legend()
plt.show()
