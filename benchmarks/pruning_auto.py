"""Whether criterion="auto" takes a strategy that is as good as the best there is.

    SPARSELEARN_DATA=DIR python benchmarks/pruning_auto.py [--seeds 10] [--out FILE]

On small data sets an estimator is fitted to two thirds of the rows and pruned with the
same rows: by "auto", and by each of the candidates among which it chooses. Points lost
(of accuracy or of R²) are those on the other rows, by which nothing was chosen.
`behind` is by how many "auto" is below the single candidate that is best in the mean of
the seeds; the aim is at most 0.3. A run's own `behind` is that to the best candidate of
its seed: the luck of some tens or hundreds of test rows is in it. The rule by which
"auto" chooses was found on seeds 10 to 29. `pruning_mnist.py` asks the same of a larger
network.
"""

import os
import warnings
from pathlib import Path

import measure
import numpy as np
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_classification,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from sparselearn import __version__
from sparselearn.pruning import Pruner

AIM = 0.3
# What is pruned of a perceptron, and of a linear model.
PERCEPTRON = [("element", 0.8), ("element", 0.9), ("neuron", 0.5)]
LINEAR = [("element", 0.5), ("element", 0.8)]


class Itself:
    """What `measure.save` wants of a library."""

    version = __version__


def spambase():
    with np.load(Path(os.environ["SPARSELEARN_DATA"]) / "spambase.npz") as data:
        return np.log1p(data["X"]), data["y"].astype(int)


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return X, (y - y.mean()) / y.std()  # at which scale a perceptron learns


def made():
    """Four classes of two clusters each, in 25 of 40 dimensions."""
    return make_classification(
        1500,
        40,
        n_informative=15,
        n_redundant=10,
        n_classes=4,
        n_clusters_per_class=2,
        random_state=7,
    )


def perceptron(kind, seed):
    return kind(hidden_layer_sizes=(60, 30), max_iter=100, random_state=seed)


# By name: X and y, the estimator of a seed, and what is pruned.
PROBLEMS = {
    "digits, perceptron": (
        lambda: load_digits(return_X_y=True),
        lambda seed: perceptron(MLPClassifier, seed),
        PERCEPTRON,
    ),
    "wine, perceptron": (
        lambda: load_wine(return_X_y=True),
        lambda seed: perceptron(MLPClassifier, seed),
        PERCEPTRON,
    ),
    "cancer, perceptron": (
        lambda: load_breast_cancer(return_X_y=True),
        lambda seed: perceptron(MLPClassifier, seed),
        PERCEPTRON,
    ),
    "made, perceptron": (
        made,
        lambda seed: perceptron(MLPClassifier, seed),
        PERCEPTRON,
    ),
    "diabetes, perceptron": (
        diabetes,
        lambda seed: perceptron(MLPRegressor, seed).set_params(alpha=10.0),
        PERCEPTRON,
    ),
    "spambase, perceptron": (
        spambase,
        lambda seed: perceptron(MLPClassifier, seed),
        PERCEPTRON,
    ),
    "spambase, logistic": (
        spambase,
        lambda seed: LogisticRegression(max_iter=1000),
        LINEAR,
    ),
    "cancer, logistic": (
        lambda: load_breast_cancer(return_X_y=True),
        lambda seed: LogisticRegression(max_iter=1000),
        LINEAR,
    ),
    "wine, logistic": (
        lambda: load_wine(return_X_y=True),
        lambda seed: LogisticRegression(max_iter=1000),
        LINEAR,
    ),
    "diabetes, ridge": (
        diabetes,
        lambda seed: Ridge(),
        LINEAR,
    ),
}


def auto_and_best(dense, train, test, granularity, sparsity, seed):
    """Points that "auto" and each of its candidates lose; none of them trains."""
    options = {"granularity": granularity, "sparsity": sparsity, "random_state": seed}

    def lost(criterion, refit):
        pruner = Pruner(
            FrozenEstimator(dense), criterion=criterion, refit=refit, **options
        ).fit(*train)
        return pruner, 100 * (dense.score(*test) - pruner.score(*test))

    pruner, of_auto = lost("auto", "auto")
    table = pruner.strategy_results_
    pairs = set(zip(table["criterion"], table["refit"]))
    rows = {
        f"{criterion}, {refit}": lost(criterion, refit)[1]
        for criterion, refit in sorted(pairs)
        if criterion != "random"
    }
    return {
        "auto": of_auto,
        "taken": f"{pruner.criterion_}, {pruner.refit_}",
        "candidates": rows,
        "behind": of_auto - min(rows.values()),
    }


def behind_single(runs):
    """Points that "auto" is behind the candidate that is best on average.

    And the standard error of that over the seeds, as if the best were known.
    """
    names = runs[0]["candidates"]
    auto = np.array([run["auto"] for run in runs])
    of_each = [np.array([run["candidates"][name] for run in runs]) for name in names]
    behind = auto - min(of_each, key=np.mean)
    error = np.std(behind) / np.sqrt(max(len(behind) - 1, 1))
    return float(np.mean(behind)), float(error)


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    options = parser.parse_args()
    records = {}
    for name, (data, estimator, amounts) in PROBLEMS.items():
        X, y = data()
        for seed in range(options.seeds):
            X_train, X_test, y_train, y_test = train_test_split(
                X, y, test_size=1 / 3, random_state=seed
            )
            scale = StandardScaler().fit(X_train)
            train = scale.transform(X_train), y_train
            test = scale.transform(X_test), y_test
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                dense = estimator(seed).fit(*train)
            for granularity, sparsity in amounts:
                title = f"{name}, {sparsity:.0%} by {granularity}"
                row = auto_and_best(dense, train, test, granularity, sparsity, seed)
                record = records.setdefault(title, {"shape": list(X.shape), "runs": []})
                record["runs"].append(row)
                print(f"{title}, seed {seed}: {row}", flush=True)
    for title, record in records.items():
        record["behind"], record["error"] = behind_single(record["runs"])
        word = "" if record["behind"] <= AIM else f"  above {AIM}"
        figures = f"{record['behind']:6.2f} +- {record['error']:.2f}"
        print(f"{title:50s} {figures} behind{word}")
    measure.save(options, "pruning by auto", {"sparselearn": Itself()}, records)


if __name__ == "__main__":
    main()
