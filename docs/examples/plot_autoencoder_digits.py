"""
A sparse autoencoder of the digits
==================================

An autoencoder writes an image as a sum of few atoms, as a dictionary does, but it has
learned to do so in one pass. What are its atoms, what does a code leave out, and how
long should a code be?
"""

# %%
# Sixty-four units, of which each image keeps the six largest. Images are centred and
# scaled inside.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sparselearn.inspection import (
    AtomsDisplay,
    SparsityScoreDisplay,
    TrainingCurveDisplay,
)
from sparselearn.neural_network import SparseAutoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype(np.float32), y, test_size=0.5, stratify=y, random_state=0
)
autoencoder = SparseAutoencoder(
    64,
    n_nonzero_coefs=6,
    learning_rate_init=0.01,
    max_iter=300,
    early_stopping=True,
    random_state=0,
).fit(X_train)
print(f"{autoencoder.score(X_test):.1%} of the variance of new images")
print(f"{autoencoder.sparsity_:.1%} zeros, {autoencoder.dead_units_.size} dead units")

# %%
# How training went: the loss of the batches, the score of images that were held out,
# and how many units no image made fire.

TrainingCurveDisplay.from_estimator(autoencoder)
plt.show()

# %%
# The atoms, those first that more images use: strokes, and parts of strokes.

order = np.argsort(-autoencoder.activation_rate_)
display = AtomsDisplay.from_estimator(
    autoencoder, image_shape=(8, 8), atoms=order, n_columns=16
)
display.figure_.set_size_inches(7, 4)
plt.show()

# %%
# New images, and what codes of one, three, six and twelve entries make of them. The
# number of entries is read when an image is encoded, so one model gives all of these.

images = [0, 5, 8, 13, 21, 34]
lengths = [1, 3, 6, 12]
rows = [X_test[images]]
for length in lengths:
    autoencoder.set_params(n_nonzero_coefs=length)
    rows.append(autoencoder.inverse_transform(autoencoder.transform(X_test[images])))
fig, axes = plt.subplots(len(rows), len(images), figsize=(6, 5), layout="constrained")
for ax_row, name, pictures in zip(axes, ["image", *map(str, lengths)], rows):
    for ax, picture in zip(ax_row, pictures):
        ax.imshow(picture.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        ax.set_xticks([])
        ax.set_yticks([])
    ax_row[0].set_ylabel(name)
plt.show()

# %%
# A classifier reads codes better than pixels. How many entries are worth it, it may say
# itself: the autoencoder stands in its pipeline, and cross-validation is over the
# length of codes.

pipeline = make_pipeline(
    SparseAutoencoder(256, learning_rate_init=0.01, max_iter=40, random_state=0),
    MaxAbsScaler(),
    LogisticRegression(max_iter=1000),
)
grid = {"sparseautoencoder__n_nonzero_coefs": [2, 4, 8, 16, 32]}
search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
raw = GridSearchCV(
    make_pipeline(MaxAbsScaler(), LogisticRegression(max_iter=1000)), {}, cv=3
).fit(X_train, y_train)

display = SparsityScoreDisplay.from_estimator(
    search,
    sparsity="param_sparseautoencoder__n_nonzero_coefs",
    score_name="Accuracy",
    baseline=raw.best_score_,
    baseline_name="raw pixels",
    xscale="log",
)
display.ax_.set_xlabel("Non-zeros of a code")
display.ax_.set_xticks([2, 4, 8, 16, 32], [2, 4, 8, 16, 32])
display.ax_.minorticks_off()
plt.show()

# %%
# On the half that nobody has seen:

print(f"raw pixels: {raw.score(X_test, y_test):.3f}")
print(f"codes: {search.score(X_test, y_test):.3f}")
