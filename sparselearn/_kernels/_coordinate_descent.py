"""Cyclic coordinate descent on the squared loss, for any design and penalty."""

from sparselearn._kernels._design import (
    add_columns,
    column_axpy,
    column_curvature,
    column_dot,
)
from sparselearn._kernels._jit import kernel
from sparselearn.penalties import prox

__all__ = ["add_product", "column_curvatures", "descend"]


@kernel
def column_curvatures(design, out):
    """Write ``L_j = sum_i s_i (x_ij - means_j)^2`` of every column to `out`."""
    for j in range(out.size):
        out[j] = column_curvature(design, j)


@kernel
def add_product(design, features, coef, out):
    """Add ``X[:, features] coef`` to `out`."""
    add_columns(design, features, coef, out)


@kernel
def descend(design, penalty, curvature, active, coef, u, total, max_epochs, tol):
    """Minimise over the coordinates in `active`; overwrite `coef` and `u`.

    The step of coordinate j, with L_j = sum_i s_i (x_ij - means_j)^2, is ::

        w_j <- prox_{h_j / L_j}(w_j + (x_j - means_j)' u / L_j)

    and the residual follows (see ``_design.py`` for `u` and `total`). An epoch
    visits `active` once, in order. Descent ends after `max_epochs`, or after an
    epoch in which no step was worth more than `tol`: max_j L_j (dw_j)^2 <= tol.
    A constant column (L_j = 0) is left alone.

    Returns
    -------
    n_epochs, total
    """
    n_epochs = 0
    for _ in range(max_epochs):
        n_epochs += 1
        largest = 0.0
        for j in active:
            if curvature[j] == 0.0:
                continue
            old = coef[j]
            step = 1.0 / curvature[j]
            correlation = column_dot(design, j, u, total)
            new = prox(penalty, old + step * correlation, step, j)
            if new != old:
                total = column_axpy(design, j, old - new, u, total)
                coef[j] = new
                largest = max(largest, curvature[j] * (new - old) ** 2)
        if largest <= tol:
            break
    return n_epochs, total
