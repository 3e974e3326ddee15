"""Laws of SparseCoder, for each of its methods."""

import inspect
import pickle
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline

from sparselearn.decomposition import SparseCoder, _sums
from sparselearn.decomposition import _coding as module
from sparselearn.decomposition._methods import METHODS, UNUSED, USES
from sparselearn.metrics import explained_variance

GROUPS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2]
OPTIONS = [
    {"method": "omp", "n_nonzero_coefs": 3},
    {"method": "omp", "tol": 0.1},
    {"method": "omp", "alpha": 0.3},
    {"method": "omp", "n_nonzero_coefs": 3, "positive": True},
    {"method": "ormp", "n_nonzero_coefs": 3},
    {"method": "iht", "n_nonzero_coefs": 3},
    {"method": "lasso", "alpha": 0.3},
    {"method": "lasso", "alpha": 0.3, "alpha_mode": "relative", "positive": True},
    {"method": "lasso", "n_nonzero_coefs": 3},
    {"method": "group-lasso", "alpha": 0.2, "groups": GROUPS},
    {"method": "threshold", "alpha": 0.2},
    {"method": "threshold", "alpha": 0.5, "alpha_mode": "relative"},
    {"method": "hard-threshold", "n_nonzero_coefs": 3, "positive": True},
]
every_coder = pytest.mark.parametrize(
    "options", OPTIONS, ids=lambda options: "-".join(map(str, options.values()))[:40]
)
one_of_each = pytest.mark.parametrize(
    "options",
    list({options["method"]: options for options in OPTIONS}.values()),
    ids=lambda options: options["method"],
)


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """So that little data fills several, the last one in part."""
    monkeypatch.setattr(_sums, "CHUNK", 32)


@pytest.fixture
def D(rng):
    return rng.standard_normal((10, 6))


@pytest.fixture
def X(rng):
    """Some zeros, one row of them."""
    X = rng.standard_normal((80, 6))
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    X[5] = 0.0
    return X


def encoded(X, D, **options):
    return SparseCoder(D, **options).fit(X).transform(X)


def with_gaps(rng, X, share=0.2):
    return np.where(rng.random(X.shape) < share, np.nan, X)


def assert_same_codes(a, b, **tolerance):
    np.testing.assert_allclose(a.toarray(), b.toarray(), **tolerance)


# -- the same codes, however X comes --------------------------------------------


def storages(X, folder):
    np.save(folder / "X.npy", X)
    csr = sp.csr_array(X)
    long = csr.copy()
    long.indices, long.indptr = (
        long.indices.astype("int64"),
        long.indptr.astype("int64"),
    )
    order = np.lexsort(
        (-csr.indices, np.repeat(np.arange(len(X)), np.diff(csr.indptr)))
    )
    halves = (np.repeat(csr.data[order] / 2, 2), np.repeat(csr.indices[order], 2))
    frozen = X.copy()
    frozen.flags.writeable = False
    return {
        "memory map": np.load(folder / "X.npy", mmap_mode="r"),
        "read-only": frozen,
        "Fortran": np.asfortranarray(X),
        "strided": np.repeat(X, 2, axis=0)[::2],
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
        "list": X.tolist(),
        "csr": csr,
        "64-bit indices": long,
        "unsorted with duplicates": sp.csr_array((*halves, 2 * csr.indptr), X.shape),
        "csc": sp.csc_array(X),
        "csr_matrix": sp.csr_matrix(X),
    }


@every_coder
def test_storage_does_not_matter(X, D, options, tmp_path):
    expected = encoded(X, D, **options)
    assert isinstance(expected, sp.csr_array)
    assert expected.has_canonical_format
    assert expected.indices.dtype == expected.indptr.dtype == np.int32
    assert 0 < expected.nnz < expected.shape[0] * expected.shape[1]
    assert np.all(expected.data != 0.0)
    for name, stored in storages(X, tmp_path).items():
        before = pickle.dumps(stored)
        codes = encoded(stored, D, **options)
        assert_same_codes(codes, expected, atol=1e-10, err_msg=name)
        assert codes.dtype == np.float64
        assert pickle.dumps(stored) == before, name


