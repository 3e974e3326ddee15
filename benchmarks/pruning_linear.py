"""What linear models lose in accuracy without 99% of their weights, and path times.

    SPARSELEARN_DATA=DIR python benchmarks/pruning_linear.py [--sets leukemia ...]

Logistic regressions of wide data in 5-fold cross-validation, stratified, dense and
with a hundredth of the weights: by magnitude and spread with the constant folded, by
the surgeon's correction, fitted again, and the last in steps; after an L1 penalty; and
at random, fitted again. `within` says whether the mean is no more than one standard
error of the dense model's below that. Then the time of the whole path of backward
elimination, and how far it is from least squares on the same features.
"""

import os
import time
from pathlib import Path

import measure
import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import SparseLogisticRegression
from sparselearn.pruning import obs_path, prune

SPARSITY = 0.99
STEPS = (0.5, 0.75, 0.9, 0.95, 0.98, SPARSITY)
# By name: the file, the inverse weight of the ridge penalty, the weight of the L1
# penalty, and how often the folds are drawn.
SETS = {
    "leukemia": ("leukemia_golub.npz", 1.0, 2e-2, 4),
    "pcmac": ("text_pcmac_csr.npz", 10.0, 3e-4, 1),
    "basehock": ("text_basehock_csr.npz", 10.0, 3e-4, 1),
    "sms-spam": ("text_sms_spam_csr.npz", 10.0, 2e-4, 1),
}
WAYS = {
    "magnitude, folded": {"refit": "fold"},
    "magnitude, corrected": {"refit": "obs"},
    "magnitude, fitted again": {"refit": "same"},
    "random, fitted again": {"refit": "same", "criterion": "random"},
}
WIDTHS = (250, 500, 1000, 2000)


def read(file):
    """X, and whether it is text; y."""
    with np.load(Path(os.environ["SPARSELEARN_DATA"]) / file) as data:
        if "X" in data:
            return data["X"].astype(np.float64), data["y"]
        parts = data["data"].astype(np.float64), data["indices"], data["indptr"]
        indices = [part.astype(np.int32) for part in parts[1:]]
        return sp.csr_array((parts[0], *indices), shape=data["shape"]), data["y"]


def stepwise(model, X, y):
    """Pruned and fitted again, some weights at a time."""
    for sparsity in STEPS:
        model = prune(model, X, y, sparsity=sparsity, refit="same")
    return model


def accuracies(X, y, C, alpha, n_repeats):
    """By way: the accuracy on each fold."""
    found = {}
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=n_repeats, random_state=0)
    for train, test in folds.split(X, y):
        scale = TfidfTransformer(sublinear_tf=True) if sp.issparse(X) else None
        scale = (scale or StandardScaler()).fit(X[train])
        rows, unseen = scale.transform(X[train]), scale.transform(X[test])
        target = y[train]
        dense = LogisticRegression(C=C, max_iter=1000).fit(rows, target)
        l1 = SparseLogisticRegression(alpha=alpha).fit(rows, target)
        models = {"dense": dense, "L1, as fitted": l1}
        for title, options in WAYS.items():
            models[title] = prune(
                dense, rows, target, sparsity=SPARSITY, random_state=0, **options
            )
        models["magnitude, fitted again in steps"] = stepwise(dense, rows, target)
        models["L1, magnitude, corrected"] = prune(
            l1, rows, sparsity=SPARSITY, refit="obs"
        )
        for title, model in models.items():
            row = found.setdefault(title, {"accuracy": [], "weights": []})
            row["accuracy"].append(float(model.score(unseen, y[test])))
            row["weights"].append(int(np.count_nonzero(model.coef_)))
    return found


def summary(found):
    """Means, the standard error of the dense model, and who is within it."""
    scores = found["dense"]["accuracy"]
    error = float(np.std(scores, ddof=1) / np.sqrt(len(scores)))
    least = np.mean(scores) - error
    for title, row in found.items():
        row["mean"] = float(np.mean(row["accuracy"]))
        row["weights"] = float(np.mean(row["weights"]))
        row["within"] = bool(row["mean"] >= least)
        within = "within" if row["within"] else ""
        print(
            f"  {title:34s} {row['mean']:.4f}  {row['weights']:8.1f} weights  {within}"
        )
    return error


def path_time(width):
    """Seconds of the path of `width` features, and its greatest error."""
    rng = np.random.default_rng(0)
    mixing = np.eye(width) + 0.3 / np.sqrt(width) * rng.standard_normal((width, width))
    X = rng.standard_normal((2 * width, width)) @ mixing
    y = X @ rng.standard_normal(width) + rng.standard_normal(2 * width)
    model = LinearRegression().fit(X, y)
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        path = obs_path(model, X)
        seconds.append(time.perf_counter() - start)
    errors = []
    for k in (1, width // 10, width // 2):
        kept = np.flatnonzero(path.coefs[k])
        exact = LinearRegression().fit(X[:, kept], y).coef_
        errors.append(np.abs(path.coefs[k][kept] - exact).max() / np.abs(exact).max())
    row = {"seconds": float(np.median(seconds)), "error": float(max(errors))}
    print(f"  {width:5d} features  {row['seconds']:.3f} s, error {row['error']:.1e}")
    return row


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    options = parser.parse_args()
    records = {}
    print("Backward elimination")
    records["path"] = {str(width): path_time(width) for width in WIDTHS}
    for name in options.sets:
        file, *settings = SETS[name]
        X, y = read(file)
        print(f"{name}, {X.shape[0]} x {X.shape[1]}")
        found = accuracies(X, y, *settings)
        records[name] = {"shape": list(X.shape), "error": summary(found), "ways": found}
        measure.save(options, "pruned linear models", {}, records)


if __name__ == "__main__":
    main()
