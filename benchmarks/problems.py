"""The problems: generated at fixed seeds, bundled, or read from SPARSELEARN_DATA."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.signal import lfilter
from sklearn.datasets import load_diabetes

__all__ = ["PROBLEMS", "PathProblem", "load"]


@dataclass(frozen=True)
class PathProblem:
    """A Lasso path: X (Fortran-ordered float64, or CSC), y, and decreasing alphas.

    The objective is ||y - b - X w||^2 / 2n + alpha ||w||_1, b only if
    `fit_intercept`.
    """

    name: str
    X: object
    y: np.ndarray
    alphas: np.ndarray
    fit_intercept: bool = False


def _toeplitz(rng, n, p, rho):
    """Rows of p variables, neighbours correlated rho^|i - j|."""
    noise = rng.standard_normal((n, p))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return np.asfortranarray(lfilter([1.0], [1.0, -rho], noise, axis=1))


def _respond(rng, X, n_active, signal_to_noise=3.0):
    coef = np.zeros(X.shape[1])
    active = rng.choice(X.shape[1], n_active, replace=False)
    coef[active] = rng.choice([-1.0, 1.0], n_active)
    signal = X @ coef
    noise = rng.standard_normal(X.shape[0])
    return signal + noise * np.std(signal) / signal_to_noise


def _path(name, X, y, *, fit_intercept=False, n_alphas=100, eps=1e-2):
    residual = y - y.mean() if fit_intercept else y
    largest = np.max(np.abs(X.T @ residual)) / y.size
    alphas = np.geomspace(largest, largest * eps, n_alphas)
    return PathProblem(name, X, y, alphas, fit_intercept)


def _dense(name, n, p, rho, n_active):
    def make():
        rng = np.random.default_rng(0)
        X = _toeplitz(rng, n, p, rho)
        return _path(name, X, _respond(rng, X, n_active))

    return make


def _text(name, n, p, density, *, fit_intercept=False):
    def make():
        rng = np.random.default_rng(0)
        X = sp.random(n, p, density=density, format="csc", random_state=rng)
        return _path(name, X, _respond(rng, X, 100), fit_intercept=fit_intercept)

    return make


def _diabetes():
    X, y = load_diabetes(return_X_y=True)
    return _path("diabetes", np.asfortranarray(X), y, fit_intercept=True)


def _real(file):
    def make():
        folder = os.environ.get("SPARSELEARN_DATA")
        if not folder:
            return None
        z = np.load(Path(folder) / file)
        if "indptr" in z:
            parts = z["data"].astype(float), z["indices"].astype("i4"), z["indptr"]
            X = sp.csr_matrix(parts, shape=tuple(z["shape"])).tocsc()
        else:
            X = z["X"].astype(float)
            X = np.asfortranarray((X - X.mean(0)) / np.maximum(X.std(0), 1e-12))
        y = z["y"].astype(float)
        return _path(Path(file).stem, X, y, fit_intercept=True)

    return make


# Sizes of the "small" ones let a table be made while one waits.
PROBLEMS = {
    "diabetes": _diabetes,
    "small-wide": _dense("small-wide", 300, 3000, 0.5, 30),
    "small-tall": _dense("small-tall", 20000, 100, 0.5, 20),
    "small-text": _text("small-text", 4000, 20000, 1e-3),
    "small-text-intercept": _text(
        "small-text-intercept", 4000, 4000, 1.5e-3, fit_intercept=True
    ),
    "wide": _dense("wide", 1000, 10000, 0.5, 100),
    "correlated": _dense("correlated", 500, 5000, 0.95, 50),
    "tall": _dense("tall", 100000, 300, 0.5, 50),
    "square": _dense("square", 3000, 3000, 0.7, 100),
    "text": _text("text", 20000, 100000, 1e-3),
    "text-intercept": _text("text-intercept", 20000, 4000, 1.5e-3, fit_intercept=True),
    "leukemia": _real("leukemia_golub.npz"),
    "riboflavin": _real("riboflavin.npz"),
    "arcene": _real("arcene.npz"),
    "prostate": _real("prostate_singh6033.npz"),
    "sms-spam": _real("text_sms_spam_csr.npz"),
    "basehock": _real("text_basehock_csr.npz"),
}


def load(name):
    """The problem called `name`, or None where its data are not at hand."""
    return PROBLEMS[name]()
