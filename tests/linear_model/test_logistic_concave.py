"""Logistic regression with MCP and SCAD, as a user meets it."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import folded_penalty, mcp, row_losses, scad, sparse_regression
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from sparselearn.linear_model import SparseLogisticRegression, logistic_path
from sparselearn.metrics import support_f1

TEXTBOOK = {"mcp": (mcp, 3.0), "scad": (scad, 3.7)}
each_penalty = pytest.mark.parametrize("penalty", TEXTBOOK)
each_shape = pytest.mark.parametrize("shape", [(120, 12), (100, 150)], ids=str)
each_number = pytest.mark.parametrize(
    ("n_classes", "multi_class"), [(2, "ovr"), (3, "ovr"), (3, "multinomial")]
)
EXACT = {"tol": 1e-9}


@pytest.fixture
def seed():
    return 0


def classes_of(rng, shape=(120, 12), n_classes=2):
    """X and classes 0, 1, ... that it tells about, with noise."""
    X, z = sparse_regression(rng, *shape)
    z = (z - z.mean()) / z.std() + rng.standard_normal(len(z))
    return X, np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))


def alpha_of(X, y, share, weights=None):
    """A share of the alpha at which all coefficients are 0.

    Of wide data it is not below a half: there classes can be separated, and with MCP
    and SCAD they are.
    """
    share = np.maximum(share, 0.5 if X.shape[1] > X.shape[0] else 0.0)
    s = np.full(len(y), 1.0) if weights is None else weights
    s = s / s.sum()
    T = (y[:, None] == np.unique(y)) * 1.0
    return share * np.max(np.abs((s * (T - s @ T).T) @ (X - s @ X)))


# -- stationary points -----------------------------------------------------------


@each_penalty
@each_shape
@each_number
@pytest.mark.parametrize("share", [0.7, 0.15])
def test_no_coordinate_improves(rng, penalty, shape, n_classes, multi_class, share):
    """By brute force, the intercept too; and the objective from its definition."""
    X, y = classes_of(rng, shape, n_classes)
    weights = rng.uniform(0.2, 2.0, len(y))
    omega = rng.uniform(0.5, 2.0, shape[1])
    omega[:2] = 0.0, np.inf
    alpha = alpha_of(X, y, share, weights)
    model = SparseLogisticRegression(
        alpha, penalty=penalty, penalty_weights=omega, multi_class=multi_class, **EXACT
    )
    model.fit(X, y, weights)
    assert np.all(np.atleast_1d(model.stationarity_) <= model.tol)
    assert not hasattr(model, "dual_gap_")
    assert np.all(model.coef_[:, 1] == 0.0)
    assert np.count_nonzero(model.coef_) > 1
    formula, gamma = TEXTBOOK[penalty]
    s, lam = weights / weights.sum(), alpha * np.minimum(omega, 1e9)
    sd = np.sqrt(s @ (X - s @ X) ** 2)

    def penalties(w):
        return folded_penalty(X, weights, w, lam, gamma, formula)

    if multi_class == "multinomial":
        T = (y[:, None] == np.arange(3)) * 1.0
        problems = [("softmax", T, model.coef_, model.intercept_)]
    else:
        chosen = range(3) if n_classes == 3 else [1]
        problems = [
            ("logistic", (y == k) * 1.0, model.coef_[[i]], model.intercept_[[i]])
            for i, k in enumerate(chosen)
        ]
    objectives = np.atleast_1d(model.objective_)
    for (kind, target, coef, b), objective in zip(problems, objectives):
        z = X @ coef.T + b
        z = z[:, 0] if kind == "logistic" else z
        total = s @ row_losses(kind, target, z) + sum(map(penalties, coef))
        assert objective == pytest.approx(total, rel=1e-10)
        for k, w in enumerate(coef):
            here = penalties(w)
            for j in range(-1, shape[1], 3):
                for step in np.array([-2, -0.5, -0.05, -1e-3, 1e-3, 0.05, 0.5, 2]):
                    moved, zs = w.copy(), z.copy()
                    along = np.ones(len(y))
                    if j >= 0:
                        moved[j] += step / sd[j]
                        along = X[:, j] / sd[j]
                    column = zs if kind == "logistic" else zs[:, k]
                    column += step * along
                    value = s @ row_losses(kind, target, zs) + penalties(moved) - here
                    least = s @ row_losses(kind, target, z)
                    assert value >= least - 1e-9


@each_penalty
@each_shape
@each_number
def test_an_infinite_gamma_is_the_lasso(rng, penalty, shape, n_classes, multi_class):
    X, y = classes_of(rng, shape, n_classes)
    shared = {"alpha": alpha_of(X, y, 0.15), "multi_class": multi_class}
    lasso = SparseLogisticRegression(tol=1e-14, **shared).fit(X, y)
    model = SparseLogisticRegression(penalty=penalty, gamma=np.inf, **shared, **EXACT)
    model.fit(X, y)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-7)
    np.testing.assert_allclose(
        model.predict_proba(X), lasso.predict_proba(X), atol=1e-7
    )
    # And the default is not.
    other = model.set_params(gamma=None).fit(X, y)
    assert np.max(np.abs(other.coef_ - lasso.coef_)) > 1e-3


@each_penalty
def test_the_default_gamma(rng, penalty):
    X, y = classes_of(rng)
    alpha = alpha_of(X, y, 0.2)
    model = SparseLogisticRegression(alpha, penalty=penalty).fit(X, y)
    other = clone(model).set_params(gamma=TEXTBOOK[penalty][1]).fit(X, y)
    np.testing.assert_array_equal(model.coef_, other.coef_)


@each_penalty
@each_number
def test_without_a_penalty_it_is_the_maximum_likelihood(
    rng, penalty, n_classes, multi_class
):
    X, y = classes_of(rng, (300, 5), n_classes)
    shared = {"alpha": 0.0, "multi_class": multi_class}
    expected = SparseLogisticRegression(tol=1e-13, **shared).fit(X, y)
    model = SparseLogisticRegression(penalty=penalty, **shared).fit(X, y)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-4)
    assert np.all(np.atleast_1d(model.stationarity_) <= 1e-6)


@each_penalty
def test_large_coefficients_are_not_shrunk(rng, penalty):
    """Where all are on the constant piece, or 0, it is maximum likelihood on these."""
    X = rng.standard_normal((2000, 20))
    z = X[:, :3] @ [2.0, -2.0, 1.5]
    y = rng.uniform(size=2000) < 1.0 / (1.0 + np.exp(-z))
    model = SparseLogisticRegression(0.05, penalty=penalty, **EXACT).fit(X, y)
    np.testing.assert_array_equal(model.support_, range(3))
    free = SparseLogisticRegression(0.0, tol=1e-13).fit(X[:, :3], y)
    np.testing.assert_allclose(model.coef_[0, :3], free.coef_[0], atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_support_recovery(seed):
    """At each one's best alpha, at least that of the L1 penalty."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((300, 100)) + 0.5 * rng.standard_normal((300, 1))
    true = np.zeros(100)
    true[:6] = rng.choice([-1.0, 1.0], 6) * rng.uniform(1.5, 2.5, 6)
    y = rng.uniform(size=300) < 1.0 / (1.0 + np.exp(-X @ true))
    alphas = alpha_of(X, y, np.geomspace(1.0, 0.1, 10))
    path = logistic_path(X, y, alphas=alphas)
    lasso = max(support_f1(true, w) for w in path.coefs.toarray().T)
    for penalty in TEXTBOOK:
        fits = [
            SparseLogisticRegression(alpha, penalty=penalty).fit(X, y).coef_[0]
            for alpha in alphas
        ]
        assert max(support_f1(true, w) for w in fits) >= lasso


