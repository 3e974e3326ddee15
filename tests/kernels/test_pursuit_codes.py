"""Codes of a chunk of rows, with and without missing entries, against their twin."""

import numpy as np
import pytest
from reference import awkward_atoms, matching_pursuit

from sparselearn._kernels._omp import Pursuit
from sparselearn._kernels._pursuit_codes import Dictionary, Found, Wish, pursue_rows

K, P, N = 14, 9, 25


@pytest.fixture
def atoms(rng):
    """Of all lengths; two are equal, one is 0."""
    return awkward_atoms(rng, K, P)


@pytest.fixture
def rows(rng):
    X = rng.standard_normal((N, P))
    X[4] = 0.0
    return X


def inverse(lengths):
    return np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)


def new_of(squares):
    return np.where(squares > 0.0, squares, np.inf)


def whole(D):
    none = np.empty((0, 0))
    return Dictionary(
        rows=D @ D.T,
        slots=np.arange(K),
        held=np.empty(0, dtype=np.int64),
        scale=inverse(np.linalg.norm(D, axis=1))[None],
        novelty=new_of(np.sum(D**2, axis=1))[None],
        components=none,
        transposed=none,
        missing=np.empty((0, 0), dtype=bool),
        gram=none,
        subtract=np.empty(0, dtype=bool),
    )


def in_part(D, missing, subtract, room):
    return Dictionary(
        rows=np.full((room, K), np.nan),
        slots=np.full(K, -1),
        held=np.full(room, -1),
        scale=inverse(np.sqrt(~missing @ (D**2).T)),
        novelty=new_of(~missing @ (D**2).T),
        components=D,
        transposed=np.ascontiguousarray(D.T),
        missing=missing,
        gram=D @ D.T,
        subtract=np.full(missing.shape[0], subtract),
    )


def encode(D, X, dictionary, levels, *, positive=False, optimised=False):
    """Dense codes at each level, and what was found."""
    levels = np.array(levels)
    most, n_rows = levels[-1], X.shape[0]
    wish = Wish(levels, -1.0, 0.0, False, 1e-18, positive, optimised)
    scratch = Pursuit(
        *np.full((4, K), np.nan),
        basis=np.full((most, K), np.nan),
        factor=np.full((most, most), np.nan),
        steps=np.full(most, np.nan),
        chosen=np.full(most, -1),
        coef=np.full((2, most), np.nan),
    )
    found = Found(
        data=np.full((levels.size, n_rows * most), np.nan),
        indices=np.full((levels.size, n_rows * most), -1, dtype=np.int32),
        lengths=np.full((levels.size, n_rows), -1),
        errors=np.full((levels.size, n_rows), np.nan),
        penalties=np.full((levels.size, n_rows), np.nan),
        spent=np.zeros((levels.size, n_rows), dtype=bool),
        filled=np.full(levels.size, -1),
    )
    squares = np.sum(X**2, axis=1)
    pursue_rows(X @ D.T, squares, dictionary, wish, scratch, found)
    codes = np.zeros((levels.size, n_rows, K))
    for level, _ in enumerate(levels):
        ends = np.cumsum(found.lengths[level])
        for i, (stop, length) in enumerate(zip(ends, found.lengths[level])):
            here = slice(stop - length, stop)
            indices = found.indices[level, here]
            assert np.all(np.diff(indices) > 0)
            codes[level, i, indices] = found.data[level, here]
    return codes, found


@pytest.mark.parametrize("optimised", [False, True])
@pytest.mark.parametrize("positive", [False, True])
def test_every_level_is_a_pursuit_of_its_own(atoms, rows, positive, optimised):
    D, X, levels = atoms, rows, [1, 2, 5, P]
    codes, found = encode(
        D, X, whole(D), levels, positive=positive, optimised=optimised
    )
    for k, level in enumerate(levels):
        for i, x in enumerate(X):
            slow, order = matching_pursuit(
                D.T, x, np.ones(P), level, positive=positive, optimised=optimised
            )
            np.testing.assert_allclose(codes[k, i], slow, atol=1e-8)
            assert found.lengths[k, i] == len(order)
            error = np.sum((x - slow @ D) ** 2)
            assert found.errors[k, i] == pytest.approx(error, abs=1e-9)
            assert found.spent[k, i] == (len(order) < level and x.any())
    assert np.all(found.penalties == 0.0)


@pytest.mark.parametrize("subtract", [False, True])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("optimised", [False, True])
def test_missing_entries_are_as_if_they_were_not_there(
    atoms, rows, subtract, positive, optimised, rng
):
    D, X = atoms, rows
    missing = rng.uniform(size=X.shape) < 0.3
    missing[0], missing[1] = True, False
    X = np.where(missing, 0.0, X)
    codes, _ = encode(
        D,
        X,
        in_part(D, missing, subtract, 3),
        [3],
        positive=positive,
        optimised=optimised,
    )
    for x, gaps, code in zip(X, missing, codes[0]):
        slow, _ = matching_pursuit(
            D[:, ~gaps].T,
            x[~gaps],
            np.ones(np.count_nonzero(~gaps)),
            3,
            positive=positive,
            optimised=optimised,
        )
        np.testing.assert_allclose(code, slow, atol=1e-7)


def test_rows_of_atoms_that_have_left_make_room(rng):
    """Among atoms that point the same way more are tried than there is room for."""
    D, X = np.abs(rng.standard_normal((2, 40, P)))[:, :K]
    X = rng.standard_normal((300, K)) @ D
    room, more = 4, 0
    dictionary = in_part(D, np.zeros(X.shape, dtype=bool), False, room)
    codes, _ = encode(D, X, dictionary, [room], positive=True)
    expected, _ = encode(D, X, whole(D), [room], positive=True)
    np.testing.assert_allclose(codes, expected, atol=1e-9)
    # Were none to leave, the atoms held would be those of the last row's code.
    for x in X:
        tried = set()
        for size in range(1, room + 1):
            tried |= set(matching_pursuit(D.T, x, np.ones(P), size, positive=True)[1])
        more += len(tried) > room
    assert more > 0
