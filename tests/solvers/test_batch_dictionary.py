"""Batch dictionary learning goes downhill, whatever its parts do."""

from dataclasses import dataclass

import numpy as np
import pytest
import scipy.sparse as sp
from reference import code_errors

from sparselearn._solvers._atom_updates import (
    DescentUpdate,
    KSVDUpdate,
    LeastSquaresUpdate,
)
from sparselearn._solvers._batch_dictionary import Alternation, learn
from sparselearn._solvers._coding import (
    Atoms,
    Coder,
    Codes,
    squared_errors,
    stack_rows,
)
from sparselearn._solvers._dictionary import AtomSet
from sparselearn._solvers._threshold_coder import ThresholdCoder

N, P, K = 120, 8, 12


@dataclass(frozen=True)
class Erratic(Coder):
    """Codes that know nothing of the rows."""

    generator: np.random.Generator

    def encode(self, rows, atoms):
        Z = self.generator.standard_normal((rows.shape[0], atoms.size))
        Z *= self.generator.uniform(size=Z.shape) < 0.3
        codes = sp.csr_array(Z)
        errors = squared_errors(rows, codes, atoms, ~np.isnan(rows))
        penalties = np.abs(Z).sum(axis=1)
        status = np.zeros(errors.size, dtype=np.int8)
        lengths = np.diff(codes.indptr).astype(np.int64)
        indices = codes.indices.astype(np.int32)
        return Codes(codes.data, indices, lengths, errors, penalties, status)

    def encode_observed(self, rows, atoms):
        return self.encode(rows, atoms)


def directions(rng, n, *, positive=False):
    rows = rng.standard_normal((n, P))
    rows = np.abs(rows) if positive else rows
    return rows / np.linalg.norm(rows, axis=1)[:, None]


@pytest.fixture
def X(rng):
    """Rows of three of twelve directions and noise; one is 0, two are the same."""
    codes = rng.standard_normal((N, K)) * (rng.uniform(size=(N, K)) < 0.25)
    X = codes @ directions(rng, K) + 0.1 * rng.standard_normal((N, P))
    X[3] = 0.0
    X[5] = X[4]
    return X


def alternate(X, atoms, coder, update, *, weights=None, **options):
    weights = np.ones(X.shape[0]) if weights is None else weights

    def encode(rows, atoms):
        gaps = not sp.issparse(rows) and np.isnan(rows).any()
        return (coder.encode_observed if gaps else coder.encode)(rows, Atoms(atoms))

    how = {"atom_set": AtomSet(), "downhill": True, "max_iter": 15}
    how |= {"max_time": None, "tol": 0.0} | options
    how = Alternation(encode, update, **how)
    *_, learned = learn(X, weights, atoms, how, np.random.RandomState(0))
    codes = encode(X, learned.atoms)
    return learned, codes


UPDATES = [
    DescentUpdate(AtomSet()),
    LeastSquaresUpdate(AtomSet()),
    LeastSquaresUpdate(AtomSet(), scale_codes=True),
    KSVDUpdate(),
]
every_update = pytest.mark.parametrize("update", UPDATES, ids=repr)


def awkward(rng):
    """Atoms of which two are the same, and two nearly so."""
    atoms = directions(rng, K)
    atoms[1] = atoms[0]
    atoms[3] = atoms[2] + 1e-3
    atoms[3] /= np.linalg.norm(atoms[3])
    return atoms


def falls(path):
    return np.all(np.diff(path) <= 0.0)


@every_update
@pytest.mark.parametrize("kind", ["dense", "sparse", "gaps"])
def test_the_objective_never_rises(X, update, kind, rng):
    if kind == "sparse":
        X = sp.csr_array(np.where(np.abs(X) > 0.3, X, 0.0))
    elif kind == "gaps":
        X = np.where(rng.uniform(size=X.shape) < 0.15, np.nan, X)
    coder = ThresholdCoder(hard=True, n_nonzero=3)
    learned, _codes = alternate(X, awkward(rng), coder, update)
    path = learned.objective_path
    assert falls(path)
    assert path[-1] < 0.9 * path[0]
    np.testing.assert_allclose(np.linalg.norm(learned.atoms, axis=1), 1.0)


# A code that knows nothing has entries that a K-SVD may not touch: they are penalised.
@pytest.mark.parametrize("update", UPDATES[:2], ids=repr)
def test_even_with_a_coder_that_knows_nothing(X, update, rng):
    coder = Erratic(rng)
    learned, _ = alternate(X, awkward(rng), coder, update)
    path = learned.objective_path
    assert falls(path)
    assert path[-1] < path[0]