# -- laws of the data ------------------------------------------------------------


@each_penalty
@each_shape
@each_number
def test_units_of_columns(rng, penalty, shape, n_classes, multi_class):
    """Each column in units of its own, with its penalty weight."""
    X, y = classes_of(rng, shape, n_classes)
    alpha = alpha_of(X, y, 0.2)
    model = SparseLogisticRegression(
        alpha, penalty=penalty, multi_class=multi_class, **EXACT
    )
    expected = clone(model).fit(X, y)
    factors = 10.0 ** rng.uniform(-6.0, 6.0, shape[1])
    model.set_params(penalty_weights=factors).fit(factors * X, y)
    np.testing.assert_allclose(factors * model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-9)
    np.testing.assert_array_equal(model.support_, expected.support_)


@each_penalty
@each_number
@pytest.mark.parametrize("storage", [np.asarray, sp.csc_array, sp.csr_array])
def test_weights_are_repeated_rows(rng, penalty, n_classes, multi_class, storage):
    """Those of weight 0 are absent, whatever is in them."""
    X, y = classes_of(rng, (120, 12), n_classes)
    repeats = rng.integers(0, 4, len(y))
    alpha = alpha_of(X, y, 0.2)
    model = SparseLogisticRegression(
        alpha, penalty=penalty, multi_class=multi_class, **EXACT
    )
    rows = np.repeat(np.arange(len(y)), repeats)
    expected = clone(model).fit(X[rows], y[rows])
    X = np.where(repeats[:, None] == 0, 1e3, X)
    model.fit(storage(X), y, repeats)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
    np.testing.assert_allclose(model.objective_, expected.objective_, rtol=1e-9)


