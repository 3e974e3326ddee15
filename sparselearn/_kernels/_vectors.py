"""Sums of rows that stay in registers, and blocks of a matrix that are transposed.

A compiled loop that adds row after row to a sum loads and stores the sum with each of
them, for it can not know how many there will be. Here are the instructions that keep a
*strip* of the sum, four of the longest vectors, until all rows are in it, and those
that turn a block of numbers by whole vectors. On processors with shorter vectors the
compiler takes several for one. Each is a plain function too, which runs where numba is
switched off.
"""

import math

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic, overload

from sparselearn._kernels._jit import inlined

__all__ = [
    "LINE",
    "STRIP",
    "aligned",
    "combine_rows",
    "fetch",
    "sum_rows",
    "transpose_block",
    "transpose_rows",
]

# Bytes of the longest vector, which is also a line of the cache, and of a strip.
LINE = 64
STRIP = 4 * LINE


def aligned(shape, dtype, fill=None):
    """An array that begins where a line of the cache does, of `fill`, numbers or one.

    So do its rows, if they fill whole lines. No vector that is loaded from them then
    lies across two lines, which would take twice the time.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    room = np.empty(size + LINE, dtype=np.uint8)
    start = -room.ctypes.data % LINE
    found = room[start : start + size].view(dtype).reshape(shape)
    if fill is not None:
        found[...] = fill
    return found


def sum_rows(index, value, begin, end, matrix, offset, stride, fresh, out, at):
    """Write ``sum_k value[k] * (row index[k] of matrix)`` to a strip of `out`.

    Parameters
    ----------
    index : int32 ndarray
    value : ndarray
        Of the dtype of `matrix` and `out`.
    begin, end : int
        The sum is over k from `begin` to `end` - 1.
    matrix, out : ndarray, one-dimensional
    offset, stride : int
        Row i begins at ``offset + i * stride`` of `matrix`.
    fresh : bool
        Whether to overwrite what is in `out`; else the sum is added to it.
    at : int
        Where in `out` the strip begins.
    """
    _sum(index, value, begin, end, matrix, offset, stride, fresh, out, at, STRIP)


def _sum_line(index, value, begin, end, matrix, offset, stride, fresh, out, at):
    """`sum_rows`, the first line of a strip alone."""
    _sum(index, value, begin, end, matrix, offset, stride, fresh, out, at, LINE)


def _sum(index, value, begin, end, matrix, offset, stride, fresh, out, at, size):
    columns = np.arange(size // out.itemsize)
    first = offset + stride * index[begin:end].astype(np.intp)
    total = value[begin:end] @ matrix[first[:, None] + columns]
    out[at + columns] = total if fresh else out[at + columns] + total


def fetch_line(values, place):
    """Let the cache have the line in which ``values[place]`` is."""


def transpose_block(matrix, first, stride, out, at, out_stride):
    """Transpose a block that has as many rows as a line has numbers, and columns.

    Parameters
    ----------
    matrix, out : ndarray, one-dimensional
    first, at : int
        Where in these the block begins.
    stride, out_stride : int
        Numbers from one row of it to the next.
    """
    size = np.arange(LINE // out.itemsize)
    block = matrix[first + stride * size[:, None] + size]
    out[at + out_stride * size[:, None] + size] = block.T


class _Numbers:
    """Vectors of the numbers of an array, in the making of instructions."""

    word, size = ir.IntType(32), ir.IntType(64)

    def __init__(self, context, builder, kind):
        self.context, self.builder = context, builder
        self.bits = kind.dtype.bitwidth
        self.lanes = 8 * LINE // self.bits
        number = {32: ir.FloatType(), 64: ir.DoubleType()}[self.bits]
        self.vector = ir.VectorType(number, self.lanes)
        self.zeros = self.vector([0.0] * self.lanes)

    def data(self, kind, array):
        return self.context.make_array(kind)(self.context, self.builder, array).data

    def after(self, start, *steps):
        for step in steps:
            start = self.builder.gep(start, [step])
        return start

    def address(self, start, line):
        start = self.after(start, self.size(line * self.lanes))
        return self.builder.bitcast(start, self.vector.as_pointer())

    def load(self, start, line=0):
        return self.builder.load(self.address(start, line), align=self.bits // 8)

    def store(self, value, start, line=0):
        self.builder.store(value, self.address(start, line), align=self.bits // 8)

    def shuffle(self, left, right, places):
        mask = ir.VectorType(self.word, self.lanes)(places)
        return self.builder.shuffle_vector(left, right, mask)

    def spread(self, value):
        """A vector of the same numbers."""
        none = self.vector(ir.Undefined)
        one = self.builder.insert_element(none, value, self.word(0))
        return self.shuffle(one, none, [0] * self.lanes)

    def add_product(self, left, right, total):
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        name = f"llvm.fmuladd.v{self.lanes}f{self.bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [left, right, total])


def _generate_sum(n_lines):
    """What makes the instructions of `sum_rows`, for a strip of so many lines."""

    def generate(context, builder, signature, args):
        numbers = _Numbers(context, builder, signature.args[8])
        lines = range(n_lines)
        index, value, matrix, out = (
            numbers.data(signature.args[place], args[place]) for place in (0, 1, 4, 8)
        )
        _, _, begin, end, _, offset, stride, fresh, _, at = args
        matrix, out = numbers.after(matrix, offset), numbers.after(out, at)
        fresh = context.is_true(builder, numba.boolean, fresh)
        # What is stored in these the compiler keeps in registers.
        sums = [
            cgutils.alloca_once_value(
                builder, builder.select(fresh, numbers.zeros, numbers.load(out, line))
            )
            for line in lines
        ]
        with cgutils.for_range_slice(builder, begin, end, numbers.size(1)) as (k, _):
            place = builder.load(numbers.after(index, k))
            place = builder.mul(builder.sext(place, numbers.size), stride)
            factor = numbers.spread(builder.load(numbers.after(value, k)))
            row = numbers.after(matrix, place)
            for line, total in zip(lines, sums):
                entries = numbers.load(row, line)
                found = numbers.add_product(factor, entries, builder.load(total))
                builder.store(found, total)
        for line, total in zip(lines, sums):
            numbers.store(builder.load(total), out, line)
        return context.get_dummy_value()

    return generate


def _signature_of_sum(index, value, matrix, out):
    size, flag = numba.types.intp, numba.types.boolean
    return numba.void(index, value, size, size, matrix, size, size, flag, out, size)


@intrinsic
def _call_sum(
    context, index, value, begin, end, matrix, offset, stride, fresh, out, at
):
    return _signature_of_sum(index, value, matrix, out), _generate_sum(STRIP // LINE)


@intrinsic
def _call_sum_line(
    context, index, value, begin, end, matrix, offset, stride, fresh, out, at
):
    return _signature_of_sum(index, value, matrix, out), _generate_sum(1)


@overload(sum_rows, inline="always")
def _compiled_sum(index, value, begin, end, matrix, offset, stride, fresh, out, at):
    def call(index, value, begin, end, matrix, offset, stride, fresh, out, at):
        _call_sum(index, value, begin, end, matrix, offset, stride, fresh, out, at)

    return call


@overload(_sum_line, inline="always")
def _compiled_sum_line(
    index, value, begin, end, matrix, offset, stride, fresh, out, at
):
    def call(index, value, begin, end, matrix, offset, stride, fresh, out, at):
        _call_sum_line(index, value, begin, end, matrix, offset, stride, fresh, out, at)

    return call


@intrinsic
def _fetch_line(context, values, place):
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

    return numba.void(values, numba.types.intp), generate


@overload(fetch_line, inline="always")
def _compiled_fetch_line(values, place):
    def call(values, place):
        _fetch_line(values, place)

    return call


@intrinsic
def _transpose(context, matrix, first, stride, out, at, out_stride):
    size = numba.types.intp
    signature = numba.void(matrix, size, size, out, size, size)

    def generate(context, builder, signature, args):
        numbers = _Numbers(context, builder, signature.args[3])
        _, first, stride, _, at, out_stride = args
        start = numbers.after(numbers.data(signature.args[0], args[0]), first)
        to = numbers.after(numbers.data(signature.args[3], args[3]), at)
        n, half = numbers.lanes, numbers.lanes // 2
        rows = [
            numbers.load(numbers.after(start, builder.mul(stride, numbers.size(i))))
            for i in range(n)
        ]
        # The place of a number is a row and a column, digits in base 2. To interleave
        # the rows of the first half with those of the second moves all digits on by
        # one, round and round; after as many times as a row has, they have changed.
        low = [place for i in range(half) for place in (i, n + i)]
        high = [place + half for place in low]
        for _ in range(n.bit_length() - 1):
            rows = [
                numbers.shuffle(rows[i], rows[i + half], places)
                for i in range(half)
                for places in (low, high)
            ]
        for i, row in enumerate(rows):
            place = builder.mul(out_stride, numbers.size(i))
            numbers.store(row, numbers.after(to, place))
        return context.get_dummy_value()

    return signature, generate


@overload(transpose_block)
def _compiled_transpose_block(matrix, first, stride, out, at, out_stride):
    def transpose(matrix, first, stride, out, at, out_stride):
        _transpose(matrix, first, stride, out, at, out_stride)

    return transpose


@inlined
def combine_rows(index, value, n, matrix, width, fresh, out, at):
    """Write ``sum_k value[k] * (row index[k] of matrix)``, over k < n, to `out`.

    As :func:`sum_rows`; rows of `matrix` are `width` long.
    """
    line = LINE // out.itemsize
    strip = STRIP // out.itemsize
    f = 0
    while f + strip <= width:
        sum_rows(index, value, 0, n, matrix, f, width, fresh, out, at + f)
        f += strip
    while f + line <= width:
        _sum_line(index, value, 0, n, matrix, f, width, fresh, out, at + f)
        f += line
    if f == width:
        return
    if fresh:
        for g in range(f, width):
            out[at + g] = out.dtype.type(0)
    for k in range(n):
        start = index[k] * width
        for g in range(f, width):
            out[at + g] += value[k] * matrix[start + g]


@inlined
def fetch(matrix, row):
    """Let the cache have a row of a matrix by the time that it is read."""
    if row < matrix.shape[0]:
        entries = matrix[row]
        for f in range(0, entries.size, LINE // matrix.itemsize):
            fetch_line(entries, f)


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
    size = LINE // out.itemsize
    for i in range(0, n_rows, size):
        start = (first + i) * stride
        for j in range(left, right, size):
            at = (j - left) * out_stride + i
            if i + size <= n_rows and j + size <= right:
                transpose_block(matrix, start + j, stride, out, at, out_stride)
            else:
                for g in range(min(size, right - j)):
                    for h in range(min(size, n_rows - i)):
                        out[at + g * out_stride + h] = matrix[
                            start + h * stride + j + g
                        ]
