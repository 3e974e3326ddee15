"""The problems: generated at fixed seeds, bundled, or read from SPARSELEARN_DATA."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.signal import lfilter
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

__all__ = ["PROBLEMS", "PathProblem", "dense", "load", "names", "text"]


@dataclass(frozen=True)
class PathProblem:
    """A Lasso path: X (Fortran-ordered float64, or CSC), y, and decreasing alphas.

    The objective is ||y - b - X w||^2 / 2n + alpha ||w||_1, b only if
    `fit_intercept`. With a `group_size` neighbouring columns are groups of so many, and
    in place of ||w||_1 stands sqrt(group_size) sum_g ||w_g||_2. `real`: measured data,
    not generated.
    """

    X: object
    y: np.ndarray
    alphas: np.ndarray
    fit_intercept: bool = False
    real: bool = False
    group_size: int = 1

    def arrays(self):
        """What the workers read, by name; a sparse X is in parts."""
        if sp.issparse(self.X):
            parts = ("data", "indices", "indptr", "shape")
            return {"y": self.y} | {part: getattr(self.X, part) for part in parts}
        return {"X": np.asfortranarray(self.X), "y": self.y}

    def settings(self):
        """What the workers are told besides."""
        return {
            "alphas": self.alphas.tolist(),
            "fit_intercept": self.fit_intercept,
            "group_size": self.group_size,
        }


def _toeplitz(rng, n, p, rho):
    """Rows of p variables, neighbours correlated rho^|i - j|."""
    noise = rng.standard_normal((n, p))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return np.asfortranarray(lfilter([1.0], [1.0, -rho], noise, axis=1))


def _respond(rng, X, n_active, signal_to_noise):
    coef = np.zeros(X.shape[1])
    active = rng.choice(X.shape[1], n_active, replace=False)
    coef[active] = rng.choice([-1.0, 1.0], n_active)
    signal = X @ coef
    noise = rng.standard_normal(X.shape[0])
    return signal + noise * np.std(signal) / signal_to_noise


def _path(X, y, *, fit_intercept=False, n_alphas=100, eps=1e-2, real=False):
    residual = y - y.mean() if fit_intercept else y
    largest = np.max(np.abs(X.T @ residual)) / y.size
    alphas = np.geomspace(largest, largest * eps, n_alphas)
    return PathProblem(X, y, alphas, fit_intercept, real)


def dense(n, p, rho, n_active, *, signal_to_noise=3.0, **options):
    """A normal X with neighbours correlated rho; `options` are those of the path."""
    rng = np.random.default_rng(0)
    X = _toeplitz(rng, n, p, rho)
    return _path(X, _respond(rng, X, n_active, signal_to_noise), **options)


def grouped(n, p, size, n_active, *, rho=0.5, n_alphas=50, eps=0.05):
    """A normal X in groups of `size` columns, of which `n_active` matter."""
    rng = np.random.default_rng(0)
    X = _toeplitz(rng, n, p, rho)
    coef = np.zeros((p // size, size))
    active = rng.choice(p // size, n_active, replace=False)
    coef[active] = rng.standard_normal((n_active, size))
    signal = X @ coef.ravel()
    y = signal + rng.standard_normal(n) * np.std(signal) / 3.0
    pulls = np.linalg.norm((X.T @ y / n).reshape(-1, size), axis=1)
    alphas = np.max(pulls) / np.sqrt(size) * np.geomspace(1.0, eps, n_alphas)
    return PathProblem(X, y, alphas, group_size=size)


def text(n, p, density, *, signal_to_noise=3.0, **options):
    """A uniform sparse X, 100 features active."""
    rng = np.random.default_rng(0)
    X = sp.random(n, p, density=density, format="csc", random_state=rng)
    return _path(X, _respond(rng, X, 100, signal_to_noise), **options)


def _diabetes():
    X, y = load_diabetes(return_X_y=True)
    return _path(np.asfortranarray(X), y, fit_intercept=True, real=True)


def _read(file):
    """X and y of a file of SPARSELEARN_DATA; None where the folder is not given."""
    folder = os.environ.get("SPARSELEARN_DATA")
    if not folder:
        return None
    z = np.load(Path(folder) / file)
    y = z["y"].astype(float)
    if "indptr" not in z:
        return z["X"].astype(float), y
    parts = z["data"].astype(float), z["indices"].astype("i4"), z["indptr"]
    return sp.csr_matrix(parts, shape=tuple(z["shape"])).tocsc(), y


def _real(file, *, interactions=False):
    """Dense data without their constant columns and standardised; text as it is."""
    found = _read(file)
    if found is None:
        return None
    X, y = found
    if not sp.issparse(X):
        if interactions:
            pairs = PolynomialFeatures(2, interaction_only=True, include_bias=False)
            X = pairs.fit_transform(X)
        X = X[:, np.ptp(X, axis=0) > 0]
        X = np.asfortranarray((X - X.mean(axis=0)) / X.std(axis=0))
    return _path(X, y, fit_intercept=True, real=True)


def _classes(problem, *, fit_intercept=None):
    """The same X with classes: whether y is above its mean."""
    if problem is None:
        return None
    if fit_intercept is None:
        fit_intercept = problem.fit_intercept
    y = (problem.y > problem.y.mean()).astype(float)
    residual = y - (y.mean() if fit_intercept else 0.5)
    largest = np.max(np.abs(problem.X.T @ residual)) / y.size
    alphas = np.geomspace(largest, largest * 1e-2, 50)
    return replace(problem, y=y, alphas=alphas, fit_intercept=fit_intercept)


# The groups of problems; the small ones let a table be made while one waits.
SMALL = {
    "diabetes": _diabetes,
    "small-wide": lambda: dense(300, 3000, 0.5, 30),
    "small-tall": lambda: dense(20000, 100, 0.5, 20),
    "small-text": lambda: text(4000, 20000, 1e-3),
    "small-text-intercept": lambda: text(4000, 4000, 1.5e-3, fit_intercept=True),
}
MADE = {
    "wide": lambda: dense(1000, 10000, 0.5, 100),
    "correlated": lambda: dense(500, 5000, 0.95, 50),
    "tall": lambda: dense(100000, 300, 0.5, 50),
    "square": lambda: dense(3000, 3000, 0.7, 50),
    # The noise decides how many are active at the path's end: 1200, and 11400.
    "text": lambda: text(20000, 100000, 1e-3, signal_to_noise=10.0),
    "text-noisy": lambda: text(20000, 100000, 1e-3),
    "text-intercept": lambda: text(20000, 4000, 1.5e-3, fit_intercept=True),
}
REAL = {
    "leukemia": lambda: _real("leukemia_golub.npz"),
    "riboflavin": lambda: _real("riboflavin.npz"),
    "arcene": lambda: _real("arcene.npz"),
    "prostate": lambda: _real("prostate_singh6033.npz"),
    "communities": lambda: _real("communities_crime.npz", interactions=True),
    "sms-spam": lambda: _real("text_sms_spam_csr.npz"),
    "basehock": lambda: _real("text_basehock_csr.npz"),
}
# For penalties that do not shrink.
NONCONVEX = {
    "mcp-wide": lambda: dense(1000, 5000, 0.5, 50),
    "mcp-correlated": lambda: dense(500, 5000, 0.9, 30),
}
# Their alphas serve only as a start: cross-validation makes its own.
CROSS_VALIDATED = {
    "cv-small-wide": lambda: dense(300, 1500, 0.5, 30, fit_intercept=True),
    "cv-small-tall": lambda: dense(5000, 100, 0.5, 20, fit_intercept=True),
    "cv-wide": lambda: dense(1000, 5000, 0.5, 50, fit_intercept=True),
    "cv-tall": lambda: dense(100000, 300, 0.5, 50, fit_intercept=True),
}
# Of logistic regression: y is 0 or 1, and alphas are 50, to a hundredth.
LOGISTIC = {
    "logistic-small": lambda: _classes(dense(300, 1000, 0.5, 20)),
    "logistic-wide": lambda: _classes(dense(1000, 5000, 0.5, 50)),
    "logistic-tall": lambda: _classes(dense(100000, 50, 0.5, 20), fit_intercept=True),
    "logistic-leukemia": lambda: _classes(_real("leukemia_golub.npz")),
    "logistic-sms-spam": lambda: _classes(_real("text_sms_spam_csr.npz")),
    "logistic-basehock": lambda: _classes(_real("text_basehock_csr.npz")),
}
# Paths of the group Lasso.
GROUPED = {
    "groups-small": lambda: grouped(300, 2000, 5, 10),
    "groups-of-5": lambda: grouped(1000, 10000, 5, 50),
    "groups-of-50": lambda: grouped(1000, 10000, 50, 10),
    "groups-tall": lambda: grouped(50000, 500, 5, 20),
}
GROUPS = {
    "small": SMALL,
    "made": MADE,
    "real": REAL,
    "logistic": LOGISTIC,
    "grouped": GROUPED,
}
PROBLEMS = SMALL | MADE | REAL | NONCONVEX | CROSS_VALIDATED | LOGISTIC | GROUPED
# Of the argument that takes them.
HELP = f"a name, or that of a group: {', '.join(GROUPS)}; all: {', '.join(PROBLEMS)}"


def add_to(parser, usual):
    """The argument that takes names of problems; `usual` is its default."""
    parser.add_argument(
        "problems", nargs="*", default=[usual], metavar="PROBLEM", help=HELP
    )


def names(given):
    """The names of problems, those of a group in place of the group's name."""
    found = [name for word in given for name in GROUPS.get(word, [word])]
    for name in found:
        if name not in PROBLEMS:
            raise SystemExit(f"no problem {name!r}; {HELP}")
    return found


def load(name):
    """The problem called `name`, or None where its data are not at hand."""
    return PROBLEMS[name]()