@each_penalty
@each_shape
@each_number
def test_storage_does_not_matter(rng, penalty, shape, n_classes, multi_class):
    X, y = classes_of(rng, shape, n_classes)
    model = SparseLogisticRegression(
        alpha_of(X, y, 0.2), penalty=penalty, multi_class=multi_class, **EXACT
    )
    expected = clone(model).fit(X, y)
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    for other in (sp.csc_array(X), sp.csr_matrix(X), frozen, np.ascontiguousarray(X)):
        model.fit(other, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-6)
        np.testing.assert_allclose(model.predict(other), expected.predict(X))
    single = clone(model).fit(X.astype(np.float32), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, expected.coef_, atol=1e-4)


@each_penalty
def test_classes_are_strings(rng, penalty):
    X, y = classes_of(rng)
    model = SparseLogisticRegression(alpha_of(X, y, 0.2), penalty=penalty)
    expected = clone(model).fit(X, y)
    model.fit(X, np.array(["no", "yes"])[y])
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    assert set(model.predict(X)) == {"no", "yes"}


@each_penalty
@each_number
@pytest.mark.parametrize("alpha", [1e-2, 1e-4, 1e-8])
def test_separable_classes_end(rng, penalty, n_classes, multi_class, alpha):
    """The penalty is bounded, so there is no minimum: finite, or with a warning."""
    X = rng.standard_normal((60, 6))
    y = np.digitize(X[:, 0], np.quantile(X[:, 0], np.arange(1, n_classes) / n_classes))
    model = SparseLogisticRegression(alpha, penalty=penalty, multi_class=multi_class)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    assert len(caught) <= 1
    missed = np.any(np.atleast_1d(model.stationarity_) > model.tol)
    assert len(caught) == missed
    assert np.all(np.isfinite(model.coef_))
    assert np.all(np.isfinite(model.objective_))
    if n_classes == 2:
        assert model.score(X, y) > 0.95


# -- parameters ------------------------------------------------------------------


@each_penalty
@each_number
def test_a_number_of_features(rng, penalty, n_classes, multi_class):
    X, y = classes_of(rng, (120, 12), n_classes)
    for k in (0, 1, 3):
        model = SparseLogisticRegression(
            penalty=penalty, n_nonzero_coefs=k, multi_class=multi_class
        ).fit(X, y)
        of_each = np.count_nonzero(model.coef_, axis=1)
        assert np.all(of_each <= k)
        assert np.max(np.atleast_1d(model.stationarity_)) <= model.tol
        if k == 3 and multi_class == "ovr":
            assert np.all(of_each > 0)


@each_penalty
@each_number
def test_warm_starts(rng, penalty, n_classes, multi_class):
    X, y = classes_of(rng, (120, 12), n_classes)
    alpha = alpha_of(X, y, 0.2)
    model = SparseLogisticRegression(
        alpha, penalty=penalty, multi_class=multi_class, warm_start=True, tol=1e-7
    ).fit(X, y)
    cold, rounds = model.coef_, model.n_iter_
    model.set_params(tol=1e-6).fit(X, y)
    assert model.n_iter_ == 0 < rounds
    np.testing.assert_array_equal(model.coef_, cold)
    model.set_params(alpha=0.95 * alpha).fit(X, y)
    assert np.max(np.atleast_1d(model.stationarity_)) <= model.tol
    path = clone(model).set_params(warm_start=False).fit(X, y)
    assert model.n_iter_ < path.n_iter_
    # A start that is worse than nothing is not one.
    model.coef_ = np.full_like(cold, 1e3)
    np.testing.assert_allclose(model.fit(X, y).coef_, path.coef_, atol=1e-5)


