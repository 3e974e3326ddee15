"""Fits of linear models on what is kept, and thresholds by name."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    OrthogonalMatchingPursuit,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sparselearn.linear_model
from sparselearn.datasets import make_sparse_regression
from sparselearn.pruning import Pruner, importance, prune


@pytest.fixture
def X(rng):
    return rng.normal(loc=[2.0, -1.0, 40.0, 0.5, 3.0], size=(80, 5))


@pytest.fixture
def y(X, rng):
    return X @ [1.0, 0.3, 0.2, -2.0, 0.01] + 7.0 + 0.3 * rng.normal(size=len(X))


def mean_weighted_lstsq(X, y, weight, ridge=0.0):
    """Coefficients and constant, from the normal equations of centred columns."""
    weight = weight / weight.sum()
    x_mean, y_mean = weight @ X, weight @ y
    Z = X - x_mean
    gram = (Z.T * weight) @ Z
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    coef = np.linalg.solve(gram, (Z.T * weight) @ (y - y_mean))
    return coef, y_mean - x_mean @ coef


@pytest.mark.parametrize("refit", ["ols", "ridge"])
@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_least_squares_on_the_kept_weights(X, y, rng, refit, storage):
    Y = np.column_stack([y, X[:, 1] - y])
    weight = rng.random(len(X))
    model = Ridge(alpha=50.0).fit(X, Y)
    options = {"sparsity": 0.5, "sample_weight": weight}
    pruned = prune(model, storage(X), Y, refit=refit, **options)
    folded = prune(model, storage(X), **options)
    np.testing.assert_array_equal(pruned.coef_ != 0, folded.coef_ != 0)
    for k in range(2):
        kept = np.flatnonzero(pruned.coef_[k])
        coef, constant = mean_weighted_lstsq(
            X[:, kept], Y[:, k], weight, 0.01 if refit == "ridge" else 0.0
        )
        np.testing.assert_allclose(pruned.coef_[k, kept], coef, rtol=1e-9)
        np.testing.assert_allclose(pruned.intercept_[k], constant, rtol=1e-9)


def test_our_own_models_refit_likewise(X, y):
    ours = sparselearn.linear_model.Lasso(alpha=0.2, refit_support="ols").fit(X, y)
    plain = Lasso(alpha=0.2).fit(X, y)
    n_kept = np.count_nonzero(plain.coef_)
    assert 0 < n_kept < 5
    pruned = prune(plain, X, y, n_nonzero_coefs=n_kept, refit="ols")
    np.testing.assert_allclose(pruned.coef_, ours.coef_, atol=1e-8)
    np.testing.assert_allclose(pruned.intercept_, ours.intercept_, rtol=1e-8)


def test_signs_and_constants_that_were_asked_for_stay(X, y):
    positive = LinearRegression(positive=True).fit(X, y)
    pruned = prune(positive, X, y, n_nonzero_coefs=2, refit="ols")
    assert np.all(pruned.coef_ >= 0.0)
    through_zero = LinearRegression(fit_intercept=False).fit(X, y)
    pruned = prune(through_zero, X, y, n_nonzero_coefs=2, refit="ols")
    kept = np.flatnonzero(pruned.coef_)
    assert pruned.intercept_ == 0.0
    np.testing.assert_allclose(
        pruned.coef_[kept], np.linalg.lstsq(X[:, kept], y, rcond=None)[0], rtol=1e-9
    )


def test_relaxed_goes_as_far_as_validation_says(X, y, rng):
    """Half of a relaxed path where shrinkage helps, all of it where it does not."""
    kept = [0, 3]
    strong = Lasso(alpha=0.5).fit(X, y)
    assert strong.coef_[kept].all()
    relaxed = prune(strong, X, y, n_nonzero_coefs=2, refit="relaxed")
    ols = prune(strong, X, y, n_nonzero_coefs=2, refit="ols")
    # With little noise least squares is best.
    np.testing.assert_allclose(relaxed.coef_, ols.coef_)
    # Of noise alone the less is kept the better.
    noise = 20.0 * rng.normal(size=len(X))
    shrunk = Ridge(alpha=1e6).fit(X, noise)
    relaxed = prune(shrunk, X, noise, n_nonzero_coefs=2, refit="relaxed")
    ols = prune(shrunk, X, noise, n_nonzero_coefs=2, refit="ols")
    support = np.flatnonzero(ols.coef_)
    shares = (ols.coef_ - relaxed.coef_)[support] / (ols.coef_ - shrunk.coef_)[support]
    np.testing.assert_allclose(shares, shares[0], rtol=1e-6)
    assert shares[0] > 0.0
    assert round(10 * shares[0], 6) == round(10 * shares[0])
    # The constant is that of these coefficients.
    gap = noise - relaxed.predict(X)
    np.testing.assert_allclose(gap.mean(), 0.0, atol=1e-10)


def lstsq(X, y, weight, kept):
    """Least squares on some columns, zeros elsewhere."""
    coef = np.zeros(X.shape[1])
    if np.any(kept):
        coef[kept] = mean_weighted_lstsq(X[:, kept], y, weight)[0]
    return coef


def relaxed_by_search(model, X, Y, weight, pruned, n_kept):
    """Relaxed coefficients, with shares by folds that fit, prune and refit anew."""
    errors = np.zeros((11, Y.shape[1]))
    for fold in range(5):
        out = np.arange(len(X)) % 5 == fold
        X_in, Y_in, weight_in = X[~out], Y[~out], weight[~out]
        dense = clone(model).fit(X_in, Y_in, sample_weight=weight_in)
        inside = prune(dense, X_in, sample_weight=weight_in, n_nonzero_coefs=n_kept)
        for s, k in product(range(11), range(Y.shape[1])):
            old = inside.coef_[k]
            new = lstsq(X_in, Y_in[:, k], weight_in, old != 0)
            coef = new + s / 10 * (old - new)
            constant = np.average(Y_in[:, k] - X_in @ coef, weights=weight_in)
            gap = Y[out, k] - X[out] @ coef - constant
            errors[s, k] += weight[out] @ gap**2
    coefs = []
    for k, old in enumerate(pruned):
        new = lstsq(X, Y[:, k], weight, old != 0)
        coefs.append(new + np.argmin(errors[:, k]) / 10 * (old - new))
    return np.array(coefs)


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("model", [Ridge(alpha=30.0), Ridge(alpha=1000.0)], ids=repr)
def test_relaxed_shares_are_those_of_a_slow_search(rng, model, storage):
    X = rng.normal(size=(40, 12))
    Y = X[:, :3] @ rng.normal(size=(3, 3)) + 3.0 * rng.normal(size=(40, 3))
    weight = rng.random(40)
    dense = clone(model).fit(X, Y, sample_weight=weight)
    pruned = prune(dense, X, sample_weight=weight, n_nonzero_coefs=14).coef_
    expected = relaxed_by_search(model, X, Y, weight, pruned, 14)
    options = {"n_nonzero_coefs": 14, "refit": "relaxed"}
    relaxed = prune(dense, storage(X), Y, sample_weight=weight, **options)
    np.testing.assert_allclose(relaxed.coef_, expected, rtol=1e-8, atol=1e-12)
    # Rows without weight are in no fold.
    more = np.insert(X, [0, 7, 7, 40], 5.0, axis=0)
    targets, weight = (np.insert(a, [0, 7, 7, 40], 0.0, axis=0) for a in (Y, weight))
    relaxed = prune(dense, storage(more), targets, sample_weight=weight, **options)
    np.testing.assert_allclose(relaxed.coef_, expected, rtol=1e-8, atol=1e-12)


def test_relaxed_folds_see_nothing_of_what_they_judge(rng):
    """With more noise features than rows, least squares fit what they were shown."""
    X = rng.normal(size=(60, 400))
    y = rng.normal(size=60)
    dense = Ridge(alpha=1.0).fit(X, y)
    relaxed = prune(dense, X, y, n_nonzero_coefs=15, refit="relaxed").coef_
    ols = prune(dense, X, y, n_nonzero_coefs=15, refit="ols").coef_
    # Nothing can be known of y: the smallest coefficients are the best ones.
    kept = np.flatnonzero(relaxed)
    assert np.linalg.norm(dense.coef_[kept]) < 0.5 * np.linalg.norm(ols)
    np.testing.assert_allclose(relaxed[kept], dense.coef_[kept], rtol=1e-8)


def test_relaxed_fits_with_weights_or_says_that_it_can_not(X, y):
    model = OrthogonalMatchingPursuit(n_nonzero_coefs=4).fit(X, y)
    options = {"n_nonzero_coefs": 2, "refit": "relaxed"}
    assert np.count_nonzero(prune(model, X, y, **options).coef_) == 2
    with pytest.raises(ValueError, match="OrthogonalMatchingPursuit again, and it"):
        prune(model, X, y, sample_weight=np.ones(len(X)), **options)


def test_the_estimator_itself_on_what_it_keeps(X, y):
    """Through pipelines, with weights, and with names of features."""
    weight = np.arange(80.0)
    frame = pd.DataFrame(X, columns=list("abcde"))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=0.1))
    labels = y > np.median(y)
    pruner = Pruner(pipeline, refit="same", n_nonzero_coefs=2)
    pruner.fit(frame, labels, sample_weight=weight)
    scaled = pruner.estimator_[0].transform(frame)
    kept = pruner.support_
    assert kept.size == 2
    alone = LogisticRegression(C=0.1).fit(scaled[:, kept], labels, weight)
    np.testing.assert_array_equal(pruner.estimator_[1].coef_[:, kept], alone.coef_)
    np.testing.assert_allclose(
        pruner.predict_proba(frame), alone.predict_proba(scaled[:, kept])
    )
    empty = Pruner(pipeline, refit="same", n_nonzero_coefs=0).fit(frame, labels)
    assert not empty.estimator_[1].coef_.any()


@pytest.mark.parametrize("refit", ["ols", "ridge", "relaxed", "same"])
def test_what_a_refit_needs(X, y, refit):
    model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match="needs X and y"):
        prune(model, X, sparsity=0.5, refit=refit)
    network = MLPRegressor(
        hidden_layer_sizes=(3,), solver="lbfgs", max_iter=3000, random_state=0
    )
    network.fit(X, y)
    with pytest.raises(ValueError, match="for linear models; got MLPRegressor"):
        prune(network, X, y, sparsity=0.1, refit=refit)
    labels = np.digitize(y, np.quantile(y, [0.3, 0.6]))
    if refit == "same":
        with pytest.raises(ValueError, match="granularity='feature'"):
            prune(RidgeClassifier().fit(X, labels), X, labels, refit=refit)
        return
    for model, target in (
        (RidgeClassifier().fit(X, labels), labels),
        (PoissonRegressor().fit(X, labels), labels),
    ):
        with pytest.raises(ValueError, match="give refit='same'"):
            prune(model, X, target, sparsity=0.5, refit=refit)


# Thresholds


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_refits_keep_dtypes(X, y, dtype):
    X, y = X.astype(dtype), y.astype(dtype)
    model = Ridge().fit(X, y)
    for refit in ("ols", "ridge", "relaxed", "same"):
        pruned = prune(model, X, y, n_nonzero_coefs=2, refit=refit)
        assert pruned.coef_.dtype == dtype
        assert np.asarray(pruned.intercept_).dtype == np.asarray(model.intercept_).dtype


def test_multiples_of_the_median(X, y):
    model = Ridge().fit(X, y)
    (values,) = importance(model, X)
    for threshold, factor in (("median", 1.0), ("1.5*median", 1.5), ("0*median", 0.0)):
        pruner = Pruner(Ridge(), threshold=threshold).fit(X, y)
        assert pruner.threshold_ == pytest.approx(factor * np.median(values))
        expected = values >= factor * np.median(values)
        np.testing.assert_array_equal(pruner.masks_[0], expected)


def test_the_universal_threshold_is_its_formula(X, y, rng):
    model = LinearRegression().fit(X, y)
    residual = y - model.predict(X)
    sigma = np.sqrt(residual @ residual / (80 - 6))
    pruner = Pruner(LinearRegression(), threshold="universal").fit(X, y)
    expected = sigma * np.sqrt(2 * np.log(5) / 80)
    assert pruner.threshold_ == pytest.approx(expected, rel=1e-9)
    labels = y > np.median(y)
    classifier = LogisticRegression().fit(X, labels)
    p = classifier.predict_proba(X)[:, 1]
    pruner = Pruner(LogisticRegression(), threshold="universal").fit(X, labels)
    expected = np.sqrt(2 * np.log(5) / np.sum(p * (1 - p)))
    assert pruner.threshold_ == pytest.approx(expected, rel=1e-9)


def test_the_universal_threshold_finds_the_support():
    X, y, coef = make_sparse_regression(
        400, 60, n_informative=6, snr=5.0, random_state=0
    )
    pruner = Pruner(LinearRegression(), threshold="universal", refit="ols").fit(X, y)
    assert set(np.flatnonzero(coef)) <= set(pruner.support_)
    assert pruner.support_.size <= 9
    for scale in (1e-6, 1e6):
        scaled = Pruner(LinearRegression(), threshold="universal")
        scaled.fit(X / scale, scale * y)
        np.testing.assert_array_equal(scaled.support_, pruner.support_)


@pytest.mark.parametrize("threshold", ["mean", "x*median", "inf*median", "2*universal"])
def test_other_words_are_refused(X, y, threshold):
    with pytest.raises(ValueError, match="threshold must be a number, 'universal'"):
        Pruner(Ridge(), threshold=threshold).fit(X, y)


def test_where_there_is_no_universal_threshold(X, y):
    model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match="y is None"):
        prune(model, X, threshold="universal")
    with pytest.raises(ValueError, match="criterion='obs'"):
        prune(model, X, y, threshold="universal", criterion="obs")
    with pytest.raises(ValueError, match="single weights"):
        prune(model, X, y, threshold="universal", granularity="feature")
