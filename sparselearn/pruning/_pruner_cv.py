"""`PrunerCV`: how much to prune, by cross-validation of whole paths."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator, MetaEstimatorMixin, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_array

from sparselearn._compat import (
    Interval,
    StrOptions,
    fit_context,
)
from sparselearn._validation import refuse_collection
from sparselearn.pruning._bench import prune_on
from sparselearn.pruning._cross_validation import Folds, chosen, cross_validated
from sparselearn.pruning._delegates import DelegatesMixin
from sparselearn.pruning._outcome import ResultsMixin
from sparselearn.pruning._path import check_varies
from sparselearn.pruning._procedure import (
    check_parts,
    check_searchable,
    seed_of,
)
from sparselearn.pruning._prune import CHOICE_CONSTRAINTS
from sparselearn.pruning._pruner import Pruner
from sparselearn.pruning._routing import RoutesMixin

__all__ = ["PrunerCV"]


class PrunerCV(
    ResultsMixin, RoutesMixin, DelegatesMixin, MetaEstimatorMixin, BaseEstimator
):
    r"""Prune an estimator to the sparsity that cross-validation chooses.

    On every fold the estimator is fitted once, and pruned to all sparsities by the same
    importances. With :math:`\bar u` the mean score of the unpruned fits over the folds
    and :math:`\bar u_s` that of the pruned ones, the largest s is taken that keeps

    .. math:: \bar u_s \ge \bar u - \mathrm{tolerance},

    and in the end the estimator is fitted to all rows and pruned to it.

    Parameters
    ----------
    estimator : estimator or Pruner
        What to fit and prune; a :class:`Pruner` says how as well, by all of its
        parameters but the amount, `cv`, `scoring`, `random_state` and `n_jobs`, which
        are given here. With its ``criterion="auto"`` all candidates for such an
        estimator are cross-validated.
    sparsities : array-like of float in [0, 1), default=None
        Those to try; None means 0, and 12 geometric steps of what is kept.
    tolerance : float, "1se", "best" or None, default=None
        A float is how much of the unpruned score may be lost; "1se" takes the sparsest
        within one standard error of the best mean score, "best" the sparsest that has
        it. None means 0.01 for scores whose best value is 1, and 1 % of the unpruned
        score for others.
    cv : int, cross-validation generator or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    scoring : str, callable or None, default=None
        As in :class:`Pruner`.
    random_state : int, RandomState instance or None, default=None
        As in :class:`Pruner`.
    n_jobs : int or None, default=None
        Workers of joblib over the folds: threads, or a backend of your own. Any number
        gives the same masks.

    Attributes
    ----------
    estimator_ : estimator
        Fitted to all rows and pruned; it needs nothing of this package.
    best_sparsity_ : float
        The sparsity that was chosen; 0 if none was within the tolerance.
    best_params_ : dict
        It, with the criterion and the refit.
    cv_results_ : dict of ndarray
        As that of :class:`~sklearn.model_selection.GridSearchCV`: a row for each
        criterion and sparsity, with the control "random" among them ("is_control").
        Scores are those after the refit, or what of it needs no training.
    base_score_, score_ : float
        Mean score over the folds, unpruned and at the choice.
    tolerance_ : float
        `base_score_` less the score that was enough.
    masks_, importances_, threshold_, criterion_, refit_, unpruned_
        As in :class:`Pruner`, of the fit to all rows.
    sparsity_, n_nonzero_coefs_, support_
        As in :class:`Pruner`.

    See Also
    --------
    Pruner : One sparsity, or a tolerance on one set of rows kept apart.
    sparselearn.inspection.PruningDisplay : What was found, as a picture.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Ridge
    >>> from sparselearn.pruning import PrunerCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> pruner = PrunerCV(Ridge(alpha=0.1), tolerance="1se", random_state=0).fit(X, y)
    >>> pruner.best_sparsity_, pruner.n_nonzero_coefs_
    (0.6, 4)
    """

    _parameter_constraints = {
        "estimator": "no_validation",
        "sparsities": ["array-like", None],
        "tolerance": [
            Interval(Real, 0, None, closed="left"),
            StrOptions({"1se", "best"}),
            None,
        ],
        "cv": ["cv_object"],
        "scoring": CHOICE_CONSTRAINTS["scoring"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        estimator,
        *,
        sparsities=None,
        tolerance=None,
        cv=None,
        scoring=None,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.sparsities = sparsities
        self.tolerance = tolerance
        self.cv = cv
        self.scoring = scoring
        self.random_state = random_state
        self.n_jobs = n_jobs

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, sample_weight=None, groups=None, **fit_params):
        """Choose a sparsity on folds, then fit and prune on all rows.

        Parameters
        ----------
        X : array-like or sparse array of shape (n_samples, n_features)
        y : array-like, default=None
            As the estimator takes it.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in fits, calibrations and scores.
        groups : array-like of shape (n_samples,), default=None
            Given to `cv`.
        **fit_params : dict
            As in :meth:`Pruner.fit`.

        Returns
        -------
        self : PrunerCV
        """
        refuse_collection(X, self)
        if y is not None:  # before folds are made by it
            check_array(
                y, accept_sparse=True, dtype=None, ensure_2d=False, input_name="y"
            )
        pruner, given = self._pruner(), (sample_weight, groups, fit_params)
        params, sample_weight, cv_params = self._routed(X, *given)
        seed = seed_of(self.random_state)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **cv_params))
        if self.tolerance == "1se" and len(splits) < 2:
            raise ValueError(
                "tolerance='1se' is a standard error over folds, and cv has a single "
                f"one; give two or more, or a number: cv={self.cv!r}."
            )
        data = X, y, sample_weight, params, splits
        options = pruner.calibration_size, seed, self.scoring, self.n_jobs
        folds = Folds(pruner.estimator, *data, *options)
        plan, _ = pruner._plan()
        benches, results = cross_validated(folds, plan, self.sparsities)
        choice = chosen(results, self.tolerance, benches[0])
        whole = folds.bench(folds.fitted())
        found = choice.figures(results)
        amount = {"sparsity": found["best_sparsity_"]}
        criterion, refit = found["best_params_"]["criterion"], pruner.refit
        plan = plan._replace(criterion=criterion, amount=amount)
        if refit == "auto":
            plan = plan._replace(refit=found["best_params_"]["refit"])
        outcome = prune_on(whole, plan)
        outcome.figures.update(found)
        outcome.words[:0] = choice.words
        unpruned = whole.estimator if pruner.keep_unpruned else None
        self._keep(outcome, unpruned, pruner.shrink)
        return self

    def _keep(self, outcome, unpruned, shrink):
        self._store(outcome, unpruned, shrink=shrink)

    def _pruner(self):
        """How to prune: the Pruner that was given, or one with its defaults."""
        if not isinstance(self.estimator, Pruner):
            pruner = Pruner(self.estimator)
        else:
            pruner = self.estimator
            pruner._validate_params()
            amount = ("sparsity", "n_nonzero_coefs", "threshold", "tolerance")
            if any(getattr(pruner, name) is not None for name in amount):
                raise ValueError(
                    f"The amount is chosen here: leave {', '.join(amount)} of the "
                    f"Pruner None, and give `sparsities` or `tolerance` to PrunerCV; "
                    f"got {pruner!r}."
                )
            check_varies(pruner.granularity)
            check_searchable(pruner.layer_sparsity)
        check_parts(pruner.estimator, pruner.granularity, pruner.criterion)
        return pruner

    @property
    def _routed_to(self):
        inside = self.estimator
        return inside.estimator if isinstance(inside, Pruner) else inside
