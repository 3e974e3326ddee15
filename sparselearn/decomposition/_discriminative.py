"""Dictionary learning with targets."""

from numbers import Real

import numpy as np
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import (
    ClassifierTags,
    RegressorTags,
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_random_state,
    column_or_1d,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import Interval, StrOptions, fit_context
from sparselearn._dask import is_collection, lazily
from sparselearn._parallel import bounded
from sparselearn._scoring import score_chunks
from sparselearn._solvers._atom_updates import DescentUpdate, KSVDUpdate
from sparselearn._solvers._discriminative import augmented, fit_readout, shares
from sparselearn._solvers._first_atoms import Samples, initial_atoms
from sparselearn._solvers._score_sums import AccuracySums, ErrorSums
from sparselearn.decomposition._coding import check_rows, stack_codes
from sparselearn.decomposition._dictionary_learning import BatchLearner
from sparselearn.decomposition._learner import DictionaryLearner

__all__ = ["DiscriminativeDictionaryLearning"]


class DiscriminativeDictionaryLearning(BatchLearner):
    r"""A dictionary whose sparse codes predict classes or numbers.

    `fit` looks for atoms d_1, ..., d_K, the rows of D, linear weights W and codes z_i
    that minimise

    .. math::
        \sum_i s_i \left( \|x_i - D^T z_i\|^2 + \gamma' \|h_i - W z_i\|^2 \right)

    with sample weights s and the penalty or constraint of the coder, where h_i has a
    one for the sample's class and zeros, or its centred targets, and gamma' is `gamma`
    times the ratio of the summed squares of X and of these: units do not matter.
    That is dictionary learning of samples and targets side by side (discriminative
    K-SVD): K-SVD for pursuits, block coordinate descent for penalised codes. The
    further block of label-consistent K-SVD repeats the columns of the classes, as often
    as a class has atoms, and thus is the same with a larger `gamma`.

    Then atoms are brought to length 1. A new sample has no targets, so `transform`
    makes codes by the atoms alone, and the linear model that `predict` uses is fitted
    to such codes of the training samples: ridge regression, its penalty by generalised
    cross-validation.

    Parameters
    ----------
    n_components : int, default=None
        The number K of atoms; None is n_features, or that of `init`.
    target : {"classes", "values"}, default="classes"
        What y is: a class for each sample, which makes this a classifier, or numbers,
        one or several for each sample, which makes it a regressor.
    gamma : float, default=1.0
        How much the targets count: their share of squares over that of X. 0 learns
        without them.
    coder : SparseCoder, default=None
        How codes are made, with all its options; its `dictionary` is not used. None is
        a coder of the following four parameters.
    method : str, default="omp"
        As in :class:`SparseCoder`, and so are the next three.
    alpha : float, default=None
    n_nonzero_coefs : int, default=None
    positive : bool, default=False
    init : {"data", "k-means++", "svd"} or array-like, default="data"
        Atoms to start from: samples; samples that those before explain badly; singular
        vectors, each from every class for as many atoms as its share; or an array of
        shape (n_components, n_features).
    max_iter : int, default=200
        Alternations between codes and atoms, at most.
    max_time : float, default=None
        Seconds after which no alternation begins.
    tol : float, default=1e-3
        Stop when an alternation changes the objective by less than this share of it,
        or than its square of the objective of zero codes. 0 goes on to the end.
    positive_atoms : bool, default=False
        Whether atoms are constrained to be >= 0.
    random_state : int, RandomState instance or None, default=None
        Draws the initial atoms, and samples that replace atoms.
    n_jobs : int, default=None
        Threads that make codes; the same bits for any number. None means 1 unless in
        a :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        With ``target="classes"``.
    components_ : ndarray of shape (n_components, n_features)
        The atoms, the most used first, each with its largest entry positive unless
        signs are constrained; of the dtype of X.
    n_components_ : int
    coef_ : ndarray of shape (n_targets, n_components) or (n_components,)
        Weights of the codes: a row for each class, only one for two classes; a row for
        each column of y, or none where y has one dimension.
    intercept_ : ndarray of shape (n_targets,) or float
    objective_path_ : ndarray of shape (n_iter\_,)
        The objective after each alternation: half of the mean of that above, plus the
        penalty.
    objective_ : float
        The objective without targets of the codes that `transform` makes.
    n_iter_ : int
        Alternations.
    n_replaced_ : int
        How often an atom was replaced.
    atom_usage_ : ndarray of shape (n_components,)
        The share of the training samples whose code uses an atom.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a training code.
    sparsity_ : float
        The share of zeros in the training codes.
    coherence_ : float
        The largest absolute cosine between two atoms.
    explained_variance_ : float
        The share of the variance of the training samples that their codes explain.
    mean_ : ndarray of shape (n_features,)
        Means of the training samples, about which that is measured.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For infinity in X, NaN unless the coder's `missing` is "mask", y that is not
        what `target` says, `init` of a wrong shape, a coder together with one of its
        parameters, weights that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` ends the alternation before `tol`, or all codes are zero.

    See Also
    --------
    KSVD : Learns without targets.

    References
    ----------
    Zhang and Li (2010), Discriminative K-SVD for dictionary learning in face
    recognition.

    Jiang, Lin and Davis (2013), Label consistent K-SVD: Learning a discriminative
    dictionary for recognition.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from sparselearn.decomposition import DiscriminativeDictionaryLearning
    >>> X, y = load_digits(return_X_y=True)
    >>> X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    >>> learner = DiscriminativeDictionaryLearning(100, n_nonzero_coefs=5)
    >>> learner.set_params(random_state=0).fit(X, y).score(X_test, y_test) > 0.9
    True
    """

    _parameter_constraints = {
        **DictionaryLearner._parameter_constraints,
        "target": [StrOptions({"classes", "values"})],
        "gamma": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(
        self,
        n_components=None,
        *,
        target="classes",
        gamma=1.0,
        coder=None,
        method="omp",
        alpha=None,
        n_nonzero_coefs=None,
        positive=False,
        init="data",
        max_iter=200,
        max_time=None,
        tol=1e-3,
        positive_atoms=False,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.target = target
        self.gamma = gamma
        self.coder = coder
        self.method = method
        self.alpha = alpha
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.init = init
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.positive_atoms = positive_atoms
        self.random_state = random_state
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        if self.target == "classes":
            tags.estimator_type = "classifier"
            tags.classifier_tags = ClassifierTags()
        else:
            tags.estimator_type = "regressor"
            tags.regressor_tags = RegressorTags()
            tags.target_tags.multi_output = True
        return tags

    # -- learning -------------------------------------------------------------

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Learn the atoms, and a linear model of y on the codes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse. NaN is a missing entry if the coder's `missing` is
            "mask".
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Classes, or, with ``target="values"``, numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a sample of weight 0 is absent.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._fit(X, y, sample_weight, stacklevel=4)
        return self

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y, sample_weight=None):
        """``fit(X, y).transform(X)``, with X encoded once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            As `transform` gives them.
        """
        # Its output is wrapped, one frame more.
        codes, dtype = self._fit(X, y, sample_weight, stacklevel=5)
        return self._output(codes, dtype)

    def _fit(self, X, y, sample_weight, *, stacklevel):
        coder = self._make_coder()
        X, weights = self._check(X, sample_weight, reset=True)
        classes, labels, targets, single = self._check_targets(X, y)
        random_state = check_random_state(self.random_state)
        present = np.flatnonzero(weights > 0.0)
        # Equal samples with equal targets are one, of their summed weight.
        chosen, masses = self._distinct(X[present], weights[present], targets[present])
        chosen = present[chosen]
        steps = self._learn_beside(
            X[chosen],
            targets[chosen],
            None if labels is None else labels[chosen],
            masses,
            coder,
            random_state,
        )

        def store(estimator, learned):
            sums, codes = estimator._store(learned, X, weights, coder)
            if classes is not None:
                estimator.classes_ = classes
            estimator._store_readout(codes, targets, weights, single=single)
            return sums, codes

        codes = self._finish(steps, X, y, store, stacklevel=stacklevel)
        return codes, X.dtype

    def _check_targets(self, X, y):
        """What y says.

        Returns
        -------
        classes, labels : ndarrays, or None where y has numbers
            The classes, and the number of that of each sample.
        targets : ndarray (n_samples, t)
        single : bool
            Whether one model tells them.
        """
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is "
                "None."
            )
        if self.target == "classes":
            y = column_or_1d(y, warn=True)
            assert_all_finite(y, input_name="y")
            check_consistent_length(X, y)
            if type_of_target(y) == "continuous":
                raise ValueError(
                    "Unknown label type: y is continuous, and target='classes'. Give "
                    "target='values' to learn to predict values."
                )
            check_classification_targets(y)
            classes, labels = np.unique(y, return_inverse=True)
            return classes, labels, np.eye(classes.size)[labels], classes.size == 2
        y = check_array(y, dtype=np.float64, ensure_2d=False, input_name="y")
        check_consistent_length(X, y)
        return None, None, y.reshape(y.shape[0], -1), y.ndim == 1

    def _learn_beside(self, X, targets, labels, weights, coder, random_state):
        """Yield what a batch learner has for samples and targets, less the latter."""
        if labels is None:
            # Atoms that must be >= 0 give no negative number.
            shift = targets.min(axis=0)
            if not self.positive_atoms:
                shift = weights @ targets / weights.sum()
            targets = targets - shift
        wide = augmented(X, targets, weights, self.gamma)
        atoms = self._first_atoms(X, wide, labels, weights, random_state)
        for learned in self._alternate(wide, weights, atoms, coder, random_state):
            atoms, _ = self._atom_set().project(learned.atoms[:, : X.shape[1]])
            yield learned._replace(atoms=atoms)

    def _update(self, coder):
        if coder.counts_only:
            return KSVDUpdate(
                positive=self._coding.positive, positive_atoms=self.positive_atoms
            )
        return DescentUpdate(self._atom_set())

    def _first_atoms(self, X, wide, labels, weights, random_state):
        """Atoms of samples and targets to start from."""
        if not isinstance(self.init, str):
            atoms = self._initial_atoms(
                Samples.of(X, weights), X.shape[1], random_state
            )
            n_targets = wide.shape[1] - X.shape[1]
            return np.hstack([atoms, np.zeros((atoms.shape[0], n_targets))])
        n_components = self.n_components or X.shape[1]
        if labels is None:
            labels = np.zeros(wide.shape[0], dtype=int)
        quotas = shares(n_components, np.bincount(labels))
        parts = [
            bounded(
                initial_atoms,
                Samples.of(wide[labels == k], weights[labels == k]),
                quota,
                self.init,
                self._atom_set(),
                random_state,
            )
            for k, quota in enumerate(quotas)
            if quota > 0
        ]
        return np.concatenate(parts)

    def _store_readout(self, codes, targets, weights, *, single):
        stacked = stack_codes(codes, self.n_components_, np.float64)
        coef, intercept = bounded(fit_readout, stacked, targets, weights)
        if single and self.target == "classes":
            coef, intercept = coef[1:] - coef[:1], intercept[1:] - intercept[:1]
        elif single:
            coef, intercept = coef[0], float(intercept[0])
        self.coef_, self.intercept_ = coef, intercept

    # -- prediction -----------------------------------------------------------

    def _readout(self, X):
        check_is_fitted(self, "components_")
        X = check_rows(self, X, missing=self._coding.missing)
        codes = stack_codes(
            self._codes(X, stacklevel=4), self.n_components_, np.float64
        )
        return codes @ self.coef_.T + self.intercept_

    @lazily
    def predict(self, X):
        """Predict y.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
        """
        scores = self._readout(X)
        if self.target == "values":
            return scores
        if self.classes_.size == 2:
            return self.classes_[(scores[:, 0] > 0.0).astype(int)]
        return self.classes_[np.argmax(scores, axis=1)]

    @available_if(lambda self: self.target == "classes")
    @lazily
    def decision_function(self, X):
        """How much the linear model on the codes speaks for each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        scores : ndarray of shape (n_samples, n_classes), or (n_samples,) for two
            The largest is the class predicted; of two, the second where it is positive.
        """
        scores = self._readout(X)
        return scores[:, 0] if self.classes_.size == 2 else scores

    def score(self, X, y, sample_weight=None):
        """The accuracy of classes predicted, or R2 of numbers, the mean over targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or data frame: the model goes to its chunks, and of each
            come a few sums.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
        """
        if is_collection(X):
            sums = AccuracySums if self.target == "classes" else ErrorSums
            return score_chunks(self, sums, X, y, sample_weight)
        measure = accuracy_score if self.target == "classes" else r2_score
        return float(measure(y, self.predict(X), sample_weight=sample_weight))
