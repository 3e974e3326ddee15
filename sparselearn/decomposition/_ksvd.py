"""Dictionary learning by K-SVD."""

from sparselearn._compat import StrOptions
from sparselearn._solvers._atom_updates import KSVDUpdate
from sparselearn.decomposition._dictionary_learning import BatchLearner
from sparselearn.decomposition._learner import DictionaryLearner

__all__ = ["KSVD"]


class KSVD(BatchLearner):
    r"""A dictionary learned by K-SVD, for codes of few non-zeros.

    `fit` looks for atoms d_1, ..., d_K of length 1, the rows of D, and codes z_i of the
    samples x_i that minimise

    .. math::
        \sum_i s_i \|x_i - D^T z_i\|^2
        \quad \text{subject to} \quad \|z_i\|_0 \le k

    with sample weights s, by turns. A pursuit finds which atoms a sample uses. Then
    each atom in turn is made better together with its entries z in the codes,

    .. math:: d_j \leftarrow E^T S z / \|E^T S z\|, \quad z \leftarrow E d_j,

    where E is what the other atoms leave of the samples that use it, and S holds their
    weights: an iteration towards the singular pair of E that K-SVD was first described
    with. `transform` makes codes by the same pursuit, so ``fit_transform(X)`` is
    ``fit(X).transform(X)``.

    The error never rises: where the codes of the pursuit, which is greedy, would raise
    it, samples keep their atoms. Atoms that no code uses are replaced by samples with
    large errors, and so are, while the error falls, rarely used and nearly equal ones.
    For a pursuit that stops at an error (a `coder` with `tol`) codes are always those
    of the pursuit, and the error may rise.

    Parameters
    ----------
    n_components : int, default=None
        The number K of atoms; None is n_features, or that of `init`. It may exceed
        the number of samples.
    coder : SparseCoder, default=None
        How codes are made, with all its options; its `dictionary` is not used, its
        method must be one of those below. None is a coder of the following three
        parameters.
    method : {"omp", "ormp", "iht"}, default="omp"
        As in :class:`SparseCoder`, and so are the next two.
    n_nonzero_coefs : int, default=None
        The k above; None is 10, at most.
    positive : bool, default=False
        Whether codes are constrained to be >= 0.
    init : {"data", "k-means++", "svd"} or array-like, default="data"
        Atoms to start from: samples; samples that those before explain badly; singular
        vectors; or an array of shape (n_components, n_features).
    max_iter : int, default=200
        Alternations, at most.
    max_time : float, default=None
        Seconds after which no alternation begins.
    tol : float, default=1e-3
        Stop when an alternation changes the squared error by less than this share of
        it, or than its square of the summed squares of X. 0 goes on to the end.
    positive_atoms : bool, default=False
        Whether atoms are constrained to be >= 0.
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
        Half the mean squared error after each alternation, by the codes of `fit`.
    objective_ : float
        The same of the codes that `transform` makes.
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
        shape, a coder of another method or together with one of its parameters, weights
        that are negative or all zero.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` ends the alternation before `tol`.

    See Also
    --------
    DictionaryLearning : Atoms for given codes, of any coder.
    MiniBatchDictionaryLearning : Learns from batches.

    References
    ----------
    Aharon, Elad and Bruckstein (2006), K-SVD: An algorithm for designing overcomplete
    dictionaries for sparse representation.

    Rubinstein, Zibulevsky and Elad (2008), Efficient implementation of the K-SVD
    algorithm using batch orthogonal matching pursuit.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparselearn.decomposition import KSVD
    >>> X, y = load_digits(return_X_y=True)
    >>> learner = KSVD(32, n_nonzero_coefs=4, random_state=0).fit(X)
    >>> codes = learner.transform(X)
    >>> codes.shape, codes.nnz / codes.shape[0]
    ((1797, 32), 4.0)
    """

    _parameter_constraints = {
        **DictionaryLearner._parameter_constraints,
        "method": [StrOptions({"omp", "ormp", "iht"})],
    }
    del _parameter_constraints["alpha"]
    _shorthands = {"n_nonzero_coefs": None, "positive": False}

    def __init__(
        self,
        n_components=None,
        *,
        coder=None,
        method="omp",
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
        self.coder = coder
        self.method = method
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.init = init
        self.max_iter = max_iter
        self.max_time = max_time
        self.tol = tol
        self.positive_atoms = positive_atoms
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _update(self, coder):
        if not coder.counts_only:
            raise ValueError(
                f"KSVD changes the entries of codes, so it needs a coder whose penalty "
                f"does not depend on them; got one with method={self.coder.method!r}. "
                "Use DictionaryLearning, or a coder with method 'omp', 'ormp' or 'iht'."
            )
        return KSVDUpdate(
            positive=self._coding.positive, positive_atoms=self.positive_atoms
        )
