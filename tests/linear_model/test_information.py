"""Information criteria against textbooks, LassoLarsIC and derivatives."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from reference import gaussian_deviance, information, slopes_of_means
from sklearn.linear_model import LassoLarsIC, LinearRegression
from sklearn.metrics import log_loss

from sparselearn import losses
from sparselearn._solvers._glm import GlmProblem
from sparselearn._solvers._information import measures_of
from sparselearn._solvers._multinomial import MultinomialProblem
from sparselearn._solvers._path import make_solver
from sparselearn._solvers._problem import make_problem
from sparselearn.linear_model import (
    AdaptiveLasso,
    ElasticNet,
    ElasticNetCV,
    GroupLasso,
    GroupLassoCV,
    Lasso,
    LassoCV,
    MCPRegressor,
    MultiTaskLassoCV,
    SparseGroupLasso,
    SparseHuberRegressor,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    elastic_net_path,
    group_lasso_path,
    information_criterion,
    lasso_path,
    logistic_path,
)
from sparselearn.penalties import ElasticNet as ElasticNetPenalty

CRITERIA = ["aic", "bic", "ebic"]


@pytest.fixture
def X(rng):
    return rng.normal(size=(50, 8)) * 10.0 ** rng.uniform(-1, 1, size=8)


@pytest.fixture
def y(X, rng):
    return 3.0 + (X / X.std(axis=0))[:, :3] @ [2.0, -1.0, 0.5] + rng.normal(size=50)


def residual_variance(X, y):
    left = y - LinearRegression().fit(X, y).predict(X)
    return left @ left / (len(y) - X.shape[1] - 1)


@pytest.mark.parametrize("criterion", ["aic", "bic"])
def test_lasso_is_lasso_lars_ic(X, y, criterion):
    """At its alphas, but where a coefficient is 0 there alone, and ours is just not."""
    ours = X / np.sqrt(len(y))  # LARS has the same alphas then
    theirs = LassoLarsIC(criterion).fit(ours, y)
    path = lasso_path(ours, y, alphas=theirs.alphas_[:-1], tol=1e-13)
    found = information_criterion(path, ours, y, criterion=criterion)
    assert found.noise_variance == pytest.approx(theirs.noise_variance_)
    one = 2.0 if criterion == "aic" else np.log(50)
    gaps = (found.values - theirs.criterion_[:-1]) / one
    assert np.all(np.min(np.abs(gaps[:, None] - [0.0, 1.0, -1.0]), axis=1) < 1e-5)
    assert np.mean(np.abs(gaps) < 1e-5) > 0.5


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("noise_variance", [None, 0.7])
def test_values_are_those_of_textbooks(X, y, criterion, noise_variance):
    path = lasso_path(X, y, n_alphas=12, penalty_weights=[0, 1, 1, 1, 2, 1, 1, np.inf])
    found = information_criterion(
        path, X, y, criterion=criterion, gamma=0.6, noise_variance=noise_variance
    )
    variance = noise_variance or residual_variance(X, y)
    assert found.noise_variance == pytest.approx(variance)
    values = []
    for coef, intercept in zip(path.coefs.toarray().T, path.intercepts):
        deviance = gaussian_deviance(y, X @ coef + intercept, np.ones(50), variance)
        chosen = np.count_nonzero(coef[1:])
        values.append(
            information(
                criterion, deviance, np.count_nonzero(coef), 50, 6, chosen, gamma=0.6
            )
        )
    np.testing.assert_allclose(found.values, values)
    assert found.index == np.argmin(values)
    assert found.alpha == path.alphas[found.index]
    np.testing.assert_array_equal(found.alphas, path.alphas)


def test_more_features_than_rows_have_variances_of_their_own(X, y, rng):
    X = np.hstack([X / X.std(axis=0), rng.normal(size=(50, 70))])
    path = lasso_path(X, y, n_alphas=25)
    for criterion in ("aic", "bic"):
        with pytest.warns(UserWarning, match="selects too many features") as caught:
            information_criterion(path, X, y, criterion=criterion)
        assert [w.filename for w in caught] == [__file__]
    found = information_criterion(path, X, y, criterion="ebic")
    assert found.noise_variance is None
    coefs = path.coefs.toarray()
    for k, (coef, intercept) in enumerate(zip(coefs.T, path.intercepts)):
        m = np.count_nonzero(coef)
        deviance = gaussian_deviance(y, X @ coef + intercept, np.ones(50))
        expected = information("ebic", deviance, m, 50, 78, m) if m <= 25 else np.inf
        assert found.values[k] == pytest.approx(expected)
    assert np.isinf(found.values).any()
    chosen = coefs[:, found.index] != 0.0
    assert chosen[:2].all()
    assert chosen.sum() <= 4


def test_weights_are_repetitions(X, y, rng):
    counts = rng.integers(0, 4, size=50)
    rows = np.repeat(np.arange(50), counts)
    labels = (y > 3).astype(int)
    cases = [(lasso_path, y), (elastic_net_path, y), (logistic_path, labels)]
    for solve, targets in cases:
        how = {"n_alphas": 6, "eps": 0.05, "tol": 1e-12}
        weighted = solve(X, targets, sample_weight=counts, **how)
        repeated = solve(X[rows], targets[rows], **how)
        one = information_criterion(weighted, X, targets, sample_weight=counts)
        other = information_criterion(repeated, X[rows], targets[rows])
        np.testing.assert_allclose(one.values, other.values, rtol=1e-6)
        np.testing.assert_allclose(one.deviances, other.deviances, rtol=1e-6)


def test_units_do_not_matter(X, y):
    expected = information_criterion(lasso_path(X, y, n_alphas=9), X, y)
    for of_x, of_y in [(1e6, 1.0), (1e-6, 1.0), (1.0, 1e6), (1.0, 1e-6)]:
        path = lasso_path(of_x * X, of_y * y, n_alphas=9)
        found = information_criterion(path, of_x * X, of_y * y)
        moved = found.values - 50 * 2 * np.log(of_y)
        np.testing.assert_allclose(moved, expected.values, rtol=1e-6)
        np.testing.assert_allclose(
            found.degrees_of_freedom, expected.degrees_of_freedom
        )


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix, np.float32])
def test_any_form_of_data(X, y, form):
    path = elastic_net_path(X, y, n_alphas=7)
    expected = information_criterion(path, X, y)
    data = X.astype(np.float32) if form is np.float32 else form(X)
    found = information_criterion(path, data, y)
    np.testing.assert_allclose(found.values, expected.values, rtol=1e-4)


# -- degrees of freedom -------------------------------------------------------


@pytest.mark.parametrize(
    "model",
    [
        Lasso(0.1, tol=1e-14),
        Lasso(0.1, tol=1e-14, fit_intercept=False),
        ElasticNet(0.3, l1_ratio=0.4, tol=1e-14),
        ElasticNet(0.3, penalty_weights=[0, 1, 1, 3, 1, 1, 1, 1], tol=1e-14),
        GroupLasso(0.2, groups=2, tol=1e-14),
        GroupLasso(0.1, groups=3, penalty_weights=[1.0, 2.0, 3.0], tol=1e-14),
        SparseGroupLasso(0.2, groups=4, l1_ratio=0.3, tol=1e-14),
    ],
    ids=lambda m: type(m).__name__,
)
def test_degrees_of_freedom_are_their_definition(X, y, model):
    X = X / X.std(axis=0)

    def means_of(targets):
        return model.fit(X, targets).predict(X)

    slopes = slopes_of_means(means_of, y, step=1e-4)
    found = information_criterion(model.fit(X, y), X, y)
    intercept = float(model.fit_intercept)
    assert found.degrees_of_freedom[0] + intercept == pytest.approx(slopes, rel=1e-4)
    assert found.degrees_of_freedom[0] > 1.0


def test_degrees_of_freedom_of_logistic_regression(X, rng):
    X = np.asfortranarray(X / X.std(axis=0))
    shares = 0.1 + 0.8 * rng.random(50)
    design = make_problem(X, np.full(1, 1 / 50), fit_intercept=True)
    penalty = ElasticNetPenalty(0.02, 0.4)

    def solved(targets):
        problem = GlmProblem(design, losses.Logistic(), targets)
        solver = make_solver(problem, penalty)
        return problem, solver.solve(penalty, tol=1e-14, max_iter=10000)

    def means_of(targets):
        _, solution = solved(targets)
        return 1 / (1 + np.exp(-X @ solution.coef - solution.intercept))

    problem, solution = solved(shares)
    _, degrees, _ = measures_of(problem, penalty, solution.coef, solution.intercept)
    assert 1.0 < degrees < np.count_nonzero(solution.coef)
    slopes = slopes_of_means(means_of, shares, step=1e-4)
    assert degrees + 1.0 == pytest.approx(slopes, rel=1e-4)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_degrees_of_freedom_of_several_classes(X, rng, fit_intercept):
    """By the whole Hessian of the soft-max, formed by differences."""
    X = np.asfortranarray(X[:, :4] / X[:, :4].std(axis=0))
    codes = rng.integers(0, 3, size=50)
    target = (codes[:, None] == np.arange(3)).astype(np.float64, "F")
    design = make_problem(X, np.full(1, 1 / 50), fit_intercept=fit_intercept)
    problem, penalty = MultinomialProblem(design, target), ElasticNetPenalty(0.03, 0.2)
    solution = make_solver(problem, penalty).solve(penalty, tol=1e-13, max_iter=10000)
    columns = np.hstack([X, np.ones((50, 1))]) if fit_intercept else X

    def slope(w):
        z = columns @ w.reshape(3, -1).T
        p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        return ((p - target).T @ columns / 50).ravel()

    coef = solution.coef.reshape(3, 4)
    w = np.column_stack([coef, solution.intercept]) if fit_intercept else coef
    active = np.column_stack([coef != 0, np.ones(3)]) if fit_intercept else coef != 0
    bends = np.column_stack([np.full((3, 4), 0.03 * 0.8), np.zeros(3)])
    active, w = active.ravel().astype(bool), w.ravel()
    bends = (bends if fit_intercept else bends[:, :4]).ravel()
    steps = 1e-5 * np.eye(w.size)
    hessian = [(slope(w + step) - slope(w - step)) / 2e-5 for step in steps]
    hessian = np.array(hessian)[np.ix_(active, active)]
    whole = np.trace(hessian @ np.linalg.pinv(hessian + np.diag(bends[active]), 1e-9))
    _, degrees, _ = measures_of(problem, penalty, solution.coef, solution.intercept)
    assert degrees + 2.0 * fit_intercept == pytest.approx(whole, rel=1e-5)
    assert degrees > 1.0


# -- losses and models --------------------------------------------------------


@pytest.mark.parametrize("criterion", CRITERIA)
def test_classes_and_counts(X, y, rng, criterion):
    labels = np.array(["a", "b", "c"])[np.digitize(y, [2.0, 4.0])]
    X = X / X.std(axis=0)
    path = logistic_path(X, labels == "a", n_alphas=5)
    found = information_criterion(path, X, labels == "a", criterion=criterion)
    for k, (coef, intercept) in enumerate(zip(path.coefs.toarray().T, path.intercepts)):
        p = 1 / (1 + np.exp(-X @ coef - intercept))
        deviance = 2 * log_loss(labels == "a", p, normalize=False)
        m = np.count_nonzero(coef)
        expected = information(criterion, deviance, m, 50, 8, m)
        assert found.values[k] == pytest.approx(expected)
    models = [
        SparseLogisticRegression(0.02, multi_class=how).fit(X, labels)
        for how in ("multinomial", "ovr")
    ]
    found = information_criterion(models, X, labels, criterion=criterion)
    deviance = 2 * log_loss(labels, models[0].predict_proba(X), normalize=False)
    m = models[0].n_nonzero_coefs_
    expected = information(criterion, deviance, m, 50, 24, m)
    assert found.values[0] == pytest.approx(expected, rel=1e-6)
    expected = sum(
        information_criterion(
            SparseLogisticRegression(0.02).fit(X, labels == c),
            X,
            labels == c,
            criterion=criterion,
        ).values[0]
        for c in "abc"
    )
    assert found.values[1] == pytest.approx(expected, rel=1e-5)
    counts = rng.poisson(np.exp(0.3 * y))
    poisson = SparsePoissonRegressor(0.1).fit(X, counts)
    found = information_criterion(poisson, X, counts, criterion=criterion)
    means = poisson.predict(X)
    logs = np.log(np.where(counts > 0, counts / means, 1.0))
    deviance = 2 * np.sum(counts * logs - counts + means)
    m = poisson.n_nonzero_coefs_
    assert found.values[0] == pytest.approx(
        information(criterion, deviance, m, 50, 8, m)
    )


def test_models_are_the_path(X, y):
    path = group_lasso_path(X, y, groups=2, n_alphas=6)
    of_path = information_criterion(path, X, y, criterion="ebic")
    models = [GroupLasso(a, groups=2).fit(X, y) for a in path.alphas]
    of_models = information_criterion(models, X, y, criterion="ebic")
    np.testing.assert_allclose(of_models.values, of_path.values, rtol=1e-3)
    assert of_models.alpha == of_path.alpha
    again = pickle.loads(pickle.dumps(path))
    np.testing.assert_array_equal(
        information_criterion(again, X, y, criterion="ebic").values, of_path.values
    )
    weighted = AdaptiveLasso(0.1).fit(X, y)
    found = information_criterion(weighted, X, y)
    assert found.degrees_of_freedom[0] == weighted.n_nonzero_coefs_


def test_warns_once_of_what_it_is_not_made_for(X, y):
    models = [MCPRegressor(a).fit(X, y) for a in (0.1, 0.5)]
    with pytest.warns(UserWarning, match="not convex") as caught:
        found = information_criterion(models, X, y)
    assert [w.filename for w in caught] == [__file__]
    expected = [model.n_nonzero_coefs_ for model in models]
    np.testing.assert_array_equal(found.degrees_of_freedom, expected)
    huber = SparseHuberRegressor(0.1).fit(X, y)
    with pytest.warns(UserWarning, match="Huber's loss is no likelihood"):
        information_criterion(huber, X, y)
    with pytest.warns(UserWarning, match=r"10 of 10 alphas|\d of 10 alphas"):
        path = lasso_path(X, y, n_alphas=10, tol=0.0, max_iter=1)
    with pytest.warns(UserWarning, match="of 10 models missed their tol"):
        information_criterion(path, X, y)
    with pytest.warns(UserWarning, match="Least squares on all features leaves no"):
        information_criterion(
            lasso_path(X, X @ np.ones(8), n_alphas=4), X, X @ np.ones(8)
        )


def test_refuses(X, y):
    with pytest.raises(TypeError, match="got LinearRegression"):
        information_criterion(LinearRegression().fit(X, y), X, y)
    Y = np.column_stack([y, y])
    with pytest.raises(ValueError, match="has 2 targets"):
        information_criterion(Lasso().fit(X, Y), X, Y)
    path = lasso_path(X, y, n_alphas=3)
    for change, message in [
        ({"criterion": "cp"}, "criterion"),
        ({"gamma": 2.0}, "gamma"),
        ({"noise_variance": 0.0}, "noise_variance"),
    ]:
        with pytest.raises(ValueError, match=message):
            information_criterion(path, X, y, **change)


# -- in place of folds --------------------------------------------------------


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize(
    ("model", "solve", "own"),
    [
        (LassoCV(15), lasso_path, {}),
        (ElasticNetCV(15, l1_ratio=0.6), elastic_net_path, {"l1_ratio": 0.6}),
        (GroupLassoCV(15, groups=2), group_lasso_path, {"groups": 2}),
        (
            SparseLogisticRegressionCV(15, l1_ratio=0.9),
            logistic_path,
            {"l1_ratio": 0.9},
        ),
    ],
    ids=lambda a: type(a).__name__,
)
def test_selection_is_by_the_criterion_of_the_path(
    X, y, criterion, model, solve, own, rng
):
    X = X / X.std(axis=0)
    weights = rng.integers(1, 3, size=50)
    if solve is logistic_path:
        y = y > 3.0
    model.set_params(selection=criterion).fit(X, y, sample_weight=weights)
    path = solve(X, y, alphas=model.alphas_, sample_weight=weights, **own)
    found = information_criterion(
        path, X, y, criterion=criterion, sample_weight=weights
    )
    np.testing.assert_allclose(model.criterion_path_, found.values, rtol=1e-6)
    np.testing.assert_allclose(
        model.degrees_of_freedom_path_, found.degrees_of_freedom, rtol=1e-6
    )
    assert model.alpha_ == found.alpha
    np.testing.assert_allclose(
        np.ravel(model.coef_), path.coefs[:, [found.index]].toarray()[:, 0], atol=1e-3
    )
    assert not {"mse_path_", "loss_path_"} & vars(model).keys()
    model.set_params(selection="min", cv=2).fit(X, y)
    assert not hasattr(model, "criterion_path_")


def test_selection_of_the_mixing(X, y):
    model = ElasticNetCV(10, l1_ratio=[0.2, 0.9], selection="bic").fit(X, y)
    assert model.criterion_path_.shape == (2, 10)
    singles = [
        ElasticNetCV(10, l1_ratio=ratio, selection="bic").fit(X, y)
        for ratio in (0.2, 0.9)
    ]
    for values, single in zip(model.criterion_path_, singles):
        np.testing.assert_allclose(values, single.criterion_path_, rtol=1e-9)
    best = min(singles, key=lambda single: single.criterion_path_.min())
    assert (model.alpha_, model.l1_ratio_) == (best.alpha_, best.l1_ratio_)


def test_no_folds_are_fitted(X, y):
    class Unwanted:
        def split(self, X, y=None, groups=None):
            raise AssertionError

        def get_n_splits(self, X=None, y=None, groups=None):
            raise AssertionError

    LassoCV(5, selection="bic", cv=Unwanted()).fit(X, y)
    labels = np.array([0] * 49 + [1])  # one row of a class: no folds could be made
    SparseLogisticRegressionCV(5, selection="ebic").fit(X, labels)
    with pytest.raises(ValueError, match="selection"):
        MultiTaskLassoCV(5, selection="bic").fit(X, np.column_stack([y, y]))


def test_classes_of_which_each_has_its_problem(X, y):
    labels = np.digitize(y, [2.0, 4.0])
    model = SparseLogisticRegressionCV(8, selection="bic", multi_class="ovr")
    model.fit(X, labels)
    values = []
    for alpha in model.alphas_:
        single = SparseLogisticRegression(alpha, multi_class="ovr").fit(X, labels)
        values.append(information_criterion(single, X, labels).values[0])
    np.testing.assert_allclose(model.criterion_path_, values, rtol=1e-4)


def test_selection_warns_where_it_is_not_made_for(X, y, rng):
    X = np.hstack([X, rng.normal(size=(50, 50))])
    with pytest.warns(UserWarning, match="selects too many features") as caught:
        LassoCV(10, selection="bic").fit(X, y)
    assert [w.filename for w in caught] == [__file__]
    LassoCV(10, selection="ebic").fit(X, y)


@pytest.mark.parametrize("how", ["ols", "ridge"])
def test_supports_fitted_again(X, y, how, rng):
    """By the path, the estimators and the CV class, and by least squares."""
    X = X / X.std(axis=0)
    path = elastic_net_path(X, y, n_alphas=12, l1_ratio=0.8)
    found = information_criterion(path, X, y, criterion="ebic", refit_support=how)
    models = [
        ElasticNet(a, l1_ratio=0.8, refit_support=how).fit(X, y) for a in path.alphas
    ]
    same = information_criterion(models, X, y, criterion="ebic")
    np.testing.assert_allclose(found.values, same.values, rtol=1e-9)
    model = ElasticNetCV(12, l1_ratio=0.8, selection="ebic", refit_support=how)
    model.fit(X, y)
    np.testing.assert_allclose(model.criterion_path_, found.values, rtol=1e-9)
    sizes = np.diff(path.coefs.indptr)
    np.testing.assert_array_equal(found.degrees_of_freedom, sizes)
    if how == "ols":
        for k in range(1, 12):
            part = X[:, path.coefs[:, [k]].toarray()[:, 0] != 0]
            left = y - LinearRegression().fit(part, y).predict(part)
            assert found.deviances[k] == pytest.approx(left @ left)


def test_extended_bic_of_fits_again_finds_few_among_many(rng):
    X = rng.normal(size=(100, 400))
    y = X[:, :4] @ [1.5, -1.5, 1.0, 1.0] + rng.normal(size=100)
    model = LassoCV(selection="ebic", refit_support="ols").fit(X, y)
    np.testing.assert_array_equal(model.support_, [0, 1, 2, 3])


def test_refits_are_refused_where_there_are_none(X, y):
    with pytest.raises(ValueError, match="is of a PathResult"):
        information_criterion(Lasso().fit(X, y), X, y, refit_support="ols")
    path = logistic_path(X, y > 3, n_alphas=3)
    with pytest.raises(ValueError, match="is of the squared loss"):
        information_criterion(path, X, y > 3, refit_support="ols")
