"""Loops on vectors of numbers that stay in registers, and on lists of what is not zero.

numba makes vectors of a loop over adjacent numbers, but not where a sum of a few such
vectors should stay in registers over another loop, nor where what is not zero should
move together. Here are the instructions for both. Each function is plain Python too,
which also says what it computes.
"""

import contextlib

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, overload

from sparselearn._kernels._jit import inlined
from sparselearn._kernels._machine import offers

__all__ = [
    "PANEL",
    "VECTOR",
    "Vectors",
    "aligned_zeros",
    "combine",
    "pack",
    "pack_columns",
]

# Bytes of a vector, which are a line of the cache too, and how many of them are summed
# together: so many that the next sum need not wait for the last.
VECTOR = 64
SUMS = 4
PANEL = SUMS * VECTOR
# Instructions that move together what is not zero.
PACKS = offers("avx512f", "avx512vl")


def aligned_zeros(shape, dtype):
    """Zeros, the first of which begins a vector.

    To read a vector that begins elsewhere, so in two lines of the cache, takes twice as
    long.
    """
    size = int(np.prod(shape))
    room = np.zeros(size * np.dtype(dtype).itemsize + VECTOR, np.uint8)
    first = -room.ctypes.data % VECTOR
    return room[first : room.size - VECTOR + first].view(dtype).reshape(shape)


def combine(index, value, begin, end, matrix, offset, stride, out, at, width, is_first):
    """Add to a part of a row what some entries weigh rows of a matrix with.

    With W = `width`, ::

        out[at : at + W] += sum_k value[k] matrix[place_k : place_k + W],
        place_k = index[k] stride + offset,   begin <= k < end.

    Parameters
    ----------
    index : ndarray of int32
    value, matrix, out : ndarray, one-dimensional, of one dtype
    width : int
        At least a vector, `VECTOR` bytes, and at most `PANEL` bytes.
    is_first : bool
        Whether `out` is overwritten, and nothing added to it.
    """
    row = out[at : at + width]
    if is_first:
        row[:] = 0.0
    for k in range(begin, end):
        place = index[k] * stride + offset
        row += value[k] * matrix[place : place + width]


def pack(row, first, index, value, at):
    """List the entries of a vector of `row`, from `first` on, that are not zero.

    Parameters
    ----------
    row : ndarray, one-dimensional
        The last vector may be shorter.
    first : int
    index : ndarray of int32
        Overwritten, from `at` on, by where in the row they are; as `value` with room
        for a whole vector.
    value : ndarray
        Overwritten by what they are.
    at : int

    Returns
    -------
    n : int
        How many they are.
    """
    return _pack(row, first, index, value, at)