@every_coder
def test_float32_and_integers(X, D, options):
    X32, D32 = X.astype(np.float32), D.astype(np.float32)
    coder = SparseCoder(D32, **options).fit(X32)
    codes = coder.transform(X32)
    assert codes.dtype == coder.components_.dtype == np.float32
    wide = encoded(X32.astype(float), D32.astype(float), **options)
    assert_same_codes(codes, wide, rtol=1e-6, atol=1e-7)
    assert coder.transform(sp.csr_array(X32)).dtype == np.float32
    assert coder.transform(X32.astype(float)).dtype == np.float64
    assert coder.inverse_transform(codes).dtype == np.float32

    whole = np.round(3 * X).astype(int)
    assert_same_codes(
        encoded(whole, D, **options), encoded(whole.astype(float), D, **options)
    )


@every_coder
def test_samples_are_encoded_one_by_one(X, D, options, rng):
    coder = SparseCoder(D, **options).fit(X)
    codes = coder.transform(X)
    order = rng.permutation(len(X))
    assert_same_codes(coder.transform(X[order]), codes[order], atol=1e-10)
    for i in (0, 5, 79):
        assert_same_codes(coder.transform(X[i : i + 1]), codes[[i]], atol=1e-10)


@every_coder
def test_bits_do_not_depend_on_threads(X, D, options, rng):
    for data in (X, sp.csr_array(X), with_gaps(rng, X)):
        masked = options | {"missing": "mask"}
        one = SparseCoder(D, **masked, n_jobs=1).fit(data)
        two = SparseCoder(D, **masked, n_jobs=2).fit(data)
        a, b = one.transform(data), two.transform(data)
        for part in ("data", "indices", "indptr"):
            np.testing.assert_array_equal(getattr(a, part), getattr(b, part))
        assert one.objective_ == two.objective_
        assert one.explained_variance_ == two.explained_variance_


@every_coder
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(X, D, options, scale):
    """Of samples: codes have them, and so has alpha, squared if it is of an L0."""
    expected = encoded(X, D, **options)
    scaled = dict(options)
    absolute = "alpha" in options and "alpha_mode" not in options
    if absolute:
        power = 2 if options["method"] in ("omp", "ormp") else 1
        scaled["alpha"] *= scale**power
    codes = encoded(scale * X, D, **scaled)
    assert_same_codes(codes / scale, expected, rtol=1e-6, atol=1e-8)
    if not absolute:  # of atoms: codes have their inverse
        codes = encoded(X, scale * D, **options)
        assert_same_codes(codes * scale, expected, rtol=1e-6, atol=1e-8)


# -- degenerate input -------------------------------------------------------------


@one_of_each
def test_degenerate_samples_and_atoms(X, D, options):
    hard = D.copy()
    hard[3] = 0.0
    hard[4] = hard[1]
    hard[5] = -2.0 * hard[2]
    coder = SparseCoder(hard, **options).fit(X)
    codes = coder.transform(X).toarray()
    assert np.all(np.isfinite(codes))
    assert not codes[5].any()
    assert not codes[:, 3].any()
    assert coder.status_.shape == (80,)
    assert np.all(np.isfinite(coder.inverse_transform(codes)))
    assert coder.explained_variance_ > 0.2


@pytest.mark.filterwarnings("ignore:All codes are zero")
@one_of_each
def test_one_feature_one_atom_one_row(X, D, options):
    options = {k: v for k, v in options.items() if k != "groups"}
    if options["method"] == "group-lasso":
        options["groups"] = [0]
    codes = encoded(X[:, :1], D[:1, :1], **options).toarray()
    assert codes.shape == (80, 1)
    exact = X[:, :1] / D[:1, :1]
    assert np.all(np.abs(codes) <= np.abs(exact) + 1e-12)
    assert encoded(X[:1, :1], D[:1, :1], **options).shape == (1, 1)


