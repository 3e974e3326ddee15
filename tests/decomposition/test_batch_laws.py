"""Laws that all learners from all samples at a time keep."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sparselearn.decomposition import (
    KSVD,
    DictionaryLearning,
    DiscriminativeDictionaryLearning,
    SparseCoder,
)

N, P, K = 90, 8, 12

LEARNERS = [
    DictionaryLearning(method="omp", n_nonzero_coefs=3),
    DictionaryLearning(method="omp", n_nonzero_coefs=3, update="mod"),
    KSVD(n_nonzero_coefs=3),
    KSVD(method="ormp", n_nonzero_coefs=3, positive=True, positive_atoms=True),
    DiscriminativeDictionaryLearning(n_nonzero_coefs=3),
    DiscriminativeDictionaryLearning(target="values", n_nonzero_coefs=3),
]
every_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


def ready(learner, **options):
    return clone(learner).set_params(
        **{"n_components": K, "tol": 0.02, "random_state": 0, **options}
    )


@pytest.fixture
def X(rng):
    """Rows of few directions and noise; one is 0, two are the same."""
    codes = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.25)
    X = codes @ rng.standard_normal((K, P)) + 0.1 * rng.standard_normal((N, P))
    X[3] = 0.0
    X[5] = X[4]
    return X


@pytest.fixture
def y(X):
    """Of both kinds: three whole numbers, for rows that are the same the same."""
    return np.digitize(X[:, 0], [-1.0, 1.0])


def with_coder(learner, **options):
    """`learner` whose parameters of a coder are a coder's, with more `options`."""
    coder = SparseCoder(
        method=learner.method,
        n_nonzero_coefs=learner.n_nonzero_coefs,
        positive=learner.positive,
        **options,
    )
    return learner.set_params(
        coder=coder, method=type(learner)().method, n_nonzero_coefs=None, positive=False
    )


@every_learner
def test_never_rises_and_unit_atoms(learner, X, y):
    model = ready(learner, tol=0.0, max_iter=6).set_params(n_components=K)
    with pytest.warns(match="max_iter"):
        model.fit(X, y)
    path = model.objective_path_
    assert path.shape == (model.n_iter_,)
    assert np.all(np.diff(path) <= 0.0)
    assert path[-1] < path[0]
    np.testing.assert_allclose(np.linalg.norm(model.components_, axis=1), 1.0)
    assert model.coherence_ < 1.0 - 1e-6


@every_learner
def test_signs(learner, X, y):
    model = ready(learner).fit(X, y)
    atoms, codes = model.components_, model.transform(X)
    if learner.positive_atoms:
        assert atoms.min() >= 0.0
        assert codes.min() >= 0.0
    else:
        largest = np.argmax(np.abs(atoms), axis=1)
        assert np.all(atoms[np.arange(K), largest] > 0.0)
        assert codes.min() < 0.0


@every_learner
def test_codes_of_fit_are_those_of_transform(learner, X, y):
    model = ready(learner)
    codes = model.fit_transform(X, y)
    again = clone(model).fit(X, y).transform(X)
    assert isinstance(codes, sp.csr_array)
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(codes, part), getattr(again, part))
    assert np.diff(codes.indptr).max() <= 3


@every_learner
def test_kinds_of_data(learner, X, y):
    """Dense, read-only, sparse with long indices, float32."""
    X = np.where(np.abs(X) > 0.3, X, 0.0)
    expected = ready(learner).fit(X, y)
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    long = sp.csr_array(X)
    long.indices, long.indptr = long.indices.astype("i8"), long.indptr.astype("i8")
    for other in (frozen, sp.csr_array(X), long):
        model = ready(learner).fit(other, y)
        np.testing.assert_allclose(model.components_, expected.components_, atol=1e-8)
    model = ready(learner).fit(X.astype(np.float32), y)
    assert model.components_.dtype == model.transform(X.astype("f4")).dtype == "f4"
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-2)


