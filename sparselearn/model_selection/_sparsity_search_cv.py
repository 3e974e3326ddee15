"""A grid search over how sparse a model is."""

import time
from copy import deepcopy
from numbers import Integral, Real

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import get_tags, indexable

from sparselearn._callbacks import progress, reports_progress
from sparselearn._compat import (
    BaseSearchCV,
    StrOptions,
    fit_context,
    index_of_best,
    parts_of_search,
    rows_of_params,
    tabulated,
)
from sparselearn._parallel import Shared, map_jobs
from sparselearn._validation import refuse_collection
from sparselearn.model_selection._figures import figures_of, tabulate
from sparselearn.model_selection._folds import (
    Folds,
    evaluate,
    has_path,
    is_shared,
    suggested,
)
from sparselearn.model_selection._parameters import parameter_of
from sparselearn.model_selection._selection import sparsest_within_one_se

__all__ = ["SparsitySearchCV"]

N_VALUES = 20
_OF_A_CHOICE = (
    "best_estimator_",
    "best_index_",
    "best_params_",
    "best_score_",
    "feature_names_in_",
    "n_nonzero_coefs_",
    "refit_time_",
    "sparsity_",
)


class SparsitySearchCV(BaseSearchCV):
    r"""Cross-validated search over one parameter: how sparse a model is.

    What :class:`~sklearn.model_selection.GridSearchCV` finds on the same grid and the
    same folds, for less. On each fold the steps of a pipeline before the parameter's
    are fitted once; and where the step that has the parameter has a path, all values
    are fitted in one pass over it:

    - linear models of :mod:`sparselearn.linear_model`, by `alpha`: each solution is the
      start of the next one, and equal to that of a fit by itself to `tol`; by
      `n_nonzero_coefs`, all on one set of sums; of
      :class:`~sparselearn.linear_model.OrthogonalMatchingPursuit`, one pursuit, whose
      beginnings are the shorter ones. Models with MCP or SCAD, whose result depends
      on the path that leads to it, have each their own;
    - codes of :class:`~sparselearn.decomposition.SparseCoder` by `n_nonzero_coefs`: one
      pursuit; the steps after it are fitted for each value;
    - :class:`~sparselearn.cluster.KMeansCoder` by `n_nonzero_coefs`, unless its encoder
      is "soft-threshold": centroids are learned once; and so of
      :class:`~sklearn.decomposition.SparseCoder` and
      :class:`~sklearn.decomposition.MiniBatchDictionaryLearning` of scikit-learn, by
      `transform_n_nonzero_coefs` and `transform_alpha`;
    - :class:`~sparselearn.pruning.Pruner` by `sparsity`, `n_nonzero_coefs` and
      `threshold`: its estimator is fitted once.

    Dictionaries that are learned *with* codes of so many non-zeros, autoencoders and
    everything else are fitted for each value, as by a grid search.

    Parameters
    ----------
    estimator : estimator
        Of any kind, also a :class:`~sklearn.pipeline.Pipeline`.
    param_name : str, default=None
        The parameter, as ``set_params`` takes it: ``"lasso__alpha"``. None means that
        of the last step that has one of sparsity: `alpha` of linear models,
        `n_nonzero_coefs` of coders, `sparsity` of a pruner, `C` of scikit-learn's
        models with an L1 penalty, and so on.
    values : array-like or int, default=None
        Those to try. An int means about so many that suit the data, None 20 of them.
        Of `alpha` they go down in geometric progression from the smallest that leaves
        no feature, on all rows, to a thousandth of it (for classes a hundredth); of `C`
        up from the largest; of `n_nonzero_coefs` of a linear model up from 1 to half
        the rows, or all features; of a pruner's `sparsity` from 0 to 0.99. For others
        they must be given.
    cv : int, splitter or iterable, default=None
        As in :func:`~sklearn.model_selection.check_cv`; None means 5 folds.
    scoring : str, callable, list, tuple or dict, default=None
        As in :class:`~sklearn.model_selection.GridSearchCV`: None means the estimator's
        `score`; several metrics need a `refit` that is one of their names, a callable,
        or False.
    refit : {"best", "1se"}, str, callable or bool, default="best"
        Which candidate is fitted again on all rows, for `predict` and the like. "best"
        or True: the one of the best mean score. "1se": the sparsest within a standard
        error of it, by :func:`sparsest_within_one_se`. Of several metrics, the name of
        that by which it is the best one. A callable gets `cv_results_`, with the
        columns below, and returns an index. False: none.
    n_jobs : int, default=None
        Workers of joblib: threads over the folds where there is a path, or a backend of
        your own; the same bits for any number.
    error_score : "raise" or float, default=nan
        The score of a fit that fails, with a warning.
    return_train_score : bool, default=False
        Whether to score on the training rows as well.

    Attributes
    ----------
    cv_results_ : dict of ndarray
        As that of GridSearchCV: ``params``, ``param_*``, ``split*_test_score``,
        ``mean_test_score``, ``std_test_score``, ``rank_test_score``, and the times of
        fits and scores, those of work that candidates share in equal parts. Over the
        folds, where the model can tell: ``mean_test_n_nonzero`` and
        ``std_test_n_nonzero``, numbers of non-zero coefficients, or of a code;
        ``mean_test_sparsity`` and ``std_test_sparsity``, shares of zeros; and
        ``support_agreement``, the mean over pairs of folds of the features that both
        use, in units of those that either does (Jaccard's index), NaN where features
        are not the same.
    param_name_ : str
        The parameter that was searched.
    best_estimator_ : estimator
        Fitted on all rows, unless `refit` is False.
    best_index_ : int
        Of the candidate.
    best_params_ : dict
        Its value, by the name of the parameter.
    best_score_ : float
        Its mean score; not with a callable `refit`.
    refit_time_ : float
        Seconds of the last fit.
    n_nonzero_coefs_, sparsity_ : float
        Of `best_estimator_`, where it can tell.
    n_splits_ : int
    scorer_ : callable or dict
    multimetric_ : bool
    feature_names_in_ : ndarray of str
        If `best_estimator_` has them; as it has ``n_features_in_`` and ``classes_``.

    Raises
    ------
    ValueError
        If no parameter of sparsity is found, or no values are given where none suggest
        themselves; for an unknown `refit`; if all fits failed.

    See Also
    --------
    sparsest_within_one_se : The choice of "1se", for any search.
    sparselearn.inspection.SparsityScoreDisplay : What was found, as a picture.

    Notes
    -----
    A pipeline that works in the place of its input (``copy=False`` somewhere in it), or
    with `transform_input`, shares nothing.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import PolynomialFeatures, StandardScaler
    >>> from sparselearn.linear_model import Lasso
    >>> from sparselearn.model_selection import SparsitySearchCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> squares = PolynomialFeatures(2, include_bias=False)
    >>> pipeline = make_pipeline(squares, StandardScaler(), Lasso())
    >>> search = SparsitySearchCV(pipeline, refit="1se").fit(X, y)
    >>> search.param_name_
    'lasso__alpha'
    >>> print(f"{search.n_nonzero_coefs_:.0f} of 65, R2 {search.best_score_:.2f}")
    11 of 65, R2 0.48
    """

    _parameter_constraints = {
        name: constraint
        for name, constraint in BaseSearchCV._parameter_constraints.items()
        if name not in ("verbose", "pre_dispatch")
    } | {
        "param_name": [str, None],
        "values": ["array-like", Integral, None],
        "error_score": [StrOptions({"raise"}), Real],
    }

    def __init__(
        self,
        estimator,
        *,
        param_name=None,
        values=None,
        cv=None,
        scoring=None,
        refit="best",
        n_jobs=None,
        error_score=np.nan,
        return_train_score=False,
    ):
        self.estimator = estimator
        self.param_name = param_name
        self.values = values
        self.cv = cv
        self.scoring = scoring
        self.refit = refit
        self.n_jobs = n_jobs
        self.error_score = error_score
        self.return_train_score = return_train_score

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags = deepcopy(get_tags(self.estimator).target_tags)
        return tags

    @fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **params):
        """Search, and fit the choice on all rows.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n_samples, n_features)
        y : array-like, default=None
        **params : dict
            For `fit` of the estimator, the splitter (``groups``) and the scorer, as in
            :meth:`GridSearchCV.fit <sklearn.model_selection.GridSearchCV.fit>`; what
            has one entry a row is divided among the folds.

        Returns
        -------
        self : SparsitySearchCV
        """
        refuse_collection(X, self)
        X, y = indexable(X, y)
        scorer, metric, routed = parts_of_search(self, rows_of_params(X, params))
        if metric == "score" and not callable(self.scoring):
            self._check_refit()
        fit_params = routed.estimator.fit
        name = self._name()
        values = self._values(name, X, y, fit_params)
        splits = self._splits(X, y, routed.splitter.split)
        data = X, y, splits, fit_params, routed.scorer.score
        asked = scorer, self.return_train_score, self.error_score
        out = self._evaluate(Folds(self.estimator, name, *data, *asked), values)
        found = {
            "cv_results_": self._results(out, name, values, len(splits)),
            "multimetric_": isinstance(out[0]["test_scores"], dict),
            "scorer_": getattr(scorer, "_scorers", scorer),
            "n_splits_": len(splits),
            "param_name_": name,
        }
        found |= self._choice(found["cv_results_"], metric, found["multimetric_"])
        if self.refit:
            found |= self._refitted(found["best_params_"], X, y, fit_params)
        for attribute in _OF_A_CHOICE:
            vars(self).pop(attribute, None)  # of another fit
        vars(self).update(found)
        return self

    def _check_refit(self):
        """ValueError for a `refit` that is not for a single metric."""
        if isinstance(self.refit, str) and self.refit not in ("best", "1se"):
            raise ValueError(
                f"refit={self.refit!r}, with one metric, must be 'best', '1se', a "
                "callable or a bool; the name of a metric is for several."
            )

    def _name(self):
        """The parameter."""
        known = self.estimator.get_params()
        if self.param_name is None:
            name = parameter_of(self.estimator)
            if name is None:
                raise ValueError(
                    f"No parameter of {self.estimator} is known to say how sparse it "
                    "is. Give param_name, and values."
                )
            return name
        if self.param_name not in known:
            raise ValueError(
                f"param_name={self.param_name!r} is no parameter of the estimator, "
                f"whose parameters are {sorted(known)}."
            )
        return self.param_name

    def _values(self, name, X, y, params):
        """The values to try."""
        if self.values is not None and not isinstance(self.values, Integral):
            values = self.values
            values = values.tolist() if hasattr(values, "tolist") else list(values)
            if not values:
                raise ValueError("values is empty: give at least one to try.")
            return values
        n_values = N_VALUES if self.values is None else int(self.values)
        if n_values < 1:
            raise ValueError(f"values={self.values} must be >= 1, if it is a number.")
        try:
            values = suggested(self.estimator, name, n_values, X, y, params)
        except ValueError as error:
            given = f", with {' and '.join(params)}" if params else ""
            raise ValueError(
                f"No values of {name} to try follow from these data{given}: {error}"
            ) from error
        if values is None:
            raise ValueError(
                f"Data do not suggest values of {name}: give those to try, as "
                f"values=[...] instead of values={self.values}."
            )
        return values

    def _splits(self, X, y, params):
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        splits = list(splitter.split(X, y, **params))
        if not splits:
            raise ValueError(f"cv={self.cv!r} makes no folds.")
        return splits

    @reports_progress
    def _evaluate(self, folds, values):
        """What each candidate is on each fold; the folds of a candidate together."""
        chunks = [[value] for value in values]
        if is_shared(folds.estimator, folds.name):
            chunks = [values]
        n_splits = len(folds.splits)
        jobs = [(k, chunk) for chunk in chunks for k in range(n_splits)]
        in_threads = has_path(folds.estimator, folds.name)
        runs = map_jobs(
            evaluate, Shared(folds), jobs, self.n_jobs, in_threads=in_threads
        )
        told = progress(
            self, runs, n_steps=len(jobs), X=folds.X, y=folds.y, name="fold"
        )
        # A callback may ask to stop; a search without some of its folds is none.
        found = [*told, *runs]
        return [
            found[chunk * n_splits + split][place]
            for chunk, values in enumerate(chunks)
            for place in range(len(values))
            for split in range(n_splits)
        ]

    def _results(self, out, name, values, n_splits):
        """`cv_results_`."""
        figures = [run.pop("figures") for run in out]
        candidates = [{name: value} for value in values]
        results = tabulated(self, candidates, n_splits, out)
        # Those of a metric of that name are the user's.
        return tabulate(figures, len(values)) | results

    def _choice(self, results, metric, multimetric):
        """The fitted attributes that tell of the best candidate."""
        if multimetric:
            if not self.refit:
                return {}
            metric = self.refit
        else:
            self._check_refit()
        refit = sparsest_within_one_se if self.refit == "1se" else self.refit
        index = index_of_best(refit, metric, results)
        found = {"best_index_": index, "best_params_": results["params"][index]}
        if not callable(self.refit):
            found["best_score_"] = results[f"mean_test_{metric}"][index]
        return found

    def _refitted(self, best_params, X, y, params):
        """The fitted attributes that tell of the fit on all rows."""
        best = clone(self.estimator).set_params(**clone(best_params, safe=False))
        begun = time.perf_counter()
        best = best.fit(X, **params) if y is None else best.fit(X, y, **params)
        found = {"best_estimator_": best, "refit_time_": time.perf_counter() - begun}
        figures = figures_of(best, self._name())
        if not np.isnan(figures.sparsity):
            found["n_nonzero_coefs_"] = figures.n_nonzero
            found["sparsity_"] = figures.sparsity
        if hasattr(best, "feature_names_in_"):
            found["feature_names_in_"] = best.feature_names_in_
        return found
