"""What all learners of dictionaries have in common."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparselearn._solvers._pursuit_coder import PursuitCoder
from sparselearn.decomposition import (
    KSVD,
    DictionaryLearning,
    DiscriminativeDictionaryLearning,
    MiniBatchDictionaryLearning,
    SparseCoder,
)

COMMON = {"n_nonzero_coefs": 2, "tol": 1e-12, "max_iter": 2, "random_state": 0}
LEARNERS = [
    MiniBatchDictionaryLearning(5, method="omp", **COMMON),
    DictionaryLearning(5, method="omp", **COMMON),
    KSVD(5, **COMMON),
    DiscriminativeDictionaryLearning(5, **COMMON),
    DiscriminativeDictionaryLearning(5, target="values", **COMMON),
]
every_learner = pytest.mark.parametrize("learner", LEARNERS, ids=repr)


@pytest.fixture
def X(rng):
    return rng.standard_normal((40, 6))


@pytest.fixture
def y(X):
    return np.digitize(X[:, 0], [-0.5, 0.5])


@every_learner
@pytest.mark.parametrize("method", ["fit", "fit_transform"])
def test_warnings_point_at_who_called(learner, X, y, method):
    # Of a code nothing is asked that its atoms have to explain.
    nothing = {"coder": SparseCoder(tol=1.0), "n_nonzero_coefs": None}
    silent = clone(learner).set_params(method=type(learner)().method)
    for model, match in [
        (clone(learner), "max_iter=2"),
        (silent.set_params(**nothing), "All codes are zero"),
    ]:
        with pytest.warns(ConvergenceWarning, match=match) as caught:
            getattr(model, method)(X, y)
        assert [warning.filename for warning in caught] == [__file__]


@every_learner
@pytest.mark.filterwarnings("ignore:The objective still fell")
def test_an_interrupt_leaves_the_last_good_state(learner, X, y, monkeypatch):
    model = clone(learner).fit(X, y)
    before = pickle.dumps(model)
    encode, calls = PursuitCoder.encode, []

    def interrupted(self, rows, atoms):
        calls.append(rows)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return encode(self, rows, atoms)

    monkeypatch.setattr(PursuitCoder, "encode", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(2.0 * X[::-1], y[::-1] + 7)
    assert pickle.dumps(model) == before