@pytest.mark.parametrize("method", sorted(METHODS.keys() - {"group-lasso"}))
def test_more_non_zeros_than_atoms_are_all(X, D, method):
    many = encoded(X, D, method=method, n_nonzero_coefs=500)
    every = encoded(X, D, method=method, n_nonzero_coefs=10)
    assert_same_codes(many, every, atol=1e-10)
    assert many.shape == (80, 10)


@one_of_each
def test_more_atoms_than_samples(X, D, options):
    options = options | ({"groups": 2 * GROUPS} if "groups" in options else {})
    codes = encoded(X[:4], np.vstack([D, D[::-1] + 1.0]), **options)
    assert codes.shape == (4, 20)
    assert codes.nnz


def test_samples_of_zeros_do_not_warn(D):
    for options in OPTIONS:
        coder = SparseCoder(D, **options).fit(np.zeros((3, 6)))
        assert coder.transform(np.zeros((3, 6))).nnz == 0
        assert coder.sparsity_ == 1.0
        assert coder.explained_variance_ == 1.0


# -- what fit says ------------------------------------------------------------------


@every_coder
def test_attributes_are_figures_of_the_codes(X, D, options):
    coder = SparseCoder(D, **options).fit(X)
    codes = coder.transform(X)
    used = codes.toarray() != 0.0
    np.testing.assert_array_equal(coder.components_, D)
    assert coder.n_components_ == 10
    assert coder.n_features_in_ == 6
    np.testing.assert_allclose(coder.mean_, X.mean(axis=0))
    np.testing.assert_allclose(coder.atom_usage_, used.mean(axis=0))
    assert coder.n_nonzero_coefs_ == pytest.approx(used.sum(axis=1).mean())
    assert coder.sparsity_ == pytest.approx(1.0 - used.mean())
    fitted = coder.inverse_transform(codes)
    expected = explained_variance(X, fitted, mean=coder.mean_)
    assert coder.explained_variance_ == pytest.approx(expected, rel=1e-9)
    assert coder.score(X) == pytest.approx(expected, rel=1e-9)
    assert coder.score(sp.csr_array(X)) == pytest.approx(expected, rel=1e-9)
    assert coder.objective_ >= 0.5 * np.mean(np.sum((X - fitted) ** 2, axis=1)) - 1e-12
    assert coder.status_.shape == (80,)
    assert set(coder.status_) <= {0, 2}


def test_objective_of_a_lasso(X, D):
    coder = SparseCoder(D, method="lasso", alpha=0.2, l1_ratio=0.7).fit(X)
    Z = coder.transform(X).toarray()
    objective = 0.5 * np.sum((X - Z @ D) ** 2) + 0.2 * (
        0.7 * np.abs(Z).sum() + 0.15 * np.sum(Z**2)
    )
    assert coder.objective_ == pytest.approx(objective / 80, rel=1e-10)


@one_of_each
def test_a_weight_is_so_many_samples(X, D, options, rng):
    weights = rng.integers(0, 3, size=80)
    repeated = np.repeat(X, weights, axis=0)
    a = SparseCoder(D, **options).fit(X, sample_weight=weights)
    b = SparseCoder(D, **options).fit(repeated)
    for name in ("mean_", "atom_usage_", "n_nonzero_coefs_", "sparsity_", "objective_"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-10)
    assert a.explained_variance_ == pytest.approx(b.explained_variance_, rel=1e-9)
    assert a.score(X, sample_weight=weights) == pytest.approx(a.score(repeated))
    gaps = with_gaps(rng, X)
    a = SparseCoder(D, **options, missing="mask").fit(gaps, sample_weight=weights)
    b = SparseCoder(D, **options, missing="mask").fit(np.repeat(gaps, weights, axis=0))
    assert a.explained_variance_ == pytest.approx(b.explained_variance_, rel=1e-9)
    np.testing.assert_allclose(a.mean_, b.mean_, rtol=1e-10)


