"""A dictionary learned online, from mini-batches."""

import copy
import time
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state

from sparselearn._compat import Interval, fit_context
from sparselearn._dask import is_collection
from sparselearn._parallel import stream
from sparselearn._solvers._code_statistics import Tally
from sparselearn._solvers._coding import join_codes
from sparselearn._solvers._dictionary import AtomSet, Learned
from sparselearn._solvers._first_atoms import Samples
from sparselearn._solvers._online_dictionary import (
    OnlineDictionary,
    learn_dictionary,
    pass_until_steady,
)
from sparselearn.decomposition._coding import warn_of_zeros
from sparselearn.decomposition._learner import DictionaryLearner
from sparselearn.decomposition._rounds import RowsElsewhere, batch_encoder
from sparselearn.decomposition._sums import FeatureSums, Scored

__all__ = ["MiniBatchDictionaryLearning"]


class MiniBatchDictionaryLearning(DictionaryLearner):
    r"""Dictionary learning, online: from one mini-batch after another.

    Looks for atoms d_1, ..., d_K, the rows of D, by few of which each sample x_i can be
    written; with a lasso as the coder, and sample weights s,

    .. math::
        \min_{D, Z} \sum_i s_i \left( \tfrac12 \|x_i - D^T z_i\|^2
        + \alpha \|z_i\|_1 \right) \quad \text{subject to} \quad \|d_j\| = 1.

    A batch is encoded by the atoms at hand, its codes are added to statistics
    :math:`A = \sum_i s_i z_i z_i^T, B = \sum_i s_i z_i x_i^T`, and each atom moves to
    the best that these ask for. The statistics are of a window of recent samples that
    grows to two passes over all of them. An atom that no sample uses, or that repeats
    another one, gives way to a sample with a large error. One coder makes the codes of
    `fit` and those of `transform`.

    Parameters
    ----------
    n_components : int, default=None
        The number K of atoms; None means the number of features.
    coder : SparseCoder, default=None
        How samples are encoded; its `dictionary` is not used. None means one with the
        four parameters that follow.
    method : str, default="lasso"
        Method of the coder, see :class:`SparseCoder`.
    alpha : float >= 0, default=None
        Weight of the penalty, in units of X. None means a tenth of what would make the
        code of a sample 0, for each sample, unless `n_nonzero_coefs` is given.
    n_nonzero_coefs : int, default=None
        Non-zeros of a code.
    positive : bool, default=False
        Whether to constrain codes to be >= 0.
    batch_size : int, default=256
        Samples in a batch: atoms move once a batch. Of a dask collection a batch is of
        a few chunks that have at least so many together: the larger, the more workers
        have something to do at the same time.
    init : {"data", "k-means++", "svd"} or array-like, default="data"
        Where atoms start: at samples; at samples that those before explain badly; at
        singular vectors of X, of a dask collection those of ten samples an atom, but no
        fewer than 1000; at an array of shape (n_components, n_features), which is
        copied. Where that does not give so many, the rest is random.
    max_iter : int, default=1000
        Passes over the samples, at most.
    max_time : float, default=None
        Seconds after which `fit` stops learning, at the end of a batch.
    tol : float, default=1e-3
        Stop when the least objective of five passes is lower than that of all before by
        no more than this share. 0 goes on to the end.
    shuffle : bool, default=True
        Whether each pass takes the samples in a random order. Samples that occur
        several times are then one of so much more weight. Of a dask collection each
        pass takes the chunks in a random order, and samples of a chunk stay together.
    positive_atoms : bool, default=False
        Whether to constrain atoms to be >= 0. With `positive` the factorisation is a
        non-negative one.
    atom_l1_ratio : float in [0, 1], default=0
        Above 0, atoms are sparse: the constraint on them is that
        :math:`(1 - \rho) \|d_j\|^2 + \rho \|d_j\|_1 = 1` for this
        :math:`\rho`.
    random_state : int, RandomState instance or None, default=None
        Draws the start, the order of samples, and samples that replace atoms.
    n_jobs : int, default=None
        Threads that make codes; the same bits for any number. None means 1 unless in
        a :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms, of the dtype of X. `fit` puts those first that more of its last
        samples used, and makes the largest entry of each positive unless codes or
        atoms must be; `partial_fit` leaves each where it is.
    n_components_ : int
    mean_ : ndarray of shape (n_features,)
        Means of the training samples, about which `score` measures. They are not
        subtracted from X.
    objective_path_ : ndarray of shape (n_iter_,)
        Mean objective of the samples in each pass, as they were encoded, before atoms
        moved on.
    n_iter_ : int
        Passes over the samples, and calls of `partial_fit`.
    n_replaced_ : int
        How often an atom was replaced.
    atom_usage_ : ndarray of shape (n_components,)
        The share of the training samples whose code uses an atom. This and the figures
        below are, after `fit`, of ``transform(X)``, and after `partial_fit` of the
        codes that it made of its samples.
    n_nonzero_coefs_ : float
        Mean number of non-zeros of a training code.
    sparsity_ : float
        The share of zeros in the training codes.
    objective_ : float
        Mean over the training samples of half the squared error plus the penalty.
    explained_variance_ : float
        `score` of the training samples.
    coherence_ : float
        The largest absolute cosine between two atoms.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        If a coder is given and one of its parameters too; for `init` of a wrong shape,
        infinity in the data, NaN in it but for a coder of ``missing="mask"`` and dense
        X, weights that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        Once: if all codes are zero, if the objective still falls by more than `tol`
        after `max_iter` passes, or if codes miss their tolerance.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro (2010), Online learning for matrix factorization and
    sparse coding.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.decomposition import MiniBatchDictionaryLearning
    >>> X, y = load_digits(return_X_y=True)
    >>> learner = MiniBatchDictionaryLearning(
    ...     50, method="omp", n_nonzero_coefs=4, random_state=0
    ... ).fit(X)
    >>> learner.transform(X).shape, round(learner.score(X), 1)
    ((1797, 50), 0.8)
    """

    _parameter_constraints = {
        **DictionaryLearner._parameter_constraints,
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "atom_l1_ratio": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(
        self,
        n_components=None,
        *,
        coder=None,
        method="lasso",
        alpha=None,
        n_nonzero_coefs=None,
        positive=False,
        batch_size=256,
        init="data",
        max_iter=1000,
        max_time=None,
        tol=1e-3,
        shuffle=True,
        positive_atoms=False,
        atom_l1_ratio=0.0,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.coder = coder
        self.method = method
        self.alpha = alpha
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.batch_size = batch_size
        self.init = init
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.shuffle = shuffle
        self.positive_atoms = positive_atoms
        self.atom_l1_ratio = atom_l1_ratio
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _atom_set(self):
        return AtomSet(self.positive_atoms, float(self.atom_l1_ratio))

    def _new_state(self, samples, n_features, random_state):
        """A state at the start, from `Samples` of so many features."""
        # Its own generator, which a pickle can hold without that of the user.
        own = np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))
        atoms = self._initial_atoms(samples, n_features, own)
        return OnlineDictionary(atoms, self._atom_set(), self.batch_size, own)

    def _learn(self, X, weights, coder, random_state):
        go_on = self._until_late()
        samples = np.arange(X.shape[0])
        if self.shuffle:
            samples, weights = self._distinct(X, weights)
        state = self._new_state(Samples(X, samples, weights), X.shape[1], random_state)
        with stream(self.n_jobs) as run:
            yield from learn_dictionary(
                state,
                X,
                samples,
                weights,
                batch_encoder(coder, run),
                max_iter=self.max_iter,
                tol=self.tol,
                shuffle=self.shuffle,
                go_on=go_on,
            )

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the atoms.

        From a dask array or data frame it learns in rounds, one a batch. In a round its
        chunks encode their samples where they lie, what the codes ask of the atoms is
        summed in a tree, and the atoms move here: as many workers as a batch has chunks
        work at a time, and the result does not depend on how many there are. With K
        atoms of p features a round sends ``K (p + K)`` numbers to each worker, adds so
        many up for each chunk, and brings so many here. A round before the first pass
        counts and checks; up to ten samples an atom, or 1000, come here to start from.
        A round after the last pass encodes all samples. Where atoms are replaced three
        numbers for each sample of the round come here, and the chunks of the samples
        that become atoms are read twice.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse, and a dask collection where it is. NaN is a missing
            entry if the coder's `missing` is "mask".
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero: a sample of weight 0 is absent.

        Returns
        -------
        self : object
            Fitted estimator.
        """
        self._fit(X, y, sample_weight, stacklevel=4)
        return self

    def _fit(self, X, y, sample_weight, *, stacklevel):
        if not is_collection(X):
            return super()._fit(X, y, sample_weight, stacklevel=stacklevel + 1)
        self._make_coder()  # refuses parameters that do not go together
        rows = RowsElsewhere(self, X, sample_weight, reset=True)

        def store(estimator, learned):
            return estimator._store_rounds(learned, rows), None

        return self._finish(
            self._learn_rounds(rows), X, y, store, stacklevel=stacklevel
        )

    def _learn_rounds(self, rows):
        """As `_learn`, for `RowsElsewhere`."""
        go_on = self._until_late()
        random_state = check_random_state(self.random_state)
        state = self._new_state(rows, rows.n_features, random_state)

        def one_pass():
            options = {"shuffle": self.shuffle, "longest": rows.size}
            return (batch.coded.tally for batch in rows.learn(state, **options))

        options = {"max_iter": self.max_iter, "tol": self.tol, "go_on": go_on}
        yield from pass_until_steady(state, one_pass, **options)

    def _store_rounds(self, learned, rows):
        """As `_store`, which gives the `CodeSums` alone."""
        learned = self._arranged(learned)
        components = np.ascontiguousarray(learned.atoms, dtype=rows.dtype)
        found = rows.scored(components)
        self._set_fitted(learned, components, rows.survey.features, found)
        rows.tell(self)
        return found.codes

    def _until_late(self):
        """Whether there is time left, for a fit that begins now."""
        start = time.perf_counter()
        return lambda: (
            self.max_time is None or time.perf_counter() - start < self.max_time
        )

    @fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on learning from some more samples, in batches of `batch_size`.

        The first call draws the start from its samples. From the batches of one pass
        in their order it learns what `fit` with ``shuffle=False`` and ``max_iter=1``
        learns from all at a time. A call that fails, or is interrupted, changes
        nothing. A pickle goes on where the estimator was.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Of a dask array or data frame each round of chunks, in their order, is a
            batch, see `fit`; one round more, before these, counts and checks.
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero.

        Returns
        -------
        self : object
        """
        learn = self._learn_chunks if is_collection(X) else self._learn_rows
        state, features, tally, found, dtype = learn(X, sample_weight)
        past = self.objective_path_ if hasattr(self, "_online") else []
        path = [*past, tally.mean]
        learned = Learned(
            state.atoms,
            state.total.usage,
            path,
            len(path),
            state.n_replaced,
            True,
            state,
        )
        components = np.ascontiguousarray(state.atoms, dtype=dtype)
        self._set_fitted(learned, components, features, found)
        if not state.total.usage.any() and found.errors.error > 0.0:
            warn_of_zeros(self._coding, stacklevel=3)
        return self

    def _learn_rows(self, X, sample_weight):
        """The state after one pass over rows in memory, and what is told of these.

        Returns
        -------
        state : OnlineDictionary
            A copy, if there was one.
        features : FeatureSums
            Of all rows so far.
        tally : Tally
        found : Scored
        dtype : dtype
            Of X.
        """
        coder = self._make_coder()
        X, weights = self._check(X, sample_weight, reset=not hasattr(self, "_online"))
        if not (weights > 0.0).all():
            X, weights = X[weights > 0.0], weights[weights > 0.0]
        state = self._next_state(Samples.of(X, weights), X.shape[1])
        tally, parts = Tally(), []
        with stream(self.n_jobs) as run:
            encode = batch_encoder(coder, run)
            for batch in state.learn(X, np.arange(X.shape[0]), weights, encode):
                tally += Tally.of(*batch)
                parts.append(batch[1])
        codes = join_codes(parts)
        features = self._with_earlier(FeatureSums.of(X, weights))
        found = Scored.of(X, codes, weights, features.mean, state.atoms.shape[0])
        return state, features, tally, found, X.dtype

    def _learn_chunks(self, X, sample_weight):
        """The same for a dask collection."""
        self._make_coder()  # refuses parameters that do not go together
        rows = RowsElsewhere(self, X, sample_weight, reset=not hasattr(self, "_online"))
        state = self._next_state(rows, rows.n_features)
        features = self._with_earlier(rows.survey.features)
        found = None
        for batch in rows.learn(state, mean=features.mean):
            found = batch.scored if found is None else found + batch.scored
        rows.tell(self)
        sums = found.codes
        tally = Tally(sums.weight, sums.objective, sums.n_nonzero)
        return state, features, tally, found, rows.dtype

    def _next_state(self, samples, n_features):
        """A copy of the state, or one at the start."""
        if hasattr(self, "_online"):
            return copy.deepcopy(self._online)
        random_state = check_random_state(self.random_state)
        return self._new_state(samples, n_features, random_state)

    def _with_earlier(self, features):
        """The `FeatureSums` of all rows so far."""
        if not hasattr(self, "_online"):
            return features
        return FeatureSums(self._feature_masses, self.mean_) + features

    def _set_fitted(self, learned, components, features, found):
        super()._set_fitted(learned, components, features, found)
        self._feature_masses = features.masses
        self._online = learned.state
