"""The disk cache is hit, right and optional: each law in processes of its own."""

import importlib.util
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest
import scipy.sparse as sp

import sparselearn
from sparselearn import _kernels
from sparselearn._kernels._jit import kernel
from sparselearn.linear_model import Lasso

PACKAGE = Path(sparselearn.__file__).parent

FIT = """
import numpy as np
from sparselearn.linear_model import ElasticNet, Lasso
X = np.asfortranarray(np.sin(np.arange(60.0)).reshape(20, 3))
y = X @ [1.0, 0.0, -2.0]
print(repr(float(Lasso(0.01, fit_intercept=False).fit(X, y).coef_[2])))
"""

COUNT = """
import importlib, pkgutil
import sparselearn._kernels
hits = misses = 0
path = sparselearn._kernels.__path__
for info in pkgutil.iter_modules(path, "sparselearn._kernels."):
    for thing in vars(importlib.import_module(info.name)).values():
        if hasattr(thing, "stats") and hasattr(thing, "py_func"):
            hits += sum(thing.stats.cache_hits.values())
            misses += sum(thing.stats.cache_misses.values())
print(hits, misses)
"""


UNUSED = """
import importlib, pkgutil, sparselearn
sparselearn.warm_up(dtypes=['float64'])
for info in pkgutil.walk_packages(sparselearn.__path__, 'sparselearn.'):
    if '_kernels' not in info.name and '__main__' not in info.name:
        for name, thing in vars(importlib.import_module(info.name)).items():
            if hasattr(thing, 'signatures') and not thing.signatures:
                print(name)
"""

# Specs of numbers, of arrays and of a loss, and kernels that call others; none of the
# largest, which take long to compile and prove no more. At this alpha no coefficient
# is left to solve for.
FITS = """
import numpy as np
from sparselearn.linear_model import (
    GroupLasso, MCPRegressor, SparseLogisticRegression)
X = np.random.default_rng(0).standard_normal((20, 60))
for model in (MCPRegressor(0.1), GroupLasso(0.1, groups=3)):
    model.fit(X, X[:, 0])
SparseLogisticRegression(9.0).fit(X, X[:, 0] > 0.0)
"""

# What takes least to compile: where nothing is kept it is compiled each time.
ENCODE = """
import numpy as np
import sparselearn.linear_model, sparselearn.pruning
from sparselearn.decomposition import SparseCoder
coder = SparseCoder(np.eye(4), method="threshold", n_nonzero_coefs=2)
print(coder.fit_transform(np.sin(np.arange(20.0)).reshape(5, 4)).toarray().tolist())
"""

ONE_STEP = """
import numpy as np
from PENALTY
from sparselearn._kernels._coordinate_descent import descend
from sparselearn._kernels._jit import for_specs
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major
problem = make_problem(column_major(np.eye(2)), np.full(1, 0.5), fit_intercept=False)
coef, u = np.zeros(2), np.array([0.5, 0.0])
for_specs(descend, L1(0.1))(
    problem.design, L1(0.1), problem.curvature, np.arange(2), coef, u, 0.0, 9, 0.0)
print(repr(float(coef[0])))
"""


COMPILED = """
from sparselearn._kernels import _thresholds
print(any(getattr(f, "signatures", ()) for f in vars(_thresholds).values()))
"""


def run(code, *, path=None, cwd=None, **environment):
    """Run `code` in a fresh process; return what it printed, by lines."""
    environment = {**os.environ, **environment}
    environment.pop("NUMBA_DISABLE_JIT", None)
    if path is not None:
        environment["PYTHONPATH"] = str(path)
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env=environment,
        cwd=path if cwd is None else cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package that may be edited, in a folder of its own."""
    package = tmp_path / "sparselearn"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (where,) = run("import sparselearn; print(sparselearn.__file__)", path=tmp_path)
    assert Path(where) == package / "__init__.py"
    return tmp_path


def test_importing_compiles_nothing(tmp_path):
    cache = tmp_path / "cache"
    code = "import sparselearn, sparselearn.cluster, sparselearn.pruning\n" + COUNT
    assert run(code, NUMBA_CACHE_DIR=str(cache)) == ["0 0"]
    assert not list(cache.rglob("*.nb?"))


def test_the_second_process_compiles_nothing(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    code = FITS + COUNT
    hits, misses = map(int, run(code, **cache)[-1].split())
    assert hits == 0
    assert misses > 5
    # Kernels that were compiled for others to call come with these.
    hits, misses = map(int, run(code, **cache)[-1].split())
    assert hits > 5
    assert misses == 0


def test_warming_up_uses_every_kernel_that_a_solver_calls():
    assert run(UNUSED) == []


def test_an_edited_callee_is_not_served_stale(copy):
    """The kernel's file is untouched, its callee in another file is not."""
    code = ONE_STEP.replace("PENALTY", "sparselearn.penalties import L1")
    (first,) = run(code, path=copy)
    assert float(first) == pytest.approx(0.8)
    penalties = copy / "sparselearn" / "penalties" / "_elastic_net.py"
    source = penalties.read_text()
    edited = source.replace("np.abs(z) - step * l1", "np.abs(z) - 5.0 * step * l1")
    assert edited != source
    penalties.write_text(edited)
    assert float(*run(code, path=copy)) == pytest.approx(0.0)
    penalties.write_text(source)
    assert run(code, path=copy) == [first]


