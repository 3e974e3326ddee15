"""MCP and SCAD: stationary points, and what they are good for.

The laws of every linear model are in ``test_laws.py``.
"""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    centred,
    folded_descent,
    folded_objective,
    mcp,
    scad,
    sparse_regression,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression

from sparselearn.linear_model import (
    Lasso,
    MCPRegressor,
    SCADRegressor,
    alpha_max,
    lasso_path,
)
from sparselearn.metrics import support_f1

TEXTBOOK = {MCPRegressor: mcp, SCADRegressor: scad}
each_kind = pytest.mark.parametrize("kind", TEXTBOOK)
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csc_array])
# On sums over rows, on a Gram matrix, and with a Hessian that is not definite.
each_shape = pytest.mark.parametrize("shape", [(60, 12), (40, 60), (20, 80)], ids=str)


def slopes(kind, size, lam, gamma):
    """The derivative of the textbook's penalty on features of unit variance."""
    if kind is MCPRegressor:
        return np.maximum(lam - size / gamma, 0.0)
    bent = np.maximum(gamma * lam - size, 0.0) / (gamma - 1)
    return np.where(size <= lam, lam, bent)


def violation(model, X, y, weights, *, alpha=None, penalty_weights=None):
    """`stationarity_` from its definition, by numpy alone."""
    s = weights / weights.sum()
    means, Xc = centred(X, s, model.fit_intercept)
    yc = y - s @ y if model.fit_intercept else y
    sd = np.sqrt(s @ Xc**2)
    varies = sd > 1e-12 * (1.0 + np.abs(means))
    sd = np.where(varies, sd, 1.0)
    omega = np.ones(len(sd)) if penalty_weights is None else penalty_weights
    w = model.coef_
    pull = Xc.T @ (s * (yc - Xc @ w)) / sd
    lam = (model.alpha_ if alpha is None else alpha) * omega / sd
    slope = slopes(type(model), sd * np.abs(w), lam, model.gamma)
    size = pull if model.positive else np.abs(pull)
    off = np.where(
        w == 0.0, np.maximum(size - lam, 0.0), np.abs(pull - slope * np.sign(w))
    )
    return np.max(off[varies]) / np.max(np.abs(Xc.T @ (s * yc) / sd)[varies])


@each_kind
@each_shape
@pytest.mark.parametrize("share", [0.6, 0.1, 0.01])
@pytest.mark.parametrize("positive", [False, True])
class TestStationaryPoints:
    """At every share of alpha_max, verified from the data."""

    @pytest.fixture
    def seed(self):
        """One, as there are many cases."""
        return 0

    @pytest.fixture
    def fitted(self, rng, kind, shape, share, positive):
        X, y = sparse_regression(rng, *shape)
        weights = rng.uniform(0.2, 2.0, len(y))
        omega = rng.uniform(0.5, 2.0, X.shape[1])
        omega[0] = 0.0
        omega[1] = np.inf
        options = {"penalty_weights": omega, "positive": positive}
        largest = alpha_max(X, y, sample_weight=weights, **options)
        model = kind(share * largest, **options).fit(X, y, weights)
        return model, X, y, weights, omega

    def test_certificate(self, fitted):
        model, X, y, weights, omega = fitted
        omega = np.minimum(omega, 1e9)
        by_hand = violation(model, X, y, weights, penalty_weights=omega)
        assert by_hand <= model.tol
        assert model.stationarity_ == pytest.approx(by_hand, rel=1e-3, abs=1e-13)
        assert model.coef_[1] == 0.0
        lam = model.alpha * omega
        formula = TEXTBOOK[type(model)]
        objective = folded_objective(
            X, y, weights, model.coef_, model.intercept_, lam, model.gamma, formula
        )
        assert model.objective_ == pytest.approx(objective, rel=1e-10)

    def test_no_coordinate_improves(self, fitted):
        """By brute force, and as the fixed point of descent."""
        model, X, y, weights, omega = fitted
        s = weights / weights.sum()
        _, Xc = centred(X, s, True)
        lam = model.alpha * np.minimum(omega, 1e9)
        formula = TEXTBOOK[type(model)]
        residual = y - s @ y - Xc @ model.coef_
        sd = np.sqrt(s @ Xc**2)
        for j in range(0, X.shape[1], 3):
            steps = np.linspace(-3.0, 3.0, 2001) / sd[j]
            w = model.coef_[j] + steps
            curve = 0.5 * (sd[j] * steps) ** 2 - steps * (s @ (Xc[:, j] * residual))
            h = formula(sd[j] * w, lam[j] / sd[j], model.gamma)
            now = formula(sd[j] * model.coef_[j], lam[j] / sd[j], model.gamma)
            allowed = (w >= 0.0) | (not model.positive)
            assert np.min((curve + h)[allowed]) >= now - 1e-6
        slow = folded_descent(
            Xc,
            y - s @ y,
            s,
            lam,
            model.gamma,
            formula,
            coef=model.coef_,
            positive=model.positive,
            n_epochs=2,
        )
        np.testing.assert_allclose(slow, model.coef_, atol=1e-5)


