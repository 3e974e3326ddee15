"""Whole paths of pruned estimators on folds, and the choice of a sparsity."""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

from sparselearn._parallel import Shared, map_jobs
from sparselearn.pruning._allocation import positions
from sparselearn.pruning._bench import Bench, usual_tolerance
from sparselearn.pruning._criteria import CRITERIA
from sparselearn.pruning._granularity import GRANULARITIES, parts_of
from sparselearn.pruning._path import checked_sparsities
from sparselearn.pruning._procedure import observe
from sparselearn.pruning._search import counts_down
from sparselearn.pruning._strategy import CONTROL, candidates_of, label_free
from sparselearn.pruning._wrappers import fitted_clone

__all__ = ["Choice", "Folds", "Results", "chosen", "cross_validated"]


class Folds(NamedTuple):
    """What all folds have in common.

    Parameters
    ----------
    estimator : estimator
        Not fitted.
    X, y, sample_weight : array-like or None
    fit_params : dict
        For all rows.
    splits : list of pairs of ndarray of int
    size, seed, scoring, n_jobs
        As in `Bench`.
    """

    estimator: object
    X: object
    y: object
    sample_weight: object
    fit_params: dict
    splits: list
    size: int | None
    seed: int
    scoring: object
    n_jobs: int | None

    def fitted(self, k=None):
        """The estimator fitted to the training rows of fold `k`, or to all rows."""
        rows = None if k is None else self.splits[k][0]
        return fitted_clone(self.estimator, self.X, self.y, self.fit_params, rows)

    def bench(self, fitted, k=None):
        """The bench of what was fitted to fold `k`, or to all rows."""
        data = self.X, self.y, self.sample_weight
        split = None if k is None else self.splits[k]
        return Bench(
            fitted, *data, split, self.size, self.seed, self.scoring, self.n_jobs
        )


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


def cross_validated(folds, plan, sparsities):
    """Fit on each fold, and score the candidates of `plan` there at all sparsities.

    Parameters
    ----------
    folds : Folds
    plan : Plan
    sparsities : array-like or None

    Returns
    -------
    benches : list of Bench
        Of what was fitted to the folds.
    results : Results
    """
    shared, numbers = Shared(folds), range(len(folds.splits))
    fits = map_jobs(
        Folds.fitted, shared, [(k,) for k in numbers], folds.n_jobs, in_threads=True
    )
    benches = [folds.bench(fitted, k) for k, fitted in enumerate(fits)]
    dense = [observe(bench.estimator, None) for bench in benches]
    candidates = candidates_of(dense[0], plan)
    controlled = getattr(CRITERIA[CONTROL], plan.granularity)
    if plan.criterion != CONTROL and controlled is not None:
        candidates.append(candidates[0]._replace(criterion=CONTROL))
    if sparsities is None:
        # The same shares on all folds, though trees differ in size.
        n_parts = min(_n_parts(subject.blocks, plan) for subject in dense)
        counts = np.array([n_parts, *counts_down(n_parts)])
        sparsities = 1 - counts / n_parts if n_parts else np.zeros(1)
    sparsities = checked_sparsities(sparsities)
    jobs = []
    for k, bench in enumerate(benches):
        for candidate in candidates:
            own = plan._replace(criterion=candidate.criterion, refit=candidate.refit)
            jobs.append((k, bench.estimator, label_free(dense[0], own), sparsities))
    found = np.array([*map_jobs(_path, shared, jobs, folds.n_jobs, in_threads=True)])
    found = found.reshape(len(benches), len(candidates), sparsities.size, 2)
    base = np.array([bench.judge()(bench.estimator) for bench in benches])
    return benches, Results(candidates, sparsities, found[..., 0], found[..., 1], base)


def _n_parts(blocks, plan):
    """Number of parts that can be kept or not."""
    shapes = GRANULARITIES[parts_of(plan.granularity)].shapes(blocks)
    excluded = positions(plan.exclude, "exclude", shapes, blocks)
    sizes = [np.prod(shape) for k, shape in enumerate(shapes) if k not in excluded]
    return int(sum(sizes))


def _path(folds, k, fitted, plan, sparsities):
    """Score, and share of zeros, of what was fitted to fold `k`, at each sparsity."""
    bench = folds.bench(fitted, k)
    judge, trials = bench.judge(), bench.trials(plan)
    found = []
    for share in sparsities:
        estimator, pruned = trials.prune({"sparsity": share})
        n_zero = sum(np.count_nonzero(b.weights == 0) for b in pruned.blocks)
        n_weights = sum(block.weights.size for block in pruned.blocks)
        found.append((judge(estimator), n_zero / max(n_weights, 1)))
    return found


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
    # Where a floor holds, more is asked for than is removed.
    zeros = results.zeros
    same = (zeros[:, :, 1:] == zeros[:, :, :-1]).all(axis=0)
    passes[:, 1:] &= ~same | (zeros.mean(axis=0)[:, 1:] >= results.sparsities[1:])
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
