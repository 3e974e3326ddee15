"""Trees lose their weakest links, and are the smaller trees of scikit-learn's."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputRegressor
from sklearn.svm import LinearSVC
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeRegressor,
)

from sparselearn.pruning import Pruner, importance, prune
from tests import reference

NODES = {"granularity": "node", "criterion": "ccp"}


@pytest.fixture
def X(rng):
    return np.round(rng.normal(size=(150, 4)), 1)


@pytest.fixture
def y(X, rng):
    return X[:, 0] + np.abs(X[:, 1]) + 0.5 * rng.normal(size=len(X))


TREES = {
    "regressor": (DecisionTreeRegressor(random_state=0), None),
    "absolute": (
        DecisionTreeRegressor(criterion="absolute_error", random_state=0),
        None,
    ),
    "best-first": (DecisionTreeRegressor(max_leaf_nodes=30, random_state=0), None),
    "extra": (ExtraTreeRegressor(random_state=0), None),
    "classifier": (DecisionTreeClassifier(random_state=0), 3),
    "entropy": (DecisionTreeClassifier(criterion="entropy", random_state=0), 2),
}


@pytest.fixture(params=list(TREES))
def problem(request, y):
    """A tree that is not fitted, and its target."""
    tree, n_classes = TREES[request.param]
    if n_classes is not None:
        y = np.digitize(y, np.quantile(y, np.arange(1, n_classes) / n_classes))
    return tree, y


def structure(tree):
    """A fitted tree as nested tuples, whatever its nodes are called."""
    inner = tree.tree_

    def of(node):
        here = (
            inner.value[node].tolist(),
            inner.impurity[node],
            inner.n_node_samples[node],
            inner.weighted_n_node_samples[node],
        )
        left, right = inner.children_left[node], inner.children_right[node]
        if left < 0:
            assert right < 0
            assert inner.feature[node] == -2
            return (*here, inner.threshold[node])
        return (
            *here,
            inner.feature[node],
            inner.threshold[node],
            of(left),
            of(right),
        )

    return of(0)


def test_it_is_scikit_learns_pruning_at_every_alpha(X, problem, rng):
    estimator, y = problem
    weight = rng.random(len(X))
    for w in (None, weight):
        fitted = clone(estimator).fit(X, y, sample_weight=w)
        path = fitted.cost_complexity_pruning_path(X, y, sample_weight=w)
        # Between those at which something goes, which have been summed up.
        low, high = path.ccp_alphas[:-1], path.ccp_alphas[1:]
        for alpha in ((low + high) / 2)[high - low > 1e-9][::6]:
            theirs = clone(estimator).set_params(ccp_alpha=alpha)
            theirs.fit(X, y, sample_weight=w)
            ours = prune(fitted, threshold=alpha, **NODES)
            assert structure(ours) == structure(theirs)
            assert ours.get_depth() == theirs.get_depth()
            assert ours.get_n_leaves() == theirs.get_n_leaves()
            counted = prune(fitted, n_nonzero_coefs=ours.get_n_leaves() - 1, **NODES)
            assert structure(counted) == structure(ours)


def test_levels_are_their_slow_twin(X, problem):
    estimator, y = problem
    fitted = clone(estimator).fit(X, y)
    (levels,) = importance(fitted, **NODES)
    inner = fitted.tree_
    errors = inner.impurity * inner.weighted_n_node_samples
    expected = reference.weakest_links(
        inner.children_left, inner.children_right, errors / len(X)
    )
    np.testing.assert_allclose(levels, expected, rtol=1e-9, atol=1e-12)


def test_parents_outlive_children_so_that_any_count_is_a_tree(X, problem):
    estimator, y = problem
    fitted = clone(estimator).fit(X, y)
    (levels,) = importance(fitted, **NODES)
    inner = fitted.tree_
    place = np.cumsum(inner.children_left >= 0) - 1
    for node in np.flatnonzero(inner.children_left >= 0):
        for child in (inner.children_left[node], inner.children_right[node]):
            assert child > node
            if inner.children_left[child] >= 0:
                assert levels[place[child]] <= levels[place[node]]
    n_inner = levels.size
    for n_kept in range(n_inner + 1):
        pruned = prune(fitted, n_nonzero_coefs=n_kept, **NODES)
        assert pruned.get_n_leaves() == n_kept + 1
        assert pruned.tree_.node_count == 2 * n_kept + 1


def test_a_smaller_tree_works_like_any(X, problem):
    estimator, y = problem
    fitted = clone(estimator).fit(X, y)
    before = pickle.dumps(fitted)
    pruned = prune(fitted, X, sparsity=0.6, **NODES)
    assert pickle.dumps(fitted) == before
    copied = pickle.loads(pickle.dumps(pruned))
    assert len(pickle.dumps(pruned)) < len(before)
    np.testing.assert_array_equal(copied.predict(X), pruned.predict(X))
    path, leaves = pruned.decision_path(X), pruned.apply(X)
    n_passed = np.asarray(path.sum(axis=1)).ravel()
    depths = pruned.tree_.compute_node_depths()
    np.testing.assert_array_equal(n_passed, depths[leaves])
    # A row ends in a node of the fitted tree that it passed there, too.
    for row, leaf in enumerate(leaves[:20]):
        passed = fitted.decision_path(X[[row]]).indices
        value = pruned.tree_.value[leaf]
        assert any(np.array_equal(fitted.tree_.value[node], value) for node in passed)
    proportions = pruned.tree_.value[leaves, 0]
    if hasattr(pruned, "classes_"):
        np.testing.assert_array_equal(pruned.predict_proba(X), proportions)
    else:
        np.testing.assert_array_equal(pruned.predict(X), proportions[:, 0])
    assert np.isclose(pruned.feature_importances_.sum(), 1.0)
    assert pruned.tree_.max_depth == depths.max() - 1


def test_sparsity_zero_and_one_leaf(X, y):
    tree = DecisionTreeRegressor(random_state=0).fit(X, y)
    same = prune(tree, X, sparsity=0.0, **NODES)
    assert structure(same) == structure(tree)
    pruner = Pruner(FrozenEstimator(tree), n_nonzero_coefs=0, **NODES).fit(X)
    np.testing.assert_allclose(pruner.predict(X), y.mean())
    assert pruner.sparsity_ == 1.0
    assert pruner.support_.size == 0
    leaf = DecisionTreeRegressor().fit(X, np.ones(len(X)))
    pruner = Pruner(FrozenEstimator(leaf), sparsity=0.5, **NODES).fit(X)
    assert pruner.sparsity_ == 0.0
    np.testing.assert_array_equal(pruner.predict(X), 1.0)


FORESTS = [
    RandomForestRegressor(8, random_state=0, oob_score=True),
    RandomForestClassifier(8, random_state=0),
    ExtraTreesRegressor(8, random_state=0),
    ExtraTreesClassifier(8, random_state=0, bootstrap=True),
]


@pytest.mark.parametrize("forest", FORESTS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("scope", ["global", "layer"])
@pytest.mark.filterwarnings("ignore:Some inputs do not have OOB scores:UserWarning")
def test_forests_over_all_trees(X, y, forest, scope):
    target = y > 1 if "Classifier" in type(forest).__name__ else y
    pruner = Pruner(clone(forest), sparsity=0.7, scope=scope, **NODES).fit(X, target)
    dense = clone(forest).fit(X, target)
    n_before = np.array([tree.get_n_leaves() - 1 for tree in dense.estimators_])
    n_after = np.array(
        [tree.get_n_leaves() - 1 for tree in pruner.estimator_.estimators_]
    )
    n_kept = n_before.sum() - round(0.7 * n_before.sum())
    assert n_after.sum() == n_kept == pruner.n_nonzero_coefs_
    assert pruner.sparsity_ == pytest.approx(1 - n_kept / n_before.sum())
    if scope == "layer":
        assert np.all(np.abs(n_after - 0.3 * n_before) <= 1)
    # Each is the tree that it would be by itself, at the same alpha.
    levels = importance(dense, **NODES)
    assert [level.size for level in levels] == n_before.tolist()
    for tree, before, n in zip(
        pruner.estimator_.estimators_, dense.estimators_, n_after
    ):
        alone = prune(before, n_nonzero_coefs=int(n), **NODES)
        assert structure(tree) == structure(alone)
    used = [t.tree_.feature for t in pruner.estimator_.estimators_]
    used = np.unique(np.concatenate(used))
    np.testing.assert_array_equal(pruner.support_, used[used >= 0])
    assert not hasattr(pruner.estimator_, "oob_score_")
    again = pickle.loads(pickle.dumps(pruner))
    np.testing.assert_array_equal(again.predict(X), pruner.predict(X))
    assert pruner.score(X, target) > 0.5


def test_pruned_trees_generalise_better():
    X, y = load_diabetes(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    tree = DecisionTreeRegressor(random_state=0).fit(X, y)
    pruned = prune(tree, X, sparsity=0.97, **NODES)
    assert pruned.score(X_test, y_test) > tree.score(X_test, y_test) + 0.2


def test_search_over_sparsity():
    X, y = load_breast_cancer(return_X_y=True)
    forest = RandomForestClassifier(5, random_state=0)
    search = GridSearchCV(Pruner(forest, **NODES), {"sparsity": [0.0, 0.5]}, cv=2)
    scores = search.fit(X, y).cv_results_["mean_test_score"]
    assert scores.min() > 0.9


def test_missing_values_and_several_outputs(X, y, rng):
    holes = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    for rows, target in ((holes, y), (X, np.column_stack([y, X[:, 2]]))):
        tree = DecisionTreeRegressor(random_state=0).fit(rows, target)
        alphas = tree.cost_complexity_pruning_path(rows, target).ccp_alphas
        alpha = alphas[len(alphas) // 2 :][:2].mean()
        theirs = clone(tree).set_params(ccp_alpha=alpha).fit(rows, target)
        ours = prune(tree, rows, threshold=alpha, **NODES)
        assert structure(ours) == structure(theirs)
        np.testing.assert_array_equal(ours.predict(rows), theirs.predict(rows))


def test_wrong_ways_are_named(X, y):
    with pytest.raises(ValueError, match="pruned by 'node'"):
        Pruner(DecisionTreeRegressor()).fit(X, y)
    tree = DecisionTreeRegressor().fit(X, y)
    with pytest.raises(ValueError, match=r"does not know.*what does: ccp"):
        prune(tree, X, granularity="node", sparsity=0.5)
    with pytest.raises(ValueError, match="linear models and kernel"):
        prune(tree, X, sparsity=0.5, refit="obs", **NODES)


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (GradientBoostingClassifier(), "correct one another"),
        (HistGradientBoostingRegressor(), "correct one another"),
        (OneVsRestClassifier(LinearSVC()), r"OneVsRestClassifier\(Pruner"),
        (MultiOutputRegressor(LinearSVC()), r"MultiOutputRegressor\(Pruner"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_holds_several_models_is_refused_with_a_way_out(X, y, estimator, reason):
    with pytest.raises(TypeError, match=reason) as error:
        Pruner(estimator, **NODES).fit(X, y)
    assert type(estimator).__name__ in str(error.value)
    inside = OneVsRestClassifier(Pruner(LinearSVC(), n_nonzero_coefs=2))
    inside.fit(X, np.digitize(y, [0.0, 1.0]))
    for pruner in inside.estimators_:
        assert pruner.n_nonzero_coefs_ == 2
