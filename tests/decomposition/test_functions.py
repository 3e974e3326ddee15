"""The functions are the estimator's codes; a path is its levels."""

import inspect
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

from sparselearn._solvers._coding import Atoms, Coder, join_codes
from sparselearn.decomposition import SparseCoder, _sums, encode_path, sparse_encode
from sparselearn.decomposition import _coding as module
from sparselearn.decomposition._methods import METHODS, USES, make_coder

LEVELLED = sorted(m for m in METHODS if "n_nonzero_coefs" in USES[m])
every_method = pytest.mark.parametrize("method", LEVELLED)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(_sums, "CHUNK", 16)


@pytest.fixture
def D(rng):
    return rng.standard_normal((12, 6))


@pytest.fixture
def X(rng):
    X = rng.standard_normal((50, 6))
    X[3] = 0.0
    return X


def same(a, b):
    assert a.dtype == b.dtype
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(a, part), getattr(b, part))


def close(a, b):
    np.testing.assert_allclose(a.toarray(), b.toarray(), atol=1e-9)


# -- sparse_encode ----------------------------------------------------------------


def test_options_are_those_of_the_estimator():
    """Names, order and defaults, but for what only an estimator has."""
    theirs = dict(inspect.signature(SparseCoder).parameters)
    del theirs["dictionary"], theirs["sparse_output"]
    ours = dict(inspect.signature(sparse_encode).parameters)
    del ours["X"], ours["dictionary"]
    assert list(ours.values()) == list(theirs.values())
    path = dict(inspect.signature(encode_path).parameters)
    for name in path.keys() - {"X", "dictionary", "n_nonzero_coefs"}:
        assert path[name] == theirs[name]