@inlined
def _pack(row, first, index, value, at):
    zero, n = row.dtype.type(0.0), 0
    for j in range(first, min(first + VECTOR // row.itemsize, row.size)):
        # Written first and counted then: no branch to be guessed wrongly.
        index[at + n] = j
        value[at + n] = row[j]
        n += row[j] != zero
    return n


def pack_columns(rows, at, stride, n_rows, n_columns, first, index, value, room, count):
    """List the entries of columns of a square of numbers that are not zero.

    Parameters
    ----------
    rows : ndarray, one-dimensional
        From `at` on, and `stride` from one another, the rows of the square, which has
        as many as a vector has numbers.
    n_rows, n_columns : int
        Beyond these it is not looked at.
    first : int
        The number of its first row.
    index : ndarray of int32
        Overwritten, for column j from ``room * j + count[j]`` on, by the rows' numbers;
        as `value` with room for a whole vector.
    value : ndarray
        Overwritten by what the entries are.
    room : int
    count : ndarray of int64
        How many a column has had before; overwritten by how many it has.
    """
    _pack_columns(rows, at, stride, n_rows, n_columns, first, index, value, room, count)


@inlined
def _pack_columns(
    rows, at, stride, n_rows, n_columns, first, index, value, room, count
):
    lanes, zero = VECTOR // rows.itemsize, rows.dtype.type(0.0)
    for j in range(min(n_columns, lanes)):
        n = room * j + count[j]
        for i in range(min(n_rows, lanes)):
            x = rows[at + i * stride + j]
            index[n] = first + i
            value[n] = x
            n += x != zero
        count[j] = n - room * j


class Vectors:
    """Instructions on vectors of a dtype, at the place where `builder` is."""

    size, word = ir.IntType(64), ir.IntType(32)

    def __init__(self, context, builder, dtype):
        self.context, self.builder = context, builder
        number = context.get_data_type(dtype)
        self.itemsize = dtype.bitwidth // 8
        self.lanes = VECTOR // self.itemsize
        self.numbers = ir.VectorType(number, self.lanes)
        self.words = ir.VectorType(self.word, self.lanes)
        self.zeros = ir.Constant(self.numbers, [0.0] * self.lanes)
        self.name = f"v{self.lanes}f{dtype.bitwidth}"

    def data(self, signature, args, *numbers):
        """Where the data of some of the arguments are, which are arrays."""
        for i in numbers:
            make = self.context.make_array(signature.args[i])
            yield make(self.context, self.builder, args[i]).data

    def place(self, start, steps, kind=None):
        where = self.builder.gep(start, [steps])
        return self.builder.bitcast(where, (kind or self.numbers).as_pointer())

    def load(self, start, steps):
        return self.builder.load(self.place(start, steps), align=self.itemsize)

    def store(self, vector, start, steps):
        place = self.place(start, steps, vector.type)
        align = min(self.itemsize, 4) if vector.type == self.words else self.itemsize
        self.builder.store(vector, place, align=align)

    def spread(self, number, kind):
        """A vector of the same numbers."""
        some = kind(ir.Undefined)
        one = self.builder.insert_element(some, number, self.word(0))
        return self.builder.shuffle_vector(one, some, self.words([0] * self.lanes))

    def count_from(self, first):
        """`first`, and the integers that follow it."""
        first = self.spread(self.builder.trunc(first, self.word), self.words)
        return self.builder.add(first, self.words(list(range(self.lanes))))

    def pack(self, numbers, places, value, index, at):
        """Store those of `numbers`, and of `places`, where the first are not zero."""
        builder = self.builder
        differ = builder.fcmp_unordered("!=", numbers, self.zeros)
        for name, vector, start in (
            (self.name, numbers, value),
            (f"v{self.lanes}i32", places, index),
        ):
            kind = ir.FunctionType(vector.type, [vector.type] * 2 + [differ.type])
            name = f"llvm.x86.avx512.mask.compress.{name}"
            function = cgutils.get_or_insert_function(builder.module, kind, name)
            packed = builder.call(function, [vector, vector, differ])
            self.store(packed, start, at)
        bits = builder.bitcast(differ, ir.IntType(self.lanes))
        return builder.zext(builder.ctpop(bits), self.size)

    def transpose(self, rows):
        """The columns of a square of numbers: blocks off its diagonal change places."""
        shift = 1
        while shift < self.lanes:
            high = [bool(lane & shift) for lane in range(self.lanes)]
            upper = [j + self.lanes - shift if h else j for j, h in enumerate(high)]
            lower = [j + self.lanes if h else j + shift for j, h in enumerate(high)]
            after = list(rows)
            for i in (i for i in range(self.lanes) if not i & shift):
                pair = rows[i], rows[i + shift]
                after[i] = self.builder.shuffle_vector(*pair, self.words(upper))
                after[i + shift] = self.builder.shuffle_vector(*pair, self.words(lower))
            rows, shift = after, 2 * shift
        return rows


@contextlib.contextmanager
def _loop(builder, begin, end):
    """A loop from `begin` to `end` - 1 over what is built inside, a few vectors.

    It is not unrolled: to leave one costs more than its counting.
    """
    counter = cgutils.alloca_once(builder, begin.type)
    builder.store(begin, counter)
    head, body, after = (
        builder.append_basic_block(name) for name in ("head", "body", "after")
    )
    builder.branch(head)
    builder.position_at_end(head)
    k = builder.load(counter)
    builder.cbranch(builder.icmp_signed("<", k, end), body, after)
    builder.position_at_end(body)
    yield k
    builder.store(builder.add(k, begin.type(1)), counter)
    module = builder.module
    hint = module.add_metadata([module.add_metadata(["llvm.loop.unroll.disable"])])
    builder.branch(head).set_metadata("llvm.loop", hint)
    builder.position_at_end(after)


@intrinsic
def _combine_vectors(
    context, index, value, begin, end, matrix, offset, stride, out, at, width, is_first
):
    size, flag = types.intp, types.boolean
    signature = types.void(
        index, value, size, size, matrix, size, size, out, size, size, flag
    )

    def generate(context, builder, signature, args):
        v = Vectors(context, builder, signature.args[4].dtype)
        index, value, matrix, out = v.data(signature, args, 0, 1, 4, 7)
        _, _, begin, end, _, offset, stride, _, at, width, is_first = args
        # The last vectors lie over one another where the width is not that of all: they
        # come to the same sums there.
        last = builder.sub(width, v.size(v.lanes))
        steps = [v.size(v.lanes * i) for i in range(SUMS)]
        steps = [
            builder.select(builder.icmp_signed("<", step, last), step, last)
            for step in steps
        ]
        row, column = builder.gep(out, [at]), builder.gep(matrix, [offset])
        columns = [builder.gep(column, [step]) for step in steps]
        sums = [cgutils.alloca_once(builder, v.numbers) for _ in steps]
        for total in sums:
            builder.store(v.zeros, total)
        with builder.if_then(builder.not_(context.is_true(builder, flag, is_first))):
            for total, step in zip(sums, steps):
                builder.store(v.load(row, step), total)
        with _loop(builder, begin, end) as k:
            place = builder.sext(builder.load(builder.gep(index, [k])), v.size)
            place = builder.mul(place, stride)
            weight = v.spread(builder.load(builder.gep(value, [k])), v.numbers)
            for total, column in zip(sums, columns):
                more = builder.fmul(weight, v.load(column, place), flags=("contract",))
                more = builder.fadd(builder.load(total), more, flags=("contract",))
                builder.store(more, total)
        for total, step in zip(sums, steps):
            v.store(builder.load(total), row, step)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _pack_vector(context, row, first, index, value, at):
    size = types.intp

    def generate(context, builder, signature, args):
        v = Vectors(context, builder, signature.args[0].dtype)
        row, index, value = v.data(signature, args, 0, 2, 3)
        first, at = args[1], args[4]
        return v.pack(v.load(row, first), v.count_from(first), value, index, at)

    return size(row, size, index, value, size), generate


@intrinsic
def _pack_square(context, rows, at, stride, first, index, value, room, count):
    size = types.intp

    def generate(context, builder, signature, args):
        v = Vectors(context, builder, signature.args[0].dtype)
        rows, index, value, count = v.data(signature, args, 0, 4, 5, 7)
        _, at, stride, first, _, _, room, _ = args
        places = [
            builder.add(at, builder.mul(stride, v.size(i))) for i in range(v.lanes)
        ]
        columns = v.transpose([v.load(rows, place) for place in places])
        numbers = v.count_from(first)
        for j, column in enumerate(columns):
            counted = builder.gep(count, [v.size(j)])
            n = builder.load(counted)
            place = builder.add(builder.mul(room, v.size(j)), n)
            more = v.pack(column, numbers, value, index, place)
            builder.store(builder.add(n, more), counted)
        return context.get_dummy_value()

    signature = types.void(rows, size, size, size, index, value, size, count)
    return signature, generate


@overload(combine)
def _compiled_combine(
    index, value, begin, end, matrix, offset, stride, out, at, width, is_first
):
    def call(
        index, value, begin, end, matrix, offset, stride, out, at, width, is_first
    ):
        _combine_vectors(
            index, value, begin, end, matrix, offset, stride, out, at, width, is_first
        )

    return call


@overload(pack)
def _compiled_pack(row, first, index, value, at):
    def call(row, first, index, value, at):
        if PACKS and first + VECTOR // row.itemsize <= row.size:
            return _pack_vector(row, first, index, value, at)
        return _pack(row, first, index, value, at)

    return call


@overload(pack_columns)
def _compiled_pack_columns(
    rows, at, stride, n_rows, n_columns, first, index, value, room, count
):
    def call(rows, at, stride, n_rows, n_columns, first, index, value, room, count):
        if PACKS and min(n_rows, n_columns) >= VECTOR // rows.itemsize:
            _pack_square(rows, at, stride, first, index, value, room, count)
        else:
            _pack_columns(
                rows, at, stride, n_rows, n_columns, first, index, value, room, count
            )

    return call