@each_kind
@each_storage
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_the_path_of_plain_descent(rng, kind, storage, fit_intercept):
    """Where the objective is convex the point is the one that descent finds too."""
    X, y = sparse_regression(rng, 80, 12)
    s = np.full(80, 1 / 80)
    _, Xc = centred(X, s, fit_intercept)
    yc = y - y.mean() if fit_intercept else y
    gamma = 30.0
    for share in (0.5, 0.1, 0.02):
        alpha = share * alpha_max(X, y, fit_intercept=fit_intercept)
        model = kind(alpha, gamma=gamma, fit_intercept=fit_intercept)
        model.fit(storage(X), y)
        lam = np.full(12, alpha)
        slow = folded_descent(Xc, yc, s, lam, gamma, TEXTBOOK[kind])
        np.testing.assert_allclose(model.coef_, slow, atol=1e-8)


@each_kind
@each_shape
@each_storage
def test_an_infinite_gamma_is_the_lasso(rng, kind, shape, storage):
    X, y = sparse_regression(rng, *shape)
    weights = rng.uniform(0.2, 2.0, len(y))
    for positive in (False, True):
        largest = alpha_max(X, y, sample_weight=weights, positive=positive)
        shared = {"alpha": 0.05 * largest, "positive": positive}
        lasso = Lasso(tol=1e-13, **shared).fit(storage(X), y, weights)
        model = kind(gamma=np.inf, **shared).fit(storage(X), y, weights)
        np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-8)
        assert model.objective_ == pytest.approx(lasso.objective_, rel=1e-12)
        # And a finite one is not.
        other = kind(**shared).fit(storage(X), y, weights)
        assert np.max(np.abs(other.coef_ - lasso.coef_)) > 1e-2


@each_kind
def test_large_coefficients_are_those_of_least_squares(rng, kind):
    """Where all are on the constant piece, or 0, the fit is that on the support."""
    X = rng.standard_normal((200, 30)) * rng.uniform(0.1, 10.0, 30) + 1.0
    true = np.zeros(30)
    true[:4] = np.array([5.0, -4.0, 3.0, 6.0]) / X[:, :4].std(axis=0)
    y = X @ true + 0.5 * rng.standard_normal(200)
    weights = X.std(axis=0)
    model = kind(0.5, penalty_weights=weights).fit(X, y)
    np.testing.assert_array_equal(model.support_, range(4))
    ols = LinearRegression().fit(X[:, :4], y)
    np.testing.assert_allclose(model.coef_[:4], ols.coef_, rtol=1e-9)
    lasso = Lasso(0.5, penalty_weights=weights).fit(X, y)
    shrunk = np.abs(ols.coef_) - np.abs(lasso.coef_[:4])
    assert np.all(shrunk * X[:, :4].std(axis=0) > 0.4)


@each_kind
@each_shape
@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scales_of_columns_do_not_matter(rng, kind, shape, scale):
    """All of X, or each column with its penalty weight."""
    X, y = sparse_regression(rng, *shape)
    alpha = 0.1 * alpha_max(X, y)
    expected = kind(alpha).fit(X, y)
    assert expected.n_nonzero_coefs_ > 2
    units = np.full(X.shape[1], scale)
    for factors in (units, units ** rng.uniform(-1.0, 1.0, units.size)):
        model = kind(alpha, penalty_weights=factors).fit(factors * X, y)
        np.testing.assert_allclose(model.coef_ * factors, expected.coef_, atol=1e-8)
        assert model.intercept_ == pytest.approx(expected.intercept_, abs=1e-8)
        assert model.objective_ == pytest.approx(expected.objective_, rel=1e-10)
        np.testing.assert_array_equal(model.support_, expected.support_)