@pytest.mark.parametrize("split_sign", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_codes_are_those_of_the_estimator(X, D, rng, dtype, split_sign):
    X = X.astype(dtype)
    gaps = np.where(rng.random(X.shape) < 0.2, np.nan, X)
    for data in (X, sp.csr_array(X), gaps):
        options = {"n_nonzero_coefs": 3, "split_sign": split_sign, "missing": "mask"}
        expected = SparseCoder(D, **options).fit_transform(data)
        same(sparse_encode(data, D, **options), expected)


OPTIONS = {
    "method": "hard-threshold",
    "n_nonzero_coefs": 2,
    "alpha": 0.3,
    "alpha_mode": "relative",
    "tol": 0.3,
    "l1_ratio": 0.5,
    "penalty_weights": np.linspace(1, 2, 12),
    "groups": [0, 1] * 6,
    "positive": True,
    "split_sign": True,
    "missing": "mask",
    "max_iter": 7,
    "n_jobs": 2,
}


def test_every_option_is_handed_on(X, D, monkeypatch):
    from sparselearn.decomposition import _functions

    seen = {}

    def spy(coding):
        seen.update(coding.get_params())
        raise KeyboardInterrupt

    monkeypatch.setattr(_functions, "make_coder", spy)
    assert set(inspect.signature(sparse_encode).parameters) == {
        "X",
        "dictionary",
        *OPTIONS,
    }
    with pytest.raises(KeyboardInterrupt):
        sparse_encode(X, D, **OPTIONS)
    for name in OPTIONS.keys() - {"split_sign", "n_jobs"}:  # those are its own
        assert seen[name] is OPTIONS[name], name
    assert seen["dictionary"] is D


def test_one_warning_at_the_line_that_calls(X, D):
    for call in (
        lambda: sparse_encode(X, D, method="threshold", alpha=1e3),
        lambda: encode_path(X, 0 * D, method="threshold"),
    ):
        with pytest.warns(ConvergenceWarning, match="All codes are zero") as found:
            call()
        assert len(found) == 1
        assert found[0].filename == __file__


@pytest.mark.parametrize("function", [sparse_encode, encode_path])
def test_refusals(X, D, function):
    name = function.__name__
    with pytest.raises(ValueError, match=f"'method' parameter of {name}"):
        function(X, D, method="lars")
    with pytest.raises(ValueError, match="dictionary has 5 features and X has 6"):
        function(X, D[:, :5])
    with pytest.raises(ValueError, match=r"contains NaN.*missing=.mask"):
        function(np.full_like(X, np.nan), D)
    with pytest.raises(ValueError, match="'dictionary' parameter of"):
        function(X, None)


# -- encode_path ------------------------------------------------------------------


@every_method
@pytest.mark.parametrize("positive", [False, True])
def test_each_level_is_its_own_encoding(X, D, rng, method, positive):
    levels = [4, 1, 2, 100]
    gaps = np.where(rng.random(X.shape) < 0.1, np.nan, X)
    options = {"method": method, "positive": positive, "missing": "mask"}
    for data in (X, sp.csr_array(X), gaps):
        path = encode_path(data, D, n_nonzero_coefs=levels, **options)
        assert path.n_nonzero_coefs == tuple(levels)
        assert path.errors.shape == (4, 50)
        for level, codes, errors in zip(levels, path.codes, path.errors):
            close(codes, sparse_encode(data, D, n_nonzero_coefs=level, **options))
            dense = data.toarray() if sp.issparse(data) else data
            by_hand = np.nansum((dense - codes @ D) ** 2, axis=1)
            np.testing.assert_allclose(errors, by_hand, atol=1e-10)


@every_method
def test_levels_of_a_coder_are_its_encodings(X, D, method):
    """`encode_levels` against the plain loop of the base class."""
    coder = make_coder(SparseCoder(method=method, n_nonzero_coefs=5))
    atoms, levels = Atoms(D), [1, 5, 3]
    ours = coder.encode_levels(X, atoms, levels)
    plain = Coder.encode_levels(coder, X, atoms, levels)
    for one, other in zip(ours, plain, strict=True):
        np.testing.assert_array_equal(one.indices, other.indices)
        np.testing.assert_array_equal(one.lengths, other.lengths)
        np.testing.assert_array_equal(one.status, other.status)
        np.testing.assert_allclose(one.data, other.data, atol=1e-10)
        np.testing.assert_allclose(one.errors, other.errors, atol=1e-10)


def test_more_non_zeros_explain_more(X, D):
    errors = encode_path(X, D, method="omp", n_nonzero_coefs=[1, 2, 3, 6]).errors
    assert np.all(np.diff(errors, axis=0) <= 1e-12)
    np.testing.assert_allclose(errors[-1], 0.0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dtype_signs_and_threads(X, D, dtype):
    X = X.astype(dtype)
    one = encode_path(X, D, split_sign=True, n_jobs=1)
    two = encode_path(X, D, split_sign=True, n_jobs=2)
    for a, b, level in zip(one.codes, two.codes, one.n_nonzero_coefs):
        same(a, b)
        assert a.shape == (50, 24)
        assert a.dtype == dtype
        close(a, sparse_encode(X, D, n_nonzero_coefs=level, split_sign=True))
    np.testing.assert_array_equal(one.errors, two.errors)


@pytest.mark.parametrize("levels", [[], 3, [1.5], [[1]], [0, 1], "12"])
def test_levels_are_checked(X, D, levels):
    with pytest.raises(ValueError, match="n_nonzero_coefs"):
        encode_path(X, D, n_nonzero_coefs=levels)


def test_a_method_without_levels_is_refused(X, D):
    for method in METHODS.keys() - set(LEVELLED):
        with pytest.raises(ValueError, match="does not use n_nonzero_coefs"):
            encode_path(X, D, method=method)


def test_codes_are_joined_without_their_room(X, D):
    """Coders may hand out views of longer arrays; no chunk keeps these alive."""
    coder = make_coder(SparseCoder(method="omp", tol=0.5))
    found = coder.encode(X, Atoms(D))
    small = module.compact(found)
    assert small.data.base is None
    assert small.indices.base is None
    np.testing.assert_array_equal(small.data, found.data)
    parts = [small, coder.encode(X[:7], Atoms(D))]
    joined = join_codes(parts)
    assert parts == []
    assert joined.lengths.size == 57
    np.testing.assert_array_equal(joined.data[: small.data.size], small.data)
    np.testing.assert_array_equal(joined.lengths[50:], small.lengths[:7])


def test_inputs_stay_as_they_are(X, D):
    X.flags.writeable = D.flags.writeable = False
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encode_path(X, D)
        sparse_encode(X, D)
