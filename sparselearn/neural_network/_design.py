"""From the parameters of a SparseAutoencoder to a learner: the one place that chooses.

A code of one layer whose entries are mostly zero is learned by a `SparseLearner`,
whose steps touch what is not zero; all else by a `DenseLearner`.
"""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from sparselearn._solvers._network import (
    Adam,
    CodeLayer,
    DenseLearner,
    Network,
    NetworkSpec,
    glorot,
)
from sparselearn._solvers._optimizers import FullBatch
from sparselearn._solvers._sparse_autoencoder import SparseLearner, SparseSpec

__all__ = ["Design", "layers_of", "make_design", "make_learner"]

# Of `sparsity_target` and of `alpha`, for a KL and for an L1 penalty.
TARGET = 0.05
KL_WEIGHT = 3.0
L1_WEIGHT = 0.1
# How fast units are balanced, in units of the rate.
BALANCE = 1.0
# One unit of so many, and at least one, is in a code unless the user says otherwise.
UNITS_PER_NONZERO = 32

# Of the mean of a feature with cross-entropy, at the start.
RAREST = 1e-3

# Activations that leave exact zeros; those of them that count non-zeros, and those that
# have a penalty, whose weight may be sought for a number of non-zeros.
SELECTIONS = ("topk", "batchtopk", "jumprelu", "relu")
COUNTED = ("topk", "batchtopk")


class Design(NamedTuple):
    """What the parameters of an autoencoder come to for X of some width.

    Attributes
    ----------
    sizes : tuple of int
        Of the input and of all layers.
    activation : str
        Of the code, layer `n_encoding` of them, from 1.
    n_encoding : int
    loss : str
    tied : bool
    l2 : float
    noise : float
        Standard deviation of what is added to samples in training, in units of the
        root mean variance of the features.
    n_nonzero : number or None
        Of a code: exactly, on average, or wanted on average.
    alpha : float or None
        Weight of the penalty; None where there is none or it is sought.
    target : float or None
        Mean activation that a KL penalty asks for.
    revive : {"auxk", "resample", None}
    anneal : float
        The share of the training over which "topk" comes down to `n_nonzero`.
    balance : float
        How fast biases move, in units of the rate, to make units fire equally often.
    full : bool
        Whether all samples are taken at once, by L-BFGS.
    refine : {"ols", "nnls", None}
    """

    sizes: tuple
    activation: str
    n_encoding: int
    loss: str
    tied: bool
    l2: float
    noise: float
    n_nonzero: float | None
    alpha: float | None
    target: float | None
    revive: str | None
    anneal: float
    balance: float
    full: bool
    refine: str | None

    @property
    def selects(self):
        """Whether codes have exact zeros."""
        return self.activation in SELECTIONS

    @property
    def sparse(self):
        """Whether steps touch only what is not zero."""
        return self.selects and self.n_encoding == 1 and not self.full

    @property
    def homogeneous(self):
        """Whether codes have the unit of X."""
        return self.selects and self.loss == "squared_error"

    @property
    def architecture(self):
        """What a learner must have in common with another whose state it takes."""
        return (*self.sizes, self.activation, self.loss, self.tied, self.full)


