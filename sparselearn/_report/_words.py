"""What the results say, in plain sentences."""

import numpy as np

from sparselearn._report._reading import input_weights
from sparselearn._report._results import METRICS, percent, ranked, sparsest_of_all
from sparselearn._report._sweep import one_se_below

__all__ = ["findings"]

# A cost of less is none: it is a hundredth of a point.
NO_COST = 1e-4
MOST_NAMED = 8
WHOLE = 0.05  # sparsity of a model that nothing was pruned of, at most
# What a score of one is called; a point is a hundredth of it.
SENTENCES = {
    "accuracy": "classifies {score} of the rows correctly",
    "balanced_accuracy": "recognises {score} of a class, in the mean over classes",
    "r2": "explains {score} of the variance of the target",
}


def findings(problem, outcomes, stable=None):
    """Sentences that say what was found: the best model, what it costs to be sparser.

    Parameters
    ----------
    problem : Problem
    outcomes : list of Outcome
    stable : Stable, default=None

    Returns
    -------
    sentences : list of str
    """
    best, guess = ranked(outcomes)[0], _guess(problem)
    if one_se_below(best.cv_results, best.best.index) <= guess:
        name, score = METRICS[problem.metric], best.best.cv_mean
        return [
            "No model is clearly better than one answer for all rows, whose "
            f"{name} is {guess:.3f}: the best, {best.name}, has {score:.3f} "
            "in cross-validation. What follows compares models that found nothing."
        ]
    says = [_the_best(problem, best, outcomes)]
    if best.swept:
        says.append(_sparser(best, outcomes))
    says += [_few_features(problem, outcomes), _pruned(outcomes), _stable(stable)]
    return [sentence for sentence in says if sentence]


def _share(score):
    return f"{100 * score:.1f} %"


def _points(difference):
    number = f"{100 * abs(difference):.1f}"
    return "0.1 points or less" if number == "0.0" else f"{number} points"


def _guess(problem):
    """The score of an answer that is the same for all rows."""
    if problem.metric == "r2":
        return 0.0
    counts = np.unique(problem.y, return_counts=True)[1]
    if problem.metric == "accuracy":
        return counts.max() / counts.sum()
    return 1 / len(counts)


def _the_best(problem, best, outcomes):
    how = SENTENCES[problem.metric].format(score=_share(best.best.cv_mean))
    text = (
        f"The best model is {best.name}: in cross-validation it {how}, and "
        f"{_share(best.best.held_out)} on the {len(problem.test[1])} rows held out"
    )
    dense = [o.best for o in outcomes if not o.swept]
    if not dense or not best.swept:
        return f"{text}."
    gain = best.best.cv_mean - dense[0].cv_mean
    if abs(gain) < NO_COST:
        return f"{text}; the dense linear model is just as good."
    than = "more" if gain > 0 else "fewer"
    return (
        f"{text}. That is {_points(gain)} {than} than the dense linear model has "
        f"({_share(dense[0].cv_mean)}, {_share(dense[0].held_out)} held out)."
    )


def _sparser(best, outcomes):
    """The sparsest of all models that is as good by the one-standard-error rule."""
    error = best.best.cv_mean - one_se_below(best.cv_results, best.best.index)
    name, parameter, sparsity, score = sparsest_of_all(outcomes)
    within = f"within one standard error ({_points(error)}) of that"
    if (name, parameter) == (best.name, best.best.parameter):
        return f"Nothing sparser, of any model, is {within}."
    zeros = f"{name} with {percent(sparsity)} zeros ({parameter})"
    return f"The sparsest model {within} is {zeros}: {_share(score)}."


def _few_features(problem, outcomes):
    """How many features are enough for a linear model, half at most, and the cost."""
    found = []
    for outcome in outcomes:
        weights = input_weights(outcome.sparse.pipeline, len(problem.preparation))
        if outcome.swept and weights is not None and outcome.unit == "coefficients":
            found.append((outcome, np.count_nonzero(weights), len(weights)))
    if not found:
        return None
    top = max((o for o, _, _ in found), key=lambda o: o.best.cv_mean)
    enough = one_se_below(top.cv_results, top.best.index)
    outcome, n_kept, n_all = min(
        (entry for entry in found if entry[0].sparse.cv_mean >= enough),
        key=lambda entry: (entry[1], -entry[0].sparse.cv_mean),
        default=(None, 0, 0),
    )
    if outcome is None or 2 * n_kept > n_all:
        return None
    cost = _cost(top.best.cv_mean - outcome.sparse.cv_mean, "the best linear model")
    return (
        f"Of {n_all} features {n_kept} {'is' if n_kept == 1 else 'are'} enough for "
        f"{outcome.name} ({outcome.sparse.parameter}), {cost}: "
        f"{_share(outcome.sparse.cv_mean)}, {_share(outcome.sparse.held_out)} held out."
    )


def _pruned(outcomes):
    """How much of a pruned model can go, the best of those that begin dense."""
    found = []
    for outcome in outcomes:
        sparsity = outcome.cv_results["mean_test_sparsity"]
        whole = np.argmin(sparsity)
        gone = outcome.sparse.sparsity - sparsity[whole]
        if outcome.name.startswith("pruned") and gone > 0 and sparsity[whole] < WHOLE:
            found.append((outcome, outcome.cv_results["mean_test_score"][whole]))
    if not found:
        return None
    outcome, whole = max(found, key=lambda entry: entry[0].sparse.cv_mean)
    cost = _cost(whole - outcome.sparse.cv_mean, "the whole")
    unit = outcome.unit
    share = percent(outcome.sparse.sparsity)
    return f"Of the {unit} of {outcome.name} {share} can go {cost}."


def _stable(stable):
    """Which features do not depend on which rows there are."""
    if stable is None or not stable.rows:
        return None
    part = f"{stable.threshold:.0%} of random halves of the rows".replace("%", " %")
    if stable.n_stable == 0:
        name, share, *_ = stable.rows[0]
        return (
            f"No feature is selected by {part}: the one selected most often, {name}, "
            f"is by {share:.0%}.".replace("%.", " %.")
        )
    names = [row[0] for row in stable.rows[: stable.n_stable]]
    more = " and others" if len(names) > MOST_NAMED else ""
    if stable.n_stable == 1:
        return f"One feature is stable, selected by at least {part}: {names[0]}."
    return (
        f"{stable.n_stable} features are stable, selected by at least {part}: "
        f"{', '.join(names[:MOST_NAMED])}{more}."
    )


def _cost(loss, than):
    if abs(loss) < NO_COST:
        return "at no cost"
    if loss < 0:
        return f"at no cost: it even gains {_points(loss)} over {than}"
    return f"at a cost of {_points(loss)} against {than}"
