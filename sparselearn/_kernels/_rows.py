"""Rows of a matrix: sums of them, blocks that are transposed, and fetching ahead.

Sums stay in registers, vector by vector, until all rows are in them, and blocks are
transposed by whole vectors, for which numba has no word. Each function is plain Python
too, which runs where numba is switched off.
"""

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from sparselearn._kernels._jit import inlined
from sparselearn._kernels._vectors import PANEL, VECTOR, Vectors, combine

__all__ = ["combine_rows", "fetch", "transpose_rows"]


@inlined
def combine_rows(index, value, n, matrix, width, is_first, out, at):
    """Add ``sum_k value[k] * (row index[k] of matrix)``, over k < n, to `out`.

    As :func:`sparselearn._kernels._vectors.combine`, for rows `width` long, however
    long: to `out` from `at` on.
    """
    panel, least = PANEL // out.itemsize, VECTOR // out.itemsize
    f = 0
    while f + least <= width:
        some = min(panel, width - f)
        combine(index, value, 0, n, matrix, f, width, out, at + f, some, is_first)
        f += some
    if f == width:
        return
    if is_first:
        for g in range(f, width):
            out[at + g] = out.dtype.type(0)
    for k in range(n):
        start = index[k] * width
        for g in range(f, width):
            out[at + g] += value[k] * matrix[start + g]


def _transpose(matrix, first, stride, out, at, out_stride):
    """Transpose a square of as many rows as a vector has numbers.

    It begins at `first` and `at` of the arrays, which are one-dimensional, and its rows
    lie `stride` and `out_stride` from one another.
    """
    steps = np.arange(VECTOR // out.itemsize)
    square = matrix[first + stride * steps[:, None] + steps]
    out[at + out_stride * steps[:, None] + steps] = square.T


@inlined
def transpose_rows(matrix, stride, first, n_rows, left, right, out, out_stride):
    """Write columns `left` to `right` - 1 of some rows as rows of `out`.

    Parameters
    ----------
    matrix, out : ndarray, one-dimensional
    stride, out_stride : int
        Numbers from one row to the next.
    first, n_rows : int
        The rows of `matrix`, columns of `out`.
    """
    size = VECTOR // out.itemsize
    for i in range(0, n_rows, size):
        start = (first + i) * stride
        for j in range(left, right, size):
            at = (j - left) * out_stride + i
            if i + size <= n_rows and j + size <= right:
                _transpose(matrix, start + j, stride, out, at, out_stride)
            else:
                for g in range(min(size, right - j)):
                    for h in range(min(size, n_rows - i)):
                        out[at + g * out_stride + h] = matrix[
                            start + h * stride + j + g
                        ]


def _fetch_vector(row, place):
    """Let the cache have the line in which ``row[place]`` is."""


@inlined
def fetch(matrix, row):
    """Let the cache have a row of a matrix, if there is one, by the time it is read."""
    if row < matrix.shape[0]:
        entries = matrix[row]
        for f in range(0, entries.size, VECTOR // matrix.itemsize):
            _fetch_vector(entries, f)


@intrinsic
def _transpose_vectors(context, matrix, first, stride, out, at, out_stride):
    def generate(context, builder, signature, args):
        v = Vectors(context, builder, signature.args[0].dtype)
        matrix, out = v.data(signature, args, 0, 3)
        _, first, stride, _, at, out_stride = args
        steps = [v.size(i) for i in range(v.lanes)]
        rows = [
            v.load(matrix, builder.add(first, builder.mul(stride, step)))
            for step in steps
        ]
        for step, row in zip(steps, v.transpose(rows)):
            v.store(row, out, builder.add(at, builder.mul(out_stride, step)))
        return context.get_dummy_value()

    size = types.intp
    return types.void(matrix, size, size, out, size, size), generate


@intrinsic
def _prefetch(context, row, place):
    def generate(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        where = builder.bitcast(builder.gep(data, [args[1]]), pointer)
        kind = ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        name = "llvm.prefetch.p0i8"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        # To be read, into the second cache and on, as data.
        builder.call(function, [where, word(0), word(2), word(1)])
        return context.get_dummy_value()

    return types.void(row, types.intp), generate


# Inlined: with as many arguments, to call them would take as long as what they do.
@overload(_transpose, inline="always")
def _compiled_transpose(matrix, first, stride, out, at, out_stride):
    def call(matrix, first, stride, out, at, out_stride):
        _transpose_vectors(matrix, first, stride, out, at, out_stride)

    return call


@overload(_fetch_vector, inline="always")
def _compiled_fetch_vector(row, place):
    def call(row, place):
        _prefetch(row, place)

    return call