def make_design(estimator, n_features):
    """The `Design` of an estimator's parameters, held against one another.

    Raises
    ------
    ValueError
        For a parameter that means nothing beside the others.
    """
    activation, alpha = estimator.activation, estimator.alpha
    n_components = estimator.n_components or n_features
    hidden = _hidden_sizes(estimator.hidden_layer_sizes)
    counted, selects = activation in COUNTED, activation in SELECTIONS
    one_layer = not hidden
    for name, meant, where in [
        (
            "n_nonzero_coefs",
            selects,
            "activation 'topk', 'batchtopk', 'jumprelu' or 'relu'",
        ),
        ("sparsity_target", activation == "sigmoid", "activation='sigmoid'"),
        (
            "alpha",
            not counted,
            "an activation with a penalty: 'jumprelu', 'relu', 'sigmoid' or 'tanh'",
        ),
    ]:
        if getattr(estimator, name) is not None and not meant:
            raise ValueError(
                f"{name}={getattr(estimator, name)!r} means nothing with "
                f"activation={activation!r}; it needs {where}."
            )
    if alpha is not None and estimator.n_nonzero_coefs is not None:
        raise ValueError(
            f"alpha={alpha!r} and n_nonzero_coefs={estimator.n_nonzero_coefs!r} were "
            "given; give one: the other follows from it."
        )
    if estimator.revive in ("auxk", "resample") and not (selects and one_layer):
        raise ValueError(
            f"revive={estimator.revive!r} needs one layer, and a code with zeros; got "
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} and "
            f"activation={activation!r}."
        )
    balance, balances = estimator.balance, counted and one_layer
    if balance and not balances:
        raise ValueError(
            f"balance={balance!r} needs one layer, and activation 'topk' or "
            "'batchtopk', where units compete for a code; got "
            f"hidden_layer_sizes={estimator.hidden_layer_sizes!r} and "
            f"activation={activation!r}."
        )
    check_refine(
        estimator.refine,
        activation,
        estimator.loss == "squared_error",
        2 * len(hidden) + 2,
    )
    sought = activation == "relu" and alpha is None
    if estimator.solver == "lbfgs" and (counted or activation == "jumprelu" or sought):
        raise ValueError(
            "solver='lbfgs' needs an objective that is smooth: activation 'sigmoid', "
            "'tanh', or 'relu' with an alpha; got "
            f"activation={activation!r} and alpha={alpha!r}."
        )
    if estimator.solver == "lbfgs" and estimator.noise > 0.0:
        raise ValueError(
            f"noise={estimator.noise!r} is drawn for each batch; it needs "
            "solver='adam', got solver='lbfgs', which takes all samples at once."
        )
    if not selects and alpha is None:
        alpha = KL_WEIGHT if activation == "sigmoid" else L1_WEIGHT
    revive = estimator.revive
    if revive == "auto":
        revive = "auxk" if selects and one_layer else None
    return Design(
        sizes=(n_features, *hidden, n_components, *hidden[::-1], n_features),
        activation=activation,
        n_encoding=len(hidden) + 1,
        loss=estimator.loss,
        tied=estimator.tied_weights,
        l2=float(estimator.l2),
        noise=float(estimator.noise),
        n_nonzero=wanted_nonzeros(estimator, n_components) if alpha is None else None,
        alpha=None if alpha is None else float(alpha),
        target=_target(estimator) if activation == "sigmoid" else None,
        revive=revive,
        anneal=float(estimator.anneal) if _anneals(estimator, one_layer) else 0.0,
        balance=BALANCE * balances if balance is None else float(balance),
        full=estimator.solver == "lbfgs",
        refine=estimator.refine,
    )


def _anneals(estimator, one_layer):
    """Whether the number of non-zeros comes down, beside a rate that is scheduled too.

    With a constant rate an epoch is the last if the loss has stopped falling, and it
    rises while the number comes down.
    """
    scheduled = estimator.learning_rate == "annealed"
    return estimator.activation == "topk" and one_layer and scheduled


def check_refine(refine, activation, linear, n_layers):
    """Raise an error if codes can not be fitted to atoms by least squares."""
    if refine is not None and not (
        activation in SELECTIONS and linear and n_layers == 2
    ):
        raise ValueError(
            f"refine={refine!r} fits codes to atoms by least squares; it needs one "
            "layer, a code with zeros and loss='squared_error'."
        )


def _hidden_sizes(sizes):
    sizes = (sizes,) if isinstance(sizes, Integral) else tuple(sizes)
    if not all(isinstance(n, Integral) and n > 0 for n in sizes):
        raise ValueError(
            f"hidden_layer_sizes={sizes!r} must be positive whole numbers, those of "
            "the layers between X and the code."
        )
    return tuple(int(n) for n in sizes)


