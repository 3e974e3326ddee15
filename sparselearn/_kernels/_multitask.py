"""Block coordinate descent on rows of coefficients, one row for each feature."""

import numpy as np

from sparselearn._kernels._jit import REASSOCIATE, kernel
from sparselearn.penalties import prox

__all__ = ["descend_rows"]


@kernel(fastmath=REASSOCIATE)
def descend_rows(
    gram, penalty, features, coef, correlation, max_epochs, tol, until_settled
):
    """Minimise over the working set; overwrite `coef` and `correlation`, (m, n_tasks).

    The penalty h_j is on the length of row W_k, j = features[k]. The step at position
    k, with L = gram[k, k] and g the correlations, shrinks along the row alone ::

        z = W_k + g_k / L,    W_k <- z prox_{h_j / L}(||z||) / ||z||,
        g_i <- g_i - gram[k, i] dW_k    for all i

    `gram` may be larger than the working set, which its first rows and columns are.
    An epoch visits all positions. Descent ends after `max_epochs`, after an epoch
    with no step worth more than `tol`, max_k L ||dW_k||^2 <= tol, or, if
    `until_settled`, after one in which no row became zero or ceased to be.

    Returns
    -------
    n_epochs : int
    """
    n_rows, n_tasks = coef.shape
    change = np.empty(n_tasks)
    n_epochs = 0
    for _ in range(max_epochs):
        n_epochs += 1
        settled = True
        largest = 0.0
        for k in range(n_rows):
            curvature = gram[k, k]
            if curvature == 0.0:
                continue
            step = 1.0 / curvature
            square, before = 0.0, 0.0
            for t in range(n_tasks):
                square += (coef[k, t] + step * correlation[k, t]) ** 2
                before += coef[k, t] ** 2
            share = 0.0
            if square > 0.0:
                length = np.sqrt(square)
                share = prox(penalty, length, step, features[k]) / length
            if share == 0.0 and before == 0.0:
                continue
            if (share == 0.0) != (before == 0.0):
                settled = False
            moved = 0.0
            for t in range(n_tasks):
                new = share * (coef[k, t] + step * correlation[k, t])
                change[t] = new - coef[k, t]
                coef[k, t] = new
                moved += change[t] ** 2
            for i in range(n_rows):
                product = gram[k, i]
                for t in range(n_tasks):
                    correlation[i, t] -= product * change[t]
            largest = max(largest, curvature * moved)
        if largest <= tol or (settled and until_settled):
            break
    return n_epochs
