"""
Sparse codes for a classifier
=============================

A linear classifier on raw pixels asks of each pixel by itself what it says. On sparse
codes by whole images it asks which of these an image resembles. How many of them a code
should use is a question for cross-validation.
"""

# %%
# Half of the digits, brought to the range from 0 to 1, are for training. Of these 256
# are the atoms, drawn at random and each of length 1.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import normalize

from sparselearn.decomposition import SparseCoder, encode_path
from sparselearn.inspection import AtomsDisplay, SparsityScoreDisplay

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.5, stratify=y, random_state=0
)
atoms = normalize(X_train[np.random.default_rng(0).permutation(len(X_train))[:256]])

# %%
# A pursuit writes an image as a sum of few atoms. Pixels are amounts of ink, so it is a
# sum without minus signs. Here are images, the sums, and what is summed.

coder = SparseCoder(atoms, method="omp", n_nonzero_coefs=4, positive=True).fit(X_train)
codes = coder.transform(X_test)

images = [0, 1, 2, 3]
fig, axes = plt.subplots(len(images), 6, figsize=(7, 5), layout="constrained")
for row, i in zip(axes, images):
    code = codes[[i]]
    order = np.argsort(-code.data)
    pictures = [
        X_test[i],
        coder.inverse_transform(code)[0],
        *atoms[code.indices[order]],
    ]
    titles = ["image", "sum", *(f"{value:.2f}" for value in code.data[order])]
    for ax, picture, title in zip(row, pictures, titles):
        AtomsDisplay(picture[None], image_shape=(8, 8)).plot(ax)
        ax.set_title(title, fontsize=10)
plt.show()

# %%
# How much is lost, by the number of atoms? A pursuit of 16 atoms passes through all
# that are shorter, so the codes of all lengths come from one pass.

levels = [1, 2, 4, 8, 16]
path = encode_path(X_test, atoms, n_nonzero_coefs=levels, positive=True)
for level, errors in zip(path.n_nonzero_coefs, path.errors):
    share = errors.sum() / (X_test**2).sum()
    print(f"{level:2d} atoms leave {share:.1%} of the squares")

# %%
# The classifier decides how many are worth it. The coder stands in its pipeline, codes
# stay sparse all the way, and the grid is over `n_nonzero_coefs`.

pipeline = Pipeline(
    [
        ("codes", SparseCoder(atoms, method="omp", positive=True)),
        ("classifier", LogisticRegression(C=10, max_iter=2000)),
    ]
)
search = GridSearchCV(pipeline, {"codes__n_nonzero_coefs": levels}, cv=4)
search.fit(X_train, y_train)

raw = LogisticRegression(C=10, max_iter=2000)
baseline = GridSearchCV(raw, {"C": [10]}, cv=4).fit(X_train, y_train)

display = SparsityScoreDisplay.from_estimator(
    search,
    sparsity="param_codes__n_nonzero_coefs",
    score_name="Accuracy",
    baseline=baseline.best_score_,
    baseline_name="raw pixels",
    xscale="log",
)
display.ax_.set_xlabel("Non-zeros of a code")
display.ax_.set_xticks(levels, levels)
display.ax_.minorticks_off()
plt.show()

# %%
# On the half that nobody has seen:

best = search.best_params_["codes__n_nonzero_coefs"]
sparsity = search.best_estimator_["codes"].sparsity_
print(f"raw pixels: {baseline.score(X_test, y_test):.3f}")
print(f"codes of {best}: {search.score(X_test, y_test):.3f}, {sparsity:.1%} zeros")