def wanted_nonzeros(estimator, n_components):
    """How many non-zeros a code is to have; "topk" keeps so many."""
    wanted = estimator.n_nonzero_coefs
    if wanted is None:
        wanted = max(1, n_components // UNITS_PER_NONZERO)
    if estimator.activation == "topk":
        if wanted != int(wanted):
            raise ValueError(
                f"n_nonzero_coefs={wanted!r} must be a whole number with "
                "activation='topk', which keeps so many of each code."
            )
        wanted = int(wanted)
    return min(wanted, n_components)


def _target(estimator):
    return TARGET if estimator.sparsity_target is None else estimator.sparsity_target


def make_learner(
    design, sample, mean, deviations, patience, random_state, *, zeros=None
):
    """A new learner.

    Parameters
    ----------
    design : Design
    sample : ndarray (n_sample, n_features)
        Some rows as the learner will see them, of the dtype of all.
    mean : float64 ndarray (n_features,)
        Of all rows as the learner will see them.
    deviations : float64 ndarray (n_features,)
        Of the features, in any unit.
    patience : float
        Sum of the weights of rows none of which has made a unit fire if it is dead.
    random_state : RandomState
        Draws the weights.
    zeros : ndarray (n_features,), optional
        What a row of zeros is to the learner; 0 if not given.

    Returns
    -------
    learner : Learner
    """
    output_bias = np.zeros(mean.size)
    if design.loss == "cross_entropy":
        share = np.clip(mean, RAREST, 1.0 - RAREST)
        output_bias = np.log(share / (1.0 - share))
    if not design.sparse:
        return _dense_learner(design, sample, mean, output_bias, random_state)
    atoms = _directions(design.sizes[1], deviations, random_state)
    return _sparse_learner(
        design, sample, mean, output_bias, atoms, patience, random_state, zeros
    )


def _directions(n_components, deviations, random_state):
    """Normal rows, of entries that vary as the features do.

    What features that hardly vary have of an encoder at the start, they keep.
    """
    if not deviations.any():
        deviations = np.ones_like(deviations)
    normal = random_state.standard_normal((n_components, deviations.size))
    return normal * (deviations / deviations.max())


def _sparse_learner(
    design, sample, mean, output_bias, atoms, patience, random_state, zeros
):
    spec = SparseSpec(
        selection=design.activation,
        n_nonzero=design.n_nonzero,
        alpha=design.alpha,
        loss=design.loss,
        tied=design.tied,
        revive=design.revive,
        patience=patience,
        anneal=design.anneal,
        balance=design.balance,
        seed=random_state.randint(2**31),
    )
    learner = SparseLearner(
        spec,
        sample,
        len(atoms),
        random_state,
        atoms=atoms,
        output_bias=output_bias,
        background=zeros,
    )
    # Codes start as if rows were centred.
    encoder = learner.units.decoder if design.tied else learner.units.encoder
    learner.units.bias[:] = -encoder @ mean
    return learner


def _dense_learner(design, sample, mean, output_bias, random_state):
    n_layers = len(design.sizes) - 1
    activations = ["relu"] * n_layers
    activations[design.n_encoding - 1] = design.activation
    activations[-1] = "sigmoid" if design.loss == "cross_entropy" else "identity"
    penalties = {"sigmoid": "kl", "tanh": "l1", "relu": "l1"}
    code = CodeLayer(
        design.n_encoding - 1,
        penalties.get(design.activation),
        0.0 if design.activation in COUNTED else design.alpha,
        design.target or TARGET,
        design.n_nonzero,
    )
    spec = NetworkSpec(
        design.sizes, tuple(activations), design.loss, code, tied=design.tied
    )
    network = Network(design.sizes, sample.dtype, tied=design.tied)
    glorot(network, activations, random_state)
    network.biases[0][:] = -mean @ network.weights[0]
    network.biases[-1][:] = output_bias
    optimizer = FullBatch if design.full else Adam
    return DenseLearner(spec, network, optimizer(network.values), l2=design.l2)


def layers_of(learner):
    """The weights (n_in, n_out), biases and thresholds, or None, of a learner."""
    if isinstance(learner, DenseLearner):
        return learner.network.weights, learner.network.biases, learner.thresholds
    model = learner.model()
    weights = model.encoder.T, model.decoder
    return weights, (model.bias, model.output_bias), model.thresholds
