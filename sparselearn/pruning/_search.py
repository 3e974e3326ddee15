"""The search for the fewest parts that a score can bear."""

from typing import NamedTuple

import numpy as np

from sparselearn._parallel import map_threads

__all__ = ["Search", "counts_down", "most_sparse"]

N_LEVELS = 12
N_BISECTIONS = 4
LEAST_DENSITY = 0.005  # of a search; where parts are few, one of them


def counts_down(n_parts, n_levels=N_LEVELS):
    """Numbers of parts to keep, in geometric steps from almost all to almost none."""
    least = max(LEAST_DENSITY, 1 / max(n_parts, 1))
    densities = least ** (np.arange(1, n_levels + 1) / n_levels)
    counts = np.unique(np.round(densities * n_parts).astype(int))[::-1]
    return [int(count) for count in counts if 0 < count < n_parts]


class Search(NamedTuple):
    """What a search for the largest bearable sparsity found.

    Parameters
    ----------
    n_kept : ndarray of int
        Numbers of parts that were tried, the most first.
    score : ndarray of float
        What each scored.
    accepted : list of int
        Places in `n_kept` that may be taken, the sparsest first; it may be empty.
    """

    n_kept: np.ndarray
    score: np.ndarray
    accepted: list


def most_sparse(score, n_parts, enough, *, n_jobs=None):
    """Search for the fewest parts whose score is still `enough`.

    Scores need not fall with every part: of a geometric grid the sparsest level is
    taken that passes together with the next denser one, and the interval from there
    to the next level, which does not pass, is bisected.

    Parameters
    ----------
    score : callable
        ``score(n_kept)`` -> float.
    n_parts : int
    enough : float
    n_jobs : int or None
        Threads, over the levels of the grid.

    Returns
    -------
    search : Search
    """
    grid = [n_parts, *counts_down(n_parts)]
    scores = dict(zip(grid[1:], map_threads(score, grid[1:], n_jobs)))
    passes = [True, *(scores[count] >= enough for count in grid[1:])]
    last = max(i for i in range(len(grid)) if passes[i] and passes[max(i - 1, 0)])
    low = grid[last]
    high = grid[last + 1] if last + 1 < len(grid) else low
    for _ in range(N_BISECTIONS):
        middle = round(np.sqrt(low * high))
        if middle in (low, high):
            break
        scores[middle] = score(middle)
        if scores[middle] >= enough:
            low = middle
        else:
            high = middle
    counts = sorted(scores, reverse=True)
    accepted = [
        place
        for place, count in enumerate(counts)
        if count >= low and scores[count] >= enough
    ]
    found = np.array([scores[count] for count in counts], dtype=np.float64)
    return Search(np.array(counts, dtype=int), found, accepted[::-1])