@every_coder
def test_fit_transform_encodes_once(X, D, options, monkeypatch):
    expected = encoded(X, D, **options)
    calls = []

    def count(*args, **kwargs):
        calls.append(args)
        return encode(*args, **kwargs)

    encode = module.encode
    monkeypatch.setattr(module, "encode", count)
    coder = SparseCoder(D, **options)
    codes = coder.fit_transform(X)
    assert len(calls) == 1
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(codes, part), getattr(expected, part))
    assert coder.explained_variance_ == SparseCoder(D, **options).fit(X).score(X)


def test_dictionary_is_copied(X, D):
    for given in (D, np.asfortranarray(D)):
        before = given.copy()
        coder = SparseCoder(given).fit(X)
        assert not np.shares_memory(coder.components_, given)
        coder.components_[:] = 7.0
        np.testing.assert_array_equal(given, before)
    assert SparseCoder(D).fit(X.astype(np.float32)).components_.dtype == np.float64
    assert SparseCoder((9 * D).astype(int)).fit(X).components_.dtype == np.float64


def test_without_a_dictionary_samples_are_the_atoms(X, rng):
    """Each once, in an order of their own; weights and repeats do not matter."""
    for data in (X, sp.csr_array(X)):
        coder = SparseCoder(n_nonzero_coefs=2).fit(data)
        np.testing.assert_array_equal(coder.components_, np.unique(X, axis=0))
        assert coder.transform(data).shape == (80, 80)
        assert coder.score(data) > 0.99
    weights = rng.integers(0, 3, size=80)
    repeated = rng.permutation(np.repeat(X, weights, axis=0))
    np.testing.assert_array_equal(
        SparseCoder().fit(X, sample_weight=weights).components_,
        SparseCoder().fit(repeated).components_,
    )
    gaps = X.copy()
    gaps[:, 0] = np.nan
    coder = SparseCoder(n_nonzero_coefs=2, missing="mask").fit(gaps)
    assert not coder.components_[:, 0].any()


def test_a_fit_that_fails_changes_nothing(X, D):
    coder = SparseCoder(D, n_nonzero_coefs=2).fit(X)
    before = coder.transform(X)
    coder.set_params(dictionary=D[:, :5])
    with pytest.raises(ValueError, match="dictionary has 5 features"):
        coder.fit(X)
    coder.set_params(dictionary=2 * D, penalty_weights=np.ones(10))
    with pytest.raises(ValueError, match="penalty_weights"):
        coder.fit(X)
    coder.set_params(penalty_weights=None)
    assert_same_codes(coder.transform(X), before)


def test_set_params_reaches_fit_and_transform(X, D):
    coder = SparseCoder(D, n_nonzero_coefs=2).fit(X)
    assert np.diff(coder.transform(X).indptr).max() == 2
    assert np.diff(coder.set_params(n_nonzero_coefs=1).transform(X).indptr).max() == 1
    coder.set_params(dictionary=D[:4]).fit(X)
    assert coder.transform(X).shape == (80, 4)


