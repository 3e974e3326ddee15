"""What a kernel asks of the machine and numba has no word for.

Products of matrices that are parts of larger arrays, without a copy; a float of the
bits of an integer; and threads that wait for one another without Python. Each is a
plain function too, which runs where numba is switched off. Loops on vectors are in
`_vectors.py`, products of small integers in `_tiles.py`.
"""

import functools
import os

import numba
import numpy as np
from llvmlite import binding, ir
from numba.core import cgutils
from numba.extending import intrinsic, overload

from sparselearn._kernels._jit import inlined

__all__ = ["FEW_PRODUCTS", "claim", "gemm", "meet", "offers", "power_of_two"]

# Multiplications up to which a product of matrices needs no copies of them. The BLAS
# that comes with scipy has such kernels where there is AVX-512, and is then nearer to
# what the machine can do in many small products than in one. None elsewhere.
FEW_PRODUCTS = 10**6 if binding.get_host_cpu_features().get("avx512vl") else 0

# Looks at a counter before a waiting thread offers its processor to others: about as
# long as the system takes to wake one that sleeps.
PATIENCE = 20000


@functools.cache
def offers(*instructions):
    """Whether the processor has some sets of instructions, and numba may use them.

    Where numba compiles for another processor, or not at all, the answer is no.
    """
    config = numba.config
    if config.DISABLE_JIT or config.CPU_NAME or config.CPU_FEATURES is not None:
        return False
    found = binding.get_host_cpu_features()
    return bool(config.ENABLE_AVX) and all(found.get(s, False) for s in instructions)


def gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    """Overwrite C by ``op(A) op(B) + beta C``, with the BLAS of scipy.

    Parameters
    ----------
    trans_a, trans_b : bool
        Whether op transposes.
    m, n, k : int
        Of op(A) (m, k), op(B) (k, n) and C (m, n).
    a, b, c : ndarray, one-dimensional
        From the matrix's first entry on, row by row.
    lda, ldb, ldc : int
        Entries from a row of the matrix as it is stored to the next.
    beta : float
        Of C's dtype. 0 overwrites even what is nan.
    """

    def matrix(flat, ld, rows, columns):
        step = flat.itemsize
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), (ld * step, step))

    left = matrix(a, lda, k, m).T if trans_a else matrix(a, lda, m, k)
    right = matrix(b, ldb, n, k).T if trans_b else matrix(b, ldb, k, n)
    out = matrix(c, ldc, m, n)
    out[:] = left @ right + (beta * out if beta else 0.0)


def _text(character):
    return ir.Constant(ir.IntType(8), ord(character))


