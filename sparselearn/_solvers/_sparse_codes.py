r"""Codes by a trained sparse autoencoder, and rows rebuilt from codes.

Of rows x, shifted and scaled as those it was trained on (`Rows`), the model makes

.. math:: p = x W_e^T + b_e, \quad z = \mathrm{select}(p), \quad \hat x = z W_d + b_d.

Rows are encoded in chunks of one size, the last one filled up with zeros: a matrix
product may round otherwise for another number of rows, and a row's code must not depend
on the rows that come with it.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._kernels._refine import refine_rows
from sparselearn._kernels._topk import reconstruct
from sparselearn._solvers._coding import stack_rows
from sparselearn._solvers._selections import Kept, keep_above, keep_top

__all__ = [
    "CHUNK",
    "SparseModel",
    "decode",
    "encode",
    "join",
    "multiply",
    "parts_of",
    "refine",
]

# Rows that are encoded together.
CHUNK = 128
# Units whose products with rows are formed together: never fewer, since they are read
# from memory for any number of rows, and no more than this number of parts.
UNITS = 512
PARTS = 8


class SparseModel(NamedTuple):
    """What encodes and decodes.

    Attributes
    ----------
    encoder, decoder : ndarray (n_components, n_features), C-ordered
        The same array where weights are tied.
    bias : ndarray (n_components,)
    output_bias : ndarray (n_features,)
    n_nonzero : int or None
        How many of the largest p are kept, as far as they are positive;
    thresholds : ndarray (n_components,) or None
        or what p must exceed.
    """

    encoder: np.ndarray
    decoder: np.ndarray
    bias: np.ndarray
    output_bias: np.ndarray
    n_nonzero: int | None = None
    thresholds: np.ndarray | None = None

    def folded(self, shift, scale, *, outputs=True):
        """The model that makes of x the codes that this one makes of scaled rows.

        They are ``(x - shift) * scale``; what it rebuilds is x, unless `outputs` is
        false, as where the targets were not scaled. Codes, and so thresholds, stay.

        Parameters
        ----------
        shift : ndarray (n_features,) or None
        scale : float
        outputs : bool

        Returns
        -------
        SparseModel
        """
        dtype = self.encoder.dtype
        # In float64: a large mean cancels in the bias.
        encoder = self.encoder.astype(np.float64) * scale
        decoder, bias = self.decoder.astype(np.float64), self.bias.astype(np.float64)
        output_bias = self.output_bias.astype(np.float64)
        if shift is not None:
            bias = bias - encoder @ np.asarray(shift, dtype=np.float64)
        if outputs:
            decoder, output_bias = decoder / scale, output_bias / scale
            if shift is not None:
                output_bias = output_bias + shift
        return self._replace(
            encoder=encoder.astype(dtype),
            decoder=decoder.astype(dtype),
            bias=bias.astype(dtype),
            output_bias=output_bias.astype(dtype),
        )


def parts_of(n, size):
    """Slices of `size` that cover ``range(n)``, the last one shorter."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def multiply(rows, encoder, out, run):
    """Write ``rows @ encoder.T`` to `out`, by parts of the units."""
    n_units = encoder.shape[0]
    size = max(UNITS, -(-n_units // PARTS))

    def part(units):
        np.matmul(rows, encoder[units].T, out=out[:, units])

    list(run(part, parts_of(n_units, size)))


def join(found):
    """`Kept` of all rows of a list of them, one after another."""
    return Kept(*map(np.concatenate, zip(*found)))


def encode(model, rows, run):
    """The codes of `rows`, the same bits whatever rows are beside one.

    Parameters
    ----------
    model : SparseModel
    rows : Rows
        Of the model's dtype.
    run : callable
        As in `Learner.step`.

    Returns
    -------
    codes : csr_array (n_rows, n_components)
    """
    n_units, n_features = model.encoder.shape
    dtype = model.encoder.dtype

    def chunk(part):
        n_rows = part.stop - part.start
        seen = np.zeros((CHUNK, n_features), dtype=dtype)
        rows.gather(np.arange(part.start, part.stop), seen[:n_rows])
        products = np.empty((CHUNK, n_units), dtype=dtype)
        multiply(seen, model.encoder, products, map)
        if model.n_nonzero is not None:
            return keep_top(products[:n_rows], model.bias, model.n_nonzero)
        return keep_above(products[:n_rows], model.bias, model.thresholds)

    parts = parts_of(len(rows), CHUNK) or [slice(0, 0)]
    found = list(run(chunk, parts))
    return stack_rows(*join(found), n_units)


def refine(model, codes, rows, run, *, positive=False):
    """Codes of least squares on the support of `codes`: these shrink what they code.

    They minimise ``||x - b_d - z W_d||`` over z with no other non-zeros.

    Parameters
    ----------
    model : SparseModel
    codes : csr_array (n_rows, n_components)
    rows : Rows
        What the codes are to rebuild.
    run : callable
    positive : bool
        Whether codes are to be non-negative; those that would not be are left out.

    Returns
    -------
    codes : csr_array (n_rows, n_components)
        Of the same dtype. Where atoms of a row depend on one another some are left out.
    """
    lengths = np.diff(codes.indptr).astype(np.int64)
    data, starts = np.empty_like(codes.data), codes.indptr
    bias = model.output_bias.astype(np.float64)

    def chunk(part):
        found = np.empty((part.stop - part.start, bias.size), dtype=rows.dtype)
        rows.gather(np.arange(part.start, part.stop), found)
        pairs = slice(starts[part.start], starts[part.stop])
        refine_rows(
            found - bias,
            codes.indices[pairs].astype(np.int32, copy=False),
            lengths[part],
            model.decoder,
            positive,
            data[pairs],
        )

    list(run(chunk, parts_of(lengths.size, CHUNK)))
    refined = stack_rows(data, codes.indices.copy(), lengths, codes.shape[1])
    refined.eliminate_zeros()
    return refined


def decode(model, codes, run):
    """Rows rebuilt from `codes`: ``z W_d + b_d``, logits where the loss has these.

    Parameters
    ----------
    model : SparseModel
    codes : csr_array (n_rows, n_components)
        Of the model's dtype.
    run : callable

    Returns
    -------
    rows : ndarray (n_rows, n_features)
    """
    out = np.empty((codes.shape[0], model.decoder.shape[1]), dtype=model.decoder.dtype)
    starts = codes.indptr

    def chunk(part):
        pairs = slice(starts[part.start], starts[part.stop])
        reconstruct(
            codes.data[pairs],
            codes.indices[pairs].astype(np.int32, copy=False),
            np.diff(starts[part.start : part.stop + 1]).astype(np.int64),
            model.decoder,
            model.output_bias,
            out[part],
        )

    list(run(chunk, parts_of(codes.shape[0], CHUNK)))
    return out
