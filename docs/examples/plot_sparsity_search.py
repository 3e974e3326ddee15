"""
A search over sparsity
======================

Digits are written as sums of a few atoms of a dictionary, and a linear classifier reads
the codes. How few atoms will do? And how few features, if pixels are read themselves?
One kind of search answers both, in one pass of a pursuit and down one path of alphas.
"""

# %%
# Atoms are other digits. The search finds the parameter, the number of atoms of a code,
# by itself; the values it has to be told.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sparselearn.decomposition import SparseCoder
from sparselearn.inspection import SparsityScoreDisplay
from sparselearn.linear_model import SparseLogisticRegression
from sparselearn.model_selection import SparsitySearchCV

X, y = load_digits(return_X_y=True)
atoms, X, y = X[:300] / 16, X[300:], y[300:]
folds = StratifiedKFold(5, shuffle=True, random_state=0)

codes = SparsitySearchCV(
    make_pipeline(
        MinMaxScaler(), SparseCoder(atoms, sparse_output=False), RidgeClassifier()
    ),
    values=[1, 2, 3, 4, 6, 8, 12, 16, 24],
    scoring="accuracy",
    refit="1se",
    cv=folds,
).fit(X, y)
print(codes.param_name_, codes.best_params_, round(codes.best_score_, 3))

# %%
# Of a linear model it knows which values to try as well: from the largest alpha, which
# leaves no feature, downwards. Each solution is the start of the next one.

pixels = SparsitySearchCV(
    make_pipeline(MinMaxScaler(), SparseLogisticRegression(multi_class="ovr")),
    values=12,
    scoring="accuracy",
    refit="1se",
    cv=folds,
).fit(X, y)
print(pixels.param_name_, pixels.best_params_, round(pixels.best_score_, 3))

# %%
# The frontier: what sparsity costs. A ring marks the sparsest candidate within a
# standard error of the best, the one that was fitted again on all rows.

display = SparsityScoreDisplay.from_estimator(
    {"codes, of 300 atoms": codes, "weights, of 64 pixels": pixels}, xscale="log"
)
for search in (codes, pixels):
    results, best = search.cv_results_, search.best_index_
    display.ax_.plot(
        results["mean_test_sparsity"][best],
        results["mean_test_score"][best],
        "o",
        markersize=16,
        markerfacecolor="none",
        markeredgecolor="black",
    )
display.ax_.set_ylim(bottom=0.6)
plt.show()

# %%
# And how far folds agree on the pixels that any class reads.

agreement = pixels.cv_results_["support_agreement"]
n_nonzero = pixels.cv_results_["mean_test_n_nonzero"]
for k in np.arange(1, 12, 2):
    print(f"{n_nonzero[k]:6.1f} weights, agreement {agreement[k]:.2f}")

# %%
# A code has few non-zeros for each image, a model few once and for all: the curves
# answer different questions on one axis.
