"""Prune a perceptron of MNIST: what each share of zeros costs, by criterion and refit.

    SPARSELEARN_DATA=... python benchmarks/pruning_mnist.py [--seeds 3] [--out FILE]

The network 784-300-100-10 in float32 is trained on the 60000 images, once a seed, and
every row prunes that one network. "label-free" rows see 5000 of the training images and
no digit; the others train on what is left. Points lost are those of accuracy on the
10000 test images, by which nothing was chosen; units that are removed are removed
physically, and `predict` of the test images is timed in one run, in turns: of this
network, dense and shrunk; of scikit-learn's MLPClassifier with the same weights, dense
and shrunk; and of the Pruner around that. At 80 % every criterion is followed by the
same refit, and held against `random`; and "auto" against the best of its candidates.

"obs" before ten epochs was chosen on two other networks, seeds 10 and 11, with these
test images: it lost .07 to .15 points there, "wanda" .17 to .30.
"""

import os
import time
import warnings
from pathlib import Path

import measure
import numpy as np
from pruning_auto import auto_and_best
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.neural_network import MLPClassifier

from sparselearn import __version__
from sparselearn.neural_network import SparseMLPClassifier
from sparselearn.pruning import Pruner, prune, shrink
from sparselearn.pruning._criteria import CRITERIA

LAYERS = (300, 100)
CALIBRATION = 5000
TURNS, PAUSE = 25, 0.2
UNITS = {"granularity": "neuron", "criterion": "obs"}
CUBIC = {"schedule": "cubic", "refit": "train", "refit_epochs": 30}
# What is pruned, how, and the most points that it may lose.
ROWS = {
    "50 % of weights, label-free": (
        {"sparsity": 0.5, "criterion": "obs", "refit": "lstsq"},
        0.1,
    ),
    "80 %, label-free": (
        {"sparsity": 0.8, "criterion": "obs", "refit": "lstsq"},
        0.6,
    ),
    "90 %, label-free": (
        {"sparsity": 0.9, "criterion": "obs", "refit": "lstsq"},
        2.5,
    ),
    "90 %, 10 epochs": (
        {"sparsity": 0.9, "criterion": "obs", "refit": "train", "refit_epochs": 10},
        0.2,
    ),
    "95 %, cubic, 30 epochs": ({"sparsity": 0.95, "criterion": "wanda", **CUBIC}, 0.4),
    "98 %, cubic, 30 epochs": ({"sparsity": 0.98, "criterion": "wanda", **CUBIC}, 1.2),
    "50 % of units, label-free": ({"sparsity": 0.5, "refit": "lstsq", **UNITS}, 0.4),
    "75 % of units, 10 epochs": (
        {"sparsity": 0.75, "refit": "train", "refit_epochs": 10, **UNITS},
        0.6,
    ),
}


class Itself:
    """What `measure.save` wants of a library."""

    version = __version__


def images(file):
    """Rows and digits of a file of SPARSELEARN_DATA."""
    with np.load(Path(os.environ["SPARSELEARN_DATA"]) / file) as data:
        X = data["X"].reshape(len(data["X"]), -1).astype(np.float32) / 255.0
        return X, data["y"].astype(int)


def points_lost(dense, pruned, test):
    """Points of accuracy that `pruned` is below `dense`."""
    return 100 * (dense.score(*test) - pruned.score(*test))


def seconds_of(networks, X):
    """Median seconds of `predict` of each network, in turns.

    With pauses, for threads of BLAS look for work for a while after each call.
    """
    seconds = {name: [] for name in networks}
    for _ in range(TURNS):
        for name, network in networks.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            network.predict(X)
            seconds[name].append(time.perf_counter() - start)
    return {name: float(np.median(found)) for name, found in seconds.items()}


