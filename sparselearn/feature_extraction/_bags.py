"""Bags of descriptors as users give them: rows with group labels, or one array each."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_consistent_length, column_or_1d

from sparselearn._solvers._maps import in_order
from sparselearn._validation import validate_data

__all__ = ["Bags", "check_bags"]

FLOATS = (np.float64, np.float32)


class Bags(NamedTuple):
    """Descriptors, and which are in which bag.

    Attributes
    ----------
    X : ndarray or csr_array (n_descriptors, n_features)
    order : int64 ndarray (n_descriptors,) or None
        The rows of X by their bags; None where they are so already.
    starts : int64 ndarray (n_bags + 1,)
        Bag i has the rows ``order[starts[i]:starts[i + 1]]``.
    labels : ndarray (n_bags,)
    """

    X: np.ndarray
    order: np.ndarray | None
    starts: np.ndarray
    labels: np.ndarray

    def __len__(self):
        return self.labels.size

    def take(self, rows):
        """The descriptors of a slice of the order, and the bag of each."""
        taken = self.X[rows if self.order is None else self.order[rows]]
        places = np.arange(rows.start, rows.stop)
        return taken, np.searchsorted(self.starts, places, side="right") - 1

    def batches(self, n_rows, n_bags):
        """Slices of at most `n_bags` bags, and, but for single ones, `n_rows` rows."""
        batches, first = [], 0
        while first < len(self):
            end = np.searchsorted(self.starts, self.starts[first] + n_rows, "right") - 1
            last = min(max(int(end), first + 1), first + n_bags, len(self))
            batches.append(slice(first, last))
            first = last
        return batches


def check_bags(estimator, X, groups=None, *, reset):
    """X as `Bags`; sets or holds the number of features as `validate_data` does."""
    labels = order = None
    separate = _separate(X)
    if separate is not None:
        if groups is not None:
            raise ValueError(
                "groups was given, and X is one array for each bag: give either, or X "
                "as one array (n_descriptors, n_features) with groups."
            )
        X, lengths = _joined(separate)
    X = validate_data(
        estimator,
        X,
        accept_sparse="csr",
        dtype=FLOATS,
        order="C",
        # Bags may all be empty where nothing has to be learned from them.
        ensure_min_samples=int(reset or separate is None),
        reset=reset,
    )
    X = sp.csr_array(X) if sp.issparse(X) else in_order(X, "C")
    if separate is None and groups is None:
        lengths = np.ones(X.shape[0], dtype=np.int64)
    elif separate is None:
        labels, order, lengths = _grouped(X, groups)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    labels = np.arange(len(lengths)) if labels is None else labels
    return Bags(X, order, starts, labels)


def _grouped(X, groups):
    """Labels of the groups, the rows of X by group, and how many are in each."""
    groups = column_or_1d(groups)
    check_consistent_length(X, groups)
    if groups.dtype.kind == "f" and np.isnan(groups).any():
        raise ValueError("groups contains NaN: each row of X must be in a bag.")
    try:
        labels, numbers = np.unique(groups, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            "groups must be labels that can be sorted, all numbers or all str; got "
            f"{sorted({type(label).__name__ for label in groups})}."
        ) from error
    return labels, np.argsort(numbers, kind="stable"), np.bincount(numbers)


def _separate(X):
    """X as a list of bags if it is one array for each, else None."""
    if sp.issparse(X) or hasattr(X, "iloc"):
        return None
    if isinstance(X, np.ndarray) and X.dtype != object:
        return list(X) if X.ndim == 3 else None
    if not isinstance(X, list | tuple | np.ndarray):
        return None
    bags = [bag if hasattr(bag, "ndim") else np.asarray(bag) for bag in X]
    return bags if any(bag.ndim == 2 for bag in bags) else None


def _joined(bags):
    """All descriptors as one array, and how many are in each bag."""
    n_features = next(bag.shape[1] for bag in bags if bag.ndim == 2)
    parts = []
    for i, bag in enumerate(bags):
        if bag.ndim != 2 and bag.size == 0:
            bag = np.empty((0, n_features))
        if bag.ndim != 2 or bag.shape[1] != n_features:
            raise ValueError(
                f"X[{i}] has shape {bag.shape}; each bag must be an array of shape "
                f"(n_descriptors, {n_features})."
            )
        parts.append(bag if sp.issparse(bag) else np.asarray(bag))
    lengths = np.array([part.shape[0] for part in parts], dtype=np.int64)
    # An empty bag has no say in the dtype.
    parts = [part for part in parts if part.shape[0]] or parts[:1]
    if any(map(sp.issparse, parts)):
        return sp.vstack(parts, format="csr"), lengths
    return np.concatenate(parts), lengths
