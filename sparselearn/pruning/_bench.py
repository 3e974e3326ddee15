"""From a fitted estimator to a pruned one: by which strategy, how much, how good."""

from typing import NamedTuple

import numpy as np
from sklearn.base import is_classifier, is_outlier_detector, is_regressor

from sparselearn._compat import n_rows_of, rows_of
from sparselearn.pruning._judge import Departures, Judge, is_bounded, standard_error
from sparselearn.pruning._procedure import Plan, Pruned, observe, word_on_cut_layers
from sparselearn.pruning._search import counts_down, most_sparse
from sparselearn.pruning._strategy import Stand, candidates_of, label_free, race
from sparselearn.pruning._trials import Trials

__all__ = ["Bench", "Outcome", "prune_on", "usual_tolerance"]

SHARE_LOST = 0.01  # of the score, or of 1: the tolerance unless told


class Bench(NamedTuple):
    """A fitted estimator with the rows to prune it by.

    Parameters
    ----------
    estimator : estimator
        Fitted; it is not changed.
    X, y, sample_weight : array-like or None
    split : Split, pair of ndarray of int, or None
        Rows to observe the estimator on, and rows to judge it by. Where there are too
        few to keep some apart, None: all serve for both.
    size : int or None
        How many rows are observed at most.
    seed : int
    scoring : str, callable or None
    n_jobs : int or None
    """

    estimator: object
    X: object
    y: object
    sample_weight: object
    split: tuple | None
    size: int | None
    seed: int
    scoring: object
    n_jobs: int | None

    def rows(self, part):
        """X, y and weights of part 0 or 1 of the split; of all rows, if it is None."""
        data = self.X, self.y, self.sample_weight
        if self.split is None or part is None:
            return data
        return tuple(
            None if array is None else rows_of(array, self.split[part])
            for array in data
        )

    def trials(self, plan, part=0, share=1.0):
        """What `plan` does to copies of the estimator, observed on a share of rows."""
        data = self.rows(part)
        size = self.size
        if share < 1.0:
            n_rows = n_rows_of(data[0])
            size = max(round(share * min(n_rows, size or n_rows)), 1)
        return Trials(
            self.estimator, observe(self.estimator, *data, self.seed, size), plan
        )

    def judge(self):
        """A judge of copies of the estimator, by the rows apart.

        Without targets it holds them against the predictions of the estimator itself.
        """
        X, y, weight = self.rows(1)
        scoring, estimator = self.scoring, self.estimator
        if is_outlier_detector(estimator) and scoring is None:
            scoring, y = "accuracy", estimator.predict(X)
        elif y is None and (is_classifier(estimator) or is_regressor(estimator)):
            y = estimator.predict(X)
        return Judge(estimator, scoring, X, y, weight)

    def departures(self):
        """How far copies of the estimator depart from it, on the rows apart."""
        data = self.rows(1)
        return Departures(*observe(self.estimator, *data, self.seed, self.size))


class Outcome(NamedTuple):
    """A pruned estimator, and how it came about.

    Parameters
    ----------
    estimator : estimator
    pruned : Pruned
    plan : Plan
        With the criterion and the refit that were used.
    figures : dict
        Fitted attributes of what was validated.
    words : list of str
        What to warn of, the most important first.
    """

    estimator: object
    pruned: Pruned
    plan: Plan
    figures: dict
    words: list


def prune_on(bench, plan, tolerance=None):
    """Prune the estimator of a bench.

    Parameters
    ----------
    bench : Bench
    plan : Plan
        Its criterion and refit may be "auto". Its amount is not read where there is a
        tolerance.
    tolerance : float, "1se", "auto" or None
        How much of the score may be lost; None prunes as much as `plan` says.

    Returns
    -------
    outcome : Outcome
    """
    candidates = candidates_of(observe(bench.estimator, None), plan)
    ruled = _with(plan, candidates[0])
    races = len(candidates) > 1 and bench.split is not None
    if tolerance is None:
        return _to_amount(bench, ruled, candidates if races else [])
    return _to_tolerance(bench, ruled, candidates if races else [], tolerance)


def _with(plan, candidate):
    return plan._replace(criterion=candidate.criterion, refit=candidate.refit)


def _to_amount(bench, plan, candidates):
    figures, words = {}, []
    if candidates and "threshold" not in plan.amount:
        n_kept = bench.trials(plan).n_wanted(plan.amount)
        plan = _raced(bench, plan, candidates, [n_kept], figures, words)
    trials = bench.trials(plan, part=None)
    estimator, pruned = trials.prune(plan.amount, plan)
    words += word_on_cut_layers(pruned, plan)
    return Outcome(estimator, pruned, plan, figures, words)


