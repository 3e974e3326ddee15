"""A memory map that is larger than memory: read in place, never copied."""

import tracemalloc
from functools import partial

import numpy as np
import pytest
from reference import sparse_regression
from sklearn.base import clone
from sklearn.model_selection import KFold, ShuffleSplit

from sparselearn._solvers import _maps, _working_set
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import check_regression, column_major
from sparselearn.linear_model import (
    AdaptiveLasso,
    ElasticNet,
    GroupLasso,
    GroupLassoCV,
    Lasso,
    LassoCV,
    MultiTaskLasso,
    OrthogonalMatchingPursuit,
    SparseLogisticRegression,
    SparsePoissonRegressor,
    _streaming,
    elastic_net_path,
    lasso_path,
)
from sparselearn.linear_model import _linear as linear


def opened(path, X, how):
    """X in a file of Fortran order, opened for reading."""
    if how == "load":
        np.save(path, np.asfortranarray(X))
        return np.load(path, mmap_mode="r")
    X.ravel(order="F").tofile(path)
    return np.memmap(path, dtype=X.dtype, mode="r", shape=X.shape, order="F")


each_way = pytest.mark.parametrize("how", ["load", "memmap"])
each_dtype = pytest.mark.parametrize("dtype", [np.float64, np.float32])


@each_way
@each_dtype
def test_kernels_see_the_map_itself(rng, tmp_path, how, dtype):
    X, y = sparse_regression(rng, 30, 50)
    mapped = opened(tmp_path / "X.npy", X.astype(dtype), how)
    assert not mapped.flags.writeable
    checked, _, weights = check_regression(mapped, y)
    for seen in (column_major(mapped), checked):
        assert np.shares_memory(seen, mapped)
        assert seen.flags.f_contiguous
    design = make_problem(checked, weights, fit_intercept=True).design
    assert np.shares_memory(design.values, mapped)


FITS = {
    "path": partial(lasso_path, n_alphas=20, eps=0.1),
    "elastic_net_path": partial(elastic_net_path, n_alphas=20, eps=0.1, l1_ratio=0.9),
    "Lasso": Lasso(n_nonzero_coefs=30).fit,
    "ElasticNet": ElasticNet(0.5, l1_ratio=0.9).fit,
    "AdaptiveLasso": AdaptiveLasso(pilot="lasso", n_nonzero_coefs=10).fit,
    "LassoCV": LassoCV(10, eps=0.1, cv=3).fit,
    "MultiTaskLasso": MultiTaskLasso(n_nonzero_coefs=10).fit,
    "OMP": OrthogonalMatchingPursuit(20).fit,
}
# Gram matrices of what a pilot or a pursuit may use; they do not grow with the rows.
MOST = {"AdaptiveLasso": 0.9, "OMP": 0.6}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """A wide X of 32 MB in a file, and y."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("wide") / "X.npy"
    X = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float64, shape=(400, 10000), fortran_order=True
    )
    X.T[:] = rng.standard_normal(X.T.shape)
    y = X[:, :5] @ [3.0, -2.0, 1.0, 2.0, -1.0] + rng.standard_normal(400)
    X.flush()
    return path, np.asarray(y)


@pytest.mark.parametrize(
    ("fit", "weighted"),
    [*((fit, False) for fit in FITS), ("path", True), ("OMP", True)],
)
def test_memory_in_use_is_a_share_of_the_map(wide, fit, weighted, monkeypatch):
    # Room that is set aside but never touched takes no memory; here it would count.
    monkeypatch.setattr(_working_set, "ROOM", 64, raising=False)
    path, y = wide
    X = np.load(path, mmap_mode="r")
    y = np.column_stack([y, -y]) if fit == "MultiTaskLasso" else y
    options = {"sample_weight": np.linspace(0.5, 1.5, 400)} if weighted else {}
    FITS[fit](X[:, :800], y, **options)  # what compiling takes is not counted
    tracemalloc.start()
    try:
        FITS[fit](X, y, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST.get(fit, 0.3) * X.nbytes


def test_a_prediction_needs_little_memory(wide):
    path, y = wide
    X = np.load(path, mmap_mode="r")
    model = Lasso(n_nonzero_coefs=10).fit(X, y)
    tracemalloc.start()
    try:
        found = model.predict(X)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.05 * X.nbytes
    assert model.support_.size < linear.FEW_BY_COLUMNS * X.shape[1]
    np.testing.assert_allclose(found, X @ model.coef_ + model.intercept_)


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    """A tall X of 32 MB in a file of rows, and y."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("tall") / "X.npy"
    X = np.lib.format.open_memmap(
        path, mode="w+", dtype=np.float32, shape=(200_000, 40)
    )
    X[:] = rng.standard_normal(X.shape) + 5.0
    y = X[:, :5] @ [3.0, -2.0, 1.0, 2.0, -1.0] + rng.standard_normal(200_000)
    X.flush()
    return path, np.asarray(y)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "model", [Lasso(0.1, tol=1e-14), GroupLasso(0.1, groups=4, tol=1e-14)], ids=repr
)
def test_rows_of_a_file_are_summed_up_in_blocks(tall, model, weighted, monkeypatch):
    path, y = tall
    X = np.load(path, mmap_mode="r")
    options = {}
    if weighted:
        options["sample_weight"] = np.linspace(0.0, 1.0, 200_000)
        options["sample_weight"][10_000:40_000] = 0.0  # a block and more
    expected = clone(model).fit(np.array(X), y, **options)
    monkeypatch.setattr(_streaming, "BLOCK", 2**18)
    tracemalloc.start()
    try:
        model.fit(X, y, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.4 * X.nbytes  # of which y, weights and their checks are 0.15
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, rtol=1e-5)
    assert model.coef_.dtype == np.float32
    assert not hasattr(model, "n_samples_seen_")


