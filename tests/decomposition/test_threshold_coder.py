"""Codes by thresholds, against their definition."""

import numpy as np
import pytest

from sparselearn._solvers._coding import Atoms
from sparselearn._solvers._threshold_coder import ThresholdCoder


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("n_nonzero", [None, 3])
def test_by_definition(rng, hard, positive, n_nonzero):
    D, X = rng.standard_normal((9, 5)), rng.standard_normal((40, 5))
    alpha = 0.4
    codes = ThresholdCoder(
        alpha, hard=hard, positive=positive, n_nonzero=n_nonzero
    ).encode(X, Atoms(D))
    row = 0
    start = 0
    for x, length in zip(X, codes.lengths):
        c = D @ x / np.sum(D**2, axis=1)
        size = c if positive else np.abs(c)
        z = np.where(size > alpha, c if hard else c - np.sign(c) * alpha, 0.0)
        if n_nonzero is not None:
            z[np.argsort(-np.abs(z))[n_nonzero:]] = 0.0
        found = np.zeros(9)
        stop = start + length
        found[codes.indices[start:stop]] = codes.data[start:stop]
        np.testing.assert_allclose(found, z, atol=1e-12)
        np.testing.assert_allclose(codes.errors[row], np.sum((x - z @ D) ** 2))
        start, row = stop, row + 1
