"""What linear models lose in accuracy without 99% of their weights, and path times.

    SPARSELEARN_DATA=DIR python benchmarks/pruning_linear.py [--sets leukemia ...]

Logistic regressions with a ridge penalty of wide data, in 5-fold cross-validation,
stratified: dense, its penalty chosen on three folds of the training rows, and with a
hundredth of its weights: by magnitude and spread with the constant folded, by the
surgeon's correction, fitted again with the same penalty, the last in steps, and these
with a penalty chosen anew on the same folds; after an L1 penalty, whose weight was
tried by hand, and its largest weights fitted again with a ridge penalty chosen so; and
at random, fitted again. `within` says whether the mean is no
more than one standard error of the dense model's below that.

Texts come twice: by the counts of their words, where a hundredth is 33 to 87 words and
is not enough; and by these and pairs of words in one text, whichever a few training
texts have, where a hundredth of the columns is hundreds to thousands. The dense model
has the same columns each time. Both are TF-IDF, apart.

Then the time of the whole path of backward elimination, and how far it is from least
squares on the same features.
"""

import os
import time
from pathlib import Path

import measure
import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold
from sklearn.preprocessing import StandardScaler

from sparselearn.linear_model import SparseLogisticRegression
from sparselearn.pruning import obs_path, prune

SPARSITY = 0.99
STEPS = (0.5, 0.75, 0.9, 0.95, 0.98, SPARSITY)
# By name: the file, the weight of the L1 penalty, how often the folds are drawn, and
# of texts how many must have a pair of words for it to be a column; 0 takes no pairs.
SETS = {
    "leukemia": ("leukemia_golub.npz", 2e-2, 4, 0),
    "pcmac": ("text_pcmac_csr.npz", 3e-4, 1, 0),
    "basehock": ("text_basehock_csr.npz", 3e-4, 1, 0),
    "sms-spam": ("text_sms_spam_csr.npz", 2e-4, 1, 0),
    "pcmac, pairs": ("text_pcmac_csr.npz", 1e-4, 1, 3),
    "basehock, pairs": ("text_basehock_csr.npz", 1e-4, 1, 3),
    "sms-spam, pairs": ("text_sms_spam_csr.npz", 3e-5, 1, 3),
}
PENALTIES = {"C": [0.1, 1.0, 10.0, 100.0, 1000.0]}
PAIRS_AT_A_TIME = 20000
MOST_CORRECTED = 10000  # columns of which all pairs are corrected
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


def words_and_pairs(X, least):
    """A function of texts X: their words' counts, and which pairs of words they have.

    The pairs are those that `least` of the X given here have, or more.
    """
    has = (X != 0).astype(np.float64)
    together = sp.triu(sp.csr_array(has.T @ has), 1).tocoo()
    often = together.data >= least
    one, other = together.row[often], together.col[often]

    def columns(X):
        has = sp.csc_array((X != 0).astype(np.float64))
        parts = [
            has[:, one[some]].multiply(has[:, other[some]])
            for some in np.array_split(
                np.arange(one.size), one.size // PAIRS_AT_A_TIME + 1
            )
        ]
        return [X, sp.hstack(parts, format="csr")]

    return columns


def prepared(X, train, test, least):
    """Training and test rows, brought to one scale by what the training rows say."""
    if not sp.issparse(X):
        scale = StandardScaler().fit(X[train])
        return scale.transform(X[train]), scale.transform(X[test])
    columns = (lambda X: [X]) if not least else words_and_pairs(X[train], least)
    found = []
    for seen, unseen in zip(columns(X[train]), columns(X[test])):
        scale = TfidfTransformer(sublinear_tf=True).fit(seen)
        found.append([scale.transform(seen), scale.transform(unseen)])
    return [sp.hstack(parts, format="csr") for parts in zip(*found)]


def fitted_on(kept, model, X, y):
    """`model`, an unfitted one, on some columns; its other weights are 0."""
    small = model.fit(X[:, kept], y)
    small = getattr(small, "best_estimator_", small)
    coef = np.zeros((len(small.coef_), X.shape[1]))
    coef[:, kept] = small.coef_
    small.coef_, small.n_features_in_ = coef, X.shape[1]
    return small


def largest(model, X):
    """Columns of the largest weights of a model, as many as pruning leaves."""
    kept = prune(model, X, n_nonzero_coefs=round((1 - SPARSITY) * X.shape[1]))
    return np.flatnonzero(kept.coef_.any(axis=0))


def accuracies(X, y, alpha, n_repeats, least):
    """By way: the accuracy on each fold."""
    found = {}
    folds = RepeatedStratifiedKFold(n_splits=5, n_repeats=n_repeats, random_state=0)
    for train, test in folds.split(X, y):
        rows, unseen = prepared(X, train, test, least)
        target = y[train]
        search = GridSearchCV(LogisticRegression(max_iter=1000), PENALTIES, cv=3)
        dense = clone(search).fit(rows, target).best_estimator_
        l1 = SparseLogisticRegression(alpha=alpha).fit(rows, target)
        models = {"dense": dense, "L1, as fitted": l1}
        for title, options in WAYS.items():
            if options["refit"] == "obs" and rows.shape[1] > MOST_CORRECTED:
                continue
            models[title] = prune(
                dense, rows, target, sparsity=SPARSITY, random_state=0, **options
            )
        models["magnitude, fitted again in steps"] = stepwise(dense, rows, target)
        kept = np.flatnonzero(models["magnitude, fitted again in steps"].coef_[0])
        models["the same, another penalty"] = fitted_on(kept, search, rows, target)
        models["L1, the largest, fitted again"] = fitted_on(
            largest(l1, rows), search, rows, target
        )
        for title, model in models.items():
            row = found.setdefault(title, {"accuracy": [], "weights": []})
            row["accuracy"].append(float(model.score(unseen, y[test])))
            row["weights"].append(int(np.count_nonzero(model.coef_)))
    return found, rows.shape[1]


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
        found, n_columns = accuracies(X, y, *settings)
        shape = [X.shape[0], n_columns]
        print(f"  {n_columns} columns (of the last fold)")
        records[name] = {"shape": shape, "error": summary(found), "ways": found}
        measure.save(options, "pruned linear models", {}, records)


if __name__ == "__main__":
    main()
