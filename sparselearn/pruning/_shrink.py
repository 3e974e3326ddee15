"""Networks made smaller: units that do nothing, removed for good."""

from copy import deepcopy

from sklearn.utils.validation import check_is_fitted

from sparselearn.pruning._adapters import adapter_of
from sparselearn.pruning._cleanup import clean_up
from sparselearn.pruning._wrappers import last_step, thawed

__all__ = ["shrink", "shrink_in_place"]


def shrink(estimator):
    r"""A copy of a fitted estimator without the hidden units that do nothing.

    A unit of a perceptron that nothing reads is removed, and so is one that reads
    nothing, its constant :math:`g(b_j)` folded into the next layer,
    :math:`b' \leftarrow b' + g(b_j) W'_{j \cdot}`; and so on, until none is left.
    Predictions stay, up to rounding. The arrays get smaller, and so do predict time
    and memory; what the optimiser remembers of the others is kept, so that
    `partial_fit`, and `fit` with `warm_start`, go on. `hidden_layer_sizes` becomes
    what is left.

    Features stay as many as they were; those that no weight reads are False in
    ``feature_support_`` of the copy's last step. A linear model is copied with that
    mark alone; trees and kernel machines, which are made smaller as they are pruned,
    are copied as they are.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes; it is not changed.

    Returns
    -------
    smaller : estimator
        Of the class of `estimator`, or of the estimator that is frozen in it.

    Raises
    ------
    TypeError
        If units of such an estimator cannot be removed.

    See Also
    --------
    compact : Drops what a pipeline computes for features that are not read.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sparselearn.neural_network import SparseMLPClassifier
    >>> from sparselearn.pruning import prune, shrink
    >>> X, y = load_iris(return_X_y=True)
    >>> network = SparseMLPClassifier((20,), batch_size=50, random_state=0).fit(X, y)
    >>> pruned = prune(network, X, granularity="neuron", sparsity=0.5, refit="lstsq")
    >>> [W.shape for W in pruned.coefs_], [W.shape for W in shrink(pruned).coefs_]
    ([(4, 20), (20, 3)], [(4, 10), (10, 3)])
    """
    check_is_fitted(estimator)
    smaller = thawed(deepcopy(estimator))
    shrink_in_place(smaller)
    return smaller


def shrink_in_place(estimator):
    """Remove the hidden units that do nothing, and say which ones stay.

    Returns
    -------
    kept : list of ndarray of bool
        One a hidden layer, of the old numbers of units.
    """
    final = last_step(estimator)
    adapter = adapter_of(final)
    blocks, kept = adapter.read(final), []
    if "neuron" in adapter.granularities:
        blocks, kept = clean_up(blocks)
    if not all(stays.all() for stays in kept):
        adapter.shrink(final, blocks, kept)
        blocks = adapter.read(final)
    if {"neuron", "feature"} & set(adapter.granularities):  # so it reads features
        final.feature_support_ = (blocks[0].matrix() != 0.0).any(axis=1)
    return kept
