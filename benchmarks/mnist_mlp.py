"""Train a perceptron of MNIST with an L1 penalty: how many zeros, at what accuracy.

    SPARSELEARN_DATA=... python benchmarks/mnist_mlp.py [--l1 1.5e-4] [--out FILE]

The network 784-300-100-10 in float32, dense and with `l1`, all else being equal, each
for as many epochs: the sparse one has them in the two phases that it offers, `max_iter`
with the penalty and `refit_epochs` without. Options were chosen on 10000 of the
training images; accuracy is that on the 10000 test images, of the last weights, where
nothing was chosen. Of speed, `networks.py` tells.
"""

import os
from pathlib import Path

import measure
import numpy as np

from sparselearn import __version__
from sparselearn.neural_network import SparseMLPClassifier

LAYERS = (300, 100)
# Steps by momentum end in a wider place than Adam's, from where zeros cost less.
OPTIONS = {"solver": "sgd", "learning_rate_init": 0.1, "batch_size": 100}


class Itself:
    """What `measure.save` wants of a library."""

    version = __version__


def images(file):
    """Rows and digits of a file of SPARSELEARN_DATA."""
    with np.load(Path(os.environ["SPARSELEARN_DATA"]) / file) as data:
        X = data["X"].reshape(len(data["X"]), -1).astype(np.float32) / 255.0
        return X, data["y"].astype(int)


def train(train_set, test_set, seed, n_jobs, **parameters):
    """The figures of one network."""
    network = SparseMLPClassifier(
        LAYERS, tol=0.0, random_state=seed, n_jobs=n_jobs, **parameters
    )
    network.fit(*train_set)
    return {
        "parameters": parameters,
        "accuracy": network.score(*test_set),
        "sparsity": network.sparsity_,
        "layer_sparsity": network.layer_sparsity_.tolist(),
        "units": [units.size for units in network.active_units_],
        "pixels": network.support_.size,
        "weights": network.n_nonzero_coefs_,
    }


def main():
    parser = measure.arguments(__doc__)
    parser.add_argument("--l1", type=float, default=1.5e-4)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--refit", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    sets = images("mnist_train60k.npz"), images("mnist_t10k.npz")
    both = {
        "dense": {"max_iter": options.epochs + options.refit},
        "l1": {
            "l1": options.l1,
            "max_iter": options.epochs,
            "refit_epochs": options.refit,
        },
    }
    records = {}
    for seed in options.seeds:
        rows = {}
        for name, parameters in both.items():
            rows[name] = row = train(*sets, seed, options.jobs, **OPTIONS, **parameters)
            print(
                f"seed {seed}, {name:6} {100 * row['accuracy']:.2f} % right, "
                f"{row['weights']} weights, {100 * row['sparsity']:.2f} % zeros, "
                f"{row['units']} units, {row['pixels']} pixels",
                flush=True,
            )
            title = f"784-300-100-10, seed {seed}"
            records[title] = {"shape": [60000, 784], "networks": rows}
            found = {"sparselearn": Itself()}
            measure.save(options, "mnist perceptron", found, records)


if __name__ == "__main__":
    main()
