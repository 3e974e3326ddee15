"""The models of the report: a table.

A model is one row of `MODELS`. Its `build` takes a `Problem` and returns the steps
that follow the shared preparation; its `grid` returns the parameters to sweep, given
the same. Where the fitted steps have `sparsity_` and `n_nonzero_coefs_`, or `coef_`
or `coefs_`, or wrap estimators that have, that is all.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler, label_binarize
from sklearn.svm import SVC, SVR

from sparselearn._report._reading import read_sparsity
from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import KSVD
from sparselearn.linear_model import (
    AdaptiveLasso,
    ElasticNet,
    GroupLasso,
    Lasso,
    OrthogonalMatchingPursuit,
    SparseLogisticRegression,
    alpha_max,
    group_lasso_path,
)
from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning import Pruner

__all__ = [
    "BASELINE",
    "MODELS",
    "Model",
    "targets",
]

SPARSITIES = (0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99)
COARSE_SPARSITIES = (0.0, 0.5, 0.75, 0.9)  # of what takes long to fit, or is coarse
MOST_ROWS = 5000  # of a forest
MOST_PAIRED_ROWS = 2000  # of a kernel machine, whose pairs of vectors are factored
MOST_PAIRED = 4000  # features whose pairs are held in memory
N_ALPHAS = 12
ALPHA_EPS = 1e-3  # the smallest alpha, as a share of the largest
MOST_CHOSEN = 256  # features of a matching pursuit
LEARNED = 4  # atoms of a code while a dictionary is learned
MOST_ATOMS = 32  # of a code, at the densest level
N_L1 = 6
LEAST_L1 = 3e-4
MOST_PRODUCTS = 10**10  # of weights and rows, in a fit of an autoencoder


class Model(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    build : callable
        Problem -> list of (name, estimator), what follows the preparation.
    grid : callable
        Problem -> dict of parameter -> values, as GridSearchCV takes it; the names
        begin with a step's.
    tasks : tuple of str
    read : callable
        Fitted pipeline -> (non-zeros, sparsity).
    unit : str
        What is counted as non-zero.
    unsuited : callable
        Problem -> why the model would not be worth its row, as a clause; or None.
    named : bool
        Whether its steps need the names of prepared features: rows are then passed on
        as data frames.
    one_pass : bool
        Whether the step before the last learns a dictionary, by whose `components_`
        rows are encoded at all levels of the one parameter of `grid`, numbers of
        non-zeros, in one pass.
    """

    build: Callable
    grid: Callable
    tasks: tuple = ("classification", "regression")
    read: Callable = read_sparsity
    unit: str = "coefficients"
    unsuited: Callable = lambda problem: None
    named: bool = False
    one_pass: bool = False


# -- dense --------------------------------------------------------------------


def _linear(problem):
    if problem.task == "classification":
        return LogisticRegression(max_iter=1000)
    return Ridge()


