"""The optimal brain surgeon of linear models: backward elimination, exact refits."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)
from sklearn.neural_network import MLPRegressor

from sparselearn._solvers._surgeon import BLOCK, Quadratic, correction, eliminate
from sparselearn.pruning import Pruner, importance, obs_path, prune
from sparselearn.pruning._criteria._surgeon import quadratics_of
from sparselearn.pruning._procedure import observe
from tests import reference


@pytest.fixture
def X(rng):
    mixed = rng.normal(size=(90, 8)) @ (np.eye(8) + 0.3 * rng.normal(size=(8, 8)))
    return mixed * 10.0 ** np.arange(-3, 5) + 10.0 ** np.arange(-3, 5)


@pytest.fixture
def y(X, rng):
    signal = ((X - X.mean(0)) / X.std(0)) @ rng.normal(size=8) ** 3
    return 5.0 + signal + 0.3 * rng.normal(size=len(X))


def by_lstsq(X, y, support, weight=None):
    """Coefficients and intercept of least squares on the support."""
    root = np.ones(len(X)) if weight is None else np.sqrt(weight)
    A = np.column_stack([X[:, support], np.ones(len(X))])
    scale = np.abs(A).max(axis=0)
    solution = np.linalg.lstsq(A / scale * root[:, None], (y.T * root).T, rcond=None)[0]
    solution = (solution.T / scale).T
    coef = np.zeros((X.shape[1], *y.shape[1:]))
    coef[support] = solution[:-1]
    return coef.T, solution[-1]


# The solver


def random_quadratic(rng, n, n_outputs=1, scales=3.0):
    A = rng.normal(size=(3 * n, n)) @ (np.eye(n) + 0.3 * rng.normal(size=(n, n)))
    A *= 10.0 ** rng.uniform(-scales, scales, size=n)
    curvature = A.T @ A / len(A)
    weights = rng.normal(size=(n_outputs, n)) / np.sqrt(np.diagonal(curvature))
    return Quadratic(curvature, weights, np.arange(n), 0.01)


@pytest.mark.parametrize("n", [1, 2, 7, BLOCK + 3])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_elimination_is_its_slow_twin(rng, n, n_outputs):
    quadratic = random_quadratic(rng, n, n_outputs)
    path = eliminate([quadratic], n, keep_weights=True)
    order, rises, weights = reference.eliminate(quadratic.curvature, quadratic.weights)
    np.testing.assert_array_equal(path.order, order)
    np.testing.assert_allclose(path.rises, rises, rtol=1e-8)
    unit = np.sqrt(np.diagonal(quadratic.curvature))
    np.testing.assert_allclose(
        path.weights[0] * unit, weights * unit, atol=1e-9, rtol=1e-8
    )


def test_parts_of_several_quadratics_go_together(rng):
    """As in one quadratic whose curvature is block-diagonal."""
    first, second = random_quadratic(rng, 5), random_quadratic(rng, 4)
    second = second._replace(parts=np.array([6, 0, 3, 5]))
    path = eliminate([first, second], 7, keep_weights=True)
    alive = list(range(7))
    for part, rise in zip(path.order, path.rises):
        costs = {}
        for candidate in alive:
            costs[candidate] = 0.0
            for q in (first, second):
                kept = np.isin(q.parts, alive)
                if candidate in q.parts[kept]:
                    before = reference.restricted(q.curvature, q.weights, kept)
                    inside = q.parts == candidate
                    inverse = np.linalg.inv(q.curvature[np.ix_(kept, kept)])
                    at = np.flatnonzero(q.parts[kept] == candidate)[0]
                    costs[candidate] += (
                        0.5 * (before[:, inside] ** 2).sum() / inverse[at, at]
                    )
        assert part == min(costs, key=costs.get)
        np.testing.assert_allclose(rise, costs[part], rtol=1e-8)
        alive.remove(part)
    # What no quadratic has costs nothing.
    assert eliminate([second], 7).order[:3].tolist() == [4, 2, 1]


def test_equal_parts_go_from_the_last():
    quadratic = Quadratic(np.eye(6), np.ones((1, 6)), np.arange(6), 0.01)
    assert eliminate([quadratic], 6).order.tolist() == [5, 4, 3, 2, 1, 0]


def test_dependent_columns_and_constant_ones(rng):
    A = rng.normal(size=(50, 4))
    A = np.column_stack([A, A @ [1.0, 1.0, 0.0, 0.0], np.zeros(50)])
    curvature = A.T @ A / 50
    weights = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 7.0]])
    path = eliminate(
        [Quadratic(curvature, weights, np.arange(6), 0.01)], 6, keep_weights=True
    )
    assert path.order[0] == 5  # without curvature it costs nothing
    assert path.rises[0] == 0.0
    assert np.isfinite(path.weights[0]).all()
    # One of the three dependent columns says what all did.
    assert path.order[1] in (0, 1, 4)
    assert path.rises[1] < 0.05 * path.rises[-1]
    left = path.weights[0][3, 0]
    assert np.linalg.norm(A @ (left - weights[0])) < np.linalg.norm(A @ weights[0])


def test_an_indefinite_curvature_is_refused():
    curvature = np.array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="indefinite"):
        correction(curvature, np.ones((2, 1)), 0.01)


# Least squares


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("weighted", [False, True])
def test_of_least_squares_it_is_backward_elimination(X, y, rng, storage, weighted):
    if storage is sp.csr_array:
        X = np.where(rng.random(X.shape) < 0.5, 0.0, X)
    weight = rng.random(len(X)) + 0.1 if weighted else None
    model = LinearRegression()
    model.coef_, model.intercept_ = by_lstsq(X, y, np.arange(8), weight)
    model.n_features_in_ = 8
    alive = np.arange(8)
    for n_kept in range(7, -1, -1):
        # Backward elimination by |t|: of all fits without one, the best.
        errors = [
            np.average((y - X @ coef - intercept) ** 2, weights=weight)
            for coef, intercept in (
                by_lstsq(X, y, np.setdiff1d(alive, [j]), weight) for j in alive
            )
        ]
        alive = np.delete(alive, np.argmin(errors))
        pruned = prune(
            model,
            storage(X),
            criterion="obs",
            refit="obs",
            n_nonzero_coefs=n_kept,
            sample_weight=weight,
        )
        np.testing.assert_array_equal(np.flatnonzero(pruned.coef_), alive)
        coef, intercept = by_lstsq(X, y, alive, weight)
        spread = X.std(axis=0)
        np.testing.assert_allclose(
            pruned.coef_ * spread, coef * spread, rtol=1e-8, atol=1e-8 * y.std()
        )
        np.testing.assert_allclose(pruned.intercept_, intercept, rtol=1e-7)


def test_ranks_are_whole_and_every_count_is_met(X, y):
    Y = np.column_stack([y, X[:, 0] - y, np.sin(y)])
    model = LinearRegression().fit(X, Y)
    (ranks,) = importance(model, X, criterion="obs")
    assert ranks.shape == model.coef_.shape
    np.testing.assert_array_equal(np.sort(ranks.ravel()), np.arange(1, 25))
    for k in range(3):
        # An output has the path that it has alone.
        (alone,) = importance(LinearRegression().fit(X, Y[:, k]), X, criterion="obs")
        np.testing.assert_array_equal(np.argsort(ranks[k]), np.argsort(alone))
    (together,) = importance(model, X, criterion="obs", granularity="feature")
    np.testing.assert_array_equal(np.sort(together), np.arange(1, 9))
    pruned = prune(
        model, X, criterion="obs", granularity="feature", refit="obs", sparsity=0.5
    )
    support = np.flatnonzero(together > 4)
    coef, _ = by_lstsq(X, Y, support)
    np.testing.assert_allclose(pruned.coef_ * X.std(0), coef * X.std(0), atol=1e-7)


def test_units_of_features_do_not_matter(X, y):
    X = X / X.std(axis=0)
    model = LinearRegression().fit(X, y)
    scale = 1e6 ** np.linspace(-1, 1, 8)
    (plain,) = importance(model, X, criterion="obs")
    for factor in (1e-6, 1e6):
        scaled = LinearRegression().fit(X, y)
        scaled.coef_ = scaled.coef_ * factor / scale
        (ranks,) = importance(scaled, X * scale, criterion="obs")
        np.testing.assert_array_equal(ranks, plain)


# Other losses


def test_of_a_ridge_it_is_the_ridge_on_the_support(X, y, rng):
    X = X / X.std(axis=0)
    weight = rng.random(len(X)) + 0.1
    for w in (None, weight):
        model = Ridge(alpha=20.0).fit(X, y, w)
        pruned = prune(
            model, X, criterion="obs", refit="obs", sparsity=0.5, sample_weight=w
        )
        support = np.flatnonzero(pruned.coef_)
        again = Ridge(alpha=20.0).fit(X[:, support], y, w)
        np.testing.assert_allclose(pruned.coef_[support], again.coef_, rtol=1e-8)
        np.testing.assert_allclose(pruned.intercept_, again.intercept_, rtol=1e-8)
    two = Ridge(alpha=np.array([20.0, 1.0])).fit(X, np.column_stack([y, y]))
    pruned = prune(two, X, granularity="feature", refit="obs", n_nonzero_coefs=3)
    support = np.flatnonzero(pruned.coef_[0])
    for k, alpha in enumerate([20.0, 1.0]):
        again = Ridge(alpha=alpha).fit(X[:, support], y)
        np.testing.assert_allclose(pruned.coef_[k, support], again.coef_, rtol=1e-8)


@pytest.mark.parametrize(
    "model",
    [ElasticNet(alpha=0.3, l1_ratio=0.01), Lasso(alpha=0.05)],
    ids=lambda m: type(m).__name__,
)
def test_shrunken_models_keep_their_predictions_not_their_targets(X, y, model):
    """The correction is the least-squares fit to what the model predicted."""
    X = X / X.std(axis=0)
    model.fit(X, y)
    pruned = prune(model, X, refit="obs", n_nonzero_coefs=3)
    support = np.flatnonzero(pruned.coef_)
    # L1 has no curvature; the L2 part pulls to the fitted weights.
    ridge = model.alpha * (1 - model.l1_ratio)
    Z = X[:, support] - X[:, support].mean(0)
    H = Z.T @ Z / len(X) + ridge * np.eye(3)
    rest = np.setdiff1d(np.arange(8), support)
    cross = Z.T @ (X - X.mean(0))[:, rest] / len(X)
    expected = model.coef_[support] + np.linalg.solve(H, cross @ model.coef_[rest])
    np.testing.assert_allclose(pruned.coef_[support], expected, rtol=1e-9)
    shift = X.mean(0) @ (model.coef_ - pruned.coef_)
    np.testing.assert_allclose(pruned.intercept_, model.intercept_ + shift)


def log_loss(model, coef, intercept, X, labels):
    z = X @ coef.T + intercept
    p = 1 / (1 + np.exp(-z[:, 0]))
    data = -np.mean(np.where(labels, np.log(p), np.log(1 - p)))
    return data + 0.5 * np.sum(coef**2) / (model.C * len(X))


def test_of_a_logistic_model_it_is_a_newton_step(X, y):
    X = X / X.std(axis=0)
    labels = y > np.median(y)
    model = LogisticRegression(C=0.5, tol=1e-10).fit(X, labels)
    pruned = prune(model, X, criterion="obs", refit="obs", n_nonzero_coefs=4)
    support = np.flatnonzero(pruned.coef_[0])
    p = model.predict_proba(X)[:, 1]
    A = np.column_stack([X, np.ones(len(X))])
    H = (A.T * (p * (1 - p))) @ A / len(X)
    H[:8, :8] += np.eye(8) / (model.C * len(X))
    kept = [*support, 8]
    rest = np.setdiff1d(np.arange(8), support)
    step = np.linalg.solve(H[np.ix_(kept, kept)], H[np.ix_(kept, rest)])
    step = step @ model.coef_[0, rest]
    np.testing.assert_allclose(
        pruned.coef_[0, support], model.coef_[0, support] + step[:-1], rtol=1e-8
    )
    np.testing.assert_allclose(
        pruned.intercept_, model.intercept_ + step[-1], rtol=1e-8
    )
    folded = prune(model, X, criterion="obs", n_nonzero_coefs=4)
    losses = [
        log_loss(model, m.coef_, m.intercept_, X, labels) for m in (pruned, folded)
    ]
    assert losses[0] < losses[1]


class Expected:
    """The loss of a fitted model if targets were its own means, written out."""

    def __init__(self, model, X):
        self.X, self.coef = X, np.atleast_2d(model.coef_)
        self.is_count = isinstance(model, PoissonRegressor)
        self.ridge = model.alpha if self.is_count else 1 / (model.C * len(X))
        self.intercept = np.ravel(model.intercept_)
        z = X @ self.coef.T + self.intercept
        self.mean = np.exp(z) if self.is_count else model.predict_proba(X)
        slopes = self.mean if self.is_count else self.mean * (1 - self.mean)
        slopes = slopes[:, -len(self.coef) :]
        self.centres = slopes.T @ X / slopes.sum(axis=0)[:, None]

    def moved(self, coef):
        """The intercepts that belong to other coefficients."""
        return self.intercept + (self.centres * (self.coef - coef)).sum(axis=1)

    def __call__(self, coef, intercept):
        z = self.X @ coef.T + intercept
        if self.is_count:
            losses = (np.exp(z) - self.mean * z)[:, 0]
        else:
            z = np.hstack([np.zeros_like(z), z]) if z.shape[1] == 1 else z
            losses = logsumexp(z, axis=1) - (self.mean * z).sum(axis=1)
        return losses.mean() + 0.5 * self.ridge * np.sum((self.coef - coef) ** 2)


@pytest.mark.parametrize("kind", ["two classes", "three classes", "counts"])
def test_a_step_that_goes_too_far_is_shortened(kind, rng):
    """With no number of features is the loss above that of the weights as they are."""
    X = rng.normal(size=(60, 12)) @ (np.eye(12) + 0.5 * rng.normal(size=(12, 12)))
    z = X[:, :4].sum(axis=1)
    if kind == "counts":
        y = np.exp(2 * z / z.std())
        model = PoissonRegressor(alpha=1e-6, max_iter=5000, tol=1e-6)
    else:  # separated
        y = np.digitize(z, [0.0] if kind == "two classes" else [-1.0, 1.0])
        model = LogisticRegression(C=1e6, max_iter=5000)
    model.fit(X, y)
    loss, n_shortened = Expected(model, X), 0
    for seed in range(3):
        for k in range(1, 12):
            options = {"granularity": "feature", "n_nonzero_coefs": k}
            pruned = prune(
                model, X, criterion="random", refit="obs", random_state=seed, **options
            )
            coef = np.atleast_2d(pruned.coef_)
            np.testing.assert_allclose(
                np.ravel(pruned.intercept_), loss.moved(coef), rtol=1e-6
            )
            kept = coef.any(axis=0)
            cut = np.where(kept, loss.coef, 0.0)
            whole = whole_step(model, X, kept)
            with np.errstate(over="ignore", invalid="ignore"):
                found, at_cut, at_end = (
                    loss(c, loss.moved(c)) for c in (coef, cut, cut + whole)
                )
            slack = 1e-9 * abs(at_cut)
            assert found <= at_cut + slack
            # What is taken is a share of the step, all of it unless that overshoots.
            way = coef - cut
            share = np.sum(way * whole) / np.sum(whole**2)
            np.testing.assert_allclose(way, share * whole, atol=1e-6 * abs(whole).max())
            if share < 1 - 1e-6:
                n_shortened += 1
            else:
                assert at_end <= at_cut + slack
    assert n_shortened or kind != "three classes"


def whole_step(model, X, kept):
    """What one Newton step adds to the coefficients that are kept."""
    step = np.zeros(np.atleast_2d(model.coef_).shape)
    for curvature, loss in quadratics_of(*observe(model, X)):
        w = loss.weights.T
        here = correction(
            loss.curvature[np.ix_(kept, kept)],
            loss.curvature[np.ix_(kept, ~kept)] @ w[~kept],
            curvature.damping,
        )
        step[np.ix_(curvature.outputs, kept)] = here.T
    return step


@pytest.mark.parametrize("n_classes", [2, 3])
def test_it_beats_magnitude_on_correlated_features(rng, n_classes):
    z = rng.normal(size=(400, 4))
    X = np.repeat(z, 3, axis=1) + 0.3 * rng.normal(size=(400, 12))
    labels = np.digitize(
        z @ [2.0, 1.0, 0.5, 0.5] + rng.normal(size=400), np.arange(n_classes - 1)
    )
    model = LogisticRegression(max_iter=2000).fit(X, labels)
    dense = model.predict_proba(X)
    gaps = {}
    for criterion, refit in [("obs", "obs"), ("magnitude", "fold")]:
        pruned = prune(model, X, criterion=criterion, refit=refit, sparsity=0.6)
        gaps[criterion] = np.mean((pruned.predict_proba(X) - dense) ** 2)
    assert gaps["obs"] < 0.5 * gaps["magnitude"]


def test_counts_are_weighted_by_their_means(X, y):
    X = X / X.std(axis=0)
    model = PoissonRegressor(alpha=0.1, tol=1e-8).fit(X, np.exp(y / y.std()))
    pruned = prune(model, X, refit="obs", n_nonzero_coefs=3)
    support = np.flatnonzero(pruned.coef_)
    A = np.column_stack([X, np.ones(len(X))])
    H = (A.T * model.predict(X)) @ A / len(X)
    H[:8, :8] += 0.1 * np.eye(8)
    kept, rest = [*support, 8], np.setdiff1d(np.arange(8), support)
    step = np.linalg.solve(H[np.ix_(kept, kept)], H[np.ix_(kept, rest)])
    step = step @ model.coef_[rest]
    np.testing.assert_allclose(
        pruned.coef_[support], model.coef_[support] + step[:-1], rtol=1e-7
    )


# The whole path


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
def test_the_path_has_the_model_of_every_count(X, y, storage):
    Y = np.column_stack([y, X[:, 0] - y])
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    X = X / X.std(axis=0)
    for model, target in (
        (LinearRegression(), y),
        (LinearRegression(fit_intercept=False), y),
        (Ridge(alpha=5.0), Y),
        (LogisticRegression(max_iter=2000), labels),
        (LogisticRegression(max_iter=2000), labels > 0),
    ):
        model.fit(X, target)
        path = obs_path(model, storage(X))
        np.testing.assert_array_equal(np.sort(path.order), np.arange(8))
        assert np.all(path.rises >= 0.0)
        for k in range(9):
            pruned = prune(
                model,
                storage(X),
                criterion="obs",
                granularity="feature",
                refit="obs",
                n_nonzero_coefs=k,
            )
            np.testing.assert_allclose(path.coefs[k], pruned.coef_, atol=1e-9)
            np.testing.assert_allclose(path.intercepts[k], pruned.intercept_, rtol=1e-8)
        assert path.coefs.shape == (9, *model.coef_.shape)


def test_rises_of_least_squares_are_those_of_the_loss(X, y, rng):
    weight = rng.random(len(X))
    model = LinearRegression().fit(X / X.std(0), y, weight)
    path = obs_path(model, X / X.std(0), sample_weight=weight)
    losses = [
        0.5 * np.average((y - X / X.std(0) @ w - b) ** 2, weights=weight)
        for w, b in zip(path.coefs, path.intercepts)
    ]
    np.testing.assert_allclose(-np.diff(losses)[::-1], path.rises, rtol=1e-6)


def test_the_path_is_of_linear_models(X, y):
    network = MLPRegressor(hidden_layer_sizes=(3,), max_iter=1)
    with pytest.warns(ConvergenceWarning):
        network.fit(X, y)
    with pytest.raises(TypeError, match="for linear models; got MLPRegressor"):
        obs_path(network, X)


# Degenerate data


def test_more_features_than_rows(rng):
    """Then the curvature is singular, and damped; what is left is the exact refit."""
    X = rng.normal(size=(40, 60))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + 0.1 * rng.normal(size=40)
    model = LinearRegression().fit(X, y)
    pruner = Pruner(model, criterion="obs", refit="obs", n_nonzero_coefs=5).fit(X, y)
    support = pruner.support_
    assert {0, 1} <= set(support)
    coef, intercept = by_lstsq(X, model.predict(X), support)
    np.testing.assert_allclose(pruner.estimator_.coef_, coef, atol=1e-8)
    np.testing.assert_allclose(pruner.estimator_.intercept_, intercept)


def test_no_intercept_stays_none(X, y):
    X = X / X.std(axis=0)
    model = LinearRegression(fit_intercept=False).fit(X, y)
    pruned = prune(model, X, criterion="obs", refit="obs", n_nonzero_coefs=4)
    support = np.flatnonzero(pruned.coef_)
    expected = np.linalg.lstsq(X[:, support], y, rcond=None)[0]
    np.testing.assert_allclose(pruned.coef_[support], expected, rtol=1e-8)
    assert pruned.intercept_ == 0.0


def test_constant_features_are_folded(X, y):
    X = X.copy()
    X[:, 2] = 41.7
    model = LinearRegression().fit(X, y)
    model.coef_[2] = 5.0
    pruned = prune(model, X, criterion="obs", refit="obs", n_nonzero_coefs=7)
    assert pruned.coef_[2] == 0.0
    np.testing.assert_allclose(pruned.predict(X), model.predict(X), rtol=1e-9)


def test_float32_stays(X, y):
    X32, y32 = (X / X.std(0)).astype(np.float32), y.astype(np.float32)
    pruned = prune(Ridge().fit(X32, y32), X32, criterion="obs", refit="obs")
    assert pruned.coef_.dtype == np.float32
    assert np.asarray(pruned.intercept_).dtype == np.float32
    exact = prune(
        Ridge().fit(X32.astype(float), y),
        X32.astype(float),
        criterion="obs",
        refit="obs",
    )
    np.testing.assert_allclose(pruned.coef_, exact.coef_, rtol=1e-3, atol=1e-4)


def test_too_many_features_are_refused_with_a_way_out(rng):
    X = sp.random_array((30, 4001), density=0.01, random_state=rng, format="csr")
    model = Ridge().fit(X, rng.normal(size=30))
    with pytest.raises(ValueError, match=r"at most 4000.*refit='obs'"):
        prune(model, X, criterion="obs", sparsity=0.9)
    pruned = prune(model, X, refit="obs", n_nonzero_coefs=20)
    assert np.count_nonzero(pruned.coef_) == 20


def test_a_perceptron_has_no_curvature_here(rng):
    X = rng.normal(size=(50, 3))
    network = MLPRegressor(hidden_layer_sizes=(3,), solver="lbfgs", max_iter=2000).fit(
        X, X[:, 0]
    )
    with pytest.raises(ValueError, match="linear models and kernel machines"):
        prune(network, X, refit="obs")