USER_PENALTY = """
from typing import NamedTuple
import numpy as np
from sparselearn import penalties

class Mine(NamedTuple):
    alpha: float

@penalties.prox.register(Mine)
def _(penalty, z, step, j):
    return np.sign(z) * max(abs(z) - FACTOR * step * penalty.alpha, 0.0)
"""


def test_an_edited_user_penalty_is_not_served_stale(tmp_path):
    for factor, expected in (("1.0", 0.8), ("2.0", 0.6)):
        (tmp_path / "mine.py").write_text(USER_PENALTY.replace("FACTOR", factor))
        code = ONE_STEP.replace("PENALTY", "mine import Mine as L1")
        (printed,) = run(code, path=tmp_path)
        assert float(printed) == pytest.approx(expected)


def n_signatures():
    """How many versions of all kernels this process has compiled or loaded."""
    total = 0
    for info in pkgutil.iter_modules(_kernels.__path__, "sparselearn._kernels."):
        for thing in vars(importlib.import_module(info.name)).values():
            total += len(getattr(thing, "signatures", ()))
    return total


def test_no_layout_compiles_a_second_kernel():
    """C, Fortran, strided, read-only, memory-mapped; list of weights; int alpha."""
    X = np.random.default_rng(0).standard_normal((20, 6))
    y = X[:, 0]
    frozen = np.asfortranarray(X)
    frozen.flags.writeable = False
    variants = [np.asfortranarray(X), np.ascontiguousarray(X), X[:, ::-1], frozen]
    Lasso(0.1).fit(variants[0], y)
    Lasso(0.1).fit(sp.csc_array(X), y)
    signatures = n_signatures()
    assert signatures > 0
    for other in variants:
        Lasso(1, positive=True).fit(other, list(y), sample_weight=range(20))
    csc = sp.csc_matrix(X)
    csc.data.flags.writeable = csc.indices.flags.writeable = False
    for other in (csc, sp.csr_array(X), sp.coo_array(X)):
        Lasso(1).fit(other, y, sample_weight=[1] * 20)
    assert n_signatures() == signatures


def test_works_where_no_cache_can_be_written(copy, tmp_path):
    """Files stand where cache folders would be made: even root cannot write there."""
    expected = run(ENCODE)
    for folder in [copy / "sparselearn", *(copy / "sparselearn").rglob("*/")]:
        (folder / "__pycache__").touch()
    blocked = tmp_path / "file"
    blocked.touch()
    places = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(blocked))
    places["PYTHONDONTWRITEBYTECODE"] = "1"
    assert run(ENCODE + COMPILED, path=copy, **places) == [*expected, "True"]
    assert not list(tmp_path.rglob("*.nbi"))


DOUBLED = """
def doubled(x):
    return x + x
"""

# There is room for an index, which is small, and none for what it is of.
FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from sparselearn._kernels._jit import kernel
from doubled import doubled

def call(number, room):
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, -1))
    compiled = kernel(doubled)
    return compiled(number), len(compiled.stats.cache_hits)

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
assert call(2.5, 3000) == (5.0, 0)
assert not [file for file in Path("cache").rglob("*") if file.is_file()]
assert call(2, -1) == (4, 0)
with open("doubled.py", "a") as source:
    source.write("# edited: what is cached is of another source")
# Were the index written alone, it would name the code of the integers.
assert call(2.5, 3000) == (5.0, 0)
assert call(2.5, -1) == (5.0, 0)
assert call(2.5, -1) == (5.0, 1)
"""


@pytest.fixture
def doubled(tmp_path):
    """A function whose source is in `tmp_path`."""
    path = tmp_path / "doubled.py"
    path.write_text(DOUBLED)
    spec = importlib.util.spec_from_file_location("doubled", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.doubled


def test_a_full_disk_is_not_an_error(doubled, tmp_path):
    pytest.importorskip("resource")
    where = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        "NUMBA_CACHE_DIR": str(tmp_path / "cache"),
        "PYTHONPATH": os.pathsep.join(where),
    }
    assert run(FULL_DISK, cwd=tmp_path, **environment) == []


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_files_that_are_cut_short_are_made_anew(doubled, tmp_path, monkeypatch, kind):
    def call():
        compiled = kernel(doubled)
        return compiled(2.5), len(compiled.stats.cache_hits)

    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    assert call() == (5.0, 0)
    (file,) = tmp_path.rglob(f"*.{kind}")
    whole = file.read_bytes()
    for left in (b"", whole[: len(whole) // 2], whole[:-1], bytes(len(whole))):
        file.write_bytes(left)
        assert call() == (5.0, 0)
        assert call() == (5.0, 1)


def test_runs_without_compiling_at_all():
    """NUMBA_DISABLE_JIT=1 runs the same source as plain Python."""
    code = "import os\nos.environ['NUMBA_DISABLE_JIT'] = '1'\n" + FIT
    assert float(run(code)[0]) == pytest.approx(float(run(FIT)[0]), rel=1e-12)
