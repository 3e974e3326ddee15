"""How well a linear model reads K-means codes, by encoder and number of non-zeros.

    python benchmarks/kmeans_digits.py [--splits 5]

The 1797 digits of scikit-learn, 256 centroids, a ridge classifier whose alpha its own
leave-one-out errors choose: the mean accuracy on 40% of the digits that neither has
seen, over random splits; and beside it that of the pixels themselves.
"""

from types import SimpleNamespace

import measure
import numpy as np
import scipy.sparse as sp
import sklearn
from sklearn.datasets import load_digits
from sklearn.linear_model import RidgeClassifierCV
from sklearn.model_selection import StratifiedShuffleSplit

import sparselearn
from sparselearn.cluster import KMeansCoder

N_COMPONENTS = 256
ALPHAS = np.logspace(-3, 4, 15)
LINES = {"spherical": True, "whiten": "zca", "split_sign": True}
TOP_32 = {"encoder": "topk", "n_nonzero_coefs": 32}
# By title: the parameters of the coder, or None for the pixels.
CODES = {
    "the pixels": None,
    "hard": {"encoder": "hard"},
    "triangle": {"encoder": "triangle"},
    "triangle, 32 largest": {"encoder": "triangle", "n_nonzero_coefs": 32},
    "triangle, 8 largest": {"encoder": "triangle", "n_nonzero_coefs": 8},
    "triangle, of directions": {"encoder": "triangle", "spherical": True},
    "triangle, whitened": {"encoder": "triangle", "whiten": "zca"},
    "soft threshold, of whitened directions": {"encoder": "soft-threshold"} | LINES,
    "top 32, of whitened directions": {"encoder": "topk", "n_nonzero_coefs": 32}
    | LINES,
    "llc": {"encoder": "llc"},
    "llc, 10 nearest": {"encoder": "llc", "n_nonzero_coefs": 10},
}


def measured(options, X, y, splits):
    """The row of one encoder."""
    row = {"accuracy": [], "nonzeros": []}
    for train, test in splits:
        parts = X[train], X[test]
        if options is not None:
            coder = KMeansCoder(N_COMPONENTS, random_state=0, **options)
            parts = coder.fit_transform(parts[0]), coder.transform(parts[1])
        fitted, unseen = (x.toarray() if sp.issparse(x) else x for x in parts)
        model = RidgeClassifierCV(ALPHAS).fit(fitted, y[train])
        row["accuracy"].append(model.score(unseen, y[test]))
        row["nonzeros"].append(np.count_nonzero(unseen) / len(unseen))
    return row | {"nonzeros": float(np.mean(row["nonzeros"]))}


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    cut = StratifiedShuffleSplit(options.splits, test_size=0.4, random_state=0)
    splits = list(cut.split(X, y))
    measured(CODES["triangle"], X, y, splits[:1])  # the first fit compiles
    rows = {}
    for title, parameters in CODES.items():
        rows[title] = row = measured(parameters, X, y, splits)
        print(
            f"{title:40s} {np.mean(row['accuracy']):.4f} "
            f"(sd {np.std(row['accuracy']):.4f})   "
            f"{row['nonzeros']:6.1f} non-zeros",
            flush=True,
        )
    record = {"shape": list(X.shape), "n_components": N_COMPONENTS, "codes": rows}
    versions = {
        module.__name__: SimpleNamespace(version=module.__version__)
        for module in (sparselearn, sklearn)
    }
    measure.save(options, "codes read", versions, {"digits": record})


if __name__ == "__main__":
    main()
