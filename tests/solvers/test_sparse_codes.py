"""Codes by a trained sparse autoencoder, and back."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import units_kept
from scipy.optimize import nnls

from sparselearn._parallel import stream
from sparselearn._solvers._batches import Rows
from sparselearn._solvers._sparse_codes import (
    CHUNK,
    SparseModel,
    decode,
    encode,
    refine,
)

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


@pytest.mark.parametrize("positive", [False, True])
def test_refined_values_are_of_least_squares(positive, rng):
    """On each row's support alone, and so the same bits whatever rows are beside it."""
    model = make(rng, "thresholds")
    model.decoder[5] = -2.0 * model.decoder[4]  # a row that has both keeps one
    X = rng.standard_normal((N, P)) + model.output_bias
    X[3] = model.output_bias
    seen = rng.standard_normal((N, P))
    seen[4] = 0.0
    codes = encode(model, Rows(seen), map)
    lengths = np.diff(codes.indptr)
    assert lengths.min() == 0
    assert lengths.max() > 3
    together = codes[:, [4, 5]].toarray().all(axis=1)
    assert together.any()
    rows = Rows(X)
    refined = refine(model, codes, rows, map, positive=positive)
    dense = refined.toarray()
    for i in range(N):
        support = codes[[i]].indices
        atoms, x = model.decoder[support], X[i] - model.output_bias
        if not support.size:
            wanted = np.zeros(0)
        elif positive:
            wanted = nnls(atoms.T, x)[0]
        else:
            wanted = np.linalg.lstsq(atoms.T, x)[0]
        np.testing.assert_allclose(
            dense[i] @ model.decoder, wanted @ atoms, atol=1e-9, err_msg=str(i)
        )
        if not together[i]:
            np.testing.assert_allclose(dense[i, support], wanted, atol=1e-9)
    outside = codes.toarray() == 0.0
    assert not dense[outside].any()
    assert (refined.data != 0.0).all()
    assert (refined.data > 0.0).all() == positive
    with stream(2) as run:
        again = refine(model, codes, rows, run, positive=positive)
    np.testing.assert_array_equal(again.toarray(), dense)
    single = refine(model, codes[[8]], Rows(X[[8]]), map, positive=positive)
    np.testing.assert_array_equal(single.toarray()[0], dense[8])
    # What the encoder made is still what it made.
    np.testing.assert_array_equal(np.diff(codes.indptr), lengths)
