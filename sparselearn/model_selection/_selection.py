"""The choice among candidates: the sparsest that is about as good as the best."""

import numpy as np

from sparselearn.model_selection._parameters import LARGER_IS_SPARSER

__all__ = ["sparsest_within_one_se", "standard_error"]


def sparsest_within_one_se(
    cv_results, *, metric="score", sparsity=None, larger_is_sparser=None, n_se=1.0
):
    r"""The sparsest candidate whose mean score is within a standard error of the best.

    With :math:`\bar u_k` and :math:`\mathrm{std}_k` the mean and the standard deviation
    (over `n` folds, divided by n) of the scores of candidate k, and b the candidate of
    the best mean score, it is the sparsest k with

    .. math:: \bar u_k \ge \bar u_b - \mathrm{n\_se} \cdot \mathrm{std}_b / \sqrt{n};

    among equally sparse ones that of the better score, then the first.

    Parameters
    ----------
    cv_results : dict
        `cv_results_` of a search.
    metric : str, default="score"
        Which score: its name in a search with several metrics.
    sparsity : str, default=None
        The column to tell sparsity by: its name, or that of a parameter, as
        ``"lasso__alpha"``. None means ``mean_test_sparsity``, or minus
        ``mean_test_n_nonzero``, if the search has measured them, as
        :class:`SparsitySearchCV` does; or else the only parameter whose name tells of
        sparsity.
    larger_is_sparser : bool, default=None
        Whether larger values in that column are sparser. None goes by the name: they
        are of ``sparsity`` and ``alpha``; they are not of ``n_nonzero``,
        ``n_nonzero_coefs`` and ``C``.
    n_se : float, default=1.0
        How many standard errors.

    Returns
    -------
    index : int
        Of the candidate: `best_index_`.

    Raises
    ------
    ValueError
        If the column is not there, or it is not known which it is, or which of its
        values are sparser; or if all scores are NaN.

    References
    ----------
    Breiman, Friedman, Olshen and Stone (1984), Classification and regression trees
    (the rule of one standard error).

    Examples
    --------
    As it is, where the name of the parameter tells which values are sparser; with
    arguments by :func:`functools.partial`:

    >>> from functools import partial
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sparselearn.model_selection import sparsest_within_one_se
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas = {"alpha": [0.01, 0.03, 0.1, 0.2, 0.3]}
    >>> search = GridSearchCV(Lasso(), alphas, refit=sparsest_within_one_se)
    >>> search.fit(X, y).best_params_
    {'alpha': 0.2}
    >>> half = partial(sparsest_within_one_se, sparsity="alpha", n_se=0.5)
    >>> GridSearchCV(Lasso(), alphas, refit=half).fit(X, y).best_params_
    {'alpha': 0.1}
    """
    key = f"mean_test_{metric}"
    if key not in cv_results:
        have = [k.removeprefix("mean_test_") for k in cv_results if _is_mean(k)]
        raise ValueError(f"cv_results has no metric {metric!r}; it has {have}.")
    mean = np.asarray(cv_results[key], dtype=np.float64)
    if np.isnan(mean).all():
        raise ValueError(f"All scores of metric {metric!r} are NaN.")
    best = int(np.nanargmax(mean))
    enough = mean[best] - n_se * standard_error(cv_results, metric)[best]
    amount = _amount(cv_results, sparsity, larger_is_sparser)
    good = [k for k in np.flatnonzero(mean >= enough) if not np.isnan(amount[k])]
    if not good:
        raise ValueError("The sparsity of every candidate that is good enough is NaN.")
    return int(max(good, key=lambda k: (amount[k], mean[k])))


def _is_mean(key):
    return key.startswith("mean_test_")


def standard_error(cv_results, metric="score"):
    """The standard errors of mean scores: std over the folds, by the root of how many.

    Parameters
    ----------
    cv_results : dict
    metric : str, default="score"

    Returns
    -------
    errors : ndarray of shape (n_candidates,)
    """
    ending = f"_test_{metric}"
    n_folds = sum(
        key.endswith(ending)
        and key.removesuffix(ending).removeprefix("split").isdigit()
        for key in cv_results
    )
    std = np.asarray(cv_results[f"std{ending}"], dtype=np.float64)
    return std / np.sqrt(n_folds)


def _amount(cv_results, sparsity, larger_is_sparser):
    """How sparse the candidates are: larger is sparser."""
    key = _column(cv_results, sparsity)
    name = key.removeprefix("mean_test_").removeprefix("param_").split("__")[-1]
    if larger_is_sparser is None:
        larger_is_sparser = LARGER_IS_SPARSER.get(name)
    if larger_is_sparser is None:
        raise ValueError(
            f"Whether larger or smaller values of {name!r} are sparser is not known: "
            "say so by larger_is_sparser=True or False."
        )
    try:
        values = np.asarray(cv_results[key], dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(
            f"{key!r} has values that are no numbers, {list(cv_results[key])}: name "
            "another column by sparsity=."
        ) from None
    return values if larger_is_sparser else -values


def _column(cv_results, sparsity):
    """The key of `cv_results` that tells of sparsity."""
    if sparsity is not None:
        for key in (sparsity, f"param_{sparsity}", f"mean_test_{sparsity}"):
            if key in cv_results:
                return key
        raise ValueError(
            f"cv_results has no column sparsity={sparsity!r}, and neither a parameter "
            f"nor a metric of that name; it has {list(cv_results)}."
        )
    for key in ("mean_test_sparsity", "mean_test_n_nonzero"):
        if key in cv_results:
            return key
    parameters = [key for key in cv_results if key.startswith("param_")]
    telling = [k for k in parameters if k[6:].split("__")[-1] in LARGER_IS_SPARSER]
    if len(telling) != 1:
        raise ValueError(
            "cv_results has not measured sparsity, and of its parameters "
            f"{[key[6:] for key in parameters]} not just one tells of it by its name. "
            "Say which by sparsity=, and by larger_is_sparser which of its values are "
            "sparser: refit=functools.partial(sparsest_within_one_se, sparsity=...)."
        )
    return telling[0]
