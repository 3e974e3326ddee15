"""What all estimators that learn a dictionary share: from rows to atoms to codes."""

import warnings
from abc import ABC, abstractmethod
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state

from sparselearn._callbacks import LearnsByPasses
from sparselearn._compat import (
    Interval,
    StrOptions,
    fit_context,
    validate_parameter_constraints,
)
from sparselearn._dask import is_collection
from sparselearn._parallel import bounded, map_chunks
from sparselearn._solvers._coding import Atoms, has_gaps
from sparselearn._solvers._dictionary import AtomSet, coherence
from sparselearn._solvers._distinct_rows import distinct_rows, project
from sparselearn._solvers._first_atoms import initial_atoms
from sparselearn._validation import check_weights
from sparselearn.decomposition._coding import (
    CodesMixin,
    check_rows,
    encode,
    warn_of_so_many,
    warn_of_zeros,
)
from sparselearn.decomposition._methods import make_coder
from sparselearn.decomposition._sparse_coder import SparseCoder
from sparselearn.decomposition._sums import FeatureSums, Scored, chunk_rows

__all__ = ["DictionaryLearner"]

# Features in the name of an atom, at most, and how large they are beside the largest.
NAMED = 3
NAMED_SHARE = 0.5


class DictionaryLearner(LearnsByPasses, CodesMixin, BaseEstimator, ABC):
    """A dictionary learned from samples, and the codes of samples by it.

    One coder makes the codes of `fit` and those of `transform`. A subclass has the
    parameters below, and its own, and says by `_learn` how to find atoms. Each of its
    passes over the samples is a step that callbacks hear of.
    """

    _parameter_constraints = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "coder": [SparseCoder, None],
        "method": SparseCoder._parameter_constraints["method"],
        "alpha": SparseCoder._parameter_constraints["alpha"],
        "n_nonzero_coefs": SparseCoder._parameter_constraints["n_nonzero_coefs"],
        "positive": ["boolean"],
        "init": [StrOptions({"data", "k-means++", "svd"}), "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "positive_atoms": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    # -- the coder ------------------------------------------------------------

    # Parameters that describe a coder, by the parameter of `SparseCoder`, with the
    # values that say nothing; `method` says nothing where it is the class's default.
    _shorthands = {"alpha": None, "n_nonzero_coefs": None, "positive": False}

    @property
    def _coding(self):
        if self.coder is not None:
            return self.coder
        options = {name: getattr(self, name) for name in self._shorthands}
        return SparseCoder(method=self.method, **options)

    def __sklearn_tags__(self):
        # A coder that is none is refused by `fit`, not here.
        if not isinstance(self._coding, SparseCoder):
            return BaseEstimator.__sklearn_tags__(self)
        return super().__sklearn_tags__()

    def _make_coder(self):
        """The solver's coder that parameters describe, held against one another."""
        if self.coder is None:
            return make_coder(self._coding)
        defaults = self._shorthands | {"method": type(self)().method}
        for name, default in defaults.items():
            value = getattr(self, name)
            if value != default:
                raise ValueError(
                    f"{name}={value!r} was given, and a coder too; give {name} to the "
                    "coder."
                )
        validate_parameter_constraints(
            SparseCoder._parameter_constraints,
            self.coder.get_params(deep=False),
            caller_name="SparseCoder",
        )
        return make_coder(self.coder)

    # -- learning -------------------------------------------------------------

    @abstractmethod
    def _learn(self, X, weights, coder, random_state):
        """Find atoms.

        Parameters
        ----------
        X : ndarray or csr_array (n_samples, n_features)
            As `check_rows` gives it.
        weights : float64 ndarray (n_samples,)
            All positive.
        coder : Coder
        random_state : RandomState

        Yields
        ------
        Learned
            What there is after each of at most `max_iter` passes; the last of fewer is
            `converged`.
        """

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn the atoms.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Sparse X stays sparse. NaN is a missing entry if the coder's `missing` is
            "mask".
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

    @fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X, y=None, sample_weight=None):
        """Learn the atoms, and encode the samples: ``fit(X).transform(X)``, once.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
        y : Ignored
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        codes : csr_array or ndarray of shape (n_samples, n_components)
            As `transform` gives them.
        """
        if is_collection(X):
            return self.fit(X, y, sample_weight).transform(X)
        # Its output is wrapped, one frame more.
        codes, dtype = self._fit(X, y, sample_weight, stacklevel=5)
        return self._output(codes, dtype)

    def _fit(self, X, y, sample_weight, *, stacklevel):
        coder = self._make_coder()
        X, weights = self._check(X, sample_weight, reset=True)
        present = weights > 0.0
        seen = (X, weights) if present.all() else (X[present], weights[present])
        random_state = check_random_state(self.random_state)
        steps = self._learn(*seen, coder, random_state)

        def store(estimator, learned):
            return estimator._store(learned, X, weights, coder)

        codes = self._finish(steps, X, y, store, stacklevel=stacklevel)
        return codes, X.dtype

    def _finish(self, steps, X, y, store, *, stacklevel):
        """Learn by the generator `steps`, and keep what comes of it.

        ``store(estimator, learned)`` sets the fitted attributes of an estimator, and
        returns the `CodeSums` and the codes of X; this returns the latter.
        """
        learned = self._last(steps, X, y, store)
        sums, codes = store(self, learned)
        self._warn(learned, sums, stacklevel=stacklevel + 1)
        return codes

    def _check(self, X, sample_weight, *, reset):
        """X as kernels read it, and the weights of its rows."""
        X = check_rows(self, X, missing=self._coding.missing, reset=reset)
        return X, check_weights(sample_weight, X)

    def _distinct(self, X, weights, targets=None):
        """Where X, and `targets` beside it, has distinct rows; and summed weights.

        So atoms depend neither on the order of samples, nor on whether one comes with a
        weight of two or twice. All weights are positive.
        """
        random = np.random.default_rng(0)
        direction = random.standard_normal(X.shape[1])
        parts = map_chunks(
            lambda rows: project(_filled(X[rows]), direction),
            X.shape[0],
            chunk_rows(X),
            self.n_jobs,
        )
        keys = np.concatenate(parts)
        if targets is not None:
            direction = random.standard_normal(targets.shape[1])
            keys = _ranged(keys) + _ranged(project(targets, direction))
        return distinct_rows(X, weights, keys)

    def _atom_set(self):
        return AtomSet(self.positive_atoms)

    def _initial_atoms(self, samples, n_features, random_state):
        """Atoms to start from: float64 ndarray (n_components, n_features)."""
        n_components = self.n_components
        init = self.init
        if not isinstance(init, str):
            init = check_array(init, dtype=np.float64, input_name="init")
            wanted = (n_components or init.shape[0], n_features)
            if init.shape != wanted:
                raise ValueError(
                    f"init has shape {init.shape}; it must hold n_components atoms of "
                    f"n_features numbers, shape {wanted}."
                )
            n_components = init.shape[0]
        return bounded(
            initial_atoms,
            samples,
            n_components or n_features,
            init,
            self._atom_set(),
            random_state,
        )

    def _arranged(self, learned):
        """`learned` with atoms in order, and with their signs where these are free."""
        keep_signs = self._coding.positive or self.positive_atoms
        return learned.arranged(keep_signs=keep_signs)

    def _store(self, learned, X, weights, coder):
        """Set the fitted attributes.

        Returns
        -------
        sums : CodeSums
        codes : Codes
            Of X by the final atoms.
        """
        learned = self._arranged(learned)
        components = np.ascontiguousarray(learned.atoms, dtype=X.dtype)
        codes = encode(X, Atoms(components), coder, self.n_jobs)
        features = FeatureSums.of(X, weights)
        found = Scored.of(X, codes, weights, features.mean, components.shape[0])
        self._set_fitted(learned, components, features, found)
        return found.codes, codes

    def _set_fitted(self, learned, components, features, found):
        """Set the fitted attributes, all at the end: an interrupt leaves the last.

        Of `features`, a `FeatureSums`, and `found`, a `Scored` of the training samples.
        """
        coherence_now = bounded(coherence, components)
        self.components_ = components
        self.mean_ = features.mean
        self.explained_variance_ = found.errors.score()
        self.coherence_ = coherence_now
        self.objective_path_ = np.array(learned.objective_path)
        self.n_iter_ = learned.n_iter
        self.n_replaced_ = learned.n_replaced
        self._store_sums(found.codes)

    def _warn(self, learned, sums, *, stacklevel):
        """One warning of what went wrong, if anything did, by `CodeSums`."""
        if not sums.n_nonzero:
            if sums.error > 0.0:
                warn_of_zeros(self._coding, stacklevel=stacklevel + 1)
        elif not learned.converged and learned.n_iter == self.max_iter:
            warnings.warn(
                f"The objective still fell by more than a share of tol={self.tol} in "
                f"the last of max_iter={self.max_iter} passes. Raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=stacklevel + 1,
            )
        else:
            late = sums.n_late, sums.n_samples
            warn_of_so_many(*late, stacklevel=stacklevel + 1)

    # -- names ----------------------------------------------------------------

    def get_feature_names_out(self, input_features=None):
        """Names of the codes: the class name in lower case, and a number.

        If X had feature names, those with the largest entries of the atom follow, at
        most three, with a minus where the entry is negative. With `split_sign` comes
        "_positive" or "_negative" at the end.

        Parameters
        ----------
        input_features : Ignored

        Returns
        -------
        feature_names_out : ndarray of str
        """
        return super().get_feature_names_out(input_features)

    def _name_endings(self):
        if not hasattr(self, "feature_names_in_"):
            return ""
        return np.array([self._loadings(atom) for atom in self.components_], object)

    def _loadings(self, atom):
        """What to append to the name of an atom, as in "_first_-second"."""
        sizes = np.abs(atom)
        largest = np.argsort(-sizes, kind="stable")[:NAMED]
        largest = largest[sizes[largest] >= NAMED_SHARE * sizes.max()]
        return "".join(
            f"_{'-' if atom[f] < 0.0 else ''}{self.feature_names_in_[f]}"
            for f in largest
        )


def _filled(rows):
    """`rows` with 0 for NaN."""
    return np.nan_to_num(rows) if has_gaps(rows) else rows


def _ranged(keys):
    """`keys` between 0 and 1: of the same order whatever their units."""
    low, high = keys.min(), keys.max()
    return (keys - low) / (high - low) if high > low else np.zeros(keys.size)