# -- missing entries ----------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:All codes are zero")
@every_coder
def test_gaps_do_not_count(X, D, options, rng):
    """A code with gaps is that of the sample by the atoms without these features."""
    gaps = with_gaps(rng, X)
    gaps[7] = np.nan
    coder = SparseCoder(D, **options, missing="mask").fit(gaps)
    codes = coder.transform(gaps)
    assert not codes[[7]].nnz
    for i in (0, 1, 2, 40, 79):
        seen = ~np.isnan(gaps[i])
        alone = encoded(gaps[i : i + 1, seen], D[:, seen], **options)
        assert_same_codes(codes[[i]], alone, atol=1e-8)
    complete = ~np.isnan(gaps).any(axis=1)
    assert complete.any()
    plain = SparseCoder(D, **options).fit(X).transform(X)
    assert_same_codes(codes[complete], plain[complete], atol=1e-10)
    filled = coder.inverse_transform(codes)
    assert np.all(np.isfinite(filled))
    np.testing.assert_allclose(coder.mean_, np.nanmean(gaps, axis=0))
    residual = np.nansum((gaps - filled) ** 2)
    variation = np.nansum((gaps - coder.mean_) ** 2)
    assert coder.explained_variance_ == pytest.approx(1 - residual / variation)
    assert coder.score(gaps) == pytest.approx(1 - residual / variation)


def test_complete_data_need_no_mask(X, D):
    assert_same_codes(encoded(X, D, missing="mask"), encoded(X, D), rtol=0)


@one_of_each
def test_score_of_held_out_entries(X, D, options, rng):
    X[3, 2] = np.nan
    coder = SparseCoder(D, **options, missing="mask").fit(X)
    held_out = rng.random(X.shape) < 0.2
    held_out[3, 2] = True
    weights = rng.random(80)
    filled = coder.inverse_transform(coder.transform(np.where(held_out, np.nan, X)))
    counted = weights[:, None] * (held_out & ~np.isnan(X))
    error = np.nansum(counted * (X - filled) ** 2)
    variation = np.nansum(counted * (X - coder.mean_) ** 2)
    score = coder.score(X, sample_weight=weights, held_out=held_out)
    assert score == pytest.approx(1 - error / variation)
    # What is hidden is not looked at.
    other = np.where(held_out, 9.0, X)
    filled_again = coder.transform(np.where(held_out, np.nan, other))
    assert_same_codes(filled_again, coder.transform(np.where(held_out, np.nan, X)))


def test_held_out_entries_choose_the_number_of_non_zeros(rng):
    """Too many non-zeros fit the noise, and the entries held out tell."""
    D = rng.standard_normal((30, 40))
    Z = np.zeros((300, 30))
    for z in Z:
        z[rng.permutation(30)[:2]] = 3.0 * rng.standard_normal(2)
    X = Z @ D + 0.5 * rng.standard_normal((300, 40))
    held_out = rng.random(X.shape) < 0.1
    scores = [
        SparseCoder(D, method="omp", n_nonzero_coefs=k)
        .fit(X)
        .score(X, held_out=held_out)
        for k in (1, 2, 8)
    ]
    assert np.argmax(scores) == 1


def test_held_out_is_refused(X, D):
    coder = SparseCoder(D).fit(X)
    with pytest.raises(ValueError, match="held_out needs dense X"):
        coder.score(sp.csr_array(X), held_out=X > 0)
    with pytest.raises(ValueError, match=r"of bool of the shape of X, \(80, 6\)"):
        coder.score(X, held_out=X)
    with pytest.raises(ValueError, match=r"shape \(79, 6\)"):
        coder.score(X, held_out=X[1:] > 0)
    with pytest.raises(ValueError, match="holds out no entry"):
        coder.score(X, held_out=np.zeros(X.shape, dtype=bool))


# -- what goes out ----------------------------------------------------------------


@one_of_each
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_split_sign(X, D, options, dtype):
    X = X.astype(dtype)
    plain = encoded(X, D, **options)
    coder = SparseCoder(D, **options, split_sign=True).fit(X)
    codes = coder.transform(X)
    assert codes.dtype == dtype
    assert codes.has_canonical_format
    both = np.hstack([plain.toarray().clip(min=0), (-plain.toarray()).clip(min=0)])
    np.testing.assert_array_equal(codes.toarray(), both)
    np.testing.assert_allclose(
        coder.inverse_transform(codes), plain @ D, rtol=1e-5, atol=1e-6
    )
    names = coder.get_feature_names_out()
    assert names.tolist() == [
        f"sparsecoder{j}_{sign}" for sign in ("positive", "negative") for j in range(10)
    ]
    # Figures are of codes, not of columns.
    assert coder.sparsity_ == SparseCoder(D, **options).fit(X).sparsity_


