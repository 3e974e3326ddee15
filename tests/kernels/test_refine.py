"""Least squares on the support of codes, against those of numpy and scipy."""

import numpy as np
import pytest
from scipy.optimize import nnls

from sparselearn._kernels._refine import refine_rows

N, P, M = 60, 17, 30


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("positive", [False, True])
def test_values_are_of_least_squares(positive, dtype, rng):
    """On each row's support alone; an atom that depends on others may be left out."""
    decoder = rng.standard_normal((M, P)).astype(dtype)
    decoder[5] = -2.0 * decoder[4]
    X = rng.standard_normal((N, P))
    X[3] = 0.0
    mask = rng.random((N, M)) < 0.25
    mask[7] = False
    mask[8, 2:] = False
    mask[8, 0] = True
    mask[9, [4, 5]] = True
    assert mask.sum(axis=1).max() < P
    indices = np.nonzero(mask)[1].astype(np.int32)
    data = np.full(indices.size, np.nan, dtype=dtype)
    refine_rows(X, indices, mask.sum(axis=1), decoder, positive, data)
    codes = np.zeros((N, M), dtype=dtype)
    codes[mask] = data
    tol = 1e-4 if dtype == np.float32 else 1e-9
    for i in range(N):
        support = np.flatnonzero(mask[i])
        if not support.size:
            continue
        atoms = decoder[support].astype(np.float64)
        if positive:
            wanted = nnls(atoms.T, X[i])[0]
        else:
            wanted = np.linalg.lstsq(atoms.T, X[i])[0]
        np.testing.assert_allclose(
            codes[i] @ decoder, wanted @ atoms, atol=tol, err_msg=str(i)
        )
        if not mask[i, [4, 5]].all():
            np.testing.assert_allclose(codes[i, support], wanted, atol=tol)
    assert (codes >= 0.0).all() == positive
