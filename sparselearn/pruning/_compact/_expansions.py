"""The rule of polynomial features."""

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.preprocessing import PolynomialFeatures
from sklearn.utils.validation import check_is_fitted, validate_data

from sparselearn._compat import checked_names_in, with_output
from sparselearn.pruning._compact._rules import (
    Narrowed,
    at_least_one,
    cut,
    register_compaction,
)

__all__ = ["Monomials"]


class Monomials(TransformerMixin, BaseEstimator):
    r"""Chosen products of powers of the columns, :math:`\prod_j x_j^{p_{ij}}`.

    Parameters
    ----------
    powers : ndarray of int of shape (n_terms, n_features)
    order : {"C", "F"}, default="C"
        Memory order of dense output.

    Attributes
    ----------
    powers_ : ndarray of int of shape (n_terms, n_features)
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
    """

    def __init__(self, powers, order="C"):
        self.powers = powers
        self.order = order

    def fit(self, X, y=None):
        """Count the columns."""
        validate_data(self, X, accept_sparse=True, skip_check_array=True)
        self.powers_ = np.asarray(self.powers)
        return self

    def transform(self, X):
        """Multiply columns."""
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            dtype=(np.float64, np.float32),
            accept_sparse=("csr", "csc"),
            reset=False,
        )
        if not sp.issparse(X):
            shape = len(X), len(self.powers_)
            terms = np.ones(shape, dtype=X.dtype, order=self.order)
            for term, powers in zip(terms.T, self.powers_):
                for j in np.repeat(np.arange(powers.size), powers):
                    term *= X[:, j]
            return terms
        columns = X.tocsc()
        terms = [self._sparse_term(columns, powers) for powers in self.powers_]
        return type(X)(sp.hstack(terms, format=X.format, dtype=X.dtype))

    def _sparse_term(self, columns, powers):
        term = None
        for j in np.repeat(np.arange(powers.size), powers):
            column = columns[:, [j]]
            term = column if term is None else term.multiply(column).tocsc()
        if term is None:
            term = sp.csc_array(np.ones((columns.shape[0], 1), dtype=columns.dtype))
        return term

    def get_feature_names_out(self, input_features=None):
        """Names such as those of PolynomialFeatures."""
        check_is_fitted(self)
        names = checked_names_in(self, input_features)
        found = []
        for powers in self.powers_:
            factors = [
                name if power == 1 else f"{name}^{power}"
                for name, power in zip(names, powers)
                if power
            ]
            found.append(" ".join(factors) or "1")
        return np.array(found, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _polynomial(expansion, kept):
    """Terms that feed nothing are not computed, nor is what only they read."""
    powers = expansion.powers_[kept]
    used = at_least_one(powers.any(axis=0))
    if kept.all() and used.all():
        return Narrowed(expansion, used)
    powers, order = powers[:, used], getattr(expansion, "order", "C")
    smaller = with_output(Monomials(powers, order), expansion)
    smaller.powers_ = powers
    if hasattr(expansion, "feature_names_in_"):
        smaller.feature_names_in_ = expansion.feature_names_in_
    return Narrowed(cut(smaller, used), used)


register_compaction(PolynomialFeatures, _polynomial)
register_compaction(Monomials, _polynomial)
