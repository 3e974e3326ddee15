"""Folds by batches: rows are dealt in turn, and a chain is one cross-validation."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import sparse_regression
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import PredefinedSplit

from sparselearn.linear_model import ElasticNetCV, GroupLassoCV, LassoCV

TIGHT = {"tol": 1e-13}
MODELS = {
    "LassoCV": LassoCV(12, cv=4, **TIGHT),
    "1se": LassoCV(12, cv=4, selection="1se", fit_intercept=False, **TIGHT),
    "refitted": LassoCV(12, eps=0.1, cv=4, refit_support="ols", **TIGHT),
    "ElasticNetCV": ElasticNetCV(8, l1_ratio=[0.5, 0.9], cv=4, **TIGHT),
    "GroupLassoCV": GroupLassoCV(8, groups=3, cv=4, **TIGHT),
}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
PARTS = [slice(0, 1), slice(1, 2), slice(2, 30), slice(30, 37), slice(37, 83)]


@pytest.fixture
def data(rng):
    X, y = sparse_regression(rng, 83, 12)
    return X * (rng.random(X.shape) < 0.7), y + 5.0, rng.uniform(0.5, 2.0, 83)


def chain(model, X, y, weights=None):
    model = clone(model)
    for part in PARTS:
        own = None if weights is None else weights[part]
        model.partial_fit(X[part], y[part], sample_weight=own)
    return model


def dealt(model, n_samples):
    """The model with the folds that rows in turn have."""
    return clone(model).set_params(cv=PredefinedSplit(np.arange(n_samples) % 4))


def assert_same_model(found, expected):
    for name in ("alphas_", "mse_path_", "alpha_", "coef_", "intercept_"):
        np.testing.assert_allclose(
            getattr(found, name), getattr(expected, name), atol=1e-8, err_msg=name
        )


@each_model
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_a_chain_is_one_fit(data, model, weighted, storage):
    X, y, weights = data
    weights = weights if weighted else None
    found = chain(model, storage(X), y, weights)
    expected = dealt(model, 83).fit(X, y, sample_weight=weights)
    assert_same_model(found, expected)
    assert found.n_samples_seen_ == 83


def test_rows_without_weight_are_dealt_too(data):
    X, y, weights = data
    weights[5:60:3] = 0.0
    found = chain(MODELS["LassoCV"], X, y, weights)
    expected = dealt(MODELS["LassoCV"], 83).fit(X, y, sample_weight=weights)
    assert_same_model(found, expected)


def test_until_each_fold_has_a_row_there_is_no_model(data):
    X, y, _ = data
    model = clone(MODELS["LassoCV"])
    for row in range(3):
        model.partial_fit(X[row : row + 1], y[row : row + 1])
        assert model.n_samples_seen_ == row + 1
        with pytest.raises(NotFittedError):
            model.predict(X)
    model.partial_fit(X[3:], y[3:])
    assert_same_model(model, dealt(model, 83).fit(X, y))


def test_merged_folds_are_those_of_both(data):
    X, y, _ = data
    left = clone(MODELS["LassoCV"]).partial_fit(X[:42], y[:42])
    left.merge(clone(left).partial_fit(X[42:], y[42:]))
    folds = np.r_[np.arange(42), np.arange(41)] % 4
    expected = clone(left).set_params(cv=PredefinedSplit(folds)).fit(X, y)
    assert_same_model(left, expected)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [({"cv": PredefinedSplit([0, 1])}, "cv="), ({"selection": "bic"}, "selection=")],
)
def test_what_batches_can_not_do_is_said(data, parameters, words):
    X, y, _ = data
    with pytest.raises(ValueError, match=words):
        LassoCV(**parameters).partial_fit(X, y)


def test_one_target_only(data):
    X, y, _ = data
    with pytest.raises(ValueError, match="1d"):
        LassoCV().partial_fit(X, np.column_stack([y, y]))


def test_chunks_of_dask(data):
    da = pytest.importorskip("dask.array")
    X, y, weights = data
    model = MODELS["LassoCV"]
    chunks = [da.from_array(a, chunks=(30, *a.shape[1:])) for a in (X, y, weights)]
    found = clone(model).fit(*chunks[:2], sample_weight=chunks[2])
    folds = np.r_[np.arange(30), np.arange(30), np.arange(23)] % 4
    expected = clone(model).set_params(cv=PredefinedSplit(folds))
    assert_same_model(found, expected.fit(X, y, sample_weight=weights))
    few = [da.from_array(a[:3]) for a in (X, y)]
    with pytest.raises(ValueError, match="more folds than"):
        clone(model).fit(*few)
