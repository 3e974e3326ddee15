"""The outcomes as rows: of results.csv, of the page, and of the terminal."""

import csv
import io

from sparselearn._report._search import sparsest
from sparselearn._report._sweep import as_text, one_se_below

__all__ = [
    "METRICS",
    "cells",
    "one_se_cells",
    "percent",
    "ranked",
    "rows",
    "rows_as_csv",
    "sparsest_of_all",
    "table",
]

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


def cells(outcomes):
    """Each model at its best: the numbers as a person reads them, a dict a row."""
    choices = [outcome.best for outcome in outcomes]
    columns = {
        **_columns(outcomes, choices),
        "fit s": [f"{outcome.fit_seconds:.2f}" for outcome in outcomes],
        "predict µs/row": [f"{o.predict_microseconds:.1f}" for o in outcomes],
        "chosen": [choice.parameter or "-" for choice in choices],
    }
    return _as_rows(columns)


def one_se_cells(outcomes):
    """Each swept model at its sparsest within one standard error of its best."""
    swept = [outcome for outcome in outcomes if outcome.swept]
    choices = [outcome.sparse for outcome in swept]
    loss = [o.sparse.cv_mean - o.best.cv_mean for o in swept]
    columns = {
        **_columns(swept, choices),
        "change": [f"{100 * change:+.2f}" for change in loss],
        "chosen": [choice.parameter for choice in choices],
    }
    return _as_rows(columns)


def _columns(outcomes, choices):
    # One number of digits a column: so numbers can be compared down it.
    near_one = any(f"{100 * c.sparsity:.1f}" == "100.0" for c in choices)
    whole = all(float(c.n_nonzero).is_integer() for c in choices)
    counts = [_count(c.n_nonzero, whole) for c in choices]
    return {
        "model": [outcome.name for outcome in outcomes],
        "sparsity": [f"{100 * c.sparsity:.{2 if near_one else 1}f} %" for c in choices],
        "CV score": [f"{c.cv_mean:.4f} ± {c.cv_std:.4f}" for c in choices],
        "held out": [f"{c.held_out:.4f}" for c in choices],
        "non-zeros": counts,
    }


def _count(number, whole):
    """A number of non-zeros; a mean has a decimal, whose place others leave free."""
    if whole:
        return f"{number:.0f}"
    return f"{number:.0f}  " if float(number).is_integer() else f"{number:.1f}"


def _as_rows(columns):
    return [dict(zip(columns, values)) for values in zip(*columns.values())]


def percent(share):
    """`share` in percent, with the digits that tell 99.9 % from 100 %."""
    text = f"{100 * share:.1f}"
    return f"{100 * share:.4g} %" if text == "100.0" and share < 1 else f"{text} %"


def table(outcomes, metric):
    """The outcomes as lines of text."""
    rows = cells(outcomes)
    header = [c.replace("score", METRICS[metric]) for c in rows[0]]
    grid = [header, *(list(row.values()) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*grid)]
    words = {0, len(header) - 1}  # the others are numbers
    aligned = [
        "  ".join(
            cell.ljust(width) if j in words else cell.rjust(width)
            for j, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in grid
    ]
    return "\n".join([aligned[0], "-" * max(map(len, aligned)), *aligned[1:]])


def ranked(outcomes):
    """The swept outcomes, the best mean score first; the baseline without any."""
    swept = [outcome for outcome in outcomes if outcome.swept] or list(outcomes)
    return sorted(swept, key=lambda outcome: -outcome.best.cv_mean)


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
