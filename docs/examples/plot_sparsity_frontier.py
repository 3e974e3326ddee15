"""
What sparsity costs
===================

Three ways to a sparse model of handwritten digits, each swept over its sparsity by
the same cross-validation: a pruned linear classifier, a pruned perceptron, and a
linear classifier on K-means codes.
"""

# %%
# The same kind of search serves all of them. Besides the accuracy it records the
# sparsity of each fitted model, by :func:`sparselearn.metrics.sparsity`, which of a
# pipeline reads the last step.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from sparselearn.cluster import KMeansCoder
from sparselearn.inspection import SparsityScoreDisplay
from sparselearn.metrics import sparsity
from sparselearn.pruning import Pruner

X, y = load_digits(return_X_y=True)
SPARSITIES = [0.0, 0.5, 0.75, 0.9, 0.95, 0.98]


def search(model, grid, measure):
    """Sweep `grid`, recording accuracy and what `measure` says of a fitted model."""
    scoring = {"score": "accuracy", "sparsity": lambda model, X, y: measure(model)}
    model = make_pipeline(MinMaxScaler(), *model)
    return GridSearchCV(model, grid, scoring=scoring, refit="score", cv=3).fit(X, y)


# %%
# A :class:`~sparselearn.pruning.Pruner` fits the model that it is given and sets the
# least important weights to zero, exactly as many as asked for.

pruned_linear = search(
    [Pruner(RidgeClassifier(alpha=0.1))],
    {"pruner__sparsity": SPARSITIES},
    sparsity,
)
perceptron = MLPClassifier(
    (64,), learning_rate_init=0.01, max_iter=40, tol=1e-2, random_state=0
)
pruned_perceptron = search(
    [Pruner(perceptron)], {"pruner__sparsity": SPARSITIES}, sparsity
)

# %%
# A :class:`~sparselearn.cluster.KMeansCoder` turns an image into the few of 128
# centroids that are nearest to it; here it is the code that is sparse.

codes = search(
    [KMeansCoder(128, random_state=0), RidgeClassifier(alpha=0.1)],
    {"kmeanscoder__n_nonzero_coefs": [1, 4, 16, 64]},
    lambda model: sparsity(model["kmeanscoder"]),
)

# %%
# The linear classifier with all of its weights is the line to compare with.

dense = make_pipeline(MinMaxScaler(), RidgeClassifier(alpha=0.1))
baseline = cross_val_score(dense, X, y, cv=3).mean()

display = SparsityScoreDisplay.from_estimator(
    {
        "pruned linear": pruned_linear,
        "pruned perceptron": pruned_perceptron,
        "K-means codes": codes,
    },
    baseline=baseline,
    baseline_name="linear, not pruned",
    score_name="Cross-validated accuracy",
    xscale="log",
)
display.ax_.set_ylim(bottom=0.6)
plt.show()

# %%
# The horizontal axis is logarithmic in the share of non-zeros. The curves answer
# different questions: the weights of a pruned model are few once and for all, the
# entries of a code are few for each image, and other ones for another image. Whether
# a small model or a short code is wanted is for the application to say.

for name, found in [
    ("pruned linear", pruned_linear),
    ("pruned perceptron", pruned_perceptron),
    ("K-means codes", codes),
]:
    best = found.best_index_
    results = found.cv_results_
    print(
        f"{name:18}{results['mean_test_sparsity'][best]:6.1%} zeros, "
        f"accuracy {results['mean_test_score'][best]:.3f}"
    )