@pytest.mark.parametrize(
    "model",
    [
        LassoCV(6, cv=4, tol=1e-12),
        GroupLassoCV(
            5,
            groups=4,
            cv=KFold(3, shuffle=True, random_state=0),
            selection="1se",
            tol=1e-12,
        ),
    ],
    ids=["LassoCV", "GroupLassoCV"],
)
def test_folds_of_a_file_of_rows_are_the_splitter_s(tall, model, monkeypatch):
    path, y = tall
    X = np.load(path, mmap_mode="r")
    options = {}
    if model.selection == "1se":
        options["sample_weight"] = np.linspace(0.0, 1.0, 200_000)
    expected = clone(model).fit(np.array(X), y, **options)
    monkeypatch.setattr(_streaming, "BLOCK", 2**18)
    tracemalloc.start()
    try:
        model.fit(X, y, **options)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Of numbers a row there are ten: y, weights, folds and the splits of each.
    assert peak < 0.8 * X.nbytes
    for name in ("alphas_", "mse_path_", "alpha_"):
        found, wanted = getattr(model, name), getattr(expected, name)
        np.testing.assert_allclose(found, wanted, rtol=1e-7)
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=1e-5, atol=1e-7)
    assert model.coef_.dtype == np.float32
    assert not hasattr(model, "n_samples_seen_")


OTHERS = {
    "rows are tested twice": ShuffleSplit(2, random_state=0),
    "rows are left out": [(np.arange(500), np.arange(600, 1000))],
    "rows are in both": [(np.arange(1000), np.arange(1000))],
    "rows come twice": [
        (np.arange(500).repeat(2), np.arange(500, 1000)),
        (np.arange(500, 1000), np.arange(500)),
    ],
}


@pytest.mark.parametrize("cv", OTHERS.values(), ids=OTHERS)
def test_other_splits_of_a_file_of_rows(tall, tmp_path, cv):
    path, y = tall
    np.save(tmp_path / "X.npy", np.load(path, mmap_mode="r")[:1000])
    X = np.load(tmp_path / "X.npy", mmap_mode="r")
    found = LassoCV(6, cv=cv, tol=1e-12).fit(X, y[:1000])
    expected = LassoCV(6, cv=cv, tol=1e-12).fit(np.array(X), y[:1000])
    np.testing.assert_array_equal(found.mse_path_, expected.mse_path_)
    np.testing.assert_array_equal(found.coef_, expected.coef_)


def test_a_fold_without_weight_in_a_file_of_rows(tall):
    path, y = tall
    X, weights = np.load(path, mmap_mode="r"), np.ones(200_000)
    weights[:70_000] = 0.0
    with pytest.raises(ValueError, match="Fold 0 has no test row"):
        LassoCV(3, cv=3).fit(X, y, sample_weight=weights)
    with pytest.raises(ValueError, match="inconsistent numbers"):
        LassoCV(3, cv=[*KFold(2).split(X)]).fit(X, y[1:])


@pytest.mark.parametrize(
    "model",
    [
        SparseLogisticRegression(0.05),
        SparsePoissonRegressor(0.05),
        MultiTaskLasso(0.1),
        OrthogonalMatchingPursuit(5),
        LassoCV(4, selection="bic"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_large_file_of_rows_is_turned_not_copied(tall, model, monkeypatch):
    path, y = tall
    X = np.load(path, mmap_mode="r")
    if type(model).__name__ == "SparsePoissonRegressor":
        y = np.exp(y / 5.0)
    if type(model).__name__ == "SparseLogisticRegression":
        y = y > y.mean()
    if type(model).__name__ == "MultiTaskLasso":
        y = np.column_stack([y, -y])
    expected = clone(model).fit(np.array(X), y)
    turned = []

    def turn(shape, dtype):
        turned.append(shape)
        return temporary(shape, dtype)

    temporary = _maps._temporary
    monkeypatch.setattr(_maps, "_temporary", turn)
    monkeypatch.setattr(_maps, "LARGEST_COPY", X.nbytes // 2)
    model.fit(X, y)
    assert turned == [(40, 200_000)]
    np.testing.assert_array_equal(model.coef_, expected.coef_)


def test_a_bad_number_in_a_block_is_found(tall, tmp_path):
    path, y = tall
    X = np.lib.format.open_memmap(
        tmp_path / "X.npy", mode="w+", dtype=np.float32, shape=(1000, 40)
    )
    X[:] = np.load(path, mmap_mode="r")[:1000]
    X[900, 3] = np.nan
    model = Lasso(0.1)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, y[:1000])
    assert not hasattr(model, "coef_")
    with pytest.raises(ValueError, match="inconsistent numbers"):
        model.fit(X, y[:999])
