"""Whole paths of pruned estimators on folds, and the choice of a sparsity."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from sparselearn._parallel import map_threads
from sparselearn.pruning._bench import usual_tolerance
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._path import checked_sparsities
from sparselearn.pruning._procedure import observe
from sparselearn.pruning._search import counts_down
from sparselearn.pruning._strategy import CONTROL, candidates_of, label_free

__all__ = ["Choice", "Results", "chosen", "cross_validated"]


class Results(NamedTuple):
    """Scores on folds.

    Parameters
    ----------
    candidates : list of Candidate
        The control is the last, where there is one.
    sparsities : ndarray of shape (n_levels,)
    scores, zeros : ndarray of shape (n_folds, n_candidates, n_levels)
        The scores, and the share of weights that are zero.
    base : ndarray of shape (n_folds,)
        Of the unpruned estimators.
    """

    candidates: list
    sparsities: np.ndarray
    scores: np.ndarray
    zeros: np.ndarray
    base: np.ndarray

    def as_dict(self):
        """`cv_results_`."""
        n_folds, n_candidates, n_levels = self.scores.shape
        criteria = [c.criterion for c in self.candidates for _ in range(n_levels)]
        refits = [c.refit for c in self.candidates for _ in range(n_levels)]
        shares = np.tile(self.sparsities, n_candidates)
        scores = self.scores.reshape(n_folds, -1)
        mean = scores.mean(axis=0)
        return {
            "params": [
                {"criterion": criterion, "refit": refit, "sparsity": float(share)}
                for criterion, refit, share in zip(criteria, refits, shares)
            ],
            "param_criterion": np.array(criteria, dtype=object),
            "param_refit": np.array(refits, dtype=object),
            "param_sparsity": shares,
            "is_control": np.array([criterion == CONTROL for criterion in criteria]),
            "mean_test_sparsity": self.zeros.reshape(n_folds, -1).mean(axis=0),
            **{f"split{k}_test_score": row for k, row in enumerate(scores)},
            "mean_test_score": mean,
            "std_test_score": scores.std(axis=0),
            "rank_test_score": rankdata(-mean, method="min").astype(int),
        }


def cross_validated(folds, plan, sparsities, n_jobs=None):
    """Score the candidates of `plan` at all sparsities on all folds.

    Parameters
    ----------
    folds : list of Bench
    plan : Plan
    sparsities : array-like or None
    n_jobs : int or None

    Returns
    -------
    results : Results
    """
    blocks = observe(folds[0].estimator, None).blocks
    candidates = candidates_of(blocks, plan)
    controlled = getattr(CRITERIA[CONTROL], plan.granularity)
    if plan.criterion != CONTROL and controlled is not None:
        candidates.append(candidates[0]._replace(criterion=CONTROL))
    judges = [bench.judge() for bench in folds]
    runs = [(k, candidate) for k in range(len(folds)) for candidate in candidates]

    def trials_of(run):
        k, candidate = run
        own = plan._replace(criterion=candidate.criterion, refit=candidate.refit)
        return folds[k].trials(label_free(blocks, own))

    trials = map_threads(trials_of, runs, n_jobs)
    if sparsities is None:
        # The same shares on all folds, though trees differ in size.
        n_parts = min(trial.n_parts for trial in trials)
        counts = np.array([n_parts, *counts_down(n_parts)])
        sparsities = 1 - counts / n_parts
    sparsities = checked_sparsities(sparsities)

    def path(item):
        (k, _), trial = item
        found = []
        for share in sparsities:
            estimator, pruned = trial.prune({"sparsity": share})
            n_zero = sum(np.count_nonzero(b.weights == 0) for b in pruned.blocks)
            n_weights = sum(block.weights.size for block in pruned.blocks)
            found.append((judges[k](estimator), n_zero / n_weights))
        return found

    found = np.array(map_threads(path, list(zip(runs, trials)), n_jobs))
    found = found.reshape(len(folds), len(candidates), sparsities.size, 2)
    base = [judge(bench.estimator) for judge, bench in zip(judges, folds)]
    return Results(candidates, sparsities, found[..., 0], found[..., 1], np.array(base))


class Choice(NamedTuple):
    """What to prune by.

    Parameters
    ----------
    candidate : int
    level : int or None
        None where nothing was within the tolerance.
    enough : float
        The mean score that was required.
    words : list of str
        What to warn of.
    """

    candidate: int
    level: int | None
    enough: float
    words: list

    def figures(self, results):
        """Fitted attributes."""
        base = float(results.base.mean())
        row = results.candidates[self.candidate]
        share, score = 0.0, base
        if self.level is not None:
            share = float(results.sparsities[self.level])
            score = float(results.scores[:, self.candidate, self.level].mean())
        return {
            "cv_results_": results.as_dict(),
            "best_sparsity_": share,
            "best_params_": {
                "criterion": row.criterion,
                "refit": row.refit,
                "sparsity": share,
            },
            "base_score_": base,
            "score_": score,
            "tolerance_": base - self.enough,
        }


def chosen(results, tolerance, bench):
    """The sparsest level that is good enough, of all candidates but the control.

    A level counts only together with the next denser one, but for "best": scores of
    few rows may rise by chance.
    """
    mean = results.scores.mean(axis=0)
    base = results.base.mean()
    real = [
        k for k, row in enumerate(results.candidates) if row.criterion != CONTROL
    ] or [0]
    if tolerance == "best":
        enough = mean[real].max()
    elif tolerance == "1se":
        k, level = np.unravel_index(mean[real].argmax(), mean[real].shape)
        best = results.scores[:, real[k], level]
        if base > best.mean():
            best = results.base
        enough = best.mean() - best.std(ddof=1) / np.sqrt(best.size)
    else:
        if tolerance is None:
            tolerance = usual_tolerance(bench.estimator, bench.scoring, base)
        enough = base - tolerance
    passes = mean >= enough
    if tolerance != "best":
        passes[:, 1:] &= passes[:, :-1]
        if results.sparsities[0] > 0:
            passes[:, 0] &= base >= enough
    found = [
        (level, mean[k, level], -k) for k in real for level in np.flatnonzero(passes[k])
    ]
    if found:
        level, _, k = max(found)
        return Choice(-k, int(level), float(enough), [])
    word = (
        f"The estimator is not pruned: at no sparsity its mean score was {enough:.4g}, "
        f"the unpruned one's of {base:.4g} less the tolerance (cv_results_ has all). "
        "Give a larger tolerance, or smaller sparsities."
    )
    return Choice(real[0], None, float(enough), [word])