def _raced(bench, plan, candidates, n_kept, figures, words):
    """`plan` with the criterion and refit of the winner of a race."""
    subject = observe(bench.estimator, None)
    found = race(
        candidates,
        [
            _stand(bench._replace(split=fold), plan, subject)
            for fold in bench.split.folds
        ],
        n_kept,
        base=bench.estimator,
        n_jobs=bench.n_jobs,
    )
    figures["strategy_results_"] = found.results
    if not found.beats_chance:
        words.append(
            f"Of the criteria all were worse than 'random': the best was "
            f"{found.winner.criterion!r}; see strategy_results_. Prune less, give more "
            "rows, or choose a criterion by its name."
        )
    return _with(plan, found.winner)


def _stand(bench, plan, subject):
    def start(candidate, share):
        return bench.trials(label_free(subject, _with(plan, candidate)), 0, share)

    return Stand(start, bench.judge(), bench.departures())


def _to_tolerance(bench, plan, candidates, tolerance):
    judge = bench.judge()
    base_score = judge(bench.estimator)
    tolerance = _resolved(tolerance, bench, judge, base_score)
    enough = base_score - tolerance
    figures, words = {"base_score_": base_score, "tolerance_": tolerance}, []
    trials, search, path = _searched(bench, plan, judge, enough)
    was_tried = search.n_kept.size > 0
    if candidates and was_tried:
        n_kept = _around(search, trials.n_parts)
        winner = _raced(bench, plan, candidates, n_kept, figures, words)
        if winner != plan:
            plan = winner
            trials, search, path = _searched(bench, plan, judge, enough)
    figures["path_"] = _path(path, trials.n_parts, base_score)
    for count in search.n_kept[search.accepted]:
        # What trains may do worse than what does not: then a little less is pruned.
        estimator, pruned = trials.prune(count, plan)
        score = judge(estimator)
        if score >= enough:
            break
    else:
        estimator, pruned = trials.prune(trials.n_parts, plan)
        score = base_score
        if was_tried:  # there is more than one part
            words.insert(
                0,
                f"The estimator is not pruned: its score of {base_score:.4g} fell by "
                f"more than the tolerance of {tolerance:.4g} at the smallest sparsity "
                "that was tried (path_ has all of them). Give a larger tolerance, or "
                "sparsity.",
            )
    n_kept = trials.n_kept(pruned.kept)
    masked, _ = trials.prune(n_kept, plan._replace(refit="none", schedule="one-shot"))
    figures |= {"pruned_score_": judge(masked), "score_": score, "n_kept_": n_kept}
    words += word_on_cut_layers(pruned, plan)
    return Outcome(estimator, pruned, plan, figures, words)


def usual_tolerance(estimator, scoring, base_score):
    """How much of a score may be lost unless told."""
    return SHARE_LOST * (1.0 if is_bounded(estimator, scoring) else abs(base_score))


def _resolved(tolerance, bench, judge, base_score):
    if tolerance == "1se":
        return standard_error(judge.replicates(bench.estimator))
    if tolerance == "auto":
        return usual_tolerance(bench.estimator, bench.scoring, base_score)
    return float(tolerance)


def _searched(bench, plan, judge, enough):
    """Trials of `plan` without labels, the search through them, and all that it saw."""
    trials = bench.trials(label_free(observe(bench.estimator, None), plan))
    path = {}

    def score(n_kept):
        estimator, pruned = trials.prune(n_kept)
        path[n_kept] = judge(estimator), pruned.threshold
        return path[n_kept][0]

    search = most_sparse(score, trials.n_parts, enough, n_jobs=bench.n_jobs)
    return trials, search, path


def _around(search, n_parts):
    """The sparsest level that passed, and the next one, which did not."""
    if not search.accepted:
        return counts_down(n_parts)[:2]
    place = search.accepted[0]
    return [int(count) for count in search.n_kept[place : place + 2]]


def _path(tried, n_parts, base_score):
    counts = np.array(sorted(tried, reverse=True), dtype=int)
    scores = [tried[count][0] for count in counts.tolist()]
    thresholds = [tried[count][1] for count in counts.tolist()]
    return {
        "sparsity": np.append(0.0, 1.0 - counts / n_parts),
        "n_nonzero_coefs": np.append(n_parts, counts),
        "score": np.append(base_score, scores),
        "threshold": np.append(-np.inf, thresholds),
    }
