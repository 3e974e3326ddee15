"""Codes against those of SPAMS, where it is installed (spams-bin)."""

import numpy as np
import pytest

from sparselearn.decomposition import SparseCoder

spams = pytest.importorskip("spams")

N_SAMPLES, N_FEATURES, N_COMPONENTS = 150, 16, 40


@pytest.fixture
def problem(rng):
    """Atoms of length 1, and samples."""
    D = rng.standard_normal((N_COMPONENTS, N_FEATURES))
    D /= np.linalg.norm(D, axis=1, keepdims=True)
    return D, rng.standard_normal((N_SAMPLES, N_FEATURES))


def columns(array):
    return np.asfortranarray(array.T)


def codes_of(D, X, **options):
    return SparseCoder(D, **options).fit_transform(X).toarray()


def squared_errors(D, X, codes):
    return np.sum((X - codes @ D) ** 2, axis=1)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"n_nonzero_coefs": 5}, {"L": 5}),
        ({"alpha": 0.3}, {"lambda1": 0.3}),
    ],
)
def test_optimised_pursuit(problem, ours, theirs):
    D, X = problem
    theirs = spams.omp(columns(X), D=columns(D), **theirs).T.toarray()
    np.testing.assert_allclose(codes_of(D, X, method="ormp", **ours), theirs, atol=1e-8)


def test_optimised_pursuit_to_an_error(problem):
    D, X = problem
    X /= np.linalg.norm(X, axis=1, keepdims=True)  # absolute is relative then
    theirs = spams.omp(columns(X), D=columns(D), eps=0.1).T.toarray()
    ours = codes_of(D, X, method="ormp", tol=0.1)
    np.testing.assert_allclose(ours, theirs, atol=1e-8)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("ridge", [0.0, 0.2])
def test_lasso(problem, positive, ridge):
    D, X = problem
    alpha = 0.5
    theirs = spams.lasso(
        columns(X), D=columns(D), lambda1=alpha, lambda2=ridge, mode=2, pos=positive
    ).T.toarray()
    options = {"alpha": alpha + ridge, "l1_ratio": alpha / (alpha + ridge)}
    ours = codes_of(D, X, method="lasso", positive=positive, tol=1e-12, **options)

    def objectives(codes):
        penalties = alpha * np.abs(codes) + 0.5 * ridge * codes**2
        return 0.5 * squared_errors(D, X, codes) + penalties.sum(axis=1)

    ours, theirs = objectives(ours), objectives(theirs)
    assert np.all(ours <= theirs * (1.0 + 1e-10))
    # With a ridge its path now and then ends before it is there.
    same = np.isclose(ours, theirs, rtol=1e-8, atol=0.0)
    assert same.all() if ridge == 0.0 else same.mean() > 0.8
