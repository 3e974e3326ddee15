"""What the outcomes say: rows, a table for the terminal, the plain sentence."""

import csv
import io

from sparselearn._report._search import sparsest
from sparselearn._report._sweep import as_text, one_se_below

__all__ = ["METRICS", "rows", "rows_as_csv", "summary", "table"]

METRICS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "r2": "R2",
}


def rows(outcomes, metric):
    """One dict an outcome, the columns of results.csv."""
    return [
        {
            "model": outcome.name,
            "parameter": outcome.best.parameter,
            "sparsity": outcome.best.sparsity,
            "nonzeros": outcome.best.n_nonzero,
            "metric": metric,
            "cv_mean": outcome.best.cv_mean,
            "cv_std": outcome.best.cv_std,
            "held_out": outcome.best.held_out,
            "fit_seconds": outcome.fit_seconds,
            "predict_us_per_row": outcome.predict_microseconds,
            "within_1se_parameter": outcome.sparse.parameter,
            "within_1se_sparsity": outcome.sparse.sparsity,
            "within_1se_nonzeros": outcome.sparse.n_nonzero,
            "within_1se_cv_mean": outcome.sparse.cv_mean,
            "within_1se_held_out": outcome.sparse.held_out,
        }
        for outcome in outcomes
    ]


def rows_as_csv(outcomes, metric):
    """The text of results.csv."""
    lines = rows(outcomes, metric)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def cells(outcome):
    """The numbers of an outcome as a person reads them, in the order of the table."""
    best = outcome.best
    return {
        "model": outcome.name,
        "chosen": best.parameter or "-",
        "sparsity": percent(best.sparsity),
        "CV score": f"{best.cv_mean:.4f} ± {best.cv_std:.4f}",
        "held out": f"{best.held_out:.4f}",
        "non-zeros": count(best.n_nonzero),
        "fit s": f"{outcome.fit_seconds:.2f}",
        "predict µs/row": f"{outcome.predict_microseconds:.3g}",
    }


def percent(share):
    """`share` in percent, with the digits that tell 99.9 % from 100 %."""
    text = f"{100 * share:.1f}"
    return f"{100 * share:.4g} %" if text == "100.0" and share < 1 else f"{text} %"


def count(number):
    """A number of non-zeros; a mean of several has one decimal."""
    return f"{number:.0f}" if float(number).is_integer() else f"{number:.1f}"


def table(outcomes, metric):
    """The outcomes as lines of text."""
    lines = [cells(outcome) for outcome in outcomes]
    header = [c.replace("score", METRICS[metric]) for c in lines[0]]
    grid = [header, *(list(line.values()) for line in lines)]
    widths = [max(map(len, column)) for column in zip(*grid)]
    aligned = [
        "  ".join(
            cell.ljust(width) if j < 2 else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in grid
    ]
    return "\n".join([aligned[0], "-" * len(aligned[0]), *aligned[1:]])


def ranked(outcomes):
    """The swept outcomes, the best mean score first; the baseline without any."""
    swept = [outcome for outcome in outcomes if outcome.swept] or list(outcomes)
    return sorted(swept, key=lambda outcome: -outcome.best.cv_mean)


def summary(outcomes, metric):
    """The answer in plain sentences: the best, and the sparsest that is as good."""
    best = ranked(outcomes)[0]
    dense = [outcome for outcome in outcomes if not outcome.swept]
    first = (
        f"Best is {_described(best.name, best.best.sparsity, best.best.parameter)}: "
        f"{METRICS[metric]} {best.best.cv_mean:.4f} ± {best.best.cv_std:.4f} in "
        f"cross-validation, {best.best.held_out:.4f} on the rows held out"
    )
    if not best.swept:
        return f"{first}."
    if dense:
        other = dense[0].best
        first += f" (dense: {other.cv_mean:.4f} and {other.held_out:.4f})"
    name, parameter, sparsity, score = sparsest_of_all(outcomes)
    if (name, parameter) == (best.name, best.best.parameter):
        return f"{first}. Nothing sparser is within one standard error of it."
    return (
        f"{first}. The sparsest within one standard error of it is "
        f"{_described(name, sparsity, parameter)}: {score:.4f} in cross-validation."
    )


def sparsest_of_all(outcomes):
    """The sparsest candidate of any model within one standard error of the best.

    Returns
    -------
    name, parameter, sparsity, score
    """
    best = ranked(outcomes)[0]
    enough = one_se_below(best.cv_results, best.best.index)
    found = []
    for outcome in outcomes:
        results = outcome.cv_results
        i = sparsest(results, enough) if outcome.swept else None
        if i is not None:
            # As in the tables where it is there: the sparsity of the fit on all rows.
            fitted = {c.index: c.sparsity for c in (outcome.best, outcome.sparse)}
            sparsity = fitted.get(i, results["mean_test_sparsity"][i])
            score = results["mean_test_score"][i]
            found.append((sparsity, score, outcome.name, as_text(results["params"][i])))
    sparsity, score, name, parameter = max(found)
    return name, parameter, sparsity, score


def _described(name, sparsity, parameter):
    zeros = f"{name} with {percent(sparsity)} zeros"
    return f"{zeros} ({parameter})" if parameter else zeros
