"""What both multilayer perceptrons share: from rows and targets to layers, and back."""

from abc import ABC, abstractmethod
from contextlib import contextmanager
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn._compat import Interval, StrOptions, check_sample_weight
from sparselearn._parallel import stream
from sparselearn._solvers._batches import Rows
from sparselearn._solvers._network import Network, NetworkSpec, glorot
from sparselearn.neural_network._fitting import (
    TRAINING_CONSTRAINTS,
    Training,
    TrainingMixin,
    epochs_of,
    own_random_state,
    split,
)

__all__ = ["Perceptron"]

FLOATS = (np.float64, np.float32)
# scikit-learn's name of the sigmoid.
LAYERS = {"logistic": "sigmoid"}


class Perceptron(TrainingMixin, BaseEstimator, ABC):
    """A multilayer perceptron whose weights may be exact zeros.

    A subclass has the parameters below and says what its targets are.
    """

    _parameter_constraints = {
        **TRAINING_CONSTRAINTS,
        "hidden_layer_sizes": [
            "array-like",
            Interval(Integral, 1, None, closed="left"),
        ],
        "activation": [StrOptions({"relu", "tanh", "logistic", "sigmoid", "identity"})],
        "solver": [StrOptions({"adam", "sgd", "lbfgs"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1": [Interval(Real, 0, None, closed="left")],
        "group_l1": [Interval(Real, 0, None, closed="left")],
        "refit_epochs": [Interval(Integral, 0, None, closed="left")],
        "shuffle": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
