"""Which criterion and refit to take: a table of candidates, and a race among them."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparselearn._parallel import map_threads
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._granularity import parts_of
from sparselearn.pruning._judge import Departures, Judge, standard_error
from sparselearn.pruning._refits import REFITS

__all__ = ["CANDIDATES", "Candidate", "Race", "candidates_of", "label_free", "race"]


class Candidate(NamedTuple):
    """One row of the table.

    Parameters
    ----------
    criterion, refit : str
        Keys of `CRITERIA` and `REFITS`; the refit needs no labels.
    cost : int
        Of candidates that tie, the one of the least cost is taken.
    most_inputs : float
        More than so many inputs of a block are too many for it.
    """

    criterion: str
    refit: str
    cost: int = 0
    most_inputs: float = np.inf


SQUARE = 4000  # inputs whose pairs are held in memory

# By granularity, in "linear" models and networks apart; the first of each is taken
# where there is no race.
CANDIDATES = {
    "linear element": [
        Candidate("magnitude", "fold"),
        Candidate("magnitude", "obs", 1, SQUARE),
        Candidate("obs", "obs", 2, SQUARE),
    ],
    "linear feature": [
        Candidate("magnitude", "fold"),
        Candidate("magnitude", "obs", 1, SQUARE),
        Candidate("obs", "obs", 2, SQUARE),
    ],
    "element": [
        Candidate("lamp", "lstsq"),  # never empties a layer
        Candidate("wanda", "lstsq", 1),
        Candidate("obd", "lstsq", 2),
        Candidate("obs", "lstsq", 3, SQUARE),
    ],
    "feature": [
        Candidate("signal", "lstsq"),
        Candidate("wanda", "lstsq", 1),
        Candidate("obd", "lstsq", 2),
    ],
    "neuron": [
        Candidate("signal", "lstsq", 1),
        Candidate("entropy", "lstsq", 1),
        Candidate("stability", "lstsq", 2),
        Candidate("magnitude", "lstsq"),
        Candidate("obs", "lstsq", 2, SQUARE),
    ],
    "support_vector": [Candidate("obs", "obs", 1), Candidate("magnitude", "obs")],
    "node": [Candidate("ccp", "none")],
}
CONTROL = "random"


def rows_of_table(blocks, granularity):
    """The rows for an estimator of these blocks that are not too large for it."""
    parts = parts_of(granularity)
    rows = CANDIDATES[parts]
    if len(blocks) == 1:
        rows = CANDIDATES.get(f"linear {parts}", rows)
    n_inputs = max(len(block.by_input(block.weights)) for block in blocks)
    return [row for row in rows if n_inputs <= row.most_inputs]


def candidates_of(blocks, plan):
    """Candidates for an estimator of these blocks, as far as `plan` leaves a choice."""
    rows = rows_of_table(blocks, plan.granularity)
    if plan.criterion != "auto":
        named = [row for row in rows if row.criterion == plan.criterion]
        row = (named or rows)[0]
        rows = [row._replace(criterion=plan.criterion)]
    if plan.refit != "auto":
        rows = [row._replace(refit=plan.refit) for row in rows]
    return list(dict.fromkeys(rows))


def label_free(blocks, plan):
    """`plan` in one shot, with a refit that trains on nothing."""
    plan = plan._replace(schedule="one-shot")
    if trains(plan.refit):
        (row,) = candidates_of(blocks, plan._replace(refit="auto"))[:1]
        plan = plan._replace(refit=row.refit)
    return plan


def trains(refit):
    """Whether a refit needs labels, or passes over the data."""
    row = REFITS[refit]
    return row.of_estimator is not None or row.training is not None


class Race(NamedTuple):
    """How candidates compared.

    Parameters
    ----------
    winner : Candidate
    results : dict of ndarray
        One row a candidate, round and sparsity.
    beats_chance : bool
        Whether the winner is not worse than the control by more than a standard
        error, or does no harm.
    """

    winner: Candidate
    results: dict
    beats_chance: bool


def race(candidates, start, judge, n_kept, *, base, departures, n_jobs=None):
    """Compare candidates by successive halving.

    The better score is ahead; of those within one standard error of the best, that
    which departs least from the unpruned estimator, and in the end, of those within
    one standard error of that, the cheapest.

    Parameters
    ----------
    candidates : list of Candidate
    start : callable
        ``start(candidate, share)`` -> `Trials` of it, which has observed the estimator
        on this share of the calibration rows.
    judge : Judge
    n_kept : list of int
        Numbers of parts at which to compare; what counts is the mean score.
    base : ndarray
        Replicates of the unpruned estimator's score.
    departures : Departures
    n_jobs : int or None
        Threads, over candidates.

    Returns
    -------
    race : Race

    References
    ----------
    K. Jamieson, A. Talwalkar, "Non-stochastic best arm identification and
    hyperparameter optimization", AISTATS 2016.
    """
    contenders = list(candidates)
    control = contenders[0]._replace(criterion=CONTROL, cost=0)
    n_rounds = max(int(np.ceil(np.log2(len(contenders)))) - 1, 0)
    rows = []
    field = Field(start, judge, departures, n_kept, n_jobs)
    for share in 0.5 ** np.arange(n_rounds, -1, -1):
        *legs, chance = field.run([*contenders, control], share)
        rows += [row for leg in [*legs, chance] for row in leg.rows]
        order = _by_place(legs)
        half = sorted(order[: -(-len(contenders) // 2)])
        contenders = [contenders[i] for i in half]
    first = legs[order[0]]
    equals = [leg for leg in _tied(legs) if leg.departs_as(first, departures)]
    winner = min(equals, key=lambda leg: leg.candidate.cost)
    harm = np.mean(base) - winner.score > standard_error(base)
    names = rows[0].keys()
    results = {name: np.array([row[name] for row in rows]) for name in names}
    return Race(winner.candidate, results, not harm or chance.ties(winner))


class _Leg(NamedTuple):
    """One candidate in one round."""

    candidate: Candidate
    score: float
    replicates: np.ndarray
    departed: np.ndarray
    rows: list

    def ties(self, other):
        """Whether `other` is within one standard error of the difference."""
        error = standard_error(self.replicates - other.replicates)
        return self.score - other.score <= error

    @property
    def departs(self):
        """How far it departs, on the mean over what was pruned."""
        return np.mean([row["departure"] for row in self.rows])

    def departs_as(self, least, departures):
        """Whether it departs more than `least` by one standard error at most."""
        more, error = departures.mean(self.departed - least.departed)
        return more <= error


def _tied(legs):
    best = max(legs, key=lambda leg: leg.score)
    return [leg for leg in legs if best.ties(leg)]


def _by_place(legs):
    """Places in `legs`, the best first; of those that tie, what departs least."""
    tied = _tied(legs)

    def place(k):
        leg = legs[k]
        ahead = any(leg is other for other in tied)
        return (not ahead, leg.departs if ahead else -leg.score)

    return sorted(range(len(legs)), key=place)


class Field(NamedTuple):
    """Where candidates run.

    Parameters
    ----------
    start, judge, departures, n_kept, n_jobs
        As in :func:`race`.
    """

    start: Callable
    judge: Judge
    departures: Departures
    n_kept: list
    n_jobs: int | None

    def run(self, candidates, share):
        """A leg of each, on a share of the calibration rows."""
        return map_threads(lambda one: self._leg(one, share), candidates, self.n_jobs)

    def _leg(self, candidate, share):
        begun = time.perf_counter()
        trials = self.start(candidate, share)
        scoring = time.perf_counter() - begun
        rows, replicates, departed = [], [], []
        for count in self.n_kept:
            begun = time.perf_counter()
            estimator, pruned = trials.prune(count)
            seconds = scoring + time.perf_counter() - begun
            replicates.append(self.judge.replicates(estimator))
            departed.append(self.departures(pruned))
            rows.append(
                {
                    "criterion": candidate.criterion,
                    "refit": candidate.refit,
                    "calibration_share": share,
                    "sparsity": 1 - count / trials.n_parts,
                    "score": self.judge(estimator),
                    "standard_error": standard_error(replicates[-1]),
                    "departure": self.departures.mean(departed[-1])[0],
                    "seconds": seconds,
                    "is_control": CRITERIA[candidate.criterion].is_control,
                }
            )
        score = float(np.mean([row["score"] for row in rows]))
        means = (np.mean(one, axis=0) for one in (replicates, departed))
        return _Leg(candidate, score, *means, rows)
