"""A dictionary learned online, from mini-batches."""

import copy
import time
from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

from sparselearn._compat import Interval, fit_context
from sparselearn._parallel import row_chunks, stream
from sparselearn._solvers._coding import join_codes
from sparselearn._solvers._dictionary import AtomSet, Learned
from sparselearn._solvers._online_dictionary import (
    OnlineDictionary,
    Tally,
    learn_dictionary,
)
from sparselearn.decomposition._coding import chunk_rows, observed_mean, warn_of_none
from sparselearn.decomposition._learner import DictionaryLearner

__all__ = ["MiniBatchDictionaryLearning"]

# Samples of a batch that a thread encodes at a time: so many at least, and so many that
# their products with atoms are no fewer than BLOCK. Less takes longer to hand over.
CHUNK = 128
BLOCK = 2**15


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
        Samples in a batch: atoms move once a batch.
    init : {"data", "k-means++", "svd"} or array-like, default="data"
        Where atoms start: at samples; at samples that those before explain badly; at
        singular vectors of X; at an array of shape (n_components, n_features), which is
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
        several times are then one of so much more weight.
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

    def _new_state(self, X, weights, random_state, samples=None):
        # Its own generator, which a pickle can hold without that of the user.
        own = np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))
        atoms = self._initial_atoms(X, weights, own, samples)
        return OnlineDictionary(atoms, self._atom_set(), self.batch_size, own)

    def _learn(self, X, weights, coder, random_state):
        start = time.perf_counter()
        samples = np.arange(X.shape[0])
        if self.shuffle:
            samples, weights = self._distinct(X, weights)
        state = self._new_state(X, weights, random_state, samples)
        with stream(self.n_jobs) as run:
            yield from learn_dictionary(
                state,
                X,
                samples,
                weights,
                _encoder(coder, run),
                max_iter=self.max_iter,
                tol=self.tol,
                shuffle=self.shuffle,
                go_on=lambda: (
                    self.max_time is None or time.perf_counter() - start < self.max_time
                ),
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
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative, not all zero.

        Returns
        -------
        self : object
        """
        coder = self._make_coder()
        goes_on = hasattr(self, "_online")
        X, weights = self._check(X, sample_weight, reset=not goes_on)
        if not (weights > 0.0).all():
            X, weights = X[weights > 0.0], weights[weights > 0.0]
        if goes_on:
            state, past = copy.deepcopy(self._online), self.objective_path_
        else:
            random_state = check_random_state(self.random_state)
            state, past = self._new_state(X, weights, random_state), []

        tally, parts = Tally(), []
        with stream(self.n_jobs) as run:
            for batch in state.learn(
                X, np.arange(X.shape[0]), weights, _encoder(coder, run)
            ):
                tally.add(*batch)
                parts.append(batch[1])
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
        codes = join_codes(parts)
        mean, masses = observed_mean(X, weights), _masses(X, weights)
        if goes_on:
            total = self._feature_masses + masses
            share = np.divide(masses, total, out=masses, where=total > 0.0)
            mean, masses = self.mean_ + share * (mean - self.mean_), total
        components = self._as_components(state.atoms, X)
        self._set_fitted(learned, components, mean, X, codes, weights)
        self._feature_masses = masses
        if not state.total.usage.any():
            warn_of_none(codes, self._coding, stacklevel=3)
        return self

    def _set_fitted(self, learned, components, mean, X, codes, weights):
        masses = _masses(X, weights)
        super()._set_fitted(learned, components, mean, X, codes, weights)
        self._feature_masses = masses
        self._online = learned.state


def _masses(X, weights):
    """Of each feature the weight of the samples that have it."""
    if sp.issparse(X):
        return np.full(X.shape[1], weights.sum())
    masses = np.zeros(X.shape[1])
    for rows in row_chunks(X.shape[0], chunk_rows(X)):
        masses += weights[rows] @ ~np.isnan(X[rows])
    return masses


def _encoder(coder, run):
    """What `OnlineDictionary.learn` calls to encode rows, in the threads of `run`."""

    def encode(rows, atoms):
        chunks = row_chunks(rows.shape[0], max(CHUNK, BLOCK // atoms.size))
        return run(lambda chunk: coder.encode_rows(rows[chunk], atoms), chunks)

    return encode
