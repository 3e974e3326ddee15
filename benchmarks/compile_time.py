"""What importing and the first fit cost, in fresh processes.

    python benchmarks/compile_time.py

Prints medians over processes: the import on top of scikit-learn's own, and the first
fit beside the second with an empty and with a warm disk cache.
"""

import os
import statistics
import subprocess
import sys
import tempfile

IMPORT = """
import time
import sklearn.cluster, sklearn.linear_model, sklearn.model_selection, sklearn.pipeline
start = time.perf_counter()
import sparselearn, sparselearn.cluster, sparselearn.linear_model, sparselearn.pruning
print(time.perf_counter() - start)
"""

FIT = """
import time
import numpy as np
from sparselearn.linear_model import Lasso
rng = np.random.default_rng(0)
X = rng.standard_normal((200, 50))
y = X[:, 0] + rng.standard_normal(200)
times = []
for _ in range(2):
    start = time.perf_counter()
    Lasso(0.1).fit(X, y)
    times.append(time.perf_counter() - start)
print(times[0] - times[1])
"""


def figure(code, environment):
    output = subprocess.run(
        [sys.executable, "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(output.stdout)


def main():
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        cold = figure(FIT, environment)
        warm = [figure(FIT, environment) for _ in range(5)]
        imports = [figure(IMPORT, environment) for _ in range(5)]
    print(f"import, on top of scikit-learn's own   {statistics.median(imports):.2f} s")
    print(f"first fit beyond the second, no cache  {cold:.2f} s")
    print(f"first fit beyond the second, cached    {statistics.median(warm):.2f} s")


if __name__ == "__main__":
    main()
