"""No method of any public estimator brings a dask collection here whole."""

import weakref
from inspect import signature

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from tests.test_common import every_estimator, problem_of

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")

FITS = ["fit", "partial_fit", "fit_transform"]
USES = [
    "transform",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
    "score",
]
# Chunks that may be held at the same time, of all there are.
FEW, ALL = 3, 8


class Watched:
    """An array in chunks of rows, that knows how many of them were held at most."""

    def __init__(self, X):
        self.held = self.most = 0
        make = dask.delayed(self._make, pure=False, traverse=False)
        chunks = np.array_split(X, ALL)
        self.array = da.concatenate(
            [da.from_delayed(make(c), c.shape, dtype=X.dtype) for c in chunks]
        )

    def _make(self, chunk):
        found = chunk.copy()
        self.held += 1
        self.most = max(self.most, self.held)
        weakref.finalize(found, self._gone)
        return found

    def _gone(self):
        self.held -= 1


@pytest.fixture(autouse=True)
def no_array_is_made_of_a_collection(monkeypatch):
    def pulled(self, *args, **options):
        raise AssertionError("a collection was brought here whole")

    # y and what is predicted are a number a row: these may be.
    whole = da.Array.__array__

    def array_of(self, *args, **options):
        if self.ndim > 1:
            pulled(self)
        return whole(self, *args, **options)

    monkeypatch.setattr(da.Array, "__array__", array_of)
    with dask.config.set(scheduler="synchronous"):
        yield


def call(estimator, method, watched, *targets, **options):
    """What a method gives for a collection, or None if that is refused."""
    if not hasattr(estimator, method):
        return None
    try:
        return getattr(estimator, method)(watched.array, *targets, **options)
    except (TypeError, ValueError) as error:
        if "X is a dask" not in str(error):
            raise
        return None
    finally:
        assert watched.most <= FEW


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore:.*distinct samples:UserWarning")
@pytest.mark.filterwarnings("ignore:.*not pruned:UserWarning")
@every_estimator
def test_chunks_are_read_one_by_one_or_not_at_all(estimator):
    X, y = problem_of(estimator)
    chunked = da.from_array(y, chunks=(5, *y.shape[1:]))
    for method in FITS:
        taken = signature(getattr(estimator, method, call)).parameters
        options = {"classes": np.unique(y)} if "classes" in taken else {}
        call(clone(estimator), method, Watched(X), chunked, **options)
    model = clone(estimator).fit(X, y)
    for method in USES:
        watched = Watched(X)
        targets = [chunked] if method == "score" else []
        lazy = call(model, method, watched, *targets)
        if isinstance(lazy, da.Array):
            assert watched.most == 0
            found, expected = lazy.compute(), getattr(model, method)(X)
            if sp.issparse(expected):
                found, expected = found.toarray(), expected.toarray()
            assert found.dtype == expected.dtype
            if expected.dtype.kind == "f":
                np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
            else:
                np.testing.assert_array_equal(found, expected)
        elif method == "score" and lazy is not None:
            assert lazy == pytest.approx(model.score(X, y), rel=1e-9)
    if hasattr(model, "inverse_transform"):
        codes = model.transform(X)
        codes = codes.toarray() if sp.issparse(codes) else codes
        lazy = call(model, "inverse_transform", Watched(codes))
        if lazy is not None:
            assert isinstance(lazy, da.Array)
