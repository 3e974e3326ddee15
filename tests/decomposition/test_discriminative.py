"""Dictionaries that know targets."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import is_classifier, is_regressor
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, r2_score

from sparselearn._solvers._discriminative import (
    CAUTION,
    RIDGES,
    augmented,
    fit_readout,
    shares,
)
from sparselearn.decomposition import KSVD, DiscriminativeDictionaryLearning


@pytest.fixture
def digits():
    X, y = load_digits(return_X_y=True)
    return X[::2], y[::2], X[1::2], y[1::2]


def test_targets_help(digits):
    X, y, X_test, y_test = digits
    options = {"n_components": 60, "n_nonzero_coefs": 4, "random_state": 0, "tol": 0.01}
    with_targets = DiscriminativeDictionaryLearning(**options).fit(X, y)
    without = DiscriminativeDictionaryLearning(gamma=0.0, **options).fit(X, y)
    assert with_targets.score(X_test, y_test) > without.score(X_test, y_test) + 0.005
    assert with_targets.score(X_test, y_test) > 0.93
    assert without.explained_variance_ > with_targets.explained_variance_


def test_classes_are_predicted_by_the_codes(digits):
    X, y, X_test, y_test = digits
    names = np.array([f"digit {k}" for k in range(10)])
    model = DiscriminativeDictionaryLearning(40, n_nonzero_coefs=4, tol=0.05)
    model.set_params(random_state=0).fit(X, names[y])
    scores = model.transform(X_test) @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.decision_function(X_test), scores)
    predicted = model.predict(X_test)
    np.testing.assert_array_equal(predicted, model.classes_[np.argmax(scores, axis=1)])
    accuracy = accuracy_score(names[y_test], predicted)
    assert model.score(X_test, names[y_test]) == accuracy > 0.85
    two = y < 2
    model.fit(X[two], names[y[two]])
    scores = model.decision_function(X_test)
    assert scores.ndim == 1
    np.testing.assert_array_equal(model.predict(X_test) == "digit 1", scores > 0.0)


@pytest.mark.parametrize("n_targets", [None, 1, 3])
def test_numbers(rng, n_targets):
    codes = rng.standard_normal((300, 15)) * (rng.uniform(size=(300, 15)) < 0.15)
    X = codes @ rng.standard_normal((15, 10))
    weights = rng.standard_normal((15, n_targets) if n_targets else 15)
    y = 1e3 + codes @ weights
    model = DiscriminativeDictionaryLearning(
        20, target="values", n_nonzero_coefs=4, random_state=0, tol=0.01
    ).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == y.shape
    expected = model.transform(X) @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(predicted, expected)
    np.testing.assert_allclose(model.score(X, y), r2_score(y, predicted))
    assert model.score(X, y) > 0.8
    assert not hasattr(model, "decision_function")


def test_units_of_targets_do_not_matter(rng):
    X = rng.standard_normal((80, 6))
    y = X[:, 0] + 0.1 * rng.standard_normal(80)
    model = DiscriminativeDictionaryLearning(
        10, target="values", n_nonzero_coefs=3, random_state=0, tol=0.01
    )
    expected = model.fit(X, y).predict(X)
    found = model.fit(X, 5.0 + 1e6 * y).predict(X)
    np.testing.assert_allclose((found - 5.0) / 1e6, expected, atol=1e-7)


def test_it_is_what_target_says():
    model = DiscriminativeDictionaryLearning()
    assert is_classifier(model)
    assert not is_regressor(model)
    model.set_params(target="values")
    assert is_regressor(model)
    assert not is_classifier(model)


def test_one_class_and_constant_numbers(rng):
    X = rng.standard_normal((20, 4))
    model = DiscriminativeDictionaryLearning(5, random_state=0, tol=0.1)
    assert set(model.fit(X, ["a"] * 20).predict(X)) == {"a"}
    model.set_params(target="values")
    np.testing.assert_allclose(model.fit(X, np.full(20, 3.0)).predict(X), 3.0)


def test_wrong_targets(rng):
    X = rng.standard_normal((20, 4))
    model = DiscriminativeDictionaryLearning(5)
    with pytest.raises(ValueError, match="target='values'"):
        model.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="requires y to be passed"):
        model.fit(X, None)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        model.fit(X, np.arange(19))
    with pytest.raises(ValueError, match="NaN"):
        model.set_params(target="values").fit(X, np.full(20, np.nan))


# -- the parts ------------------------------------------------------------------


def test_targets_beside_samples(rng):
    X, H = rng.standard_normal((30, 4)), rng.standard_normal((30, 2))
    weights = rng.uniform(0.5, 2.0, 30)
    wide = augmented(X, H, weights, 0.7)
    np.testing.assert_array_equal(wide[:, :4], X)
    np.testing.assert_allclose(wide[:, 4:] / H, (wide[:, 4:] / H)[0, 0])
    mass = weights @ wide**2
    np.testing.assert_allclose(mass[4:].sum(), 0.7 * mass[:4].sum())
    np.testing.assert_allclose(
        augmented(sp.csr_array(X), H, weights, 0.7).toarray(), wide
    )
    assert not augmented(X, np.zeros((30, 2)), weights, 0.7)[:, 4:].any()


@pytest.mark.parametrize(
    ("n_components", "counts", "expected"),
    [
        (6, [10, 20, 30], [2, 2, 2]),
        (8, [10, 20, 30], [2, 3, 3]),
        (9, [1, 20, 3], [1, 5, 3]),
        (2, [10, 20, 30], [0, 1, 1]),
        (9, [1, 2, 2], [1, 6, 2]),
    ],
)
def test_shares_of_classes(n_components, counts, expected):
    np.testing.assert_array_equal(shares(n_components, np.array(counts)), expected)


def test_readout_is_the_best_ridge(rng):
    Z = rng.standard_normal((50, 8)) * (rng.uniform(size=(50, 8)) < 0.5)
    H = Z @ rng.standard_normal((8, 2)) + rng.standard_normal((50, 2)) + 4.0
    weights = rng.integers(1, 4, 50).astype(float)
    rows = np.repeat(np.arange(50), weights.astype(int))
    A, B = Z[rows] - Z[rows].mean(axis=0), H[rows] - H[rows].mean(axis=0)
    scores, models = [], []
    for ridge in RIDGES * np.trace(A.T @ A) / 8:
        hat = A @ np.linalg.solve(A.T @ A + ridge * np.eye(8), A.T)
        freedom = 1.0 + np.trace(hat)
        left = np.sum((B - hat @ B) ** 2)
        scores.append(left / (1.0 - CAUTION * freedom / rows.size) ** 2)
        models.append(np.linalg.solve(A.T @ A + ridge * np.eye(8), A.T @ B).T)
    best = int(np.argmin(scores))
    coef, intercept = fit_readout(sp.csr_array(Z), H, weights)
    np.testing.assert_allclose(coef, models[best], rtol=1e-8)
    np.testing.assert_allclose(
        intercept, H[rows].mean(axis=0) - coef @ Z[rows].mean(axis=0)
    )


def test_a_transformer_of_its_own(digits):
    """Codes of new samples, to compare with those of a dictionary without targets."""
    X, y, X_test, _ = digits
    options = {"n_components": 40, "n_nonzero_coefs": 4, "random_state": 0, "tol": 0.05}
    model = DiscriminativeDictionaryLearning(gamma=0.0, **options).fit(X, y)
    plain = KSVD(init=model.components_, **options | {"n_components": None}).fit(X)
    assert model.transform(X_test).shape == plain.transform(X_test).shape
    assert abs(model.explained_variance_ - plain.explained_variance_) < 0.05
