"""Targets of a network's last layer: those of classes, of labels and of numbers.

A network of one output with a sigmoid tells two classes apart; one of an output a class
with a softmax more of them; one with a sigmoid an output decides each label by itself.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, log_expit, log_softmax, softmax
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from sparselearn._solvers._batches import OneHot

__all__ = [
    "ClassCoding",
    "NumberCoding",
    "TargetFacts",
    "balanced",
    "check_labels",
    "check_numbers",
    "find_classes",
    "weigh_classes",
]


# Different classes that are checked at a time.
FEW = 20


class NumberCoding(NamedTuple):
    """How numbers are the outputs of a network: as they are.

    Attributes
    ----------
    n_outputs : int
    flat : bool
        Whether predictions are of shape (n_rows,).
    """

    n_outputs: int
    flat: bool

    activation = "identity"
    loss = "squared_error"

    def targets(self, y, dtype):
        """What the outputs for y should be."""
        rows = np.ascontiguousarray(y.reshape(y.shape[0], -1), dtype=dtype)
        if rows.shape[1] != self.n_outputs:
            raise ValueError(
                f"y has {rows.shape[1]} columns; the fit before, to go on from, had "
                f"{self.n_outputs}."
            )
        return rows

    def present(self, y, weights):
        """Y with something allowed where rows are absent."""
        return y

    def decide(self, outputs):
        """The predictions."""
        return outputs[:, 0] if self.flat else outputs


class ClassCoding(NamedTuple):
    """How classes, or labels, are the outputs of a network.

    Attributes
    ----------
    classes : ndarray (n_classes,)
        Sorted; of labels their numbers.
    multilabel : bool
        Whether a row may have several of them, or none.
    """

    classes: np.ndarray
    multilabel: bool

    loss = "cross_entropy"

    @property
    def n_outputs(self):
        return 1 if self._binary else self.classes.size

    @property
    def activation(self):
        """Of the last layer."""
        return "sigmoid" if self.multilabel or self._binary else "softmax"

    @property
    def _binary(self):
        return self.classes.size == 2 and not self.multilabel

    def codes(self, y):
        """Where each of y is in `classes`; a `ValueError` if one is not."""
        places = np.searchsorted(self.classes, y).clip(max=self.classes.size - 1)
        strange = self.classes[places] != y
        if np.any(strange):
            raise ValueError(
                f"y has a class {np.asarray(y)[strange][0]!r} that is none of classes_="
                f"{self.classes.tolist()}."
            )
        return places

    def targets(self, y, dtype):
        """What the outputs for rows of classes, or labels, y should be."""
        if self.multilabel:
            if y.ndim != 2 or y.shape[1] != self.classes.size:
                raise ValueError(
                    f"y has shape {y.shape}; it must have a column for each of the "
                    f"{self.classes.size} labels."
                )
            return y.astype(dtype, order="C")
        codes = self.codes(y)
        if self._binary:
            return codes.astype(dtype)[:, None]
        return OneHot(codes, self.classes.size, dtype)

    def present(self, y, weights):
        """Y with some class where rows are absent."""
        if weights is None or self.multilabel:
            return y
        return np.where(weights > 0.0, y, self.classes[0])

    def decide(self, logits):
        """The classes, or the labels as 0 and 1, that are the most likely."""
        if self.multilabel:
            return (logits > 0.0).astype(int)
        if self._binary:
            return self.classes[(logits[:, 0] > 0.0).astype(int)]
        return self.classes[np.argmax(logits, axis=1)]

    def probabilities(self, logits):
        """Of the classes, or of each label: (n_rows, n_classes)."""
        if self.activation == "softmax":
            return softmax(logits, axis=1)
        if self.multilabel:
            return expit(logits)
        return np.hstack([expit(-logits), expit(logits)])

    def log_probabilities(self, logits):
        """Their logarithms, without that of a rounded probability."""
        if self.activation == "softmax":
            return log_softmax(logits, axis=1)
        if self.multilabel:
            return log_expit(logits)
        return np.hstack([log_expit(-logits), log_expit(logits)])


class TargetFacts(NamedTuple):
    """What there is in y, of rows of positive weight; it adds up.

    Attributes
    ----------
    n_columns : int or None
        None for y of one dimension.
    classes : ndarray (n_classes,), sorted
        The different entries of such a y, if they are classes; else none.
    masses : float64 ndarray (n_classes,)
        The weight of each.
    """

    n_columns: int | None
    classes: np.ndarray
    masses: np.ndarray

    @classmethod
    def of(cls, y, weights=None, *, classified=True):
        """Those of some rows; `classified` is whether y has classes or labels."""
        weights = np.ones(y.shape[0]) if weights is None else weights
        if y.ndim == 2 or not classified:
            n_columns = y.shape[1] if y.ndim == 2 else None
            return cls(n_columns, np.empty(0), np.empty(0))
        there = weights > 0.0
        classes, codes = np.unique(y[there], return_inverse=True)
        masses = np.bincount(codes, weights[there], minlength=classes.size)
        return cls(None, classes, masses)

    def __add__(self, other):
        """Those of both; ValueError if their y differ in shape."""
        if self.n_columns != other.n_columns:
            raise ValueError(
                "Columns of y (None: one dimension) of chunks differ: "
                f"{self.n_columns}, and {other.n_columns}."
            )
        classes = np.unique(np.concatenate([self.classes, other.classes]))
        masses = np.zeros(classes.size)
        for part in (self, other):
            masses[np.searchsorted(classes, part.classes)] += part.masses
        return TargetFacts(self.n_columns, classes, masses)


def check_labels(y, *, partly=False):
    """Bring y to classes (n_rows,), or of labels (n_rows, n_labels), dense.

    `partly` is whether there are other rows, so that this may have few of the classes.
    """
    if sp.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=not partly)
    if partly and y.ndim == 1:
        # That so few rows have so many classes says nothing.
        distinct = np.unique(y)
        for start in range(0, distinct.size, FEW):
            check_classification_targets(distinct[start : start + FEW])
        return y
    check_classification_targets(y)
    if type_of_target(y) == "multiclass-multioutput":
        raise ValueError(
            "y has several columns that are not all of zeros and ones: a network has "
            "one set of classes, or labels that each are there or not."
        )
    return y


def check_numbers(y, *, partly=False):
    """Bring y to numbers (n_rows,) or (n_rows, n_outputs), dense."""
    if sp.issparse(y):
        y = y.toarray()
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=not partly)
    return y


def find_classes(facts):
    """The `ClassCoding` of the `TargetFacts` of what `check_labels` gave."""
    if facts.n_columns is not None:
        return ClassCoding(np.arange(facts.n_columns), True)
    if facts.classes.size < 2:
        raise ValueError(
            "Classification needs at least two classes of positive weight; y has one "
            f"class: {facts.classes.tolist()}."
        )
    return ClassCoding(facts.classes, False)


def balanced(facts):
    """What each class is to count, so that all weigh the same: a dict."""
    factors = facts.masses.sum() / (facts.classes.size * facts.masses)
    return dict(zip(facts.classes.tolist(), factors.tolist()))


def weigh_classes(class_weight, y, weights, *, partly=False):
    """Row weights that count each class as `class_weight` says.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
    y : ndarray (n_rows,) or (n_rows, n_labels)
    weights : ndarray (n_rows,) or None
    partly : bool
        Whether there are other rows, so that these may come to have no weight.

    Returns
    -------
    weights : ndarray (n_rows,) or None
    """
    if class_weight is None:
        return weights
    if y.ndim == 2:
        raise ValueError(
            f"class_weight={class_weight!r} is for classes: with labels, of which a "
            "row may have several, give sample_weight."
        )
    everything = np.ones(y.size) if weights is None else weights
    if not isinstance(class_weight, dict):
        class_weight = balanced(TargetFacts.of(y, weights))
    for label, weight in class_weight.items():
        if not (weight >= 0.0 and np.isfinite(weight)):
            raise ValueError(
                f"class_weight must be finite and >= 0; class {label!r} has {weight}."
            )
    classes, codes = np.unique(y, return_inverse=True)
    factors = np.array([class_weight.get(c, 1.0) for c in classes.tolist()])
    weights = everything * factors[codes]
    if not partly and not weights.sum() > 0.0:
        raise ValueError("class_weight and sample_weight leave no row any weight.")
    return weights