def test_names(X, D):
    coder = SparseCoder(D).fit(X)
    assert coder.get_feature_names_out().tolist() == [
        f"sparsecoder{j}" for j in range(10)
    ]


@pytest.mark.parametrize("split_sign", [False, True])
@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_data_frames(X, D, container, split_sign):
    library = pytest.importorskip(container)
    coder = SparseCoder(D, n_nonzero_coefs=2, split_sign=split_sign).fit(X)
    expected = coder.transform(X).toarray()
    coder.set_output(transform=container)
    for frame in (coder.transform(X), coder.fit_transform(X)):
        assert isinstance(frame, library.DataFrame)
        assert list(frame.columns) == coder.get_feature_names_out().tolist()
        np.testing.assert_array_equal(frame.to_numpy(), expected)
    coder.set_output(transform="default")
    assert sp.issparse(coder.transform(X))
    with config_context(transform_output=container):
        assert isinstance(SparseCoder(D).fit(X).transform(X), library.DataFrame)


def test_dense_output(X, D):
    dense = encoded(X, D, n_nonzero_coefs=2, sparse_output=False)
    assert isinstance(dense, np.ndarray)
    np.testing.assert_array_equal(dense, encoded(X, D, n_nonzero_coefs=2).toarray())


def test_inverse_transform(X, D):
    coder = SparseCoder(D, n_nonzero_coefs=2).fit(X)
    codes = coder.transform(X)
    for form in (codes, codes.toarray(), sp.csc_array(codes), codes.toarray().tolist()):
        np.testing.assert_allclose(coder.inverse_transform(form), codes.toarray() @ D)
    with pytest.raises(ValueError, match="codes have 9 columns; transform gives 10"):
        coder.inverse_transform(codes[:, :9])


# -- parameters -------------------------------------------------------------------

# For each parameter of a method a change that must change codes.
ALIVE = {
    "dictionary": ({}, None),
    "method": ({"n_nonzero_coefs": 2}, "threshold"),
    "n_nonzero_coefs": ({"n_nonzero_coefs": 2}, 4),
    "alpha": ({"alpha": 0.2}, 0.4),
    "alpha_mode": ({"alpha": 0.2}, "relative"),
    "tol": ({"tol": 0.3}, 0.05),
    "l1_ratio": ({"method": "lasso", "alpha": 0.2}, 0.5),
    "penalty_weights": ({"method": "lasso", "alpha": 0.2}, np.linspace(1, 3, 10)),
    "groups": ({"method": "group-lasso", "alpha": 0.2, "groups": GROUPS}, [0, 1] * 5),
    "positive": ({"n_nonzero_coefs": 3}, True),
    "split_sign": ({"n_nonzero_coefs": 3}, True),
    "sparse_output": ({"n_nonzero_coefs": 3}, False),
}


@pytest.mark.parametrize("name", ALIVE)
def test_parameters_are_alive(X, D, name):
    options, value = ALIVE[name]
    if name == "dictionary":
        value = D[::-1]
    options = {"method": "omp"} | options
    before = encoded(X, D, **options)
    after = SparseCoder(D, **options).set_params(**{name: value}).fit(X).transform(X)
    if sp.issparse(after) and after.shape == before.shape:
        assert abs(after - before).max() > 1e-3
    else:
        assert after.shape != before.shape or not sp.issparse(after)


def test_every_parameter_is_tested():
    tested = ALIVE.keys() | {"missing", "n_jobs", "max_iter"}
    assert tested == inspect.signature(SparseCoder).parameters.keys()
    assert USES.keys() == METHODS.keys()
    assert {options["method"] for options in OPTIONS} == METHODS.keys()


