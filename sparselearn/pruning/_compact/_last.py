"""Rules of what ends a pipeline: which columns a model reads."""

from copy import copy

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import ARDRegression, BayesianRidge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import LinearSVC, LinearSVR
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)

from sparselearn._compat import rebuilt_tree, tree_state
from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._blocks import dense
from sparselearn.pruning._compact._rules import (
    Narrowed,
    at_least_one,
    cut,
    narrow,
    register_compaction,
    register_home,
)
from sparselearn.pruning._pruner import Pruner
from sparselearn.pruning._pruner_cv import PrunerCV

__all__ = []

# What linear models keep of their fit, by feature, and do not predict with.
HISTORY = ("_stream", "active_", "coef_path_", "coefs_paths_", "groups_", "singular_")


def _linear(model, kept):
    coef = getattr(model, "coef_", None)
    if coef is None or kept is not None or isinstance(model, BayesianRidge):
        return None  # the deviations that BayesianRidge predicts need all features
    weights = np.atleast_2d(dense(coef))
    used = (weights != 0.0).any(axis=0)
    if isinstance(model, ARDRegression):
        used |= model.lambda_ < model.threshold_lambda
    used = at_least_one(used)
    names = ["X_offset_", "X_scale_", "lambda_", "penalty_weights_"]
    if not hasattr(model, "groups"):  # else the weights are those of groups
        names.append("penalty_weights")
    smaller = cut(model, used, *names, coef_=_columns(coef, used))
    for name in HISTORY:
        vars(smaller).pop(name, None)
    if hasattr(smaller, "sparsity_"):
        weights = weights[:, used]
        smaller.support_ = np.flatnonzero(weights.any(axis=0))
        smaller.sparsity_ = 1.0 - np.count_nonzero(weights) / weights.size
    return Narrowed(smaller, used)


def _columns(coef, used):
    if not sp.issparse(coef):
        return np.ascontiguousarray(coef[..., used])
    if coef.ndim == 1:  # older versions of scipy take no entries of such
        return type(coef)(coef.toarray()[used])
    return coef[:, np.flatnonzero(used)]


def _perceptron(network, kept):
    """Features that no unit of the first layer reads."""
    used = at_least_one((dense(network.coefs_[0]) != 0.0).any(axis=1))
    weights = network.coefs_[0][np.flatnonzero(used)]
    coefs = [weights, *network.coefs_[1:]]
    smaller = cut(network, used, "feature_support_", coefs_=coefs)
    adapter_of(smaller).forget_training(smaller)
    return Narrowed(smaller, used)


def _tree(tree, kept):
    used = at_least_one(_splits_on([tree], tree.n_features_in_))
    return Narrowed(_with_features(tree, used), used)


def _forest(forest, kept):
    if not (getattr(forest, "init", None) is None or forest.init == "zero"):
        return None  # a model that boosting starts from reads all features
    trees = forest.estimators_
    used = at_least_one(_splits_on(np.ravel(trees), forest.n_features_in_))
    smaller = [_with_features(tree, used) for tree in np.ravel(trees)]
    if isinstance(trees, np.ndarray):
        smaller = np.array(smaller, dtype=object).reshape(trees.shape)
    return Narrowed(cut(forest, used, estimators_=smaller), used)


def _splits_on(trees, n_features):
    used = np.zeros(n_features, dtype=bool)
    for tree in trees:
        features = tree_state(tree.tree_)["nodes"]["feature"]
        used[features[features >= 0]] = True
    return used


def _with_features(tree, used):
    state = tree_state(tree.tree_)
    nodes, number = state["nodes"].copy(), np.cumsum(used) - 1
    splits = nodes["feature"] >= 0
    nodes["feature"][splits] = number[nodes["feature"][splits]]
    depth, n_features = state["max_depth"], int(np.count_nonzero(used))
    inner = rebuilt_tree(tree.tree_, nodes, state["values"], depth, n_features)
    return cut(tree, used, tree_=inner)


def _pruner(pruner, kept):
    """What it has pruned, without what prunes."""
    return narrow(copy(pruner.estimator_), kept)


for _home in ("sklearn.linear_model", "sparselearn.linear_model"):
    register_home(_home, _linear)
for _rule, _kinds in {
    _linear: (LinearSVC, LinearSVR),
    _perceptron: (
        MLPClassifier,
        MLPRegressor,
        SparseMLPClassifier,
        SparseMLPRegressor,
    ),
    _tree: (
        DecisionTreeClassifier,
        DecisionTreeRegressor,
        ExtraTreeClassifier,
        ExtraTreeRegressor,
    ),
    _forest: (
        RandomForestClassifier,
        RandomForestRegressor,
        ExtraTreesClassifier,
        ExtraTreesRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
    ),
    _pruner: (Pruner, PrunerCV),
}.items():
    for _kind in _kinds:
        register_compaction(_kind, _rule)
