"""Logistic regression as scikit-learn's users know it, and where it goes further."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
import sklearn.linear_model
from reference import glm_objective, sparse_regression
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sparselearn.linear_model import SparseLogisticRegression, logistic_path

EXACT = {"tol": 1e-13}
each_storage = pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
each_number = pytest.mark.parametrize("n_classes", [2, 3])


@pytest.fixture
def seed():
    return 0


def classes_of(rng, n_classes, shape=(80, 10)):
    """X and classes 0, 1, ... that it tells about, with noise."""
    X, z = sparse_regression(rng, *shape)
    z = (z - z.mean()) / z.std() + 0.3 * rng.standard_normal(len(z))
    return X, np.digitize(z, np.quantile(z, np.arange(1, n_classes) / n_classes))


def objective(model, X, y, weights, l1, l2):
    """Of a fitted model of this package or of scikit-learn."""
    if model.coef_.shape[0] == 1:
        data = X, (y == model.classes_[1]) * 1.0, weights
        return glm_objective(
            "logistic", *data, model.coef_[0], model.intercept_[0], l1, l2
        )
    data = X, (y[:, None] == model.classes_) * 1.0, weights
    return glm_objective("softmax", *data, model.coef_, model.intercept_, l1, l2)


# -- numbers of scikit-learn -----------------------------------------------------


@each_number
@each_storage
@pytest.mark.parametrize("l1_ratio", [1.0, 0.5, 0.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_numbers_of_scikit_learn(rng, n_classes, storage, l1_ratio, intercept):
    """C of scikit-learn is 1 / (alpha * the sum of the weights)."""
    X, y = classes_of(rng, n_classes)
    X = StandardScaler().fit_transform(X)
    weights, alpha = rng.uniform(0.2, 2.0, len(y)), 0.03
    ours = SparseLogisticRegression(
        alpha, l1_ratio=l1_ratio, fit_intercept=intercept, **EXACT
    ).fit(storage(X), y, weights)
    # Its default is ridge; scikit-learn 1.7 warns if a ratio says so too.
    solver = {"solver": "saga", "l1_ratio": l1_ratio} if l1_ratio else {}
    theirs = sklearn.linear_model.LogisticRegression(
        C=1.0 / (alpha * weights.sum()),
        fit_intercept=intercept,
        tol=1e-10,
        max_iter=10**5,
        random_state=0,
        **solver,
    )
    with warnings.catch_warnings():
        # Names of its parameters change from version to version.
        warnings.simplefilter("ignore", FutureWarning)
        if l1_ratio and "penalty" in theirs.get_params():
            theirs.set_params(penalty="elasticnet")
        theirs.fit(X, y, weights)
    strengths = alpha * l1_ratio, alpha * (1.0 - l1_ratio)
    found, expected = (
        objective(model, X, y, weights, *strengths) for model in (ours, theirs)
    )
    assert found <= expected + 1e-12
    assert found == pytest.approx(expected, rel=1e-8)
    assert ours.objective_ == pytest.approx(found, rel=1e-10)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    p, q = ours.predict_proba(storage(X)), theirs.predict_proba(X)
    np.testing.assert_allclose(p, q, atol=1e-4)
    assert ours.score(X, y) == theirs.score(X, y)


def test_the_intercepts_of_unequal_classes(rng):
    """Three classes of 90, 20 and 10: intercepts tell their shares.

    Where they are forgotten the accuracy is 0.3 here.
    """
    y = np.repeat([0, 1, 2], [90, 20, 10])
    X = rng.standard_normal((120, 5)) + 0.5 * np.eye(5)[y]
    for multi_class in ("multinomial", "ovr"):
        model = SparseLogisticRegression(0.05, multi_class=multi_class).fit(X, y)
        assert model.score(X, y) >= 0.75
        assert np.ptp(model.intercept_) > 1.0
        null = SparseLogisticRegression(10.0, multi_class=multi_class).fit(X, y)
        shares = np.array([0.75, 20 / 120, 10 / 120])
        np.testing.assert_allclose(null.predict_proba(X[:1])[0], shares, rtol=1e-9)
        assert null.n_iter_ == 0


def test_one_against_the_rest_is_one_fit_a_class(rng):
    X, y = classes_of(rng, 3)
    model = SparseLogisticRegression(0.02, multi_class="ovr", **EXACT).fit(X, y)
    alone = OneVsRestClassifier(SparseLogisticRegression(0.02, **EXACT)).fit(X, y)
    for k, one in enumerate(alone.estimators_):
        np.testing.assert_array_equal(model.coef_[k], one.coef_[0])
        assert model.intercept_[k] == one.intercept_[0]
        assert model.objective_[k] == one.objective_
        assert model.dual_gap_[k] == one.dual_gap_
    np.testing.assert_allclose(
        model.predict_proba(X), alone.predict_proba(X), rtol=1e-9
    )
    np.testing.assert_array_equal(model.predict(X), alone.predict(X))


def test_two_classes_of_the_soft_max_are_the_logistic_loss(rng):
    """With a third class of next to no weight, at half the alpha each."""
    X, y = classes_of(rng, 2)
    X, y = np.vstack([X, X[:1]]), np.append(y, 2)
    weights = np.append(np.ones(80), 1e-9)
    binary = SparseLogisticRegression(0.04, **EXACT).fit(X[:80], y[:80])
    three = SparseLogisticRegression(0.04, **EXACT).fit(X, y, weights)
    found = three.coef_[1] - three.coef_[0]
    np.testing.assert_allclose(found, binary.coef_[0], atol=1e-4)


# -- classes and weights ---------------------------------------------------------


@each_number
@pytest.mark.parametrize(
    "labels",
    [
        np.array(["no", "yes", "perhaps"]),
        np.array(["no", "yes", "perhaps"], dtype=object),
        np.array([-5.0, 0.0, 7.0]),
        np.array([3, 1, 2], dtype=np.uint8),
        np.array([False, True]),
    ],
    ids=lambda labels: labels.dtype.str,
)
def test_labels(rng, n_classes, labels):
    if labels.dtype == bool and n_classes == 3:
        return
    X, y = classes_of(rng, n_classes)
    expected = SparseLogisticRegression(0.02, **EXACT).fit(X, y)
    model = SparseLogisticRegression(0.02, **EXACT).fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.sort(labels[:n_classes]))
    order = np.argsort(labels[:n_classes])
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(X)[:, order], atol=1e-7
    )
    np.testing.assert_array_equal(model.predict(X), labels[expected.predict(X)])
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels[y]) == expected.score(X, y)


@each_number
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
def test_class_weights_are_sample_weights(rng, n_classes, multi_class):
    X, y = classes_of(rng, n_classes)
    kept = np.append(np.flatnonzero(y > 0), np.flatnonzero(y == 0)[:5])
    X, y = X[kept], y[kept]
    weights = rng.uniform(0.5, 2.0, len(y))
    options = {"multi_class": multi_class, **EXACT}
    sums = np.bincount(y, weights)
    for given, factors in (
        ({0: 3.0, 1: 0.5, 2: 1.0}, np.array([3.0, 0.5, 1.0])),
        ("balanced", sums.sum() / (n_classes * sums)),
    ):
        if isinstance(given, dict):
            given = {k: given[k] for k in range(n_classes)}
        model = SparseLogisticRegression(0.02, class_weight=given, **options)
        model.fit(X, y, weights)
        expected = SparseLogisticRegression(0.02, **options)
        expected.fit(X, y, weights * factors[y])
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
        np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-7)
        plain = SparseLogisticRegression(0.02, **options).fit(X, y, weights)
        assert np.max(np.abs(plain.coef_ - model.coef_)) > 1e-3


@each_number
@each_storage
def test_weights_are_repeated_rows(rng, n_classes, storage):
    X, y = classes_of(rng, n_classes)
    times = rng.integers(0, 4, len(y))
    expected = SparseLogisticRegression(0.02, **EXACT)
    expected.fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    model = SparseLogisticRegression(0.02, **EXACT).fit(storage(X), y, times)
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    np.testing.assert_allclose(model.intercept_, expected.intercept_, atol=1e-7)
    assert model.objective_ == pytest.approx(expected.objective_, rel=1e-10)


@pytest.mark.parametrize("by", ["sample_weight", "class_weight"])
def test_a_class_that_weighs_nothing_is_absent(rng, by):
    X, y = classes_of(rng, 4)
    weights, class_weight = np.ones(len(y)), None
    if by == "sample_weight":
        weights[y == 1] = 0.0
    else:
        class_weight = {0: 1.0, 1: 0.0, 2: 1.0, 3: 1.0}
    model = SparseLogisticRegression(0.02, class_weight=class_weight, **EXACT)
    model.fit(X, y, weights)
    expected = SparseLogisticRegression(0.02, **EXACT).fit(X[y != 1], y[y != 1])
    np.testing.assert_array_equal(model.classes_, [0, 2, 3])
    np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
    assert model.predict_proba(X).shape == (80, 3)


# -- prediction ------------------------------------------------------------------


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("multi_class", ["multinomial", "ovr"])
@each_storage
def test_predictions_belong_together(rng, n_classes, multi_class, storage):
    X, y = classes_of(rng, n_classes)
    model = SparseLogisticRegression(0.01, multi_class=multi_class).fit(X, y)
    # Far away too, where probabilities underflow.
    for factor in (1.0, 1e3):
        data = storage(factor * X)
        z, p = model.decision_function(data), model.predict_proba(data)
        log_p = model.predict_log_proba(data)
        linear = factor * X @ model.coef_.T + model.intercept_
        assert p.shape == log_p.shape == (80, n_classes)
        np.testing.assert_allclose(p.sum(axis=1), 1.0, rtol=1e-12)
        np.testing.assert_allclose(np.exp(log_p), p, rtol=1e-9, atol=1e-300)
        assert np.all(np.isfinite(log_p))
        # Far away, classes against the others may all be sure of themselves.
        by = log_p if n_classes == 2 or factor == 1.0 else z
        chosen = model.classes_[np.argmax(by, axis=1)]
        np.testing.assert_array_equal(model.predict(data), chosen)
        if n_classes == 2:
            np.testing.assert_allclose(z, linear[:, 0], rtol=1e-9, atol=1e-9)
            np.testing.assert_allclose(np.diff(log_p)[:, 0], z, rtol=1e-9, atol=1e-9)
        else:
            np.testing.assert_allclose(z, linear, rtol=1e-9, atol=1e-9)
        if n_classes > 2 and multi_class == "multinomial":
            relative = log_p - log_p[:, :1]
            np.testing.assert_allclose(relative, z - z[:, :1], rtol=1e-9, atol=1e-9)


# -- parameters ------------------------------------------------------------------


@each_number
def test_warm_starts_across_alphas(rng, n_classes):
    """The same solution from wherever; and in fewer rounds from nearby."""
    X, y = classes_of(rng, n_classes)
    model = SparseLogisticRegression(warm_start=True, **EXACT)
    for alpha in (0.1, 0.01, 0.0095, 0.2, 0.02):
        cold = SparseLogisticRegression(alpha, **EXACT).fit(X, y)
        model.set_params(alpha=alpha).fit(X, y)
        np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-7)
        assert model.alpha_ == alpha
        assert model.dual_gap_ <= 1e-13
    # Classes may change their number, and features; then it starts anew.
    model.fit(X[:, :4], (y > 0) * 1)
    cold.fit(X[:, :4], (y > 0) * 1)
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-7)


@each_number
@pytest.mark.parametrize("wanted", [0, 1, 3, 7, 10**6])
def test_a_number_of_coefficients(rng, n_classes, wanted):
    X, y = classes_of(rng, n_classes)
    model = SparseLogisticRegression(n_nonzero_coefs=wanted).fit(X, y)
    assert model.n_nonzero_coefs_ <= wanted
    assert np.count_nonzero(model.coef_) == model.n_nonzero_coefs_
    assert model.n_nonzero_coefs_ >= min(wanted, 6) - 1
    again = SparseLogisticRegression(model.alpha_, **EXACT).fit(X, y)
    np.testing.assert_allclose(again.coef_, model.coef_, atol=1e-3)
    if wanted in (1, 3, 7):
        # A little less of the penalty, and there are more.
        less = SparseLogisticRegression(0.98 * model.alpha_, **EXACT).fit(X, y)
        assert less.n_nonzero_coefs_ >= model.n_nonzero_coefs_


def test_penalty_weights(rng):
    X, y = classes_of(rng, 3)
    omega = np.ones(10)
    omega[[0, 4]], omega[2] = 0.0, np.inf
    model = SparseLogisticRegression(10.0, penalty_weights=omega).fit(X, y)
    np.testing.assert_array_equal(model.support_, [0, 4])
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0.0, atol=1e-9)
    for l1_ratio in (1.0, 0.5, 0.0):
        model.set_params(alpha=1e-3, l1_ratio=l1_ratio).fit(X, y)
        assert not model.coef_[:, 2].any()
        assert 2 not in model.support_
    # A weight of 2 is a feature of half the size.
    omega = np.ones(10)
    omega[1] = 2.0
    weighted = SparseLogisticRegression(0.01, penalty_weights=omega, **EXACT).fit(X, y)
    X[:, 1] /= 2.0
    scaled = SparseLogisticRegression(0.01, **EXACT).fit(X, y)
    scaled.coef_[:, 1] /= 2.0
    np.testing.assert_allclose(weighted.coef_, scaled.coef_, atol=1e-7)


def test_each_parameter_is_alive(rng):
    X, y = classes_of(rng, 3)
    base = SparseLogisticRegression(0.01).fit(X, y)
    for name, value in {
        "alpha": 0.02,
        "multi_class": "ovr",
        "class_weight": {0: 1.0, 1: 2.0, 2: 3.0},
        "l1_ratio": 0.5,
        "penalty_weights": np.arange(1.0, 11.0),
        "n_nonzero_coefs": 4,
        "fit_intercept": False,
        "positive": True,
    }.items():
        model = clone(base).set_params(**{name: value}).fit(X, y)
        assert np.max(np.abs(model.coef_ - base.coef_)) > 1e-3, name
    tight = clone(base).set_params(tol=1e-13).fit(X, y)
    assert tight.dual_gap_ < base.dual_gap_ or base.dual_gap_ < 1e-13
    with pytest.warns(ConvergenceWarning, match=r"after . epochs"):
        clone(base).set_params(max_iter=1).fit(X, y)


def test_attributes_say_what_was_done(rng):
    X, y = classes_of(rng, 3, (60, 300))
    model = SparseLogisticRegression(0.05).fit(X, y)
    assert model.coef_.shape == (3, 300)
    assert model.n_nonzero_coefs_ == np.count_nonzero(model.coef_)
    assert model.sparsity_ == np.mean(model.coef_ == 0.0)
    used = np.flatnonzero(np.any(model.coef_ != 0.0, axis=0))
    np.testing.assert_array_equal(model.support_, used)
    np.testing.assert_array_equal(model.sparse_coef_.toarray(), model.coef_)
    np.testing.assert_allclose(model.intercept_.sum(), 0.0, atol=1e-12)
    assert model.solver_used_ == "gram"
    assert model.n_passes_ >= 1.0
    assert 0.5 < model.screened_share_ < 1.0


# -- in use ----------------------------------------------------------------------


def test_pipeline_and_grid_search(rng):
    X, y = classes_of(rng, 3, (120, 20))
    for storage, scaler in (
        (np.asarray, StandardScaler()),
        (sp.csr_array, MaxAbsScaler()),
    ):
        pipeline = make_pipeline(scaler, SparseLogisticRegression())
        grid = {"sparselogisticregression__alpha": np.geomspace(0.2, 0.002, 5)}
        for scoring in ("accuracy", "neg_log_loss", "roc_auc_ovr"):
            search = GridSearchCV(pipeline, grid, cv=3, scoring=scoring)
            search.fit(storage(X), y)
            assert np.all(np.isfinite(search.cv_results_["mean_test_score"]))
        assert search.best_score_ > 0.75
        assert search.best_params_[next(iter(grid))] < 0.2


@each_number
def test_pickles_are_the_same_model(rng, n_classes):
    X, y = classes_of(rng, n_classes)
    labels = np.array(["a", "b", "c"])
    model = SparseLogisticRegression(0.02, warm_start=True).fit(X, labels[y])
    found = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(found.predict(X), model.predict(X))
    assert found.fit(X, labels[y]).n_iter_ == 0


@each_number
@each_storage
def test_separable_classes_without_penalty_end(rng, n_classes, storage):
    """There is no minimum: coefficients are finite, at worst with one warning."""
    X = rng.standard_normal((40, 5))
    y = np.digitize(X[:, 0], np.arange(n_classes - 1) - 0.2)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SparseLogisticRegression(0.0).fit(storage(X), y)
    assert all(w.category is ConvergenceWarning for w in caught)
    assert len(caught) <= 1
    assert np.all(np.isfinite(model.coef_))
    assert np.max(np.abs(model.coef_)) < 1e4
    assert model.score(X, y) == 1.0
    # With a penalty there is one.
    model.set_params(alpha=1e-3, tol=1e-10).fit(storage(X), y)
    assert model.dual_gap_ <= 1e-10


def test_dependent_features_of_a_generator():
    """Which `make_classification` makes by default: sums of the informative ones."""
    X, y = make_classification(
        300, 20, n_informative=8, n_redundant=6, n_classes=4, random_state=0
    )
    for alpha in (1e-2, 1e-3, 1e-4):
        model = SparseLogisticRegression(alpha).fit(X, y)
        assert model.dual_gap_ <= 1e-6 * np.log(4)


def test_a_path_is_its_single_fits(rng):
    X, y = classes_of(rng, 2)
    weights = rng.uniform(0.5, 2.0, len(y))
    path = logistic_path(X, y, n_alphas=5, eps=0.02, sample_weight=weights, **EXACT)
    for k, alpha in enumerate(path.alphas):
        model = SparseLogisticRegression(alpha, **EXACT).fit(X, y, weights)
        coef = path.coefs[:, [k]].toarray()[:, 0]
        np.testing.assert_allclose(coef, model.coef_[0], atol=1e-7)
        assert path.intercepts[k] == pytest.approx(model.intercept_[0], abs=1e-7)
    assert path.coefs[:, [0]].nnz == 0 < path.coefs[:, [1]].nnz


# -- what is refused -------------------------------------------------------------


def test_what_is_refused(rng):
    X, y = classes_of(rng, 3)
    model = SparseLogisticRegression()
    with pytest.raises(NotFittedError):
        model.predict_proba(X)
    with pytest.raises(ValueError, match="one class: \\[1\\]"):
        model.fit(X, np.ones(80, dtype=int))
    with pytest.raises(ValueError, match="one class: \\[0\\]"):
        model.fit(X, y, (y == 0) * 1.0)
    with pytest.raises(ValueError, match="Unknown label type"):
        model.fit(X, rng.standard_normal(80))
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.where(X[3, 3] == X, np.nan, X), y)
    with pytest.raises(ValueError, match="X is too large"):
        model.fit(1e200 * X, y)
    for weight in (-1.0, np.nan, np.inf):
        model.set_params(class_weight={0: 1.0, 1: weight, 2: 1.0})
        with pytest.raises(ValueError, match=f"class_weight .* class 1 has {weight}"):
            model.fit(X, y)
    model.set_params(class_weight={0: 0.0, 1: 0.0, 2: 0.0})
    with pytest.raises(ValueError, match="leave no row any weight"):
        model.fit(X, y)
    for name, value in {
        "alpha": -1.0,
        "l1_ratio": 1.5,
        "multi_class": "auto",
        "class_weight": "even",
        "n_nonzero_coefs": -1,
        "tol": -1.0,
        "max_iter": 0,
    }.items():
        with pytest.raises(ValueError, match=f"'{name}' parameter"):
            SparseLogisticRegression(**{name: value}).fit(X, y)
    with pytest.raises(ValueError, match="penalty_weights has shape \\(3,\\)"):
        SparseLogisticRegression(penalty_weights=[1, 2, 3]).fit(X, y)
    with pytest.raises(ValueError, match="l1_ratio=0 makes no coefficient zero"):
        SparseLogisticRegression(l1_ratio=0.0, n_nonzero_coefs=3).fit(X, y)
    with pytest.raises(ValueError, match="of two classes; y has 3"):
        logistic_path(X, y)
