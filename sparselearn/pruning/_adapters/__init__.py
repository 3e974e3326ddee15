"""How pruning reads and writes an estimator: one adapter for each kind.

To the rest of the subpackage a fitted estimator is a list of blocks, the affine
maps ``z = a W + b`` inside it. A linear model is one block on the features, a
multilayer perceptron one block a layer.
"""

from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import (
    SVC,
    SVR,
    LinearSVC,
    LinearSVR,
    NuSVC,
    NuSVR,
    OneClassSVM,
)

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._adapters._kernel_machine import KernelMachineAdapter
from sparselearn.pruning._adapters._linear import LinearAdapter
from sparselearn.pruning._adapters._perceptron import MLPAdapter, SparseMLPAdapter
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

_KERNEL_MACHINE = KernelMachineAdapter()
for _kind in (SVC, NuSVC, SVR, NuSVR, OneClassSVM):
    register_adapter(_kind, _KERNEL_MACHINE)

_MLP = MLPAdapter()
for _kind in (MLPClassifier, MLPRegressor):
    register_adapter(_kind, _MLP)
_SPARSE_MLP = SparseMLPAdapter()
for _kind in (SparseMLPClassifier, SparseMLPRegressor):
    register_adapter(_kind, _SPARSE_MLP)
