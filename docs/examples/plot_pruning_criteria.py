"""
What to prune by
================

A perceptron of handwritten digits loses its weights by several criteria, and at random:
what is left of its accuracy on rows that it has not seen, in one shot, without training
again and without labels.
"""

# %%
# One network, and a path for each criterion. After removal the kept weights are fitted,
# layer by layer, to what the whole network gave: ``refit="lstsq"``.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparselearn.inspection import PruningDisplay
from sparselearn.neural_network import SparseMLPClassifier
from sparselearn.pruning import Pruner, pruning_path

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
network = SparseMLPClassifier(
    (60, 30), max_iter=60, batch_size=64, learning_rate_init=5e-3, random_state=0
).fit(X, y)

options = {"X_test": X_test, "y_test": y_test, "random_state": 0}
paths = {
    criterion: pruning_path(network, X, criterion=criterion, **options)
    for criterion in ("magnitude", "wanda", "obd", "random")
}
PruningDisplay.from_path(paths, xscale="log", score_name="Accuracy")
plt.show()

# %%
# The refit matters more than the criterion: without it the same weights are worth this.

unrefitted = {
    criterion: pruning_path(network, X, criterion=criterion, refit="none", **options)
    for criterion in ("magnitude", "wanda", "random")
}
PruningDisplay.from_path(
    {"wanda, lstsq": paths["wanda"], **unrefitted}, xscale="log", score_name="Accuracy"
)
plt.show()

# %%
# A Pruner that is told what may be lost finds the criterion and the sparsity itself, on
# rows that it keeps apart.

pruner = Pruner(network, tolerance=0.01, random_state=0).fit(X, y)
print(f"{pruner.criterion_}, {pruner.refit_}: {pruner.sparsity_:.0%} of the weights")
print(f"accuracy {pruner.unpruned_.score(X_test, y_test):.3f} unpruned,")
print(f"{pruner.score(X_test, y_test):.3f} pruned, on rows that were not used at all")
PruningDisplay.from_estimator(pruner)
plt.show()
