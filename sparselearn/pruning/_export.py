"""Estimators to ship: all that predicts, nothing that trains."""

import warnings
from copy import deepcopy

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import StrOptions, validate_params
from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._shrink import shrink_in_place
from sparselearn.pruning._wrappers import last_step, thawed

__all__ = ["FORMATS", "export"]

FORMATS = ("dense", "csr", "shrunk")
# By how much, of the largest output, rounding may move one.
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
N_ROWS = 64  # drawn to compare on, where none are given
METHODS = ("decision_function", "predict_proba", "predict", "transform")


@validate_params(
    {"format": [StrOptions(set(FORMATS))], "X": ["array-like", "sparse matrix", None]},
    prefer_skip_nested_validation=True,
)
def export(estimator, format="dense", X=None):
    """A copy of a fitted estimator to predict with, smaller where it is saved.

    What training needs is dropped: the memory of the optimiser, copies of weights and
    masks, as large as the weights each. The copy is held against the original on X
    before it is returned.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes; it is not changed.
    format : {"dense", "csr", "shrunk"}, default="dense"
        "dense" keeps arrays as they are. "csr" stores weights without their zeros:
        smaller in memory and on disk from some 60 % of zeros on, but faster only from
        about 95 % on, and not to be trained again by scikit-learn. "shrunk" removes
        the hidden units that do nothing, as :func:`shrink`: smaller and faster.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        Rows to compare predictions on; None draws normal numbers, as what the last
        step of a pipeline reads.

    Returns
    -------
    exported : estimator
        Of the class of `estimator`, or of the estimator that is frozen in it. Its
        attribute ``export_difference_`` is the largest difference of an output from
        the original's.

    Raises
    ------
    TypeError
        If there are no weights to be stored so, or no units that can be removed.
    ValueError
        If the copy does not predict what the original does: some regressors do not
        work with sparse coefficients.

    See Also
    --------
    compact : Drops what a pipeline computes for features that are not read.

    Examples
    --------
    >>> import pickle
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.neural_network import MLPClassifier
    >>> from sparselearn.pruning import export, prune
    >>> X, y = load_digits(return_X_y=True)
    >>> network = MLPClassifier((50,), random_state=0).fit(X, y)
    >>> pruned = prune(network, X, sparsity=0.9)
    >>> small = export(pruned, "csr", X)
    >>> len(pickle.dumps(small)) < 0.1 * len(pickle.dumps(pruned))
    True
    """
    check_is_fitted(estimator)
    exported = thawed(deepcopy(estimator))
    final = last_step(exported)
    adapter = adapter_of(final)
    if format == "shrunk":
        shrink_in_place(exported)
    adapter.forget_training(final)
    if format == "csr":
        adapter.compress(final)
    exported.export_difference_ = _difference(estimator, exported, X, format)
    return exported


def _difference(estimator, exported, X, format):
    """The largest difference of an output, or an error if it is more than rounding."""
    if X is not None:
        return _largest_gap(estimator, exported, [X], format)
    # What is before the last step is as it was, and may want texts, or data frames.
    estimator, exported = last_step(estimator), last_step(exported)
    drawn = np.random.default_rng(0).normal(size=(N_ROWS, estimator.n_features_in_))
    samples = [drawn]
    if format == "csr":  # sparse by sparse is another branch of predict
        samples.append(sp.csr_array(drawn))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        return _largest_gap(estimator, exported, samples, format)


def _largest_gap(estimator, exported, samples, format):
    (method,) = [name for name in METHODS if hasattr(estimator, name)][:1]
    largest = 0.0
    for rows in samples:
        wanted = getattr(estimator, method)(rows)
        is_sparse = sp.issparse(wanted)
        wanted = wanted.toarray() if is_sparse else np.asarray(wanted)
        try:
            found = getattr(exported, method)(rows)
        except Exception as error:
            raise ValueError(
                _refusal(estimator, format, f"raises {error!r}")
            ) from error
        if is_sparse:
            found = found.toarray()
        if np.shape(found) != wanted.shape or sp.issparse(found):
            reason = f"gives {method} of shape {np.shape(found)}, not {wanted.shape}"
            raise ValueError(_refusal(estimator, format, reason))
        gap = np.abs(wanted - found).max(initial=0.0)
        scale = np.abs(wanted).max(initial=0.0)
        if not gap <= TOLERANCE.get(str(wanted.dtype), 1e-9) * scale:
            raise ValueError(
                _refusal(estimator, format, f"changes {method} by up to {gap:g}")
            )
        largest = max(largest, float(gap))
    return largest


def _refusal(estimator, format, reason):
    return (
        f"{type(estimator).__name__} exported with format={format!r} {reason}. Take "
        "another of 'dense', 'csr' and 'shrunk'."
    )