@every_learner
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_do_not_matter(learner, X, y, scale):
    expected, model = ready(learner).fit(X, y), ready(learner).fit(X * scale, y)
    np.testing.assert_allclose(model.components_, expected.components_, atol=1e-9)
    np.testing.assert_allclose(
        model.transform(X * scale).toarray() / scale,
        expected.transform(X).toarray(),
        atol=1e-9,
    )
    np.testing.assert_allclose(
        model.explained_variance_, expected.explained_variance_, rtol=1e-9
    )


@every_learner
def test_weights_are_repeated_rows_and_order_does_not_matter(learner, X, y):
    counts = np.arange(N) % 3
    rows = np.repeat(np.arange(N), counts)[::-1]
    weighted = ready(learner).fit(X, y, sample_weight=counts)
    repeated = ready(learner).fit(X[rows], y[rows])
    np.testing.assert_array_equal(weighted.components_, repeated.components_)
    for name in ("objective_", "explained_variance_", "n_nonzero_coefs_"):
        np.testing.assert_allclose(getattr(weighted, name), getattr(repeated, name))


@every_learner
def test_any_number_of_threads(learner, rng):
    """More rows than one chunk has."""
    X = rng.standard_normal((1100, P))
    y = (X[:, 0] > 0.0).astype(int)
    one, two = (ready(learner, n_jobs=n, tol=0.1).fit(X, y) for n in (1, 2))
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.objective_path_, two.objective_path_)


@every_learner
def test_init_is_not_written_into(learner, X, y, rng):
    init = rng.uniform(size=(K, P)) * 7.0
    kept = init.copy()
    model = ready(learner, n_components=None, init=init).fit(X, y)
    np.testing.assert_array_equal(init, kept)
    assert model.components_.shape == (K, P)
    assert not np.shares_memory(model.components_, init)
    with pytest.raises(ValueError, match="init has shape"):
        ready(learner, n_components=K + 1, init=init).fit(X, y)


@every_learner
@pytest.mark.parametrize("init", ["k-means++", "svd"])
def test_other_starts(learner, X, y, init):
    model = ready(learner, init=init).fit(X, y)
    assert model.explained_variance_ > 0.5


@every_learner
def test_degenerate(learner, X, y):
    """More atoms than rows; more non-zeros than atoms; one feature; one row."""
    for rows, n_features, n_components in ((6, P, K), (N, 1, 1), (1, P, 2), (N, P, 2)):
        some = np.ascontiguousarray(X[:rows, :n_features])
        model = ready(learner, n_components=n_components, n_nonzero_coefs=5)
        model.fit(some, y[:rows])
        assert np.all(np.isfinite(model.components_))
        assert np.all(np.isfinite(model.transform(some).data))
    assert model.n_nonzero_coefs_ <= 2.0


@every_learner
def test_missing_entries(learner, rng):
    """What lacks is filled in better than by means."""
    codes = np.abs(rng.standard_normal((400, 3)))
    X = codes @ np.abs(rng.standard_normal((3, P)))
    y = (X[:, 0] > 1.0).astype(int)
    gaps = rng.uniform(size=X.shape) < 0.15
    holed = np.where(gaps, np.nan, X)
    model = ready(learner, n_components=4, tol=1e-4, max_iter=1000)
    model = with_coder(model, missing="mask").fit(holed, y)
    filled = model.inverse_transform(model.transform(holed))
    error = np.mean((filled - X)[gaps] ** 2)
    assert error < 0.2 * np.mean((model.mean_ - X)[gaps] ** 2)
    with pytest.raises(ValueError, match="NaN"):
        ready(learner).fit(holed, y)


@every_learner
def test_in_a_grid_in_a_pipeline(learner, X, y):
    pipeline = make_pipeline(ready(learner), LogisticRegression())
    name = pipeline.steps[0][0]
    grid = {f"{name}__n_nonzero_coefs": [1, 3, 100]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
    assert search.best_score_ > 0.4


def test_time_is_kept(X):
    model = KSVD(K, n_nonzero_coefs=3, tol=0.0, max_time=1e-9, random_state=0).fit(X)
    assert model.n_iter_ == 1
