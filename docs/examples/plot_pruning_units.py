"""
A network with fewer units
==========================

Whole hidden units are removed from a perceptron of handwritten digits, and their
arrays with them: what it costs in accuracy, and what it gains in time.
"""

# %%
# Cross-validation says how many units are not needed: on each fold one network, and the
# whole path of units removed, by several criteria. Units are ranked layer by layer:
# what one is worth does not compare with those of a layer of another size.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparselearn.inspection import PruningDisplay
from sparselearn.neural_network import SparseMLPClassifier
from sparselearn.pruning import Pruner, PrunerCV

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)
network = SparseMLPClassifier(
    (400, 200), max_iter=20, batch_size=64, learning_rate_init=2e-3, random_state=0
)
pruner = Pruner(network, granularity="neuron", shrink=True)
search = PrunerCV(pruner, cv=3, random_state=0).fit(X, y)
PruningDisplay.from_estimator(search, xscale="log", score_name="Accuracy")
plt.show()

# %%
# The network that was fitted to all rows is pruned to that, and the arrays are smaller:

print(f"{search.best_sparsity_:.0%} of the units, by {search.best_params_}")
for before, after in zip(search.unpruned_.coefs_, search.estimator_.coefs_):
    print(f"{before.shape} -> {after.shape}")

# %%
# Sizes, the time of a prediction, measured, and scores, before and after:

print(search.report(X_test, y_test))
