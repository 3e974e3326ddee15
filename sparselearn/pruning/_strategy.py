"""Which criterion and refit to take: a table of candidates, and a race among them."""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparselearn._parallel import map_threads
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._granularity import parts_of
from sparselearn.pruning._judge import (
    Departures,
    Judge,
    mean_and_error,
    standard_error,
)
from sparselearn.pruning._refits import REFITS

__all__ = [
    "CANDIDATES",
    "Candidate",
    "Race",
    "Stand",
    "candidates_of",
    "label_free",
    "race",
]


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


def rows_of_table(subject, granularity):
    """The rows for an estimator of such blocks that are not too large for it."""
    blocks, data = subject
    parts = parts_of(granularity)
    rows = CANDIDATES[parts]
    if data.adapter.has_curvature:
        rows = CANDIDATES.get(f"linear {parts}", rows)
    n_inputs = max(len(block.by_input(block.weights)) for block in blocks)
    usual = data.adapter.usual_refit
    return [
        row._replace(refit=usual(data.estimator, row.refit))
        for row in rows
        if n_inputs <= row.most_inputs
    ]


def candidates_of(subject, plan):
    """Candidates for a fitted estimator, as far as `plan` leaves a choice."""
    rows = rows_of_table(subject, plan.granularity)
    if plan.criterion != "auto":
        named = [row for row in rows if row.criterion == plan.criterion]
        row = (named or rows)[0]
        rows = [row._replace(criterion=plan.criterion)]
    if plan.refit != "auto":
        rows = [row._replace(refit=plan.refit) for row in rows]
    return list(dict.fromkeys(rows))


def label_free(subject, plan):
    """`plan` in one shot, with a refit that trains on nothing."""
    plan = plan._replace(schedule="one-shot")
    if trains(plan.refit):
        (row,) = candidates_of(subject, plan._replace(refit="auto"))[:1]
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


class Stand(NamedTuple):
    """From where candidates are seen: one fold.

    Parameters
    ----------
    start : callable
        ``start(candidate, share)`` -> `Trials` of it, which has observed the estimator
        on this share of the calibration rows.
    judge : Judge
    departures : Departures
    """

    start: Callable
    judge: Judge
    departures: Departures


def race(candidates, stands, n_kept, *, base, n_jobs=None):
    """Compare candidates by successive halving.

    The better score is ahead; of those within one standard error of the best, that
    which departs least from the unpruned estimator, and in the end, of those within
    one standard error of that, the cheapest.

    Parameters
    ----------
    candidates : list of Candidate
    stands : list of Stand
        One a fold; scores are means over them, and rows are taken together.
    n_kept : list of int
        Numbers of parts at which to compare; what counts is the mean over them.
    base : estimator
        Unpruned.
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
    field = Field(stands, n_kept, n_jobs)
    for share in 0.5 ** np.arange(n_rounds, -1, -1):
        *legs, chance = field.run([*contenders, control], share)
        rows += [row for leg in [*legs, chance] for row in leg.rows]
        order, equals = _by_place(legs, field.weights)
        half = sorted(order[: -(-len(contenders) // 2)])
        contenders = [contenders[i] for i in half]
    winner = min((legs[k] for k in equals), key=lambda leg: leg.candidate.cost)
    score, replicates = field.scores([base] * len(stands))
    harm = score - winner.score > standard_error(replicates)
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


def _by_place(legs, weights):
    """Places in `legs`, the best first, and those of the equals of the best."""
    best = max(legs, key=lambda leg: leg.score)
    ahead = [k for k, leg in enumerate(legs) if best.ties(leg)]
    departs = [weights @ leg.departed for leg in legs]

    def place(k):
        return (False, departs[k]) if k in ahead else (True, -legs[k].score)

    order = sorted(range(len(legs)), key=place)
    least, equals = legs[order[0]].departed, []
    for k in ahead:
        more, error = mean_and_error(weights, legs[k].departed - least)
        if more <= error:
            equals.append(k)
    return order, equals


class Field(NamedTuple):
    """Where candidates run.

    Parameters
    ----------
    stands, n_kept, n_jobs
        As in :func:`race`.
    """

    stands: list
    n_kept: list
    n_jobs: int | None

    @property
    def weights(self):
        """Of the rows of all folds."""
        each = [stand.departures.weights for stand in self.stands]
        return np.concatenate(each) / len(each)

    def scores(self, estimators):
        """The mean score of the estimators of the folds, and its replicates."""
        judges = [stand.judge for stand in self.stands]
        found = [judge(one) for judge, one in zip(judges, estimators)]
        parts = [judge.replicates(one) for judge, one in zip(judges, estimators)]
        score = float(np.mean(found))
        # Without a group of one fold's rows that fold's score alone is another.
        moved = [(part - own) / len(found) for part, own in zip(parts, found)]
        return score, score + np.concatenate(moved)

    def run(self, candidates, share):
        """A leg of each, on a share of the calibration rows."""
        return map_threads(lambda one: self._leg(one, share), candidates, self.n_jobs)

    def _leg(self, candidate, share):
        begun = time.perf_counter()
        trials = [stand.start(candidate, share) for stand in self.stands]
        scoring = time.perf_counter() - begun
        rows, replicates, departed = [], [], []
        for count in self.n_kept:
            begun = time.perf_counter()
            pruned = [one.prune(count) for one in trials]
            seconds = scoring + time.perf_counter() - begun
            score, each = self.scores([estimator for estimator, _ in pruned])
            replicates.append(each)
            parts = [s.departures(p) for s, (_, p) in zip(self.stands, pruned)]
            departed.append(np.concatenate(parts))
            rows.append(
                {
                    "criterion": candidate.criterion,
                    "refit": candidate.refit,
                    "calibration_share": share,
                    "sparsity": 1 - count / trials[0].n_parts,
                    "score": score,
                    "standard_error": standard_error(each),
                    "departure": float(self.weights @ departed[-1]),
                    "seconds": seconds,
                    "is_control": CRITERIA[candidate.criterion].is_control,
                }
            )
        score = float(np.mean([row["score"] for row in rows]))
        means = (np.mean(one, axis=0) for one in (replicates, departed))
        return _Leg(candidate, score, *means, rows)