def _perceptron(problem):
    epochs = int(np.clip(300_000 // len(problem.y), 20, 200))
    options = {
        "hidden_layer_sizes": (64,),
        "learning_rate_init": 0.005,
        "max_iter": epochs,
        "n_iter_no_change": 5,
        "tol": 1e-3,
        "random_state": problem.seed,
    }
    if problem.task == "classification":
        return MLPClassifier(**options)
    # On few noisy rows it overfits without; classes bear a small penalty better.
    return MLPRegressor(alpha=10.0, **options)


# -- penalised ----------------------------------------------------------------


def targets(problem):
    """What a penalised least-squares fit sees: y, or one 0/1 column a class."""
    if problem.task == "regression":
        return problem.y[:, None]
    return label_binarize(problem.y, classes=np.unique(problem.y)).astype(np.float64)


def _least_squares(regressor):
    def build(problem):
        if problem.task == "classification":
            return [("penalised", OneVsRestClassifier(regressor))]
        return [("penalised", regressor)]

    return build


def _of_each(problem, parameter):
    """The name of a parameter of the regressor in the last step."""
    inner = "estimator__" if problem.task == "classification" else ""
    return f"penalised__{inner}{parameter}"


def _alphas(l1_ratio, weights=lambda X, y: None):
    def grid(problem):
        X = problem.X
        largest = max(
            alpha_max(X, y, l1_ratio=l1_ratio, penalty_weights=weights(X, y))
            for y in targets(problem).T
        )
        return _below(problem, largest)

    return grid


def _below(problem, largest):
    """The grid of alphas of a regressor in the last step."""
    # At the largest itself all is zero; half a step below, something is not.
    alphas = largest * np.geomspace(0.7, ALPHA_EPS, N_ALPHAS)
    return {_of_each(problem, "alpha"): alphas}


def _logistic_alphas(problem):
    # Its null model, too, leaves of every class y less its mean: so it is all zero
    # where least squares is.
    (alphas,) = _alphas(1.0)(problem).values()
    return {"penalised__alpha": alphas}


def _of_blocks(problem):
    return _least_squares(GroupLasso(groups=problem.blocks))(problem)


def _block_alphas(problem):
    import pandas as pd

    X = pd.DataFrame(problem.X, columns=problem.names)
    # A path of one alpha is of the largest.
    paths = [
        group_lasso_path(X, y, groups=problem.blocks, n_alphas=1)
        for y in targets(problem).T
    ]
    return _below(problem, max(path.alphas[0] for path in paths))


def _no_blocks(problem):
    if problem.blocks:
        return None
    if sp.issparse(problem.X):
        return "it takes no sparse features"
    return (
        "its groups are the one-hot columns of a text column, and without text each "
        "column is alone, as in the Lasso"
    )


# One-hot columns depend on one another; of the pilots, ridge bears that best.
ADAPTIVE = AdaptiveLasso(pilot="ridge")


def _adaptive_weights(X, y):
    # The largest alpha depends on them: it has to be that of the weighted penalty.
    return clone(ADAPTIVE).fit(X, y).penalty_weights_


def _numbers_chosen(problem):
    # Half as many features as rows fit almost anything already.
    n_rows, n_features = problem.X.shape
    most = min(n_features, max(n_rows // 2, 1), MOST_CHOSEN)
    return {_of_each(problem, "n_nonzero_coefs"): _powers_of_two(most)}


def _powers_of_two(most):
    return [2**k for k in range(most.bit_length())]


# -- codes --------------------------------------------------------------------


def _codes(problem):
    n_rows = len(problem.y)
    # Of the encoders and spaces, this one bears tables of any kind best.
    coder = KMeansCoder(
        min(256, max(2, n_rows // 5)),
        encoder="triangle",
        max_iter=50,
        batch_size=1024 if n_rows > 20000 else None,
        random_state=problem.seed,
    )
    return [("coder", coder), ("linear", _linear(problem))]


def _code_sizes(problem):
    n_components = _codes(problem)[0][1].n_components
    return {"coder__n_nonzero_coefs": _powers_of_two(n_components)}


def _dictionary(problem):
    learner = KSVD(
        _codes(problem)[0][1].n_components,
        n_nonzero_coefs=LEARNED,
        max_iter=30,
        tol=1e-2,
        random_state=problem.seed,
    )
    return [("coder", learner), ("linear", _linear(problem))]


def _dictionary_levels(problem):
    # With as many atoms as features a code can say all that a row does.
    n_components = _dictionary(problem)[0][1].n_components
    most = min(n_components, problem.X.shape[1], MOST_ATOMS)
    return {"coder__n_nonzero_coefs": _powers_of_two(most)}


def _autoencoder(problem):
    n_components = _codes(problem)[0][1].n_components
    n_products = problem.X.shape[0] * problem.X.shape[1] * n_components  # an epoch
    encoder = SparseAutoencoder(
        n_components,
        max_iter=min(_epochs(problem, 50), max(MOST_PRODUCTS // n_products, 5)),
        learning_rate_init=0.005,
        random_state=problem.seed,
    )
    return [("coder", encoder), ("linear", _linear(problem))]


def _autoencoder_levels(problem):
    n_components = _autoencoder(problem)[0][1].n_components
    most = min(n_components, MOST_ATOMS)
    return {"coder__n_nonzero_coefs": _powers_of_two(most)}


# -- perceptrons whose weights are penalised -----------------------------------


def _epochs(problem, at_most):
    """Passes over the rows of a network, fewer where they are many."""
    return int(np.clip(100_000 // len(problem.y), 10, at_most))


def _penalised_perceptron(problem, **penalties):
    options = {
        "hidden_layer_sizes": (64,),
        "learning_rate_init": 0.005,
        "max_iter": _epochs(problem, 40),
        "refit_epochs": _epochs(problem, 40) // 4,
        "batch_size": 64,
        "tol": 1e-3,
        "random_state": problem.seed,
        **penalties,
    }
    if problem.task == "classification":
        return SparseMLPClassifier(**options)
    return SparseMLPRegressor(**options)


def _sparse_perceptron(problem):
    network = _penalised_perceptron(problem)
    if problem.task == "regression":
        network = _at_scale_one(network)
    return [("network", network)]


def _l1_levels(problem):
    inner = "regressor__" if problem.task == "regression" else ""
    return {f"network__{inner}l1": np.geomspace(3e-2, LEAST_L1, N_L1)}


# -- pruned -------------------------------------------------------------------


def _pruned_linear(problem):
    # The kept weights are corrected by the curvature, where that fits into memory.
    refit = "obs" if problem.X.shape[1] <= MOST_PAIRED else "fold"
    pruner = Pruner(_linear(problem), sparsity=0.0, criterion="magnitude", refit=refit)
    return [("pruner", pruner)]


def _pruned(network):
    """A Pruner of a network's weights, that needs no labels after the fit."""
    return Pruner(network, sparsity=0.0, criterion="lamp", refit="lstsq")


def _pruned_perceptron(problem):
    return _pruned_network(problem, _perceptron(problem))


def _pruned_penalised_perceptron(problem):
    # A small penalty brings most weights near zero before the rest is pruned.
    return _pruned_network(problem, _penalised_perceptron(problem, l1=LEAST_L1))


def _pruned_network(problem, network):
    pruner = _pruned(network)
    if problem.task == "regression":
        pruner = _at_scale_one(pruner)
    return [("pruner", pruner)]


def _pruned_autoencoder(problem):
    encoder = clone(_autoencoder(problem)[0][1])
    encoder.set_params(n_nonzero_coefs=LEARNED)
    pruner = Pruner(
        encoder,
        sparsity=0.0,
        granularity="neuron",
        criterion="signal",
        refit="lstsq",
    )
    return [("pruner", pruner), ("linear", _linear(problem))]


def _pruned_kernel_machine(problem):
    machine = SVC() if problem.task == "classification" else SVR()
    pruner = Pruner(
        machine,
        sparsity=0.0,
        granularity="support_vector",
        criterion="obs",
        refit="obs",
    )
    if problem.task == "regression":
        pruner = _at_scale_one(pruner)
    return [("pruner", pruner)]


def _pruned_forest(problem):
    options = {"n_estimators": 30, "min_samples_leaf": 2, "random_state": problem.seed}
    kind = RandomForestRegressor
    if problem.task == "classification":
        kind = RandomForestClassifier
    pruner = Pruner(
        kind(**options), sparsity=0.0, granularity="node", criterion="ccp", refit="none"
    )
    return [("pruner", pruner)]


def _many_rows(most):
    """Whether rows are more than `most`, and why that matters."""

    def unsuited(problem):
        if len(problem.y) <= most:
            return None
        return f"with more than {most} rows it takes long to fit again and again"

    return unsuited


def _at_scale_one(regressor):
    """`regressor` of standardised targets, at whose scale a perceptron learns."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def _sparsities(problem):
    return {"pruner__sparsity": _leaving_some(problem.X.shape[1])}


def _of_standardised(sparsities):
    """A grid of sparsities, of regressors of standardised targets."""

    def grid(problem):
        inner = "regressor__" if problem.task == "regression" else ""
        return {f"pruner__{inner}sparsity": list(sparsities)}

    return grid


def _coarse_sparsities(problem):
    return {"pruner__sparsity": list(COARSE_SPARSITIES)}


def _leaving_some(n_weights):
    return [s for s in SPARSITIES if (1 - s) * n_weights >= 1]


BASELINE = Model(build=lambda p: [("linear", _linear(p))], grid=lambda problem: {})

MODELS = {
    "lasso": Model(build=_least_squares(Lasso()), grid=_alphas(1.0)),
    "elastic-net": Model(build=_least_squares(ElasticNet()), grid=_alphas(0.5)),
    "group-lasso": Model(
        build=_of_blocks, grid=_block_alphas, unsuited=_no_blocks, named=True
    ),
    "logistic": Model(
        build=lambda problem: [("penalised", SparseLogisticRegression())],
        grid=_logistic_alphas,
        tasks=("classification",),
    ),
    "adaptive-lasso": Model(
        build=_least_squares(ADAPTIVE), grid=_alphas(1.0, _adaptive_weights)
    ),
    "omp": Model(
        build=_least_squares(OrthogonalMatchingPursuit()), grid=_numbers_chosen
    ),
    "kmeans-codes": Model(build=_codes, grid=_code_sizes, unit="entries of a code"),
    "dictionary-codes": Model(
        build=_dictionary,
        grid=_dictionary_levels,
        unit="entries of a code",
        one_pass=True,
    ),
    "sparse-autoencoder": Model(
        build=_autoencoder, grid=_autoencoder_levels, unit="entries of a code"
    ),
    "sparse-mlp": Model(build=_sparse_perceptron, grid=_l1_levels, unit="weights"),
    "pruned-linear": Model(build=_pruned_linear, grid=_sparsities),
    "pruned-mlp": Model(
        build=_pruned_perceptron, grid=_of_standardised(SPARSITIES), unit="weights"
    ),
    "pruned-sparse-mlp": Model(
        build=_pruned_penalised_perceptron,
        grid=_of_standardised(SPARSITIES[2:]),
        unit="weights",
    ),
    "pruned-autoencoder": Model(
        build=_pruned_autoencoder, grid=_coarse_sparsities, unit="units of the code"
    ),
    "pruned-svm": Model(
        build=_pruned_kernel_machine,
        grid=_of_standardised(SPARSITIES[:6]),
        unit="support vectors",
        unsuited=_many_rows(MOST_PAIRED_ROWS),
    ),
    "pruned-forest": Model(
        build=_pruned_forest,
        grid=_coarse_sparsities,
        unit="nodes",
        unsuited=_many_rows(MOST_ROWS),
    ),
}
