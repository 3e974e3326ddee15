"""The greedy methods of SparseCoder: what each parameter asks of the coder."""

import numpy as np
import pytest

from sparselearn._solvers._iht_coder import IHTCoder
from sparselearn._solvers._pursuit_coder import PursuitCoder
from sparselearn.decomposition import SparseCoder
from sparselearn.decomposition._methods import make_coder


def test_pursuit_is_the_default():
    assert SparseCoder().method == "omp"


@pytest.mark.parametrize(("method", "optimised"), [("omp", False), ("ormp", True)])
@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, {"n_nonzero": 10}),
        ({"n_nonzero_coefs": 3}, {"n_nonzero": 3}),
        ({"tol": 0.2}, {"tol": 0.2}),
        ({"alpha": 0.2}, {"alpha": 0.2}),
        (
            {"alpha": 0.2, "alpha_mode": "relative"},
            {"alpha": 0.2, "relative": True},
        ),
        (
            {"n_nonzero_coefs": 3, "tol": 0.1, "positive": True},
            {"n_nonzero": 3, "tol": 0.1, "positive": True},
        ),
    ],
    ids=str,
)
def test_pursuits(method, optimised, parameters, expected):
    coder = make_coder(SparseCoder(method=method, **parameters))
    assert coder == PursuitCoder(**expected, optimised=optimised)


def test_hard_thresholding():
    assert make_coder(SparseCoder(method="iht")) == IHTCoder(10)
    given = SparseCoder(method="iht", n_nonzero_coefs=2, positive=True, max_iter=7)
    assert make_coder(given) == IHTCoder(2, positive=True, max_iter=7)


@pytest.mark.parametrize("method", ["omp", "ormp", "iht"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_threads_change_no_bit(rng, method, dtype):
    """More rows than a chunk, the last of which is short."""
    X = rng.standard_normal((1500, 6)).astype(dtype)
    D = rng.standard_normal((9, 6))
    one, two = (
        SparseCoder(D, method=method, n_nonzero_coefs=3, n_jobs=n).fit_transform(X)
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one.toarray(), two.toarray())
    assert one.dtype == dtype
