"""Predictions: the same numbers whichever columns are read, in every layout."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import sparse_regression

from sparselearn.linear_model import Lasso, MultiTaskLasso, OrthogonalMatchingPursuit
from sparselearn.linear_model import _linear as linear

LAYOUTS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "csr": sp.csr_array,
    "csc": sp.csc_matrix,
    "coo": sp.coo_array,
}
# The share of features in use up to which their columns alone are read.
SHARES = {
    "C": linear.FEW_BY_ROWS,
    "F": linear.FEW_BY_COLUMNS,
    "strided": linear.FEW_BY_ROWS,
    "csc": linear.FEW_BY_COLUMNS,
    "csr": 0.0,
    "coo": 0.0,
}
N, P = 30, 200


@pytest.fixture
def seed():
    """One, as the table of layouts is long."""
    return 0


def fitted(rng, used, n_targets, dtype):
    """A model with given features in use; without targets' axis for 0 targets."""
    X, y = sparse_regression(rng, N, P)
    model = Lasso(1e6).fit(X, np.stack([y] * n_targets, axis=1) if n_targets else y)
    model.coef_ = np.zeros(model.coef_.shape, dtype)
    model.coef_[..., used] = rng.standard_normal((*model.coef_.shape[:-1], len(used)))
    if n_targets:
        model.coef_[0, used[:1]] = 0.0  # in use by the other targets only
    model.intercept_ = model.intercept_.astype(dtype)
    return model, X.astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_targets", [0, 3])
@pytest.mark.parametrize("n_used", [0, 4, 5, 40, 41, P])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_predictions_are_products(rng, monkeypatch, layout, n_used, n_targets, dtype):
    used = np.sort(rng.choice(P, n_used, replace=False))
    model, X = fitted(rng, used, n_targets, dtype)
    product, widths = linear.safe_sparse_dot, []

    def recorded(X, *args, **options):
        widths.append(X.shape[1])
        return product(X, *args, **options)

    monkeypatch.setattr(linear, "safe_sparse_dot", recorded)
    stored = LAYOUTS[layout](X)
    found = model.predict(stored)
    exact = X.astype(float) @ model.coef_.T.astype(float) + model.intercept_
    np.testing.assert_allclose(found, exact, rtol=1e-5, atol=500 * np.finfo(dtype).eps)
    assert found.dtype == dtype
    assert found.shape == ((N, n_targets) if n_targets else (N,))
    assert widths == [n_used if n_used <= SHARES[layout] * P else P]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_linear_model_predicts_by_its_coefficients(rng, layout):
    X, y = sparse_regression(rng, N, P)
    both = np.column_stack([y, np.cos(y)])
    for model in (
        Lasso(n_nonzero_coefs=3).fit(X, both),
        MultiTaskLasso(n_nonzero_coefs=3).fit(X, both),
        OrthogonalMatchingPursuit(3).fit(X, both),
    ):
        found = model.predict(LAYOUTS[layout](X))
        exact = X @ model.coef_.T + model.intercept_
        np.testing.assert_allclose(found, exact, rtol=1e-12, atol=1e-12)


def test_bad_values_are_refused_in_columns_that_are_not_in_use(rng):
    model, X = fitted(rng, [3], 0, np.float64)
    X[0, 50] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(np.asfortranarray(X))