def test_n_jobs_reaches_the_threads(X, D, monkeypatch):
    seen = []

    def spy(function, n_rows, size, n_jobs=None):
        seen.append(n_jobs)
        return map_chunks(function, n_rows, size, n_jobs)

    map_chunks = module.map_chunks
    monkeypatch.setattr(module, "map_chunks", spy)
    SparseCoder(D, n_jobs=2).fit(X).transform(X)
    assert seen == [2, 2]


SHORT = [
    {"method": "iht", "n_nonzero_coefs": 4, "max_iter": 1},
    {"method": "lasso", "alpha": 0.01, "tol": 1e-14, "max_iter": 1},
    {"method": "group-lasso", "alpha": 0.01, "groups": GROUPS, "max_iter": 1},
]


@pytest.mark.parametrize("options", SHORT)
def test_max_iter_is_alive_and_warned_of(X, D, options):
    """One warning a call, at the line that calls."""
    coder = SparseCoder(D, **options)
    for call in (coder.fit, coder.fit_transform, coder.transform, coder.score):
        with pytest.warns(ConvergenceWarning, match="of 80 samples missed") as found:
            call(X)
        assert len(found) == 1
        assert found[0].filename == __file__
    assert np.count_nonzero(coder.status_ == 1) > 0


def test_all_zero_codes_warn_at_fit(X, D):
    coder = SparseCoder(D, method="threshold", alpha=1e3)
    for call in (coder.fit, coder.fit_transform):
        with pytest.warns(ConvergenceWarning, match="alpha=1000.0 is too l") as found:
            call(X)
        assert len(found) == 1
        assert found[0].filename == __file__
    assert coder.sparsity_ == 1.0
    coder.transform(X)  # the fit has said it
    with pytest.warns(ConvergenceWarning, match="no atom explains any"):
        SparseCoder(0 * D, method="threshold", n_nonzero_coefs=2).fit(X)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_parameters_that_a_method_does_not_use_are_refused(X, D, method):
    values = {
        "alpha": 0.1,
        "n_nonzero_coefs": 2,
        "tol": 1e-3,
        "l1_ratio": 0.5,
        "penalty_weights": np.ones(10),
        "groups": GROUPS,
    }
    assert values.keys() == UNUSED.keys()
    base = {"groups": GROUPS} if method == "group-lasso" else {}
    for name in values.keys() - USES[method]:
        coder = SparseCoder(D, method=method, **base).set_params(**{name: values[name]})
        with pytest.raises(ValueError, match=f"{method}' does not use {name}, got"):
            coder.fit(X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lars"}, "method.*'lars'"),
        ({"n_nonzero_coefs": 0}, "n_nonzero_coefs.*Got 0"),
        ({"alpha": -1.0}, "alpha.*Got -1.0"),
        ({"alpha_mode": "share"}, "alpha_mode.*'share'"),
        ({"tol": -1.0}, "tol.*Got -1.0"),
        ({"method": "lasso", "l1_ratio": 0.0}, "l1_ratio.*Got 0.0"),
        ({"missing": "ignore"}, "missing.*'ignore'"),
        ({"max_iter": 0}, "max_iter.*Got 0"),
        (
            {"method": "lasso", "l1_ratio": 0.5, "n_nonzero_coefs": 2},
            "n_nonzero_coefs=2 with l1_ratio=0.5",
        ),
        (
            {"method": "lasso", "alpha": 0.1, "n_nonzero_coefs": 2},
            "alpha=0.1 and n_nonzero_coefs=2",
        ),
        (
            {"method": "lasso", "penalty_weights": [1.0, 2.0]},
            r"penalty_weights.*shape \(2,\)",
        ),
        ({"method": "lasso", "penalty_weights": [-1.0] * 10}, "penalty_weights.*-1"),
        ({"method": "group-lasso"}, "groups"),
        ({"method": "group-lasso", "groups": [0, 0, 1]}, "groups"),
    ],
)
def test_bad_parameters_are_named(X, D, options, message):
    with pytest.raises(ValueError, match=message):
        SparseCoder(D, **options).fit(X)


