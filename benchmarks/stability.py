"""Time stability selection, and count what it finds of planted features.

    python benchmarks/stability.py [--pairs 50] [--draws 20]

Time: the halves of 50 random splits, of each the first q features of its Lasso path,
on one thread. Against it a loop over scikit-learn's ``lasso_path`` on the same halves:
of all 100 alphas, as its user has it, and of only those alphas that the halves here
came to, which says what is due to the solver and not to stopping. The mean difference
of the selection probabilities says whether all select the same.

Found: planted features among correlated ones, means over draws of the data. With one
expected false positive asked for, under each assumption, beside what the Lasso has at
the alpha of cross-validation, of one standard error and of the extended BIC.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import measure
import numpy as np
import sklearn
from sklearn.linear_model import lasso_path
from threadpoolctl import threadpool_limits

import sparselearn
from sparselearn.feature_selection import StabilitySelector
from sparselearn.feature_selection._halves import split_halves
from sparselearn.linear_model import Lasso, LassoCV

TIMED = {"wide": (200, 5000, 20), "square": (1000, 1000, 30), "tall": (4000, 200, 15)}
# Rows, features, planted features, correlation of neighbours, signal to noise.
PLANTED = {
    "independent": (200, 1000, 10, 0.0, 2.0),
    "correlated": (200, 1000, 10, 0.7, 2.0),
    "weak": (200, 1000, 10, 0.0, 0.5),
}
ASSUMPTIONS = ("none", "unimodal", "r-concave")


def draw(rng, n_samples, n_features, n_planted, correlation, ratio):
    """Autoregressive features, every so many of which count, and noise."""
    X = rng.normal(size=(n_samples, n_features))
    for j in range(1, n_features):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    planted = np.linspace(0, n_features - 1, n_planted).astype(int)
    signal = X[:, planted] @ rng.choice([-1.0, 1.0], size=n_planted)
    noise = rng.normal(size=n_samples) * np.std(signal) / np.sqrt(ratio)
    return X, signal + noise, planted


def by_scikit_learn(X, y, halves, q, alphas):
    """Selection probabilities by the first q features of scikit-learn's paths."""
    counts = np.zeros(X.shape[1])
    for rows in halves:
        part, target = X[rows], y[rows]
        part, target = part - part.mean(axis=0), target - target.mean()
        how = {"alphas": 100} if alphas is None else {"alphas": alphas}
        _, coefs, _ = lasso_path(np.asfortranarray(part), target, **how)
        chosen = np.zeros(X.shape[1], dtype=bool)
        for coef in coefs.T:
            new = np.flatnonzero((coef != 0) & ~chosen)
            sizes = np.abs(coef[new]) * part[:, new].std(axis=0)
            chosen[new[np.argsort(-sizes)][: q - chosen.sum()]] = True
            if chosen.sum() == q:
                break
        counts += chosen
    return counts / len(halves)


def timed(shape, n_pairs, repeats):
    n_samples, n_features, q = shape
    rng = np.random.default_rng(0)
    X, y, _ = draw(rng, n_samples, n_features, 10, 0.5, 2.0)
    X = np.asfortranarray(X)
    selector = StabilitySelector(
        Lasso(), n_selected=q, n_pairs=n_pairs, random_state=0
    ).fit(X, y)
    generator = np.random.RandomState(0)
    strata = np.zeros(n_samples)
    pairs = [split_halves(strata, generator) for _ in range(n_pairs)]
    halves = [half for pair in pairs for half in pair]
    ways = {
        "sparselearn": lambda: selector.fit(X, y).selection_probabilities_,
        "scikit-learn, 100 alphas": lambda: by_scikit_learn(X, y, halves, q, None),
        "scikit-learn, the same alphas": lambda: by_scikit_learn(
            X, y, halves, q, selector.alphas_
        ),
    }
    rows = {name: {"seconds": [], "cpu": []} for name in ways}
    ours = selector.selection_probabilities_
    with threadpool_limits(1):
        for _ in range(repeats):
            for name, way in ways.items():
                start = time.perf_counter(), time.process_time()
                found = way()
                rows[name]["seconds"].append(time.perf_counter() - start[0])
                rows[name]["cpu"].append(time.process_time() - start[1])
                rows[name]["difference"] = float(np.mean(np.abs(found - ours)))
    for row in rows.values():
        row["median"] = statistics.median(row["cpu"])
    return {"shape": [n_samples, n_features], "q": q, "ways": rows}


def found_of(setting, n_pairs, n_draws):
    counts = {}

    def count(name, support, planted, bound=None):
        row = counts.setdefault(name, {"true": [], "false": [], "bound": []})
        true = np.isin(support, planted).sum()
        row["true"].append(int(true))
        row["false"].append(int(len(support) - true))
        row["bound"].append(bound)

    for k in range(n_draws):
        X, y, planted = draw(np.random.default_rng(k), *setting)
        for assumption in ASSUMPTIONS:
            selector = StabilitySelector(
                Lasso(),
                expected_false_positives=1.0,
                assumption=assumption,
                n_pairs=n_pairs,
                random_state=k,
            ).fit(X, y)
            bound = selector.expected_false_positives_
            count(f"stability, {assumption}", selector.support_, planted, bound)
        for name in ("min", "1se", "ebic"):
            refit = "ols" if name == "ebic" else None
            model = LassoCV(selection=name, refit_support=refit).fit(X, y)
            count(f"LassoCV, {name}", model.support_, planted)
    return counts


def show(title, record):
    n, p = record["shape"]
    ours = record["ways"]["sparselearn"]["median"]
    print(f"\n{title}   {n} x {p}, first {record['q']}")
    for name, row in record["ways"].items():
        ratio = row["median"] / ours
        print(
            f"  {name:30s} {row['median']:8.3f} s CPU {ratio:7.2f} x ours   "
            f"probabilities differ by {row['difference']:.4f}",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the results as JSON")
    options = parser.parse_args()
    records, found = {}, {}
    for title, shape in TIMED.items():
        records[title] = timed(shape, options.pairs, options.repeats)
        show(title, records[title])
    for title, setting in PLANTED.items():
        found[title] = found_of(setting, options.pairs, options.draws)
        print(f"\n{title}   {setting[0]} x {setting[1]}, {setting[2]} planted")
        for name, row in found[title].items():
            bound = "" if row["bound"][0] is None else f"{np.mean(row['bound']):6.2f}"
            print(
                f"  {name:22s} found {np.mean(row['true']):5.2f}   "
                f"false {np.mean(row['false']):6.2f}   bound {bound}",
                flush=True,
            )
    if options.out:
        versions = {"sparselearn": sparselearn.__version__}
        versions["scikit-learn"] = sklearn.__version__
        results = {"table": "stability", "machine": measure.machine()}
        results |= {"versions": versions, "problems": records, "found": found}
        options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
