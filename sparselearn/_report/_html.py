"""report.html: one file, with its pictures inside."""

import platform
from importlib import resources

import numpy as np

from sparselearn import __version__
from sparselearn._report import _figures, _results, _words
from sparselearn._report._reading import input_weights
from sparselearn._report._search import recorded_warnings

__all__ = ["render"]

MAX_FEATURES = 12


def render(problem, outcomes, stable, *, failures, warned, command, saved, trusted):
    """The text of report.html.

    Parameters
    ----------
    problem : Problem
    outcomes : list of Outcome
    stable : Stable or None
    failures : list of str
        What went wrong with models that are not among `outcomes`.
    warned : list of str
        Warnings from reading and preparing the data.
    command : str
    saved : str or None
        Name of the file with the best pipeline.
    trusted : list of str or None
        Types that skops must be told to trust; None for a joblib file.
    """
    import jinja2

    source = resources.files("sparselearn._report").joinpath("template.html")
    template = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    ).from_string(source.read_text(encoding="utf-8"))
    data = problem.data
    with recorded_warnings() as from_drawing:
        figures = _pictures(problem, outcomes)
    warnings = [("data", text) for text in warned]
    warnings += [(o.name, text) for o in outcomes for text in o.warnings]
    warnings += [("pictures", text) for text in dict.fromkeys(from_drawing)]
    return template.render(
        name=data.name,
        facts=_facts(problem),
        findings=_words.findings(problem, outcomes, stable),
        metric=_results.METRICS[problem.metric],
        table=_results.cells(outcomes),
        best=_results.ranked(outcomes)[0].name,
        one_se=_results.one_se_cells(outcomes),
        units=_units(outcomes),
        figures=figures,
        stable=stable,
        classes=_classes(problem),
        features=_features(problem, outcomes),
        notes=problem.notes,
        warnings=warnings,
        failures=failures,
        command=command,
        saved=saved,
        trusted=trusted,
        seed=problem.seed,
        versions=_versions(),
    )


def _facts(problem):
    data = problem.data
    kind = data.task
    if data.task == "classification":
        kind = f"classification into {len(np.unique(data.y))} classes"
    n_rows, n_columns = data.X.shape
    return f"{n_rows} rows, {n_columns} columns, {kind} by {data.target!r}"


def _units(outcomes):
    """What is counted as non-zero where it is no coefficient, and in which models."""
    names = {}
    for outcome in outcomes:
        if outcome.unit != "coefficients":
            names.setdefault(outcome.unit, []).append(outcome.name)
    return [(unit, _enumerated(n)) for unit, n in names.items()]


def _enumerated(names):
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _classes(problem):
    """The two classes; None where there are more or none."""
    if problem.task == "regression" or len(np.unique(problem.y)) > 2:
        return None
    return np.unique(problem.y).tolist()


def _pictures(problem, outcomes):
    by_name = {outcome.name: outcome for outcome in outcomes}
    lasso = by_name.get("lasso")
    sheets = {
        kind: {name: draw(problem, o) for name, o in by_name.items()}
        for kind, draw in (("centroids", _figures.centroids), ("atoms", _figures.atoms))
    }
    return {
        "score": _figures.score_against_sparsity(problem, outcomes),
        "path": _figures.coefficient_path(problem, lasso) if lasso else None,
        **{
            kind: {name: picture for name, picture in drawn.items() if picture}
            for kind, drawn in sheets.items()
        },
        "maps": _figures.feature_maps(problem, outcomes),
    }


def _features(problem, outcomes):
    """Which features each model kept, the most important ones by name.

    Pixels are shown where they are instead.
    """
    if problem.data.image_shape is not None:
        return []
    found = []
    for outcome in outcomes:
        weights = input_weights(outcome.best.pipeline, len(problem.preparation))
        if weights is None or not outcome.swept:
            continue
        kept = np.flatnonzero(weights)
        first = kept[np.argsort(-weights[kept], kind="stable")][:MAX_FEATURES]
        largest = weights.max(initial=0) or 1.0
        shares = [(problem.shown[j], 100 * weights[j] / largest) for j in first]
        found.append((outcome.name, len(kept), len(weights), shares))
    return found


def _versions():
    names = ("sklearn", "numpy", "scipy", "numba", "pandas")
    modules = [(name, __import__(name).__version__) for name in names]
    return [
        ("sparselearn", __version__),
        ("Python", platform.python_version()),
        *modules,
    ]
