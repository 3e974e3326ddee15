"""A fitted perceptron trained on, whatever trained it, weights held at zero."""

import math

from sklearn.utils import compute_sample_weight

from sparselearn.neural_network._mlp_classifier import SparseMLPClassifier
from sparselearn.neural_network._mlp_regressor import SparseMLPRegressor

__all__ = ["continued", "fine_tuned", "twin_of"]

# Parameters that scikit-learn's perceptrons have too, of the same meaning.
SHARED = (
    "activation",
    "alpha",
    "learning_rate_init",
    "momentum",
    "nesterovs_momentum",
    "shuffle",
    "beta_1",
    "beta_2",
    "epsilon",
)
FITTED = ("n_features_in_", "feature_names_in_", "classes_", "n_outputs_")
BATCH = 200  # rows, at most, of batch_size="auto"
RATE = 1e-3  # of a network that was fitted by L-BFGS, which has none
# By what to multiply the rate to begin with. A network at its optimum that has lost
# weights has some way to go, and Adam's rate falls to zero afterwards: on MNIST, 90% of
# the weights pruned, 10 epochs from three times the rate cost held-out rows half of
# what they do from the rate itself. Momentum may diverge at more than its own.
HASTE = {"adam": 3.0, "sgd": 1.0}


def twin_of(network):
    """A perceptron of this package with the weights of `network`, ready to train on.

    Parameters
    ----------
    network : MLPClassifier, MLPRegressor, SparseMLPClassifier or SparseMLPRegressor
    """
    if getattr(network, "loss", "squared_error") == "poisson":
        raise ValueError(
            f"{type(network).__name__}(loss='poisson') cannot be trained with weights "
            "held at zero; take refit='lstsq'."
        )
    kind = SparseMLPClassifier if hasattr(network, "classes_") else SparseMLPRegressor
    options = {name: getattr(network, name) for name in SHARED}
    in_steps = network.solver != "lbfgs"
    if not in_steps:
        options["learning_rate_init"] = RATE
    batch_size = BATCH if network.batch_size == "auto" else network.batch_size
    twin = kind(
        hidden_layer_sizes=[w.shape[1] for w in network.coefs_[:-1]],
        solver=network.solver if in_steps else "adam",
        batch_size=batch_size,
        n_jobs=getattr(network, "n_jobs", None),
        **options,
    )
    kept = {name: getattr(network, name) for name in FITTED if hasattr(network, name)}
    vars(twin).update(
        kept,
        coefs_=network.coefs_,
        intercepts_=network.intercepts_,
        out_activation_=network.out_activation_,
        masks_=None,
        history_={},
        _past=None,
    )
    return twin


def fine_tuned(network, masks, X, y, sample_weight, *, rates, seed):
    """The `twin_of` a network after some epochs more.

    Parameters
    ----------
    masks : list of ndarray of bool
        False where a weight is held at zero.
    X, y, sample_weight
        As `network` took them.
    rates : sequence of float
        By what to multiply the rate, `HASTE` times `learning_rate_init`, one an epoch.
    seed : int
        Of the order of the rows.
    """
    twin = twin_of(network)
    twin.set_params(random_state=seed).set_masks(masks)
    class_weight = getattr(network, "class_weight", None)
    if class_weight is not None:
        # "balanced" is of all rows, which each epoch has.
        factors = compute_sample_weight(class_weight, y)
        sample_weight = factors if sample_weight is None else factors * sample_weight
    first = HASTE[twin.solver] * twin.learning_rate_init
    for rate in rates:
        twin.set_params(learning_rate_init=first * float(rate))
        twin.partial_fit(X, y, sample_weight)
    return twin


def continued(before, after):
    """The history of `after`, epochs that followed those of `before`."""
    n_before = len(before.get("loss", ()))
    offset = before["seconds"][-1] if n_before else 0.0
    history = {}
    for name in [*before, *(name for name in after if name not in before)]:
        missing = [math.nan] * len(after["loss"])
        new = after.get(name, missing)
        if name == "seconds":
            new = [offset + value for value in new]
        history[name] = [*before.get(name, [math.nan] * n_before), *new]
    return history
