"""
Rows that come in batches
=========================

A Parquet file is read one row group at a time, and three models learn from each group
before the next one is read: none of them ever sees the whole file. How many rows does
each of them need?
"""

# %%
# Rows about thirty centres, of which each belongs to one of three classes; and a
# target to which five of the forty features add. Sixteen groups of a thousand rows
# are written, and four thousand rows more are kept to score.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sparselearn.cluster import KMeansCoder
from sparselearn.linear_model import Lasso
from sparselearn.metrics import explained_variance
from sparselearn.neural_network import SparseMLPClassifier

rng = np.random.default_rng(0)
N_ROWS, N_FEATURES, GROUP = 16000, 40, 1000
centres = rng.normal(size=(30, N_FEATURES))
effects = np.zeros(N_FEATURES)
effects[::8] = [0.5, -0.4, 0.3, -0.2, 0.1]


def draw(n_rows):
    """Rows, their target and their class."""
    which = rng.integers(30, size=n_rows)
    X = centres[which] + 1.2 * rng.normal(size=(n_rows, N_FEATURES))
    return X, X @ effects + 0.5 * rng.normal(size=n_rows), which % 3


folder = tempfile.TemporaryDirectory()
path = Path(folder.name) / "rows.parquet"
X, y, labels = draw(N_ROWS)
columns = [f"x{j}" for j in range(N_FEATURES)]
table = pa.table(dict(zip(columns, X.T)) | {"y": y, "label": labels})
pq.write_table(table, path, row_group_size=GROUP)
X_test, y_test, labels_test = draw(4000)

# %%
# The Lasso keeps sums over rows, and after each group is what one fit to all rows so
# far would be. K-means moves its centroids by the rows that are nearest to them. The
# perceptron takes a step for each 64 rows, and meets each row once.

lasso = Lasso(alpha=0.05)
coder = KMeansCoder(30, encoder="hard", batch_size=500, random_state=0)
network = SparseMLPClassifier(
    (64,), batch_size=64, learning_rate_init=0.003, random_state=0
)
scores = []
file = pq.ParquetFile(path)
for k in range(file.num_row_groups):
    group = file.read_row_group(k).to_pandas()
    rows = group[columns].to_numpy()
    lasso.partial_fit(rows, group["y"])
    coder.partial_fit(rows)
    network.partial_fit(rows, group["label"], classes=[0, 1, 2])
    restored = coder.inverse_transform(coder.transform(X_test))
    scores.append(
        [
            lasso.score(X_test, y_test),
            explained_variance(X_test, restored),
            network.score(X_test, labels_test),
        ]
    )

# %%
# Forty coefficients need no more than a thousand rows: the Lasso is as good as it gets
# after the first group. Thirty centroids are where they belong after some more. The
# perceptron goes on learning, as more passes over the same rows would let it.

names = "Lasso: R2", "K-means: variance explained", "perceptron: accuracy"
seen = GROUP * np.arange(1, len(scores) + 1)
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, curve in zip(names, np.transpose(scores)):
    axes.plot(seen, curve, marker="o", markersize=4, label=name)
axes.set(xlabel="rows seen", ylabel="score of rows that were kept", ylim=(0, 1))
axes.legend(loc="center right")
plt.show()

# %%
# That chain of groups gave the Lasso that a fit to the whole table gives.

whole = Lasso(alpha=0.05).fit(X, y)
print(f"features in use: {lasso.n_nonzero_coefs_}, of them right: ", end="")
print(np.isin(lasso.support_, np.flatnonzero(effects)).sum())
print(f"largest difference: {np.abs(lasso.coef_ - whole.coef_).max():.0e}")

# %%
# A file of numbers needs no batches: a memory map is read in place by `fit` itself,
# and its pages are the system's to take back.

np.save(Path(folder.name) / "X.npy", X.astype(np.float32))
mapped = np.load(Path(folder.name) / "X.npy", mmap_mode="r")
in_place = Lasso(alpha=0.05).fit(mapped, y)
print(f"R2 of kept rows: {in_place.score(X_test, y_test):.3f}")
del mapped
folder.cleanup()