def test_bad_data_are_named(X, D):
    with pytest.raises(ValueError, match="dictionary has 5 features and X has 6"):
        SparseCoder(D[:, :5]).fit(X)
    with pytest.raises(ValueError, match="dictionary contains NaN"):
        SparseCoder(np.full_like(D, np.nan)).fit(X)
    with pytest.raises(ValueError, match="infinity"):
        SparseCoder(D, missing="mask").fit(np.full_like(X, np.inf))
    with pytest.raises(ValueError, match="zero"):
        SparseCoder(D).fit(X, sample_weight=np.zeros(80))
    sparse = sp.csr_array(X)
    sparse.data[0] = np.nan
    with pytest.raises(
        ValueError, match="Sparse X has NaN: missing='mask' needs dense"
    ):
        SparseCoder(D, missing="mask").fit(sparse)
    with pytest.raises(NotFittedError):
        SparseCoder(D).transform(X)
    with pytest.raises(ValueError, match="5 features"):
        SparseCoder(D).fit(X).transform(X[:, :5])


# -- in the company of others -------------------------------------------------------


@one_of_each
def test_clone_and_pickle(X, D, options):
    coder = SparseCoder(D, **options, n_jobs=2).fit(X)
    codes = coder.transform(X)
    again = pickle.loads(pickle.dumps(coder))
    assert_same_codes(again.transform(X), codes, rtol=0)
    assert_same_codes(clone(coder).fit_transform(X), codes, rtol=0)


def test_a_grid_over_the_number_of_non_zeros():
    """In a pipeline; one too large is no error; more non-zeros tell more."""
    X, y = load_digits(n_class=4, return_X_y=True)
    pipe = Pipeline(
        [
            ("codes", SparseCoder(X[::12], method="omp")),
            ("model", LogisticRegression(max_iter=2000)),
        ]
    )
    grid = {"codes__n_nonzero_coefs": [1, 6, 1000]}
    search = GridSearchCV(pipe, grid, cv=2, error_score="raise")
    search.fit(X[:300], y[:300])
    one, six, _ = search.cv_results_["mean_test_score"]
    assert one + 0.05 < six


def test_a_grid_by_held_out_entries(X, D, rng):
    """Metadata routing hands each fold its rows of the mask."""
    held_out = rng.random(X.shape) < 0.2
    with config_context(enable_metadata_routing=True):
        coder = SparseCoder(D, method="omp").set_score_request(held_out=True)
        search = GridSearchCV(coder, {"n_nonzero_coefs": [1, 3]}, cv=2)
        search.fit(X, held_out=held_out)
    by_hand = coder.set_params(n_nonzero_coefs=3).fit(X[40:])
    assert search.cv_results_["split0_test_score"][1] == pytest.approx(
        by_hand.score(X[:40], held_out=held_out[:40])
    )


def test_codes_feed_a_linear_model(X, D):
    y = (X[:, 0] > 0).astype(int)
    model = make_pipeline(
        SparseCoder(D, n_nonzero_coefs=3, split_sign=True), LogisticRegression()
    )
    assert model.fit(X, y).score(X, y) > 0.7


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_is_that_of_the_codes(rng, dtype, tmp_path):
    """Neither a memory map nor what is made of it row by row is held as a whole."""
    path = tmp_path / "X.npy"
    np.save(path, rng.standard_normal((6000, 1000)).astype(dtype))
    X = np.load(path, mmap_mode="r")
    D = rng.standard_normal((4, 1000))
    coder = SparseCoder(D, method="threshold", n_nonzero_coefs=1)
    tracemalloc.start()
    try:
        codes = coder.fit_transform(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert codes.nnz == 6000
    assert peak < 0.1 * X.nbytes
