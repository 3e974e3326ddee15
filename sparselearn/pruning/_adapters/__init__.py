"""How pruning reads and writes an estimator: one adapter for each kind.

To the rest of the subpackage a fitted estimator is a list of blocks, the affine
maps ``z = a W + b`` inside it. A linear model is one block on the features, a
multilayer perceptron one block a layer.
"""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import RANSACRegressor, SGDOneClassSVM
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    RandomizedSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)
from sklearn.multioutput import (
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    RegressorChain,
)
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
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning._adapters._autoencoder import AutoencoderAdapter
from sparselearn.pruning._adapters._base import Adapter
from sparselearn.pruning._adapters._kernel_machine import KernelMachineAdapter
from sparselearn.pruning._adapters._linear import LinearAdapter, OneClassAdapter
from sparselearn.pruning._adapters._perceptron import MLPAdapter, SparseMLPAdapter
from sparselearn.pruning._adapters._registry import (
    adapter_of,
    refuse,
    register_adapter,
    register_home,
)
from sparselearn.pruning._adapters._tree import TreeAdapter

__all__ = ["Adapter", "adapter_of", "register_adapter"]

_LINEAR = LinearAdapter()
for _home in ("sklearn.linear_model", "sparselearn.linear_model"):
    register_home(_home, _LINEAR)
for _kind in (LinearSVC, LinearSVR):
    register_adapter(_kind, _LINEAR)
register_adapter(SGDOneClassSVM, OneClassAdapter())

_KERNEL_MACHINE = KernelMachineAdapter()
for _kind in (SVC, NuSVC, SVR, NuSVR, OneClassSVM):
    register_adapter(_kind, _KERNEL_MACHINE)

_MLP = MLPAdapter()
for _kind in (MLPClassifier, MLPRegressor):
    register_adapter(_kind, _MLP)
_SPARSE_MLP = SparseMLPAdapter()
for _kind in (SparseMLPClassifier, SparseMLPRegressor):
    register_adapter(_kind, _SPARSE_MLP)


register_adapter(SparseAutoencoder, AutoencoderAdapter())

_TREE = TreeAdapter()
for _kind in (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
):
    register_adapter(_kind, _TREE)

for _kind in (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
):
    refuse(
        _kind,
        "its trees correct one another, and their inner nodes hold no prediction to "
        "fall back on; fit fewer or smaller trees",
    )
refuse(
    IsolationForest,
    "it scores by how deep its leaves are; fit fewer trees, or of smaller max_samples",
)
for _kind in (
    CalibratedClassifierCV,
    FixedThresholdClassifier,
    RANSACRegressor,
    TransformedTargetRegressor,
    TunedThresholdClassifierCV,
):
    refuse(
        _kind,
        "it is around an estimator; prune that as it is fitted, by "
        f"{_kind.__name__}(Pruner(...))",
    )
for _kind in (GridSearchCV, RandomizedSearchCV):
    refuse(
        _kind,
        "it is a search; prune its best_estimator_, or search among pruned estimators "
        f"by {_kind.__name__}(Pruner(...), ...)",
    )
for _kind in (StackingClassifier, StackingRegressor, VotingClassifier, VotingRegressor):
    refuse(
        _kind,
        "it holds several models; prune each as it is fitted, by a Pruner around each "
        "of its estimators",
    )
for _kind in (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    ClassifierChain,
    MultiOutputClassifier,
    MultiOutputRegressor,
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
    RegressorChain,
):
    refuse(
        _kind,
        "it holds several models; prune each as it is fitted, by "
        f"{_kind.__name__}(Pruner(...))",
    )