def in_scikit_learn(network, train):
    """The weights of a network of this package in scikit-learn's."""
    X, y = train
    few = np.unique(y, return_index=True)[1]
    twin = MLPClassifier(network.hidden_layer_sizes, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        twin.fit(X[few], y[few])
    twin.coefs_, twin.intercepts_ = network.coefs_, network.intercepts_
    return twin


def one_row(dense, train, test, how, seed):
    """The figures of one row for one seed."""
    X, y = train
    rows = np.random.default_rng(seed).permutation(len(X))
    seen = rows if how["refit"] == "train" else rows[:CALIBRATION]
    start = time.perf_counter()
    pruned = prune(dense, X[seen], y[seen], **how, random_state=seed)
    row = {
        "seconds": time.perf_counter() - start,
        "lost": points_lost(dense, pruned, test),
        "sparsity": pruned.sparsity_,
    }
    if how.get("granularity") == "neuron":
        small = shrink(pruned)
        row["units"] = [weights.shape[1] for weights in small.coefs_[:-1]]
        row["lost"] = points_lost(dense, small, test)
        pruner = Pruner(
            FrozenEstimator(in_scikit_learn(dense, train)),
            **(how | {"refit": "lstsq"}),
            calibration_size=CALIBRATION,
            shrink=True,
            random_state=seed,
        ).fit(X[seen], y[seen])
        theirs = {"theirs": pruner.unpruned_, "theirs, small": pruner.estimator_}
        networks = {"ours": dense, "ours, small": small, **theirs, "pruner": pruner}
        seconds = row["seconds of predict"] = seconds_of(networks, test[0])
        row["faster"] = seconds["ours"] / seconds["ours, small"]
        row["faster, scikit-learn"] = seconds["theirs"] / seconds["theirs, small"]
        row["faster, Pruner"] = seconds["theirs"] / seconds["pruner"]
    return row


def by_criterion(dense, train, test, granularity, sparsity, seed):
    """Points lost by each criterion, label-free, at one share of zeros."""
    X, y = train
    rows = np.random.default_rng(seed).permutation(len(X))[:CALIBRATION]
    lost = {}
    for name in CRITERIA:
        if getattr(CRITERIA[name], granularity, None) is None:
            continue
        pruned = prune(
            dense,
            X[rows],
            y[rows],
            criterion=name,
            granularity=granularity,
            sparsity=sparsity,
            refit="lstsq",
            random_state=seed,
        )
        lost[name] = points_lost(dense, pruned, test)
    return lost


def within_tolerance(dense, train, test, seed, tolerance=0.005):
    """What a search with a tolerance found, and whether the test images agree."""
    X, y = train
    rows = np.random.default_rng(seed).permutation(len(X))[:10000]
    pruner = Pruner(
        FrozenEstimator(dense),
        criterion="wanda",
        tolerance=tolerance,
        refit="lstsq",
        random_state=seed,
    ).fit(X[rows], y[rows])
    right = [model.predict(test[0]) == test[1] for model in (dense, pruner)]
    loss = right[0].astype(float) - right[1]
    error = loss.std() / np.sqrt(len(loss))
    return {
        "sparsity": pruner.sparsity_,
        "lost": 100 * float(loss.mean()),
        "error": 100 * float(error),
        "held": bool(loss.mean() <= tolerance + error),
    }


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tolerance-seeds", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    train, test = images("mnist_train60k.npz"), images("mnist_t10k.npz")
    found = {"rows": {name: [] for name in ROWS}, "criteria": {}}
    found |= {"auto": {}, "tolerance": []}
    networks = []
    for seed in range(options.seeds):
        dense = SparseMLPClassifier(
            LAYERS,
            max_iter=options.epochs,
            tol=0.0,
            random_state=seed,
            n_jobs=options.jobs,
        ).fit(*train)
        networks.append(dense)
        found.setdefault("dense", []).append(dense.score(*test))
        print(f"seed {seed}: dense {100 * found['dense'][-1]:.2f} %", flush=True)
        for name, (how, _) in ROWS.items():
            row = one_row(dense, train, test, how, seed)
            found["rows"][name].append(row)
            print(f"  {name}: {row}", flush=True)
        for granularity in ("element", "neuron"):
            lost = by_criterion(dense, train, test, granularity, 0.8, seed)
            found["criteria"].setdefault(granularity, []).append(lost)
            print(f"  {granularity}: {lost}", flush=True)
        few = np.random.default_rng(seed).permutation(len(train[0]))[:CALIBRATION]
        some = train[0][few], train[1][few]
        for parts in (("element", 0.8), ("element", 0.9), ("neuron", 0.5)):
            row = auto_and_best(dense, some, test, *parts, seed)
            found["auto"].setdefault(" ".join(map(str, parts)), []).append(row)
            print(f"  auto, {parts}: {row}", flush=True)
    for seed in range(options.tolerance_seeds):
        network = networks[seed % len(networks)]
        found["tolerance"].append(within_tolerance(network, train, test, seed))
        print(f"  tolerance: {found['tolerance'][-1]}", flush=True)
    found["limits"] = {name: limit for name, (_, limit) in ROWS.items()}
    record = {"shape": [60000, 784], **found}
    measure.save(
        options, "mnist pruning", {"sparselearn": Itself()}, {"784-300-100-10": record}
    )


if __name__ == "__main__":
    main()
