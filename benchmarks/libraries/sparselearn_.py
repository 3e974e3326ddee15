"""sparselearn: tol is the duality gap relative to the objective of w = 0."""

from collections import deque

import numpy as np

from libraries.fitted import once
from sparselearn import decomposition, penalties
from sparselearn._parallel import stream
from sparselearn._solvers._batches import Pass, Rows
from sparselearn._solvers._folded_concave import follow_path
from sparselearn._solvers._network import (
    Adam,
    CodeLayer,
    DenseLearner,
    Network,
    NetworkSpec,
)
from sparselearn._solvers._problem import make_problem
from sparselearn._solvers._sparse_autoencoder import SparseLearner, SparseSpec
from sparselearn._solvers._training import train as train_in_batches
from sparselearn._validation import check_regression
from sparselearn.cluster import KMeansCoder
from sparselearn.linear_model import (
    Lasso,
    LassoCV,
    MCPRegressor,
    group_lasso_path,
    lasso_path,
)
from sparselearn.linear_model import logistic_path as sparse_logistic_path

DISTRIBUTION = "sparselearn"
TOLERANCES = [1e-4, 3e-5, 1e-5, 3e-6, 1e-6, 3e-7, 1e-7]


def path(problem, tol):
    result = lasso_path(
        problem.X,
        problem.y,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return result.coefs, result.intercepts


def group_path(problem, tol):
    result = group_lasso_path(
        problem.X,
        problem.y,
        groups=problem.group_size,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return result.coefs, result.intercepts


def fit(problem, tol):
    (alpha,) = problem.alphas
    model = Lasso(alpha, fit_intercept=problem.fit_intercept, tol=tol)
    model.fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_])


def cross_validate(problem, n_jobs, **options):
    model = LassoCV(cv=5, fit_intercept=problem.fit_intercept, n_jobs=n_jobs)
    model.set_params(**options).fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_]), model.alpha_


def logistic_path(problem, tol):
    result = sparse_logistic_path(
        problem.X,
        problem.y,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return result.coefs, result.intercepts


def mcp_path(problem, tol, gamma=3.0):
    # There is no public path function of a nonconvex penalty.
    X, y, weights = check_regression(problem.X, problem.y)
    design = make_problem(X, weights, fit_intercept=False).with_target(y)
    ones = np.ones(X.shape[1])

    def penalty_at(alpha):
        return penalties.MCP(alpha, gamma, ones, design.curvature)

    path = follow_path(design, penalty_at, problem.alphas, tol=tol, max_iter=10**5)
    return path.coefs, path.intercepts


def mcp_fit(problem, tol, gamma=3.0):
    (alpha,) = problem.alphas
    model = MCPRegressor(alpha, gamma=gamma, fit_intercept=False, tol=tol)
    model.fit(problem.X, problem.y)
    return model.coef_[:, None], np.array([model.intercept_])


def encode(problem, method, n_jobs):
    options = {"n_nonzero_coefs": problem.n_nonzero_coefs}
    if method == "lasso":
        options = {"alpha": problem.alpha}
    return decomposition.sparse_encode(
        problem.X, problem.atoms, method=method, n_jobs=n_jobs, **options
    )


def learn(problem, n_jobs, epochs, batch_size):
    """In at most so many epochs: it stops where the objective is steady."""
    model = decomposition.MiniBatchDictionaryLearning(
        problem.n_components,
        alpha=problem.alpha,
        batch_size=batch_size,
        max_iter=epochs,
        random_state=problem.seed,
        n_jobs=n_jobs,
    )
    return model.fit(problem.X).components_


def ksvd(problem, n_jobs, epochs):
    model = decomposition.KSVD(
        problem.n_components,
        n_nonzero_coefs=problem.n_nonzero_coefs,
        max_iter=epochs,
        tol=0.0,
        random_state=problem.seed,
        n_jobs=n_jobs,
    )
    return model.fit(problem.X).components_


def train(problem, n_epochs, n_threads):
    code = None
    if problem.code is not None:
        code = CodeLayer(problem.code, "kl", problem.alpha, problem.target)
    sizes, activations = tuple(problem.sizes), tuple(problem.activations)
    spec = NetworkSpec(sizes, activations, "cross_entropy", code)
    network = Network(sizes, problem.X.dtype)
    network.values[:] = problem.values
    learner = DenseLearner(spec, network, Adam(network.values))
    targets = None
    if activations[-1] == "softmax":
        targets = np.eye(10, dtype=problem.X.dtype)[problem.y]
    rows, order = Rows(problem.X), np.arange(len(problem.X))
    with stream(n_threads) as run:
        epochs = train_in_batches(
            learner,
            lambda: Pass(rows, order, problem.batch_size, targets=targets),
            n_epochs=n_epochs,
            rate=lambda share: problem.rate,
            run=run,
        )
        deque(epochs, maxlen=0)
    return network.values[:, None]


def kmeans(problem, n_jobs, epochs, spherical):
    model = KMeansCoder(
        problem.n_components,
        spherical=spherical,
        encoder="hard",
        init=problem.atoms,
        max_iter=epochs,
        tol=0.0,
        n_jobs=n_jobs,
    )
    return model.fit(problem.X).components_


def centroid_codes(problem, n_jobs, method):
    model = once(
        problem,
        lambda: KMeansCoder(problem.n_components, init=problem.atoms, max_iter=1).fit(
            problem.atoms
        ),
    )
    n_nonzero = problem.n_nonzero_coefs if method == "topk" else None
    model.set_params(n_nonzero_coefs=n_nonzero, n_jobs=n_jobs)
    return model.transform(problem.X)


def topk(problem, n_jobs, variant, n_rows=None):
    """`variant` "no momentum" has beta_1 = 0; see the table for "zeros unknown"."""
    X = problem.X[:n_rows]
    spec = SparseSpec(
        n_nonzero=problem.n_nonzero_coefs,
        revive=None,
        beta_1=0.0 if variant == "no momentum" else 0.9,
    )
    learner = SparseLearner(
        spec,
        X[:1],
        len(problem.atoms),
        None,
        atoms=problem.atoms,
        background=None if "unknown" in variant else problem.zeros,
    )
    with stream(n_jobs) as run:
        for batch, _ in Pass(Rows(X), np.arange(len(X)), problem.batch_size):
            learner.step(batch, problem.rate, run)
    units = learner.units
    parts = [units.decoder, units.encoder, units.bias[:, None]]
    return np.hstack(parts), learner.output_bias