@intrinsic
def _call_gemm(context, trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    number = c.dtype
    size, flag = numba.types.intp, numba.types.boolean
    signature = numba.types.void(
        flag, flag, size, size, size, a, size, b, size, number, c, size
    )

    def generate(context, builder, signature, args):
        trans_a, trans_b, m, n, k, _, lda, _, ldb, beta, _, ldc = args
        byte, word = ir.IntType(8), context.get_value_type(size)
        pointer = byte.as_pointer()

        def data(place):
            array = context.make_array(signature.args[place])
            start = array(context, builder, args[place]).data
            return builder.bitcast(start, pointer)

        def letter(value):
            true = context.is_true(builder, flag, value)
            return builder.select(true, _text("t"), _text("n"))

        def address(value):
            where = cgutils.alloca_once_value(builder, value)
            return builder.bitcast(where, pointer)

        # numba's own way to the BLAS of scipy, whose order is by columns:
        # C^T = op(B)^T op(A)^T.
        shape = [byte] * 3 + [word] * 3
        operands = [pointer, pointer, word, pointer, word, pointer, pointer, word]
        kind = ir.FunctionType(ir.IntType(32), shape + operands)
        function = cgutils.get_or_insert_function(builder.module, kind, "numba_xxgemm")
        builder.call(
            function,
            [
                _text("s" if number == numba.float32 else "d"),
                letter(trans_b),
                letter(trans_a),
                n,
                m,
                k,
                address(context.get_constant(number, 1.0)),
                data(7),
                ldb,
                data(5),
                lda,
                address(beta),
                data(10),
                ldc,
            ],
        )
        return context.get_dummy_value()

    return signature, generate


@overload(gemm)
def _compiled_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
    def call(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc):
        _call_gemm(trans_a, trans_b, m, n, k, a, lda, b, ldb, beta, c, ldc)

    return call


def power_of_two(exponent):
    """2 to the power of an int32 in [-126, 127], as float32, by its bits."""
    return np.float32(2.0) ** np.float32(exponent)


@intrinsic
def _float_of_bits(context, bits):
    def generate(context, builder, signature, args):
        return builder.bitcast(args[0], ir.FloatType())

    return numba.float32(numba.int32), generate


@overload(power_of_two)
def _compiled_power_of_two(exponent):
    def shift(exponent):
        return _float_of_bits(np.int32((exponent + np.int32(127)) << np.int32(23)))

    return shift


def _arrive(meeting):
    meeting[0] += 1


def _arrived(meeting, n_arrivals):
    return meeting[0] >= n_arrivals or meeting[1] != 0


def claim(claims, place, number):
    """Whether this is the first of all threads' calls for `place` and `number`.

    Parameters
    ----------
    claims : ndarray of int64
        0 at first.
    place : int
    number : int
        0 at first, and one more each time that all places have been claimed.
    """
    # No calls between the two: Python lets no other thread in.
    if claims[place] != number:
        return False
    claims[place] = number + 1
    return True


def _give_way():
    pass


def _address(context, builder, signature, args):
    """Of the entry `args[1]` of the array `args[0]`."""
    array = context.make_array(signature.args[0])(context, builder, args[0])
    return builder.gep(array.data, [args[1]])


@intrinsic
def _add_one(context, meeting):
    def generate(context, builder, signature, args):
        array = context.make_array(signature.args[0])(context, builder, args[0])
        one = ir.Constant(ir.IntType(64), 1)
        builder.atomic_rmw("add", array.data, one, "seq_cst")
        return context.get_dummy_value()

    return numba.void(meeting), generate


@intrinsic
def _exchange(context, claims, place, number):
    def generate(context, builder, signature, args):
        where = _address(context, builder, signature, args)
        more = builder.add(args[2], ir.Constant(ir.IntType(64), 1))
        found = builder.cmpxchg(where, args[2], more, "seq_cst", "seq_cst")
        return builder.extract_value(found, 1)

    return numba.boolean(claims, numba.intp, numba.int64), generate


@intrinsic
def _read(context, meeting, place):
    def generate(context, builder, signature, args):
        where = _address(context, builder, signature, args)
        return builder.load_atomic(where, "seq_cst", 8)

    return numba.int64(meeting, numba.intp), generate


@intrinsic
def _yield(context):
    name = "SwitchToThread" if os.name == "nt" else "sched_yield"

    def generate(context, builder, signature, args):
        kind = ir.FunctionType(ir.IntType(32), [])
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        builder.call(function, [])
        return context.get_dummy_value()

    return numba.void(), generate


@overload(_arrive)
def _compiled_arrive(meeting):
    return lambda meeting: _add_one(meeting)


@overload(claim)
def _compiled_claim(claims, place, number):
    return lambda claims, place, number: _exchange(claims, place, number)


@overload(_arrived)
def _compiled_arrived(meeting, n_arrivals):
    def look(meeting, n_arrivals):
        return _read(meeting, 0) >= n_arrivals or _read(meeting, 1) != 0

    return look


@overload(_give_way)
def _compiled_give_way():
    return lambda: _yield()


@inlined
def meet(meeting, n_arrivals):
    """Wait until `n_arrivals` have come here, all calls since `meeting` was zero.

    Each of the threads must run; where one may not, as after an interruption, another
    thread sets ``meeting[1]``, which lets all go. What they wrote before is then seen
    by all. They wait awake: a thread that sleeps takes as long to wake as a layer of a
    small network takes to compute.

    Parameters
    ----------
    meeting : ndarray (2,) of int64
    n_arrivals : int

    Returns
    -------
    complete : bool
        False: they were let go.
    """
    _arrive(meeting)
    looks = 0
    while not _arrived(meeting, n_arrivals):
        looks += 1
        if looks > PATIENCE:
            _give_way()
    return meeting[1] == 0