@each_kind
def test_the_certificate_does_not_know_units(rng, kind):
    """Of a point that is far from stationary, so that it is no rounding."""
    X, y = sparse_regression(rng, 30, 60)
    alpha = 0.05 * alpha_max(X, y)
    factors = 10.0 ** rng.uniform(-3.0, 3.0, 60)
    rough = {"max_iter": 4, "tol": 1e-9}
    with pytest.warns(ConvergenceWarning):
        expected = kind(alpha, **rough).fit(X, y)
    assert expected.stationarity_ > 1e-3
    model = kind(1e3 * alpha, penalty_weights=factors, **rough)
    with pytest.warns(ConvergenceWarning):
        model.fit(factors * X, 1e3 * y)
    assert model.stationarity_ == pytest.approx(expected.stationarity_, rel=1e-6)


@each_kind
@each_shape
@each_storage
def test_weights_are_repeated_rows(rng, kind, shape, storage):
    X, y = sparse_regression(rng, *shape)
    repeats = rng.integers(0, 4, len(y))
    alpha = 0.1 * alpha_max(X, y)
    model = kind(alpha).fit(storage(X), y, repeats)
    rows = np.repeat(np.arange(len(y)), repeats)
    expected = kind(alpha).fit(storage(X[rows]), y[rows])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-8)


@each_kind
def test_sparse_columns_without_a_gram_matrix(kind, rng):
    """Descent on the columns, and the same point as on the Gram matrix."""
    X = sp.random_array((3000, 1500), density=0.001, random_state=rng, format="csc")
    y = X @ rng.standard_normal(1500) + 0.1 * rng.standard_normal(3000)
    model = kind(0.02 * alpha_max(X, y), gamma=20.0, tol=1e-9).fit(X, y)
    assert model.solver_used_ == "columns"
    assert model.stationarity_ <= 1e-9
    assert violation(model, X.toarray(), y, np.ones(3000)) <= 1.1e-9
    dense = clone(model).fit(X.toarray(), y)
    assert dense.solver_used_ == "gram"
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-6)


@each_kind
@each_shape
def test_warm_starts(rng, kind, shape):
    """At the point nothing is left to do; from elsewhere descent goes on."""
    X, y = sparse_regression(rng, *shape)
    alpha = 0.1 * alpha_max(X, y)
    model = kind(alpha, warm_start=True).fit(X, y)
    cold, rounds = model.coef_, model.n_iter_
    assert model.fit(X, y).n_iter_ == 0 < rounds
    np.testing.assert_array_equal(model.coef_, cold)
    # Begun at a point, not at the null model: another alpha takes fewer rounds.
    model.set_params(alpha=0.95 * alpha).fit(X, y)
    assert model.stationarity_ <= model.tol
    path = clone(model).set_params(warm_start=False).fit(X, y)
    assert model.n_iter_ < path.n_iter_
    # A start that is worse than nothing is not one.
    model.coef_ = np.full_like(cold, 1e3)
    np.testing.assert_allclose(model.fit(X, y).coef_, path.coef_, atol=1e-10)
    # From the coefficients given it goes to what is near them.
    other = kind(alpha, warm_start=True)
    other.coef_ = LinearRegression().fit(X, y).coef_
    assert other.fit(X, y).stationarity_ <= other.tol


