"""A dictionary learned online, from mini-batches."""

import copy
import time
from numbers import Integral, Real

import numpy as np
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
from sparselearn.decomposition._learner import DictionaryLearner

__all__ = ["MiniBatchDictionaryLearning"]

# Samples of a batch that a thread encodes at a time.
CHUNK = 128


class MiniBatchDictionaryLearning(DictionaryLearner):
    r"""TODO."""

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
        max_iter=100,
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

    def _new_state(self, X, weights, random_state):
        # Its own generator, which a pickle can hold without that of the user.
        own = np.random.RandomState(random_state.randint(2**32, dtype=np.uint32))
        atoms = self._initial_atoms(X, weights, own)
        return OnlineDictionary(atoms, self._atom_set(), self.batch_size, own)

    def _learn(self, X, weights, coder, random_state):
        deadline = (
            np.inf if self.max_time is None else time.perf_counter() + self.max_time
        )
        state = self._new_state(X, weights, random_state)
        with stream(self.n_jobs) as run:
            learned = learn_dictionary(
                state,
                X,
                np.arange(X.shape[0]),
                weights,
                _encoder(coder, run),
                max_iter=self.max_iter,
                tol=self.tol,
                shuffle=self.shuffle,
                go_on=lambda: time.perf_counter() < deadline,
            )
        self._online = state
        return learned


def _encoder(coder, run):
    """What `OnlineDictionary.learn` calls to encode rows, in the threads of `run`."""

    def encode(rows, atoms):
        chunks = row_chunks(rows.shape[0], CHUNK)
        return run(lambda chunk: coder.encode_rows(rows[chunk], atoms), chunks)

    return encode
