"""The one place that decorates with numba: compile options, disk cache, specs.

A *spec* is a ``NamedTuple`` of numbers and arrays, such as ``L1(alpha=0.1)`` or
a stored design matrix. Its maths are plain functions, chosen by the type of the
spec: by ``functools.singledispatch`` in Python, by one ``numba.extending.overload``
in compiled code. So the same source runs on whole arrays in numpy, on scalars
in a kernel, and unchanged under ``NUMBA_DISABLE_JIT=1``.

Three rules keep the disk cache both hit and right:

- numba keys the cache of a kernel by the content of the kernel's own file and
  overlooks its callees in other files. Callees that kernels share therefore live
  only in the files of ``SHARED_SOURCES``, and a digest of these is part of the
  name under which each kernel is cached.
- A spec type from outside the package may change without the package's noticing,
  so it goes through an uncached twin of the kernel (:func:`for_specs`).
- Arrays arrive in one layout and read-only (``_validation.py``), so that one
  signature a dtype serves all users.
"""

import functools
import hashlib
from pathlib import Path

import numba
import numpy as np
from numba.core.errors import TypingError
from numba.extending import overload, register_jitable

from sparselearn._kernels._cache import DiskCache

__all__ = [
    "REASSOCIATE",
    "by_precision",
    "by_spec",
    "for_specs",
    "inlined",
    "kernel",
    "registered",
    "where",
]

# nogil: threads over folds, chunks and targets. error_model: division as in numpy.
OPTIONS = {"nogil": True, "error_model": "numpy"}
# Lets sums vectorise. Never "nnan" or "ninf": these make isnan(nan) false.
REASSOCIATE = frozenset({"reassoc", "contract", "nsz"})

_PACKAGE = Path(__file__).resolve().parent.parent
SHARED_SOURCES = (
    _PACKAGE / "losses.py",
    *sorted((_PACKAGE / "penalties").glob("*.py")),
    _PACKAGE / "_kernels" / "_activations.py",
    _PACKAGE / "_kernels" / "_adam.py",
    _PACKAGE / "_kernels" / "_blocks.py",
    _PACKAGE / "_kernels" / "_codes.py",
    _PACKAGE / "_kernels" / "_design.py",
    _PACKAGE / "_kernels" / "_distances.py",
    _PACKAGE / "_kernels" / "_lasso_path.py",
    _PACKAGE / "_kernels" / "_layers.py",
    _PACKAGE / "_kernels" / "_machine.py",
    _PACKAGE / "_kernels" / "_omp.py",
    _PACKAGE / "_kernels" / "_plan.py",
    _PACKAGE / "_kernels" / "_rows.py",
    _PACKAGE / "_kernels" / "_sparse_rows.py",
    _PACKAGE / "_kernels" / "_support.py",
    _PACKAGE / "_kernels" / "_tiles.py",
    _PACKAGE / "_kernels" / "_vectors.py",
)


@functools.cache
def shared_digest():
    """Eight hexadecimal digits that change with any callee shared by kernels."""
    digest = hashlib.sha256()
    for source in SHARED_SOURCES:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:8]


def kernel(function=None, *, fastmath=False, borrowing=False):
    """Compile `function` at its first call, and cache it on disk if that can be.

    A kernel calls only functions of its own file and of ``SHARED_SOURCES``. One that is
    `borrowing` counts no references: it makes no arrays but views of those it is given,
    which its caller keeps. To count takes as long as a step of a few microseconds that
    hands arrays to a handful of functions. It compiles to an error if it does more.
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath, borrowing=borrowing)
    options = OPTIONS | {"fastmath": set(fastmath) if fastmath else False}
    if borrowing:
        options |= {"_nrt": False}
    compiled = numba.njit(**options)(function)
    if not hasattr(compiled, "py_func"):  # NUMBA_DISABLE_JIT=1
        return compiled
    name = function.__qualname__
    # numba names the cache's files after the qualified name.
    function.__qualname__ = f"{name}-{shared_digest()}"
    try:
        compiled._cache = DiskCache(function)
    except RuntimeError:  # "no locator available": no directory is writable
        return compiled
    finally:
        function.__qualname__ = name
    return compiled


def inlined(function=None, *, fastmath=False):
    """Let kernels call `function`, which stays a plain Python function."""
    if function is None:
        return functools.partial(inlined, fastmath=fastmath)
    return register_jitable(fastmath=set(fastmath) if fastmath else False)(function)


def by_spec(function=None, *, fastmath=False):
    """Make `function` choose its formula by the type of its first argument, a spec.

    The body of `function` is not used, only its name and docstring; formulas join
    by ``@function.register(SpecType)``, from this package or from a user's module.
    """
    if function is None:
        return functools.partial(by_spec, fastmath=fastmath)

    def refuse(spec, *args):
        raise TypeError(_refusal(generic, type(spec)))

    generic = functools.singledispatch(functools.update_wrapper(refuse, function))
    options = {"fastmath": set(fastmath)} if fastmath else {}

    @overload(generic, strict=False, jit_options=options)
    def choose(spec, *args):
        kind = getattr(spec, "instance_class", None)
        if kind is None or not registered(generic, kind):
            raise TypingError(_refusal(generic, kind or spec))
        return generic.dispatch(kind)

    return generic


def registered(generic, kind):
    """Whether the `by_spec` function `generic` has a formula for type `kind`."""
    return generic.dispatch(kind) is not generic.registry[object]


def _refusal(generic, kind):
    kinds = [k for k in generic.registry if k is not object]
    members = [m for k in kinds for m in getattr(k, "members", [k])]
    known = sorted(m.__name__ for m in members)
    name = getattr(kind, "__name__", str(kind))
    return (
        f"{generic.__name__} has no formula for {name}; it has one for "
        f"{', '.join(known)}. Add one with @{generic.__name__}.register({name})."
    )


def for_specs(compiled, *specs):
    """`compiled` itself, or its uncached twin where a spec's type is a user's own."""
    return compiled if all(map(_is_ours, specs)) else _uncached_twin(compiled)


def _is_ours(spec):
    """Whether the type of `spec`, and of the specs in it, comes from this package."""
    home = __name__.partition(".")[0]
    inside = (part for part in spec if isinstance(part, tuple))
    return type(spec).__module__.partition(".")[0] == home and all(
        map(_is_ours, inside)
    )


@functools.cache
def _uncached_twin(compiled):
    if not hasattr(compiled, "py_func"):  # NUMBA_DISABLE_JIT=1
        return compiled
    options = {key: compiled.targetoptions[key] for key in (*OPTIONS, "fastmath")}
    return numba.njit(**options)(compiled.py_func)


def where(condition, x, y):
    """`numpy.where` that, on scalars in a kernel, gives a scalar."""
    return np.where(condition, x, y)


@overload(where)
def _where_scalar(condition, x, y):
    def choose(condition, x, y):
        return x if condition else y

    return choose


def by_precision(single, double):
    """A function of one float: `single` of a float32, `double` of a float64.

    Whatever its caller allows, its sums are not reordered.
    """

    def generic(x):
        return single(x) if isinstance(x, np.float32) else double(x)

    # A flag of its own, for with none it would have those of its caller.
    @overload(generic, strict=False, jit_options={"fastmath": {"contract"}})
    def choose(x):
        return single if x == numba.float32 else double

    return generic
