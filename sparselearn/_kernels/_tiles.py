"""Bounds of products of rows with many columns, by products of small integers.

A processor that has instructions for them adds four products of bytes to a sum in the
time it takes for one of float32, or two of int16. numba has no word for these; here are
the instructions of a tile of such a product, and the same in plain numpy.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils
from numba.extending import intrinsic, overload

from sparselearn._kernels._machine import offers

__all__ = ["TILE_COLUMNS", "TILE_ROWS", "bound_products", "multiplies_integers"]

# Sums of products of integers that are made together, in half of the registers: those
# of so many rows with two vectors of columns.
VECTOR = 16
TILE_ROWS = 8
TILE_COLUMNS = 2 * VECTOR


def multiplies_integers():
    """Whether the processor has instructions for `bound_products`."""
    return offers("avx512f", "avx512bw", "avx512vl", "avx512vnni")


def bound_products(
    are_bytes,
    are_sizes,
    rows,
    places,
    factors,
    first,
    panel,
    starts,
    terms,
    limits,
    bounds,
    near,
):
    """Bound products of some rows with the columns of a panel, by those of integers.

    With q an int32 of `rows`, p one of `panel`, f the row's `factors` and t the
    column's `terms`, what is bounded is, ::

        f_0 t_0 (sum qp + start) + f_1 t_1 + f_2 t_2 + t_3

    or the same of the absolute sum. Such an int32 holds either four bytes, those of
    rows unsigned, or two int16. A processor adds four such products to a sum in the
    time it takes for one of float32, or two of int16. Sums must fit into int32.

    Parameters
    ----------
    are_bytes, are_sizes : bool
        Whether an int32 is of bytes; whether sums are absolute.
    rows : int32 ndarray (n_rows, n_lanes), C-ordered
    places : intp ndarray (TILE_ROWS,)
        Which rows.
    factors : float32 ndarray (n_factors, 3), C-ordered
    first : int
        The row of `factors`, `limits`, `bounds` and `near` for the first of the places.
    panel : int32 ndarray (n_lanes, TILE_COLUMNS), C-ordered
    starts : int32 ndarray (TILE_COLUMNS,)
    terms : float32 ndarray (4, TILE_COLUMNS), C-ordered
    limits : float32 ndarray (n_factors,)
    bounds : float32 ndarray (n_factors, TILE_COLUMNS)
        Overwritten.
    near : int32 ndarray (n_factors,)
        Overwritten by the bits of the columns whose bounds are not below the limits.
    """
    left = np.ascontiguousarray(rows[places])
    right = np.ascontiguousarray(panel.T)
    kinds = (np.uint8, np.int8) if are_bytes else (np.int16, np.int16)
    left, right = (part.view(kind) for part, kind in zip((left, right), kinds))
    sums = (left.astype(np.int32) @ right.T.astype(np.int32) + starts).astype(
        np.float32
    )
    sums = np.abs(sums) if are_sizes else sums
    which = slice(first, first + TILE_ROWS)
    unit, slack, reach = factors[which].T[:, :, None]
    bounds[which] = unit * (sums * terms[0]) + (slack * terms[1] + terms[3])
    bounds[which] += reach * terms[2]
    reached = ~(bounds[which] < limits[which, None])
    near[which] = np.packbits(reached, axis=1, bitorder="little").view(np.int32)[:, 0]


@intrinsic
def _call_bound(
    context,
    are_bytes,
    are_sizes,
    rows,
    places,
    factors,
    first,
    panel,
    starts,
    terms,
    limits,
    bounds,
    near,
):
    kinds = are_bytes, are_sizes, rows, places, factors, first
    kinds += panel, starts, terms, limits, bounds, near
    signature = numba.types.void(*kinds)

    def generate(context, builder, signature, args):
        _TileOfBounds(context, builder, signature, args).build()
        return context.get_dummy_value()

    return signature, generate


class _TileOfBounds:
    """The instructions of `bound_products`: sums stay in registers."""

    byte, word, size = ir.IntType(8), ir.IntType(32), ir.IntType(64)
    lanes = ir.VectorType(word, VECTOR)
    shorts = ir.VectorType(ir.IntType(16), 2 * VECTOR)
    floats = ir.VectorType(ir.FloatType(), VECTOR)

    def __init__(self, context, builder, signature, args):
        self.context, self.builder, self.kinds = context, builder, signature.args
        self.are_bytes, self.are_sizes = (
            context.is_true(builder, kind, value)
            for kind, value in zip(signature.args[:2], args)
        )
        self.first = args[5]
        self.args = args

    def array(self, place):
        make = self.context.make_array(self.kinds[place])
        return make(self.context, self.builder, self.args[place])

    def start(self, place, row=None):
        """Where an array's data are, or a row of it."""
        array, pointer = self.array(place), self.byte.as_pointer()
        start = self.builder.bitcast(array.data, pointer)
        if row is None:
            return start
        steps = cgutils.unpack_tuple(self.builder, array.strides)
        return self.builder.gep(start, [self.builder.mul(row, steps[0])])

    def move(self, start, steps):
        """So many numbers of four bytes further."""
        steps = self.size(steps) if isinstance(steps, int) else steps
        return self.builder.gep(start, [self.builder.shl(steps, self.size(2))])

    def load(self, start, kind):
        where = self.builder.bitcast(start, kind.as_pointer())
        return self.builder.load(where, align=4)

    def vectors(self, start, kind):
        return [
            self.load(self.move(start, column), kind)
            for column in range(0, TILE_COLUMNS, VECTOR)
        ]

    def spread(self, value, kind):
        """A vector of the same numbers."""
        one = self.builder.insert_element(kind(ir.Undefined), value, self.word(0))
        zeros = self.lanes([0] * VECTOR)
        return self.builder.shuffle_vector(one, kind(ir.Undefined), zeros)

    def call(self, name, *values):
        kind = ir.FunctionType(values[0].type, [value.type for value in values])
        if "pmadd" in name:
            kind = ir.FunctionType(self.lanes, [self.shorts] * 2)
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, values)

    def add_bytes(self, total, left, right):
        return self.call("llvm.x86.avx512.vpdpbusd.512", total, left, right)

    def add_shorts(self, total, left, right):
        left, right = (self.builder.bitcast(v, self.shorts) for v in (left, right))
        pairs = self.call("llvm.x86.avx512.pmaddw.d.512", left, right)
        return self.builder.add(total, pairs)

    def add_all(self, add, sums):
        """The loop over lanes: all numbers of eight rows and of two vectors meet."""
        builder, panel = self.builder, self.start(6)
        places = self.array(3).data
        n_lanes = cgutils.unpack_tuple(builder, self.array(2).shape)[1]
        rows = [
            self.start(2, builder.load(builder.gep(places, [self.size(r)])))
            for r in range(TILE_ROWS)
        ]
        with cgutils.for_range(builder, n_lanes) as loop:
            right = builder.mul(loop.index, self.size(TILE_COLUMNS))
            right = self.vectors(self.move(panel, right), self.lanes)
            for row, totals in zip(rows, sums):
                left = self.load(self.move(row, loop.index), self.word)
                left = self.spread(left, self.lanes)
                for total, other in zip(totals, right):
                    builder.store(add(builder.load(total), left, other), total)

    def bound(self, r, sums, terms):
        """From the sums of a row to its bounds, and the bits of those that matter."""
        builder, add = self.builder, "llvm.fma.v16f32"
        row = builder.add(self.first, self.size(r))
        factors, limit, out = (self.start(place, row) for place in (4, 9, 10))
        unit, slack, reach = (
            self.spread(self.load(self.move(factors, k), ir.FloatType()), self.floats)
            for k in range(3)
        )
        limit = self.spread(self.load(limit, ir.FloatType()), self.floats)
        # Without its sign a float32 is absolute.
        signs = builder.select(self.are_sizes, self.word(2**31 - 1), self.word(-1))
        signs = self.spread(signs, self.lanes)
        reached = []
        for column, total in enumerate(sums):
            t = [term[column] for term in terms]
            product = builder.sitofp(builder.load(total), self.floats)
            product = builder.bitcast(product, self.lanes)
            product = builder.bitcast(builder.and_(product, signs), self.floats)
            bound = self.call(add, slack, t[1], t[3])
            bound = self.call(add, reach, t[2], bound)
            bound = self.call(add, unit, builder.fmul(product, t[0]), bound)
            where = builder.bitcast(
                self.move(out, column * VECTOR), self.floats.as_pointer()
            )
            builder.store(bound, where, align=4)
            reached.append(builder.fcmp_unordered(">=", bound, limit))  # or NaN
        order = ir.VectorType(self.word, TILE_COLUMNS)(list(range(TILE_COLUMNS)))
        near = builder.shuffle_vector(*reached, order)
        where = builder.bitcast(self.start(11, row), self.word.as_pointer())
        builder.store(builder.bitcast(near, self.word), where)

    def build(self):
        builder = self.builder
        begin = self.vectors(self.start(7), self.lanes)
        sums = [
            [cgutils.alloca_once_value(builder, value) for value in begin]
            for _ in range(TILE_ROWS)
        ]
        with builder.if_else(self.are_bytes) as (bytes_, shorts):
            with bytes_:
                self.add_all(self.add_bytes, sums)
            with shorts:
                self.add_all(self.add_shorts, sums)
        terms = self.start(8)
        terms = [
            self.vectors(self.move(terms, k * TILE_COLUMNS), self.floats)
            for k in range(4)
        ]
        for r in range(TILE_ROWS):
            self.bound(r, sums[r], terms)


@overload(bound_products)
def _compiled_bound(
    are_bytes,
    are_sizes,
    rows,
    places,
    factors,
    first,
    panel,
    starts,
    terms,
    limits,
    bounds,
    near,
):
    def call(
        are_bytes,
        are_sizes,
        rows,
        places,
        factors,
        first,
        panel,
        starts,
        terms,
        limits,
        bounds,
        near,
    ):
        _call_bound(
            are_bytes,
            are_sizes,
            rows,
            places,
            factors,
            first,
            panel,
            starts,
            terms,
            limits,
            bounds,
            near,
        )

    return call
