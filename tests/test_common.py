"""scikit-learn's contract, for every public estimator."""

import importlib
import inspect
import pickle
import pkgutil

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone, is_regressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import sparselearn
from sparselearn.linear_model import Lasso, SparseLogisticRegression

# Estimators that wrap another one, each with what to wrap here.
WRAPPED = {
    "Pruner": [LogisticRegression(), Ridge()],
    "PrunerCV": [LogisticRegression(), Ridge()],
    "SparsitySearchCV": [SparseLogisticRegression(), Lasso()],
}


# Transformers whose results are no codes: they promise no zeros.
WITHOUT_CODES = {"ZCAWhitening"}


def public_estimators():
    """Every estimator class that a public module of the package exports."""
    found = {}
    for info in pkgutil.iter_modules(sparselearn.__path__, "sparselearn."):
        if info.name.rpartition(".")[2].startswith("_"):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                found[name] = thing
    return found


def instances():
    for name, cls in sorted(public_estimators().items()):
        if name == "StabilitySelector":
            yield cls(LogisticRegression(), n_pairs=3, n_selected=5)
        elif name in WRAPPED:
            yield from (cls(estimator) for estimator in WRAPPED[name])
        elif "alphas" in inspect.signature(cls).parameters:
            # The default, a hundred of them, would test no more in many minutes.
            yield cls(alphas=10)
        else:
            yield cls()
            if "target" in inspect.signature(cls).parameters:
                yield cls(target="values")


def test_the_search_finds_them():
    assert {"Lasso", "ElasticNet", "KMeansCoder", "Pruner"} <= set(public_estimators())


def expected_to_fail(estimator):
    """Checks that an estimator cannot be held to, each with a reason.

    The two pass where the weights do not decide the race, as on the data of today's
    scikit-learn; of fourteen other draws of the same data two fail.
    """
    if type(estimator).__name__ != "Pruner" or is_regressor(estimator):
        return {}
    reason = "standard errors in the race of criteria are over rows, however weighted"
    return {
        f"check_sample_weight_equivalence_on_{kind}_data": reason
        for kind in ("dense", "sparse")
    }


# Some of the checks' data have fewer distinct rows than the default centroids, too
# few of a class for the folds, or nothing that could be pruned at no cost.
@pytest.mark.filterwarnings("ignore:.*distinct samples:UserWarning")
@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.filterwarnings("ignore:The estimator is not pruned:UserWarning")
@parametrize_with_checks(list(instances()), expected_failed_checks=expected_to_fail)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def small_problem():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 5))
    return X, (X[:, 0] > 0).astype(int)


def problem_of(estimator):
    """X, and a y such as an estimator takes."""
    X, y = small_problem()
    if is_regressor(estimator):
        y = X @ np.array([1.0, -2.0, 0.0, 0.0, 0.5])
    if get_tags(estimator).target_tags.positive_only:
        y = np.exp(y)
    if not get_tags(estimator).target_tags.single_output:
        y = np.column_stack([y, np.abs(y)])
    return X, y


def fitted(estimator):
    X, y = problem_of(estimator)
    return clone(estimator).fit(X, y), X


def answer(estimator, X):
    method = "predict" if hasattr(estimator, "predict") else "transform"
    result = getattr(estimator, method)(X)
    return result.toarray() if hasattr(result, "toarray") else result


every_estimator = pytest.mark.parametrize("estimator", list(instances()), ids=repr)


@every_estimator
def test_vocabulary_of_sparsity(estimator):
    """`sparsity_` and `n_nonzero_coefs_` are on all that have coefficients or codes."""
    if type(estimator).__name__ in WITHOUT_CODES:
        pytest.skip("its results are no codes")
    model, _ = fitted(estimator)
    assert 0.0 <= model.sparsity_ < 1.0
    assert model.n_nonzero_coefs_ > 0


@every_estimator
def test_survives_pickle_and_skops(estimator):
    skops = pytest.importorskip("skops.io")
    model, X = fitted(estimator)
    expected = answer(model, X)
    np.testing.assert_array_equal(
        answer(pickle.loads(pickle.dumps(model)), X), expected
    )
    data = skops.dumps(model)
    trusted = skops.get_untrusted_types(data=data)
    ours = {"sparselearn", "sklearn", "scipy"}
    assert all(name.split(".")[0] in ours for name in trusted)
    np.testing.assert_array_equal(
        answer(skops.loads(data, trusted=trusted), X), expected
    )


@every_estimator
def test_parameters_are_keywords_and_documented(estimator):
    """All but the first parameter are keyword-only, and the docstring names each."""
    signature = inspect.signature(type(estimator))
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    assert all(kind is inspect.Parameter.KEYWORD_ONLY for kind in kinds[1:])
    documented = inspect.getdoc(type(estimator))
    for name in signature.parameters:
        assert f"\n{name} :" in documented, name
