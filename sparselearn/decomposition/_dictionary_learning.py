"""Dictionary learning from all samples at a time."""

from sparselearn._compat import StrOptions
from sparselearn._parallel import row_chunks, stream
from sparselearn._solvers._atom_updates import DescentUpdate, LeastSquaresUpdate
from sparselearn._solvers._batch_dictionary import Alternation, learn
from sparselearn._solvers._coding import Atoms, join_codes
from sparselearn._solvers._first_atoms import Samples
from sparselearn.decomposition._learner import DictionaryLearner
from sparselearn.decomposition._sums import chunk_rows

__all__ = ["BatchLearner", "DictionaryLearning"]


class BatchLearner(DictionaryLearner):
    """A learner that alternates between the codes of all samples and the atoms.

    A subclass says by `_update` how atoms become better.
    """

    _for_collections = "MiniBatchDictionaryLearning learns from such rows, in rounds."

    def _learn(self, X, weights, coder, random_state):
        chosen, weights = self._distinct(X, weights)
        X = X[chosen]
        atoms = self._initial_atoms(Samples.of(X, weights), X.shape[1], random_state)
        yield from self._alternate(X, weights, atoms, coder, random_state)

    def _alternate(self, X, weights, atoms, coder, random_state):
        """Yield a `Learned` each alternation from the atoms given.

        With the solver's `coder`.
        """
        with stream(self.n_jobs) as run:

            def encode(X, components):
                atoms = Atoms(components)
                coder.prepare(atoms)
                rows = row_chunks(X.shape[0], chunk_rows(X, atoms.size))
                parts = run(lambda part: coder.encode_rows(X[part], atoms), rows)
                return join_codes(list(parts))

            how = Alternation(
                encode=encode,
                update=self._update(coder),
                atom_set=self._atom_set(),
                downhill=coder.has_objective,
                max_iter=self.max_iter,
                max_time=self.max_time,
                tol=self.tol,
            )
            yield from learn(X, weights, atoms, how, random_state)


class DictionaryLearning(BatchLearner):
    r"""A dictionary learned from all samples at a time, for sparse codes.

    `fit` looks for atoms d_1, ..., d_K of length 1, the rows of D, and codes z_i of the
    samples x_i that minimise

    .. math::
        \frac{1}{\sum_i s_i} \sum_i s_i
        \left( \tfrac12 \|x_i - D^T z_i\|^2 + P(z_i) \right)

    with sample weights s and the penalty P of the coder, by turns: codes for given
    atoms, atoms for given codes. `transform` makes codes by the same coder, so
    ``fit_transform(X)`` is ``fit(X).transform(X)``.

    The objective never rises, if it is one function: where the codes of a coder that is
    greedy would raise it, samples keep theirs. Atoms that no code uses are replaced by
    samples with large errors, and so are, while the objective falls, rarely used and
    nearly equal ones. With ``alpha_mode="relative"``, the default without `alpha`, the
    penalty of a sample depends on the atoms, and a pursuit that stops at an error has
    no penalty: then codes are always those of the coder, and the objective may rise.

    For many samples :class:`MiniBatchDictionaryLearning` is faster.

    Parameters
    ----------
    n_components : int, default=None
        The number K of atoms; None is n_features, or that of `init`. It may exceed
        the number of samples.
    coder : SparseCoder, default=None
        How codes are made, with all its options; its `dictionary` is not used. None is
        a coder of the following four parameters.
    method : str, default="lasso"
        As in :class:`SparseCoder`, and so are the next three.
    alpha : float, default=None
        None, without `n_nonzero_coefs`, is a tenth of what makes a sample's code zero.
    n_nonzero_coefs : int, default=None
    positive : bool, default=False
        Whether codes are constrained to be >= 0.
    update : {"bcd", "mod"}, default="bcd"
        How atoms become better: "bcd" moves one after the other to its best place, a
        few times; "mod", the method of optimal directions, solves for all at a time,
        and falls back on "bcd" where that does not lower the objective.
    init : {"data", "k-means++", "svd"} or array-like, default="data"
        Atoms to start from: samples; samples that those before explain badly; singular
        vectors; or an array of shape (n_components, n_features).
    max_iter : int, default=200
        Alternations, at most.
    max_time : float, default=None
        Seconds after which no alternation begins.
    tol : float, default=1e-3
        Stop when an alternation changes the objective by less than this share of it,
        or than its square of the objective of zero codes. 0 goes on to the end.
    positive_atoms : bool, default=False
        Whether atoms are constrained to be >= 0. With `positive` this is non-negative
        matrix factorisation with sparse codes.
    random_state : int, RandomState instance or None, default=None
        Draws the initial atoms, and samples that replace atoms.
    n_jobs : int, default=None
        Threads that make codes; the same bits for any number. None means 1 unless in
        a :func:`joblib.parallel_config` context, -1 all cores.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms, the most used first, each with its largest entry positive unless
        signs are constrained; of the dtype of X.
    n_components_ : int
    objective_path_ : ndarray of shape (n_iter\_,)
        The objective after each alternation, by the codes of `fit`.
    objective_ : float
        The objective of the codes that `transform` makes.
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
        `score` of the training samples.
    mean_ : ndarray of shape (n_features,)
        Means of the training samples, about which `score` measures.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X has string feature names.

    Raises
    ------
    ValueError
        For infinity in X, NaN unless the coder's `missing` is "mask", `init` of a wrong
        shape, a coder together with one of its parameters, weights that are negative or
        all zero.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` ends the alternation before `tol`, or all codes are zero.

    See Also
    --------
    MiniBatchDictionaryLearning : Learns from batches.
    KSVD : Learns atoms together with entries of codes, for pursuits.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro (2010), Online learning for matrix factorization and
    sparse coding ("bcd").

    Engan, Aase and Husoy (1999), Method of optimal directions for frame design ("mod").

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.decomposition import DictionaryLearning
    >>> X, y = load_digits(return_X_y=True)
    >>> learner = DictionaryLearning(32, alpha=5.0, random_state=0).fit(X)
    >>> learner.transform(X).shape
    (1797, 32)
    """

    _parameter_constraints = {
        **DictionaryLearner._parameter_constraints,
        "update": [StrOptions({"bcd", "mod"})],
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
        update="bcd",
        init="data",
        max_iter=200,
        max_time=None,
        tol=1e-3,
        positive_atoms=False,
        random_state=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.coder = coder
        self.method = method
        self.alpha = alpha
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.update = update
        self.init = init
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.positive_atoms = positive_atoms
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _update(self, coder):
        if self.update == "bcd":
            return DescentUpdate(self._atom_set())
        return LeastSquaresUpdate(self._atom_set(), coder.counts_only)
