"""Pruning of a fitted estimator by functions: its importances, a pruned copy."""

import warnings
from copy import deepcopy
from numbers import Integral, Real

from sklearn.metrics import get_scorer_names
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, validate_params
from sparselearn.pruning._allocation import ALLOCATIONS
from sparselearn.pruning._criteria import CRITERIA, score_parts
from sparselearn.pruning._granularity import GRANULARITIES
from sparselearn.pruning._masks import SCOPES
from sparselearn.pruning._procedure import (
    Plan,
    amount_of,
    check_parts,
    observe,
    prune_in_place,
    word_on_cut_layers,
)
from sparselearn.pruning._refits import REFITS
from sparselearn.pruning._schedules import SCHEDULES
from sparselearn.pruning._wrappers import thawed

__all__ = [
    "CHOICE_CONSTRAINTS",
    "CONSTRAINTS",
    "DATA_CONSTRAINTS",
    "importance",
    "prune",
]

# Estimators are checked by `check_parts`, whose error says what can be pruned.
CONSTRAINTS = {
    "estimator": "no_validation",
    "criterion": [StrOptions(set(CRITERIA)), callable],
    "sparsity": [Interval(Real, 0, 1, closed="left"), None],
    "n_nonzero_coefs": [Interval(Integral, 0, None, closed="left"), None],
    "threshold": [Interval(Real, None, None, closed="neither"), str, None],
    "granularity": [StrOptions(set(GRANULARITIES)), tuple],
    "scope": [StrOptions({"auto", *SCOPES})],
    "layer_sparsity": [StrOptions(set(ALLOCATIONS)), dict, list, None],
    "min_density": [Interval(Real, 0, 1, closed="both")],
    "exclude": [tuple, list],
    "refit": [StrOptions(set(REFITS))],
    "refit_epochs": [Interval(Integral, 0, None, closed="left")],
    "schedule": [StrOptions(set(SCHEDULES)), callable],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "random_state": ["random_state"],
}
# Of what chooses among criteria and refits, by a score.
CHOICE_CONSTRAINTS = {
    "criterion": [StrOptions({"auto", *CRITERIA}), callable],
    "refit": [StrOptions({"auto", *REFITS})],
    "scoring": [StrOptions(set(get_scorer_names())), callable, None],
}
DATA_CONSTRAINTS = {
    "X": ["array-like", "sparse matrix", None],
    "y": ["array-like", None],
    "sample_weight": ["array-like", None],
}


@validate_params(
    {name: CONSTRAINTS[name] for name in ("criterion", "granularity", "random_state")}
    | DATA_CONSTRAINTS,
    prefer_skip_nested_validation=True,
)
def importance(
    estimator,
    X=None,
    y=None,
    *,
    criterion="magnitude",
    granularity="element",
    sample_weight=None,
    random_state=None,
):
    """Importances of the weights of a fitted estimator; the larger, the longer kept.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        Calibration data; a linear model needs them, for the spread of its features.
    y : array-like, default=None
        Targets of the rows of X, for the criteria that need them.
    criterion : str or callable, default="magnitude"
        As in :class:`Pruner`.
    granularity : str or tuple, default="element"
        As in :class:`Pruner`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of X.
    random_state : int, RandomState instance or None, default=None
        Of the criteria that draw.

    Returns
    -------
    importances : list of ndarray of float64
        For elements shaped like ``coef_``, or like each of ``coefs_``; for neurons
        one array of shape (n_units,) a hidden layer; for features one array of shape
        (n_features,).

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from sparselearn.pruning import importance
    >>> X = [[0.0, 0.0], [0.0, 10.0], [2.0, 0.0], [2.0, 10.0]]
    >>> model = LinearRegression().fit(X, [0.0, 5.0, 2.0, 7.0])
    >>> model.coef_.round(2), importance(model, X)[0].round(2)
    (array([1. , 0.5]), array([1. , 2.5]))
    """
    check_parts(estimator, granularity, criterion)
    check_is_fitted(estimator)
    blocks, data = observe(estimator, X, y, sample_weight, random_state)
    return score_parts(criterion, granularity, blocks, data)


@validate_params(
    {name: rule for name, rule in CONSTRAINTS.items() if name != "estimator"}
    | DATA_CONSTRAINTS,
    prefer_skip_nested_validation=True,
)
def prune(
    estimator,
    X=None,
    y=None,
    *,
    criterion="magnitude",
    granularity="element",
    sparsity=None,
    n_nonzero_coefs=None,
    threshold=None,
    scope="auto",
    layer_sparsity=None,
    min_density=0.0,
    exclude=(),
    refit="fold",
    refit_epochs=10,
    schedule="one-shot",
    n_steps=8,
    sample_weight=None,
    random_state=None,
):
    """A pruned copy of a fitted estimator.

    Parameters
    ----------
    estimator : estimator
        Fitted, and such as :class:`Pruner` takes; it is not changed.
    X : array-like or sparse array of shape (n_samples, n_features), default=None
        Calibration data, for the spread of a linear model's features and for
        ``refit="fold"``; a perceptron with ``refit="none"`` does without.
    y : array-like, default=None
        Targets of the rows of X, for what needs them.
    criterion, granularity, sparsity, n_nonzero_coefs, threshold, scope
        As in :class:`Pruner`; if nothing says how much, half is pruned.
    layer_sparsity, min_density, exclude, refit, refit_epochs, schedule, n_steps
        As in :class:`Pruner`.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows of X.
    random_state : int, RandomState instance or None, default=None
        As in :class:`Pruner`.

    Returns
    -------
    pruned : estimator
        Of the class of `estimator`, or of the estimator that is frozen in it.

    See Also
    --------
    Pruner : The same as a step of model selection, with masks and counts.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import LassoCV
    >>> from sparselearn.pruning import prune
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = LassoCV().fit(X, y)
    >>> prune(model, X, n_nonzero_coefs=4).coef_.nonzero()[0]
    array([2, 3, 4, 8])
    """
    check_parts(estimator, granularity, criterion)
    check_is_fitted(estimator)
    pruned = thawed(deepcopy(estimator))
    amount = amount_of(
        sparsity=sparsity,
        n_nonzero_coefs=n_nonzero_coefs,
        threshold=threshold,
        granularity=granularity,
        layer_sparsity=layer_sparsity,
    )
    plan = Plan(
        {"sparsity": 0.5} if amount is None else amount,
        criterion=criterion,
        granularity=granularity,
        scope=scope,
        layer_sparsity=layer_sparsity,
        min_density=min_density,
        exclude=exclude,
        refit=refit,
        refit_epochs=refit_epochs,
        schedule=schedule,
        n_steps=n_steps,
    )
    subject = observe(pruned, X, y, sample_weight, random_state)
    done = prune_in_place(pruned, subject, plan)
    for word in word_on_cut_layers(done, plan):
        warnings.warn(word, stacklevel=3)  # whoever called: this is decorated
    return pruned
