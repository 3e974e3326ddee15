"""How large a fitted estimator is: by block, and in all."""

import gzip
import pickle
import time
from dataclasses import dataclass

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import validate_params
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._calibration import Calibration
from sparselearn.pruning._cleanup import silent_units
from sparselearn.pruning._wrappers import as_seen_by_last_step, last_step

__all__ = ["SparsityReport", "sparsity_report"]

INDEX_BYTES = 4  # of a column in CSR, and of where a row begins
REPEATS = 5  # predictions that are timed; the fastest counts


@dataclass(frozen=True, repr=False)
class SparsityReport:
    """What :func:`sparsity_report` found; print it to read it.

    Attributes
    ----------
    blocks : list of dict
        Of each map "name", "shape" (n_inputs, n_outputs), "n_nonzero", "density",
        "inputs_kept" and "units_kept": inputs that a weight reads, and outputs that a
        weight leads to. With X also "silent_units", those of a hidden layer that are
        zero on every row: the data do not need them, though others might.
    totals : dict
        "n_weights", "n_nonzero" and "sparsity" of the weights; "n_parameters" and
        "parameter_sparsity" of all, intercepts with them, none of which is pruned;
        "multiply_adds" of a prediction, and "multiply_adds_sparse" without those by
        zero; "bytes_dense" and "bytes_csr" of weights and intercepts, stored with and
        without zeros; "bytes_pickle" and "bytes_gzip" of the whole estimator as it is.
        Where time was measured "seconds", of `predict` of X.
    """

    blocks: list
    totals: dict

    def to_frame(self):
        """The blocks as a pandas data frame, a row each."""
        import pandas as pd

        return pd.DataFrame(self.blocks).set_index("name")

    def __repr__(self):
        names = list(self.blocks[0])
        rows = [names] + [[_text(row[name]) for name in names] for row in self.blocks]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = [
            "  ".join(cell.rjust(width) for cell, width in zip(row, widths))
            for row in rows
        ]
        width = max(map(len, self.totals))
        lines += [""] + [
            f"{name.ljust(width)}  {_text(value)}"
            for name, value in self.totals.items()
        ]
        return "\n".join(lines)


def _text(value):
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, tuple):
        return " x ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


@validate_params(
    {"X": ["array-like", "sparse matrix", None], "measure_time": ["boolean"]},
    prefer_skip_nested_validation=True,
)
def sparsity_report(estimator, X=None, *, measure_time=False):
    """Sizes of a fitted estimator: weights, zeros, units, multiply-adds, bytes.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        With rows, hidden units that are zero on all of them are counted.
    measure_time : bool, default=False
        Whether to measure how long `predict` of X takes, the fastest of a few times.

    Returns
    -------
    report : SparsityReport

    Raises
    ------
    ValueError
        If time is to be measured without X.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.pruning import prune, sparsity_report
    >>> X, y = load_diabetes(return_X_y=True)
    >>> report = sparsity_report(prune(Ridge().fit(X, y), X, sparsity=0.6))
    >>> report.blocks[0]["n_nonzero"], report.totals["sparsity"]
    (4, 0.6)
    """
    check_is_fitted(estimator)
    if measure_time and X is None:
        raise ValueError("measure_time=True needs X, whose predictions are timed.")
    final = last_step(estimator)
    adapter = adapter_of(final)
    blocks = adapter.read(final)
    rows = [_row(block) for block in blocks]
    if X is not None and "neuron" in adapter.granularities:
        data = Calibration(adapter, final, as_seen_by_last_step(estimator, X))
        counts = [len(units) for units in silent_units(blocks, data)]
        for row, count in zip(rows, [*counts, 0]):
            row["silent_units"] = count
    totals = _totals(blocks) | _stored(estimator)
    if measure_time:
        totals["seconds"] = _seconds(estimator, X)
    return SparsityReport(rows, totals)


def _row(block):
    nonzero = block.matrix() != 0.0
    return {
        "name": block.name,
        "shape": nonzero.shape,
        "n_nonzero": int(nonzero.sum()),
        "density": float(nonzero.sum() / max(nonzero.size, 1)),
        "inputs_kept": int(nonzero.any(axis=1).sum()),
        "units_kept": int(nonzero.any(axis=0).sum()),
    }


def _totals(blocks):
    n_weights = sum(block.weights.size for block in blocks)
    n_nonzero = sum(int(np.count_nonzero(block.weights)) for block in blocks)
    constants = [np.asarray(b.intercept) for b in blocks if b.intercept is not None]
    n_constants = sum(constant.size for constant in constants)
    n_parameters = n_weights + n_constants
    of_constants = sum(constant.nbytes for constant in constants)
    csr = sum(
        np.count_nonzero(b.weights) * (b.weights.itemsize + INDEX_BYTES)
        + INDEX_BYTES * (len(b.weights) + 1 if b.weights.ndim == 2 else 2)
        for b in blocks
    )
    return {
        "n_weights": n_weights,
        "n_nonzero": n_nonzero,
        "sparsity": (n_weights - n_nonzero) / max(n_weights, 1),
        "n_parameters": n_parameters,
        "parameter_sparsity": (n_weights - n_nonzero) / max(n_parameters, 1),
        "multiply_adds": n_weights,
        "multiply_adds_sparse": n_nonzero,
        "bytes_dense": sum(b.weights.nbytes for b in blocks) + of_constants,
        "bytes_csr": int(csr) + of_constants,
    }


def _stored(estimator):
    pickled = pickle.dumps(estimator)
    return {"bytes_pickle": len(pickled), "bytes_gzip": len(gzip.compress(pickled))}


def _seconds(estimator, X):
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        estimator.predict(X)
        taken.append(time.perf_counter() - start)
    return min(taken)
