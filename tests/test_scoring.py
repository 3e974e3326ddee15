"""Scores of dask collections are those of the same rows in memory."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, r2_score

from sparselearn._solvers._score_sums import AccuracySums, ErrorSums
from sparselearn.decomposition import DiscriminativeDictionaryLearning
from sparselearn.linear_model import SparseLogisticRegression
from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning import Pruner

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

STEPS = {"max_iter": 3, "random_state": 0}
CLASSIFIERS = [
    SparseLogisticRegression(0.01),
    SparseMLPClassifier((3,), **STEPS),
    DiscriminativeDictionaryLearning(4, alpha=0.1, **STEPS),
    Pruner(SparseLogisticRegression(1e-3), n_nonzero_coefs=3),
]
REGRESSORS = [
    SparseMLPRegressor((3,), **STEPS),
    DiscriminativeDictionaryLearning(4, target="values", alpha=0.1, **STEPS),
]


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


def rows(values):
    """One chunk is empty, and one is of a single row."""
    return da.from_array(values, chunks=((17, 0, 1, 32), *values.shape[1:]))


@pytest.fixture
def data(rng):
    return rng.standard_normal((50, 6)), rng.integers(0, 3, 50) / 2.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_accuracy(model, n_classes, data):
    X, weights = data
    y = np.array(["a", "b", "c"])[(np.arange(50) + (X[:, 0] > 0)) % n_classes]
    model.fit(X, y)
    for w in (None, weights):
        expected = model.score(X, y, sample_weight=w)
        found = model.score(rows(X), rows(y), sample_weight=w)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
        if w is not None:
            found = model.score(rows(X), rows(y), sample_weight=rows(w))
            np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert 0.0 < expected < 1.0


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("model", REGRESSORS, ids=lambda m: type(m).__name__)
def test_determination(model, data):
    X, weights = data
    y = X[:, :2] @ np.array([[1.0, 2.0], [0.5, -1.0]]) + 3.0
    model.fit(X, y)
    expected = model.score(X, y, sample_weight=weights)
    found = model.score(rows(X), rows(y), sample_weight=weights)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_sums_of_parts_are_those_of_all(rng):
    y, predicted = rng.integers(0, 2, (2, 40, 3))
    weights = rng.uniform(0.5, 2.0, 40)
    for labels in (y, y[:, 0]):
        guess = predicted if labels.ndim == 2 else predicted[:, 0]
        parts = [slice(0, 7), slice(7, 8), slice(8, 40)]
        for w in (weights, None):
            some = [None if w is None else w[part] for part in parts]
            sums = [
                AccuracySums.of(labels[p], guess[p], s) for p, s in zip(parts, some)
            ]
            expected = accuracy_score(labels, guess, sample_weight=w)
            assert (sums[0] + sums[1] + sums[2]).score() == pytest.approx(expected)
            sums = [ErrorSums.of(labels[p], guess[p], s) for p, s in zip(parts, some)]
            expected = r2_score(labels, guess, sample_weight=w)
            assert (sums[0] + sums[1] + sums[2]).score() == pytest.approx(expected)
    assert AccuracySums.of(y, predicted, np.zeros(40)) is None
    assert AccuracySums.of(y[:, :1], y[:, 0]).score() == 1.0
    with pytest.raises(ValueError, match=r"\(40, 3\).*\(40,\)"):
        AccuracySums.of(y, y[:, 0])
