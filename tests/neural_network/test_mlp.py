"""Laws of the perceptrons: right gradients, exact zeros, held masks, the same fit."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor

KINDS = ["binary", "multiclass", "labels", "number", "numbers"]


def data(kind, rng, n_rows=60, n_features=6):
    """X, and a y of this kind that depends on it."""
    X = rng.standard_normal((n_rows, n_features))
    z = X @ rng.standard_normal((n_features, 3)) + 0.1 * rng.standard_normal((n_rows, 3))
    ys = {
        "binary": np.where(z[:, 0] > 0.0, "yes", "no"),
        "multiclass": np.array([7, 3, 5])[z.argmax(axis=1)],
        "labels": (z > 0.3).astype(int),
        "number": z[:, 0],
        "numbers": z,
    }
    return X, ys[kind]


def network(kind, **options):
    """A small perceptron for such a y."""
    cls = SparseMLPRegressor if kind.startswith("number") else SparseMLPClassifier
    defaults = {"batch_size": 16, "max_iter": 8, "random_state": 0, "tol": 0.0}
    return cls((5, 4), **(defaults | options))


def outputs(model, X):
    if is_classifier(model):
        return np.asarray(model.predict_proba(X))
    return model.predict(X)


def same_fit(a, b, *, rtol=0.0, atol=0.0):
    for left, right in zip(a.coefs_ + a.intercepts_, b.coefs_ + b.intercepts_):
        np.testing.assert_allclose(left, right, rtol=rtol, atol=atol)


every_kind = pytest.mark.parametrize("kind", KINDS)
two_kinds = pytest.mark.parametrize("kind", ["multiclass", "numbers"])


# -- the same as scikit-learn's -------------------------------------------------


def scikit_twin(model, kind, X, y):
    """scikit-learn's perceptron with the weights of the fitted `model`."""
    cls = MLPRegressor if kind.startswith("number") else MLPClassifier
    names = "activation", "alpha", "solver", "beta_1", "beta_2", "epsilon", "momentum"
    options = {name: getattr(model, name) for name in names}
    twin = cls((5, 4), warm_start=True, max_iter=1, **options)
    with pytest.warns(ConvergenceWarning):
        twin.fit(X, y)
    twin.coefs_ = [w.copy() for w in model.coefs_]
    twin.intercepts_ = [b.copy() for b in model.intercepts_]
    return twin


@every_kind
@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_steps_are_those_of_scikit_learn(kind, activation, solver, rng):
    X, y = data(kind, rng)
    start = network(kind, activation=activation, max_iter=1).fit(X, y)
    options = {
        "solver": solver,
        "alpha": 0.3,
        "max_iter": 4,
        "shuffle": False,
        "learning_rate": "constant",
        "warm_start": True,
        "tol": 0.0,
    }
    model = start.set_params(**options)
    twin = scikit_twin(model, kind, X, y)
    twin.set_params(
        batch_size=16, shuffle=False, max_iter=4, tol=0.0, n_iter_no_change=99
    )
    with pytest.warns(ConvergenceWarning):
        twin.fit(X, y)
    with pytest.warns(ConvergenceWarning):
        model.fit(X, y)
    # Its epsilon has no correction for the start.
    same_fit(model, twin, atol=1e-6)
    np.testing.assert_allclose(outputs(model, X), outputs(twin, X), atol=1e-6)


@every_kind
def test_lbfgs_is_that_of_scikit_learn(kind, rng):
    X, y = data(kind, rng)
    options = {"activation": "tanh", "solver": "lbfgs", "alpha": 1.0, "warm_start": True}
    model = network(kind, max_iter=1, activation="tanh").fit(X, y)
    model.set_params(**options)
    twin = scikit_twin(model, kind, X, y)
    weights = rng.integers(1, 3, len(y)).astype(float)
    for estimator in (model, twin):
        estimator.set_params(max_iter=5000, tol=1e-9).fit(X, y, weights)
    expected = outputs(twin, X)
    np.testing.assert_allclose(outputs(model, X), expected, atol=1e-5)
    assert model.history_["loss"][-1] < model.history_["loss"][0]
