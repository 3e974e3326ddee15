"""What the estimators of this folder do with the coder that they are given."""

from inspect import signature

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sparselearn._compat import container_of
from sparselearn._parallel import map_threads
from sparselearn._solvers._distinct_rows import distinct_rows, project
from sparselearn.cluster import KMeansCoder

__all__ = [
    "checked_coder",
    "count_distinct",
    "encoded",
    "fresh_coder",
    "in_blocks",
    "last_step",
    "learn",
    "learns_in_batches",
    "names_of_codes",
    "nonzeros_of",
    "returns_sparse",
]

FLOATS = (np.float32, np.float64)


def checked_coder(coder, needs):
    """`coder`, if it is an estimator that has the methods `needs`."""
    missing = [name for name in needs if not hasattr(coder, name)]
    if isinstance(coder, type) or not hasattr(coder, "get_params"):
        raise TypeError(
            f"coder={coder!r} is no estimator; it must be an object such as "
            "KMeansCoder(100), a SparseCoder, or a Pipeline that ends with one."
        )
    if missing:
        raise TypeError(
            f"coder={coder!r} has no method {missing[0]}; needed here are "
            f"{' and '.join(needs)}."
        )
    return coder


def learns_in_batches(estimator):
    """For `available_if`: whether the coder of `estimator` has ``partial_fit``."""
    coder = getattr(estimator, "coder_", estimator.coder)
    # An AttributeError of the coder's says what is missing.
    return (KMeansCoder if coder is None else coder).partial_fit is not None


def fresh_coder(coder):
    """An unfitted copy of `coder`, whose results are arrays in any configuration."""
    coder = clone(coder)
    if hasattr(coder, "set_output"):
        coder.set_output(transform="default")
    return coder


def count_distinct(rows, weights=None):
    """How many different rows there are, of positive weight."""
    if weights is None:
        weights = np.ones(rows.shape[0])
    direction = np.random.RandomState(0).standard_normal(rows.shape[1])
    return distinct_rows(rows, weights, project(rows, direction))[0].size


def learn(coder, method, rows, y=None, weights=None):
    """``coder.fit(rows, y, sample_weight=weights)``, or another `method`.

    Without y or weights where there are none. In a Pipeline every step that takes
    weights gets them; with metadata routing those that have requested them.

    Raises
    ------
    ValueError
        If there are weights, and the coder, or the last step, takes none.
    """
    options = {}
    if weights is not None:
        if not _takes_weights(last_step(coder), method):
            raise ValueError(
                f"sample_weight was given, but {method} of coder={coder!r} takes none; "
                "leave it out, or take a coder that does, such as KMeansCoder."
            )
        names = ["sample_weight"]
        if not get_config()["enable_metadata_routing"]:
            names = _names_of_weights(coder, method)
        options = dict.fromkeys(names, weights)
    getattr(coder, method)(rows, *([] if y is None else [y]), **options)


def last_step(coder):
    """The coder itself, or the last step of a Pipeline."""
    while isinstance(coder, Pipeline):
        coder = coder[-1]
    return coder


def _takes_weights(step, method):
    function = getattr(step, method, None)
    return function is not None and "sample_weight" in signature(function).parameters


def _names_of_weights(coder, method, prefix=""):
    """What `sample_weight` is called for each step, nested ones too, that takes it."""
    if not isinstance(coder, Pipeline):
        return [f"{prefix}sample_weight"] if _takes_weights(coder, method) else []
    return [
        name
        for key, step in coder.steps
        for name in _names_of_weights(step, method, f"{prefix}{key}__")
    ]


def encoded(coder, rows):
    """The codes of `rows` by a fitted coder: ndarray or csr_array, of floats."""
    codes = coder.transform(rows)
    codes = sp.csr_array(codes) if sp.issparse(codes) else np.asarray(codes)
    return codes if codes.dtype in FLOATS else codes.astype(np.float64)


def nonzeros_of(coder, rows, weights=None):
    """Mean non-zeros of the code of a training row, and the share of its zeros.

    As the coder itself says, or as a transform of `rows` shows.
    """
    last = last_step(coder)
    if hasattr(last, "sparsity_") and hasattr(last, "n_nonzero_coefs_"):
        return float(last.n_nonzero_coefs_), float(last.sparsity_)
    codes = encoded(coder, rows)
    lengths = (codes != 0.0).sum(axis=1)
    mean = float(np.average(lengths, weights=weights))
    return mean, 1.0 - mean / codes.shape[1]


def names_of_codes(coder, n_codes, prefix):
    """The coder's own names for its codes, or `prefix` with numbers."""
    try:
        return coder.get_feature_names_out()
    except AttributeError:
        return np.array([f"{prefix}{j}" for j in range(n_codes)], dtype=object)


def returns_sparse(encoder):
    """Whether `transform` gives a csr_array where codes are sparse."""
    return encoder.sparse_output and container_of(encoder) == "default"


def in_blocks(features_of, batches, shape, dtype, n_jobs, *, sparse):
    """``features_of(batch)`` for all slices of rows, in threads, as one result.

    A csr_array if it shall be `sparse`, else an ndarray, of the `shape`.
    """
    if sparse:
        blocks = map_threads(
            lambda batch: sp.csr_array(features_of(batch).astype(dtype)),
            batches,
            n_jobs,
        )
        return sp.vstack(blocks, format="csr")
    features = np.empty(shape, dtype)

    def fill(batch):
        features[batch] = features_of(batch)

    map_threads(fill, batches, n_jobs)
    return features