@each_penalty
def test_positive(rng, penalty):
    X, y = classes_of(rng)
    alpha = alpha_of(X, y, 0.1)
    model = SparseLogisticRegression(alpha, penalty=penalty, positive=True).fit(X, y)
    assert model.coef_.min() == 0.0 < model.coef_.max()
    assert model.stationarity_ <= model.tol


@each_penalty
def test_the_warning_quotes_what_was_reached(rng, penalty):
    X, y = classes_of(rng, (100, 150))
    model = SparseLogisticRegression(
        0.1 * alpha_of(X, y, 0.5), penalty=penalty, tol=1e-30, max_iter=3
    )
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(X, y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    found = re.search(
        r"after (\d+) epochs at a relative stationarity violation of (\S+) > tol=1.00e",
        str(caught[0].message),
    )
    assert int(found[1]) == model.n_iter_ <= 3
    assert float(found[2]) == pytest.approx(model.stationarity_, rel=0.01)


def test_attributes_are_of_the_last_fit(rng):
    X, y = classes_of(rng)
    model = SparseLogisticRegression(0.05).fit(X, y)
    assert hasattr(model, "dual_gap_")
    assert not hasattr(model, "stationarity_")
    model.set_params(penalty="mcp").fit(X, y)
    assert not hasattr(model, "dual_gap_")
    assert hasattr(model, "stationarity_")
    model.set_params(penalty="elastic_net").fit(X, y)
    assert hasattr(model, "dual_gap_")
    assert not hasattr(model, "stationarity_")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"penalty": "l1"}, "'penalty' parameter of SparseLogisticRegression must be"),
        ({"penalty": "mcp", "gamma": 1.0}, r"'gamma' parameter .* must be .*\(1"),
        ({"penalty": "scad", "gamma": 2.0}, "gamma=2.0 must be > 2 for penalty='scad'"),
        ({"penalty": "mcp", "l1_ratio": 0.5}, "penalty='mcp' needs l1_ratio=1"),
        ({"penalty": "scad", "l1_ratio": 0.0}, "penalty='scad' needs l1_ratio=1"),
        ({"gamma": 3.0}, "penalty='elastic_net' leave it at None"),
        ({"penalty": "mcp", "penalty_weights": [1.0]}, r"shape \(1,\)"),
    ],
)
def test_what_is_refused(rng, parameters, words):
    X, y = classes_of(rng, (30, 5))
    with pytest.raises(ValueError, match=words):
        SparseLogisticRegression(**parameters).fit(X, y)


def test_grid_search(rng):
    X, y = classes_of(rng, (150, 20))
    pipe = make_pipeline(StandardScaler(), SparseLogisticRegression(penalty="mcp"))
    name = "sparselogisticregression__"
    grid = {name + "gamma": [2.0, 5.0, np.inf], name + "alpha": [0.02, 0.1]}
    search = GridSearchCV(pipe, grid, cv=3).fit(X, y)
    assert search.best_score_ > 0.6
    scores = search.cv_results_["mean_test_score"]
    assert np.unique(scores).size > 1
    copy = clone(search.best_estimator_)
    assert copy.get_params()[name + "penalty"] == "mcp"


@each_penalty
def test_some_of_scikit_learns_checks(penalty):
    wanted = (
        "check_sample_weight_equivalence",
        "check_classifiers_train",
        "check_classifiers_classes",
        "check_fit_idempotent",
        "check_dict_unchanged",
        "check_estimators_pickle",
        "check_estimator_sparse",
        "check_fit2d_1sample",
        "check_fit2d_1feature",
    )
    model = SparseLogisticRegression(0.05, penalty=penalty)
    n_checks = 0
    for estimator, check in estimator_checks_generator(model):
        if getattr(check, "func", check).__name__.startswith(wanted):
            check(estimator)
            n_checks += 1
    assert n_checks >= len(wanted)