@each_kind
@each_shape
def test_the_warning_quotes_what_was_reached(rng, kind, shape):
    X, y = sparse_regression(rng, *shape)
    model = kind(1e-3 * alpha_max(X, y), tol=1e-30, max_iter=3)
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
    assert violation(model, X, y, np.ones(len(y))) == pytest.approx(
        model.stationarity_, rel=1e-6
    )
    # Rounds cut short go on in the next fit.
    model.set_params(warm_start=True, tol=1e-8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for _ in range(200):
            if model.fit(X, y).stationarity_ <= 1e-8:
                break
    assert model.stationarity_ <= 1e-8


@each_kind
@each_shape
@pytest.mark.parametrize("positive", [False, True])
def test_a_number_of_features(rng, kind, shape, positive):
    X, y = sparse_regression(rng, *shape)
    for k in (0, 1, 4):
        model = kind(n_nonzero_coefs=k, positive=positive).fit(X, y)
        assert model.n_nonzero_coefs_ <= k
        assert violation(model, X, y, np.ones(len(y))) <= model.tol
        if k == 1:
            assert model.n_nonzero_coefs_ == 1
        # At a slightly smaller alpha there are more.
        below = kind(0.9 * model.alpha_, positive=positive).fit(X, y)
        assert below.n_nonzero_coefs_ > model.n_nonzero_coefs_ or k == 4
    everything = kind(n_nonzero_coefs=10**6).fit(X, y)
    assert everything.alpha_ == pytest.approx(1e-3 * alpha_max(X, y))


@each_kind
def test_refits(rng, kind):
    X, y = sparse_regression(rng, 40, 60)
    alpha = 0.2 * alpha_max(X, y)
    plain = kind(alpha).fit(X, y)
    model = kind(alpha, refit_support="ols").fit(X, y)
    np.testing.assert_array_equal(model.support_, plain.support_)
    ols = LinearRegression().fit(X[:, plain.support_], y)
    np.testing.assert_allclose(model.coef_[plain.support_], ols.coef_, rtol=1e-8)
    # The certificate is of what was penalised.
    assert model.stationarity_ == plain.stationarity_
    assert model.objective_ == plain.objective_


@each_kind
@each_shape
def test_several_targets_are_problems_of_their_own(rng, kind, shape):
    X, y = sparse_regression(rng, *shape)
    Y = np.column_stack([y, np.cos(y)])
    model = kind(0.1).fit(X, Y)
    for k in range(2):
        alone = kind(0.1).fit(X, Y[:, k])
        np.testing.assert_allclose(model.coef_[k], alone.coef_, atol=1e-8)
        assert model.objective_[k] == pytest.approx(alone.objective_)
        assert model.stationarity_[k] <= model.tol


@each_kind
@pytest.mark.parametrize("shape", [(60, 12), (20, 80)], ids=str)
def test_without_a_penalty_it_is_least_squares(rng, kind, shape):
    X, y = sparse_regression(rng, *shape)
    model = kind(0.0).fit(X, y)
    np.testing.assert_allclose(
        model.predict(X), LinearRegression().fit(X, y).predict(X), atol=1e-4
    )
    assert model.stationarity_ <= model.tol
    free = kind(0.1, penalty_weights=np.zeros(shape[1]))
    if shape[0] > shape[1]:
        np.testing.assert_allclose(free.fit(X, y).coef_, model.coef_, atol=1e-6)


@each_kind
def test_above_alpha_max_only_free_features_remain(rng, kind):
    X, y = sparse_regression(rng, 40, 20)
    omega = np.ones(20)
    omega[[2, 7]] = 0.0
    largest = alpha_max(X, y, penalty_weights=omega)
    ols = LinearRegression().fit(X[:, [2, 7]], y)
    for storage in (np.asarray, sp.csc_array):
        model = kind(1.001 * largest, penalty_weights=omega).fit(storage(X), y)
        np.testing.assert_array_equal(model.support_, [2, 7])
        np.testing.assert_allclose(model.coef_[[2, 7]], ols.coef_, rtol=1e-8)
        below = kind(0.99 * largest, penalty_weights=omega).fit(storage(X), y)
        assert below.n_nonzero_coefs_ == 3


@pytest.mark.parametrize(("kind", "least"), [(MCPRegressor, 1.0), (SCADRegressor, 2.0)])
def test_gamma_out_of_range_is_refused(rng, kind, least):
    X, y = sparse_regression(rng, 20, 5)
    for gamma in (least, 0.5, -1.0, np.nan, "3"):
        words = rf"'gamma' parameter of {kind.__name__} must be .*\({least}, inf\]"
        with pytest.raises(ValueError, match=words):
            kind(gamma=gamma).fit(X, y)
    assert kind(0.1, gamma=least + 0.01).fit(X, y).stationarity_ <= 1e-6


def test_support_recovery(seed):
    """At each one's best alpha no worse than the Lasso, with less bias."""
    rng = np.random.default_rng(seed)
    n, p, k = 150, 300, 10
    X = rng.standard_normal((n, p))
    X += rng.standard_normal((n, 3)) @ rng.standard_normal((3, p))
    true = np.zeros(p)
    true[:k] = rng.choice([-1.0, 1.0], k) * rng.uniform(1.0, 2.0, k)
    y = X @ true + rng.standard_normal(n)
    alphas = alpha_max(X, y) * np.geomspace(1.0, 0.01, 15)
    path = lasso_path(X, y, alphas=alphas).coefs.toarray()
    # Of equals the least penalised.
    lasso = max(path.T[::-1], key=lambda w: support_f1(true, w))
    for kind in TEXTBOOK:
        fits = [kind(alpha).fit(X, y).coef_ for alpha in alphas[::-1]]
        best = max(fits, key=lambda w: support_f1(true, w))
        assert support_f1(true, best) >= support_f1(true, lasso)
        assert support_f1(true, best) > 0.9
        error = np.linalg.norm(best[:k] - true[:k])
        assert error < 0.5 * np.linalg.norm(lasso[:k] - true[:k])
