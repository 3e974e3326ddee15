"""
Accuracy against the number of active codes
===========================================

The same centroids make codes of many kinds, and any of them may keep few or many
entries. What does that cost a linear model?
"""

# %%
# The handwritten digits, three times split into halves. 200 centroids are learned from
# one half, as they are or as directions; then each kind of code is made at each number
# of non-zeros, without learning again, and a ridge classifier reads it. The number of
# entries that a code has is counted, not asked for.

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import csr_array
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.preprocessing import MaxAbsScaler

from sparselearn.cluster import KMeansCoder

X, y = load_digits(return_X_y=True)
sizes = [1, 2, 4, 8, 16, 32, 64, 128]
ALPHAS = np.logspace(-1, 4, 6)
whitened = {"spherical": True, "whiten": "zca"}
kinds = {
    "triangle": ({"encoder": "triangle"}, {}),
    "llc": ({"encoder": "llc"}, {}),
    "triangle, directions": ({"encoder": "triangle"}, {"spherical": True}),
    "topk, whitened directions": ({"encoder": "topk", "split_sign": True}, whitened),
}


def accuracy(codes, train, test):
    """Of a ridge classifier on codes that are scaled to the same largest entry."""
    scaler = MaxAbsScaler().fit(codes[train])
    fitted, unseen = (scaler.transform(codes[part]).toarray() for part in (train, test))
    return RidgeClassifierCV(ALPHAS).fit(fitted, y[train]).score(unseen, y[test])


# %%
# One pass over the data for each number, none to learn.

found = {title: [] for title in kinds}
pixels = []
splits = StratifiedShuffleSplit(3, test_size=0.5, random_state=0)
for train, test in splits.split(X, y):
    pixels.append(accuracy(csr_array(X), train, test))
    for title, (kind, options) in kinds.items():
        coder = KMeansCoder(200, random_state=0, **options).fit(X[train])
        coder.set_params(**kind)
        for size in sizes:
            codes = coder.set_params(n_nonzero_coefs=size).transform(X)
            active = codes.nnz / codes.shape[0]
            found[title].append((active, accuracy(codes, train, test)))

fig, ax = plt.subplots(layout="constrained")
for title, pairs in found.items():
    shape = (len(pixels), len(sizes), 2)
    active, score = np.reshape(pairs, shape).mean(axis=0).T
    ax.semilogx(active, score, "o-", base=2, label=title)
ax.axhline(np.mean(pixels), color="0.6", linestyle="--", label="the 64 pixels")
ax.set_xticks(sizes, sizes)
ax.set(
    xlabel="Non-zeros of a code", ylabel="Accuracy on unseen digits", ylim=(0.9, None)
)
ax.legend(fontsize=9)
plt.show()

# %%
# A single active centroid, which is what a cluster label says, already beats the
# pixels.

for title, pairs in found.items():
    best = max(np.reshape(pairs, (3, len(sizes), 2)).mean(axis=0)[:, 1])
    print(f"{title:32s} {best:.1%} at best")
