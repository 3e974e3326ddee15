"""How pruning reads and writes an estimator: one adapter for each kind.

To the rest of the subpackage a fitted estimator is a list of blocks, the affine
maps ``z = a W + b`` inside it. A linear model is one block on the features, a
multilayer perceptron one block a layer.
"""

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import LinearSVC, LinearSVR

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._adapters._linear import LinearAdapter
from sparselearn.pruning._adapters._perceptron import MLPAdapter
from sparselearn.pruning._adapters._registry import (
    adapter_of,
    register_adapter,
    register_home,
)

__all__ = ["Adapter", "adapter_of", "register_adapter"]

_LINEAR = LinearAdapter()
for _home in ("sklearn.linear_model", "sparselearn.linear_model"):
    register_home(_home, _LINEAR)
for _kind in (LinearSVC, LinearSVR):
    register_adapter(_kind, _LINEAR)

_MLP = MLPAdapter()
for _kind in (MLPClassifier, MLPRegressor, SparseMLPClassifier, SparseMLPRegressor):
    register_adapter(_kind, _MLP)
