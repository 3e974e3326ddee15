"""Every linear estimator, of scikit-learn and of this package, is pruned or refused."""

import inspect
import warnings

import numpy as np
import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.linear_model import SGDOneClassSVM
from sklearn.utils import all_estimators, get_tags

import sparselearn.linear_model
from sparselearn.pruning import prune

SEARCHES = {"cv": 2}
FEW = {"cv": 2, "alphas": 3}
# What a small problem asks of some of them.
PARAMS = {
    "ARDRegression": {},
    "ElasticNet": {"alpha": 0.01},
    "ElasticNetCV": FEW,
    "GroupLasso": {"alpha": 0.01, "groups": 2},
    "GroupLassoCV": {"cv": 2, "alphas": 3, "groups": 2},
    "Lasso": {"alpha": 0.01},
    "LassoCV": FEW,
    "LassoLars": {"alpha": 0.01},
    "LogisticRegressionCV": {"cv": 2, "Cs": 2},
    "MultiTaskElasticNet": {"alpha": 0.01},
    "MultiTaskElasticNetCV": FEW,
    "MultiTaskLasso": {"alpha": 0.01},
    "MultiTaskLassoCV": FEW,
    "QuantileRegressor": {"alpha": 0.01},
    "SparseGroupLasso": {"alpha": 0.01, "groups": 2},
    "SparseGLMRegressor": {"alpha": 0.01},
    "SparseHuberRegressor": {"alpha": 0.01},
    "SparseLogisticRegression": {"alpha": 0.01},
    "SparseLogisticRegressionCV": FEW,
    "SparsePoissonRegressor": {"alpha": 0.01},
    "AdaptiveLasso": {"alpha": 0.01},
    "MCPRegressor": {"alpha": 0.01},
    "SCADRegressor": {"alpha": 0.01},
}
# Those that are around others, by name in their error.
REFUSED = {"RANSACRegressor"}
# They have a feature less than they are allowed.
FEWER = {"OrthogonalMatchingPursuit": 1, "OrthogonalMatchingPursuitCV": 1}


def linear_estimators():
    """Classes of linear models, by whose they are and by name."""
    for name, kind in all_estimators():
        is_linear_svm = kind.__module__.startswith("sklearn.svm") and "Linear" in name
        if kind.__module__.startswith("sklearn.linear_model") or is_linear_svm:
            yield pytest.param(kind, id=f"sklearn-{name}")
    for name in sparselearn.linear_model.__all__:
        kind = getattr(sparselearn.linear_model, name)
        if inspect.isclass(kind) and hasattr(kind, "fit"):
            yield pytest.param(kind, id=f"sparselearn-{name}")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(loc=1.0, size=(60, 4))
    return X, X @ [1.0, -0.5, 0.3, 0.2] + 0.1 * rng.normal(size=60)


def fitted(kind, X, y):
    params = {
        name: value
        for name, value in PARAMS.get(kind.__name__, {}).items()
        if name in inspect.signature(kind).parameters
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of convergence, and of what is to be renamed
        estimator = kind(**params)
        tags = get_tags(estimator).target_tags
        if is_classifier(estimator):
            y = np.digitize(y, np.quantile(y, [1 / 3, 2 / 3]))
        elif tags.positive_only or "Poisson" in kind.__name__:
            y = np.exp(y / 4)
        elif "MultiTask" in kind.__name__:
            y = np.column_stack([y, X[:, 1] - y])
        return estimator.fit(X, y), y


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize("kind", list(linear_estimators()))
def test_pruned_exactly_or_refused_by_name(data, kind):
    X, y = data
    model, y = fitted(kind, X, y)
    if kind.__name__ in REFUSED:
        with pytest.raises(TypeError, match=kind.__name__):
            prune(model, X, sparsity=0.5)
        return
    for options in (
        {},
        {"granularity": "feature"},
        {"criterion": "obs", "refit": "obs"},
        {"criterion": "obs", "granularity": "feature", "refit": "obs"},
    ):
        pruned = prune(model, X, sparsity=0.5, **options)
        n_weights = model.coef_.size
        # A model that had zeros already may keep them in the place of a weight.
        assert np.count_nonzero(pruned.coef_) <= n_weights - round(0.5 * n_weights)
        assert pruned.coef_.shape == model.coef_.shape
        constant = "offset_" if kind is SGDOneClassSVM else "intercept_"
        before, after = (getattr(m, constant) for m in (model, pruned))
        assert np.shape(after) == np.shape(before)
        assert pruned.coef_.any()
        unused = ~np.atleast_2d(pruned.coef_).any(axis=0)
        moved = X.copy()
        moved[:, unused] = 99.0
        np.testing.assert_array_equal(pruned.predict(moved), pruned.predict(X))
        if is_regressor(model):
            assert np.all(np.isfinite(pruned.predict(X)))
            before, after = (m.predict(X).mean(axis=0) for m in (model, pruned))
            np.testing.assert_allclose(after, before, rtol=0.2, atol=0.05)


@pytest.mark.filterwarnings("ignore:Class PassiveAggressive:FutureWarning")
@pytest.mark.parametrize("kind", list(linear_estimators()))
def test_fitted_again_on_the_features_that_are_left(data, kind):
    """refit="same" gives what a fit to these features alone gives."""
    X, y = data
    model, y = fitted(kind, X, y)
    if kind.__name__ in REFUSED | FEWER.keys() or "groups" in model.get_params():
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if "random_state" in model.get_params():
            model.set_params(random_state=0)
        pruned = prune(
            model, X, y, granularity="feature", n_nonzero_coefs=2, refit="same"
        )
        kept = np.flatnonzero(
            np.atleast_2d(
                prune(model, X, granularity="feature", n_nonzero_coefs=2).coef_
            ).any(axis=0)
        )
        alone = type(model)(**model.get_params()).fit(X[:, kept], y)
    np.testing.assert_array_equal(pruned.coef_[..., kept], alone.coef_)
    constant = "offset_" if kind is SGDOneClassSVM else "intercept_"
    ours, theirs = (getattr(m, constant) for m in (pruned, alone))
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_allclose(pruned.predict(X), alone.predict(X[:, kept]), rtol=1e-9)
