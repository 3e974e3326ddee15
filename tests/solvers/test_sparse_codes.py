"""Codes by a trained sparse autoencoder, and back."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import units_kept

from sparselearn._parallel import stream
from sparselearn._solvers._batches import Rows
from sparselearn._solvers._sparse_codes import CHUNK, SparseModel, decode, encode

N, P, M = CHUNK + 45, 17, 30


def make(rng, selection):
    encoder, decoder = rng.standard_normal((2, M, P))
    bias, output_bias = rng.standard_normal(M) - 3.0, rng.standard_normal(P)
    model = SparseModel(encoder, decoder, bias, output_bias)
    if selection == "topk":
        return model._replace(n_nonzero=4)
    return model._replace(thresholds=rng.uniform(0.0, 10.0, M))


every_selection = pytest.mark.parametrize("selection", ["topk", "thresholds"])


@every_selection
def test_codes_are_those_that_are_kept(selection, rng):
    model, X = make(rng, selection), rng.standard_normal((N, P))
    X[7] = 0.0
    p = X @ model.encoder.T + model.bias
    mask = units_kept(p, selection, model.n_nonzero, model.thresholds)
    assert (mask.sum(axis=1) < 4).any()
    codes = encode(model, Rows(X), map)
    assert codes.has_canonical_format
    np.testing.assert_allclose(codes.toarray(), np.where(mask, p, 0.0), atol=1e-12)
    rebuilt = decode(model, codes, map)
    wanted = codes.toarray() @ model.decoder + model.output_bias
    np.testing.assert_allclose(rebuilt, wanted, atol=1e-12)


@pytest.mark.parametrize("n_units", [M, 1000])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_is_encoded_alone(dtype, n_units, rng):
    """To the bit, wherever it stands, in any number of threads, dense or sparse."""
    X = (rng.standard_normal((N, 100)) * (rng.random((N, 100)) < 0.5)).astype(dtype)
    encoder = rng.standard_normal((n_units, 100)).astype(dtype)
    bias = rng.standard_normal(n_units).astype(dtype)
    model = SparseModel(encoder, encoder, bias, np.zeros(100, dtype), n_nonzero=7)
    shift = rng.standard_normal(100)
    codes = encode(model, Rows(X, shift=shift, scale=0.3), map)
    assert codes.dtype == dtype
    for i in [0, 1, 77, CHUNK - 1, CHUNK, N - 1]:
        alone = encode(model, Rows(X[i : i + 1], shift=shift, scale=0.3), map)
        np.testing.assert_array_equal(alone.toarray(), codes[[i]].toarray())
    with stream(2) as run:
        for other in (X, sp.csr_array(X)):
            again = encode(model, Rows(other, shift=shift, scale=0.3), run)
            np.testing.assert_array_equal(again.data, codes.data)
            np.testing.assert_array_equal(again.indices, codes.indices)
        np.testing.assert_array_equal(
            decode(model, codes, run), decode(model, codes, map)
        )


@every_selection
@pytest.mark.parametrize("shift", [True, False])
def test_scaling_folds_into_the_weights(shift, selection, rng):
    """Codes stay, and what is rebuilt is in the units of X, thresholds and all."""
    model, X = make(rng, selection), 5.0 + 3.0 * rng.standard_normal((N, P))
    shift = rng.uniform(3.0, 7.0, P) if shift else None
    rows = Rows(X, shift=shift, scale=0.25)
    codes = encode(model, rows, map)
    assert codes.nnz
    folded = model.folded(shift, 0.25)
    again = encode(folded, Rows(X), map)
    np.testing.assert_allclose(again.toarray(), codes.toarray(), atol=1e-10)
    rebuilt = decode(model, codes, map) / 0.25 + (0.0 if shift is None else shift)
    np.testing.assert_allclose(decode(folded, codes, map), rebuilt, atol=1e-10)
    # Logits are of targets that were not scaled.
    logits = decode(model.folded(shift, 0.25, outputs=False), codes, map)
    np.testing.assert_allclose(logits, decode(model, codes, map), atol=1e-10)


def test_no_rows_and_no_codes(rng):
    model = make(rng, "thresholds")
    model = model._replace(thresholds=np.full(M, 1e9))
    for n in (0, 3):
        codes = encode(model, Rows(rng.standard_normal((n, P))), map)
        assert codes.shape == (n, M)
        assert codes.nnz == 0
        np.testing.assert_array_equal(
            decode(model, codes, map), np.tile(model.output_bias, (n, 1))
        )
