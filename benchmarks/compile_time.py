"""What importing and the first fit cost, in fresh processes, for every estimator.

    python benchmarks/compile_time.py [ESTIMATOR ...] [--repeats 5]

Medians over processes: the import on top of scikit-learn's own, and of each estimator
the first fit less the second, with an empty disk cache (once) and with a warm one. Data
are 200 rows of 50 dense features, alpha, where it has a default, is 0.01, all else is
as by default.
"""

import importlib
import inspect
import os
import pkgutil
import statistics
import subprocess
import sys
import tempfile
from importlib import metadata
from types import SimpleNamespace

import measure
from sklearn.base import BaseEstimator

import sparselearn

BYTECODE = tempfile.TemporaryDirectory()

IMPORT = """
import time
import sklearn.cluster, sklearn.decomposition, sklearn.linear_model
import sklearn.model_selection, sklearn.pipeline
start = time.perf_counter()
import sparselearn, MODULES
print(time.perf_counter() - start)
"""

FIT = """
import inspect, sys, time, warnings
from importlib import import_module
from numbers import Real
import numpy as np
from sklearn.base import is_classifier
from sklearn.linear_model import Ridge
from sklearn.utils import get_tags
cls = getattr(import_module(sys.argv[1]), sys.argv[2])
parameters = inspect.signature(cls).parameters
options = {"alphas": 10} if "alphas" in parameters else {}
if "alpha" in parameters and isinstance(parameters["alpha"].default, Real):
    options["alpha"] = 0.01
if "estimator" in parameters:
    options["estimator"] = Ridge()
model = cls(**options)
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 50))
y = X[:, 0] + rng.standard_normal(200)
tags = get_tags(model).target_tags
if is_classifier(model):
    y = y > 0.0
elif tags.positive_only:
    y = np.abs(y)
elif not tags.single_output:
    y = np.column_stack([y, y])
warnings.simplefilter("ignore")
times = []
for _ in range(2):
    start = time.perf_counter()
    model.fit(X, y)
    times.append(time.perf_counter() - start)
print(times[0], times[1])
"""


def public_modules():
    names = [info.name for info in pkgutil.iter_modules(sparselearn.__path__)]
    return [f"sparselearn.{name}" for name in names if not name.startswith("_")]


def public_estimators():
    """Module and name of every estimator that a public module exports."""
    found = {}
    for module in public_modules():
        contents = importlib.import_module(module)
        for name in getattr(contents, "__all__", []):
            thing = getattr(contents, name)
            if inspect.isclass(thing) and issubclass(thing, BaseEstimator):
                found[name] = module
    return found


def figures(code, *arguments, cache, limit):
    """The numbers that `code` prints in a fresh process."""
    # Installed packages have their bytecode, so it is kept here too.
    bytecode = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": BYTECODE.name}
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, **bytecode, "NUMBA_CACHE_DIR": cache},
        capture_output=True,
        text=True,
        check=False,
        timeout=limit,
    )
    if result.returncode:
        raise RuntimeError(result.stderr.strip().splitlines()[-1])
    return [float(number) for number in result.stdout.split()]


def first_fits(module, name, options):
    """The row of one estimator."""
    row = {"cold": None, "warm": None, "second": None, "note": None}
    with tempfile.TemporaryDirectory() as cache:
        try:
            cold, *warm = [
                figures(FIT, module, name, cache=cache, limit=options.limit)
                for _ in range(1 + options.repeats)
            ]
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            return row | {"note": str(error)}
    return row | {
        "cold": cold[0] - cold[1],
        "warm": statistics.median(first - second for first, second in warm),
        "second": statistics.median(second for _, second in warm),
    }


def importing(options):
    """Seconds to import all public modules, once numba's own cache is warm."""
    code = IMPORT.replace("MODULES", ", ".join(public_modules()))
    with tempfile.TemporaryDirectory() as cache:
        seconds = [
            figures(code, cache=cache, limit=options.limit)[0]
            for _ in range(1 + options.repeats)
        ]
    return statistics.median(seconds[1:])


def main():
    estimators = public_estimators()
    parser = measure.arguments(__doc__, libraries=["sparselearn"])
    parser.add_argument("estimators", nargs="*", default=sorted(estimators))
    options = parser.parse_args()
    found = {
        name: SimpleNamespace(version=metadata.version(name))
        for name in ("sparselearn", "numba", "scikit-learn")
    }
    seconds = importing(options)
    print(f"import, on top of scikit-learn's own   {seconds:.2f} s")
    print("first fit beyond the second: cached, with no cache; the second")
    records = {}
    for name in options.estimators:
        records[name] = row = first_fits(estimators[name], name, options)
        if row["warm"] is None:
            print(f"{name:34s} {row['note']}")
        else:
            print(
                f"{name:34s} {row['warm']:6.2f} s {row['cold']:6.2f} s "
                f"{row['second']:8.4f} s",
                flush=True,
            )
        measure.save(options, "compile time", found, records, imports=seconds)


if __name__ == "__main__":
    main()