def test_a_step_that_would_raise_it_is_undone_and_the_last(X, rng):
    def update(X, weights, atoms, codes):
        atoms = directions(rng, K)
        stacked = stack_rows(codes.data, codes.indices, codes.lengths, K)
        return atoms, codes._replace(errors=squared_errors(X, stacked, Atoms(atoms)))

    coder = ThresholdCoder(hard=True, n_nonzero=1)
    start = alternate(X, directions(rng, K), coder, KSVDUpdate())[0].atoms
    learned, codes = alternate(X, start, coder, update, max_iter=40)
    np.testing.assert_array_equal(learned.atoms, start)
    np.testing.assert_allclose(learned.objective_path, [0.5 * np.mean(codes.errors)])
    assert learned.converged


def test_the_objective_is_what_codes_and_atoms_give(X, rng):
    """Of the coder's codes at the start, since no iteration changes anything."""
    atoms = directions(rng, K)
    weights = rng.uniform(0.5, 2.0, N)
    coder = ThresholdCoder(alpha=0.3)
    learned, codes = alternate(
        X,
        atoms,
        coder,
        stay,
        weights=weights,
    )
    Z = stack_rows(codes.data, codes.indices, codes.lengths, K).toarray()
    np.testing.assert_array_equal(learned.atoms, atoms)
    expected = 0.5 * weights @ code_errors(X, Z, atoms) / weights.sum()
    np.testing.assert_allclose(learned.objective_path, [expected])
    energies = weights @ Z**2
    np.testing.assert_allclose(learned.usage, energies)


def stay(X, weights, atoms, codes):
    """An update that does nothing."""
    return atoms, codes


def test_unused_atoms_become_samples(X, rng):
    """Of equal atoms one is used, where a code has one entry."""
    atoms = directions(rng, K)
    atoms[:4] = atoms[0]
    coder = ThresholdCoder(hard=True, n_nonzero=1)
    learned, _ = alternate(X, atoms, coder, stay)
    assert learned.n_replaced >= 3
    assert falls(learned.objective_path)
    changed = np.any(learned.atoms != atoms, axis=1)
    assert np.count_nonzero(changed) >= 3
    samples = X[X.any(axis=1)]
    samples = samples / np.linalg.norm(samples, axis=1)[:, None]
    nearest = np.abs(learned.atoms[changed] @ samples.T).max(axis=1)
    np.testing.assert_allclose(nearest, 1.0)


def test_double_atoms_are_replaced_where_that_helps(X, rng):
    """Codes by a threshold use both, too much."""
    atoms = awkward(rng)
    coder = ThresholdCoder(hard=True, n_nonzero=2)
    learned, _ = alternate(X, atoms, coder, stay)
    assert learned.n_replaced > 0
    assert falls(learned.objective_path)


def test_nothing_to_replace_by(rng):
    """More atoms than rows: all errors are 0, and atoms without use stay."""
    X = rng.standard_normal((3, P))
    atoms = directions(rng, K)
    atoms[:3] = X / np.linalg.norm(X, axis=1)[:, None]
    coder = ThresholdCoder(hard=True, n_nonzero=1)
    learned, _ = alternate(X, atoms, coder, KSVDUpdate())
    assert learned.n_replaced == 0
    np.testing.assert_allclose(learned.atoms[3:], atoms[3:])
    assert learned.objective_path[-1] < 1e-25


def test_stopping(X, rng):
    atoms, coder = directions(rng, K), ThresholdCoder(hard=True, n_nonzero=3)
    learned, _ = alternate(X, atoms, coder, KSVDUpdate(), tol=0.05, max_iter=100)
    path = np.array(learned.objective_path)
    shares = -np.diff(path) / path[:-1]
    assert learned.converged
    assert learned.n_iter == path.size
    assert shares[-1] <= 0.05
    assert np.all(shares[:-1] > 0.05)
    learned, _ = alternate(X, atoms, coder, KSVDUpdate(), max_iter=2)
    assert not learned.converged
    assert learned.n_iter == 2
    learned, _ = alternate(X, atoms, coder, KSVDUpdate(), max_time=1e-9)
    assert learned.n_iter == 1


def test_without_an_objective_codes_are_those_of_the_coder(X, rng):
    atoms, coder = directions(rng, K), ThresholdCoder(0.2, relative=True)
    learned, codes = alternate(X, atoms, coder, UPDATES[0], downhill=False)
    np.testing.assert_allclose(learned.objective_path[-1], 0.5 * np.mean(codes.errors))
