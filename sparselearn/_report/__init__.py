"""The sparsity report: how sparse a model of some data can be, and what it costs."""

import sys
import textwrap
from pathlib import Path

from sparselearn._report import _html, _results, _words
from sparselearn._report._data import load
from sparselearn._report._files import (
    PIPELINES,
    check_folder,
    published,
    save_pipeline,
)
from sparselearn._report._models import BASELINE, MODELS
from sparselearn._report._prepare import prepare
from sparselearn._report._progress import Progress
from sparselearn._report._read import ReportError
from sparselearn._report._search import recorded_warnings
from sparselearn._report._stable import stable_features
from sparselearn._report._sweep import plan, sweep

__all__ = ["ReportError", "run"]

INTERRUPTED = 130
LINE = 88  # letters of a line of prose on the terminal


def run(options, command):
    """Load, prepare, sweep, write; print the table.

    Parameters
    ----------
    options : Namespace
        What ``python -m sparselearn`` was given: data, target, task, models, out,
        jobs, seed, joblib.
    command : str
        The same as one line, for the report.

    Returns
    -------
    status : int
        0, 1 if a model failed, 130 if interrupted.

    Raises
    ------
    ReportError
        For what the user can mend; nothing is written then.
    """
    out = Path(options.out)
    check_folder(out)
    with recorded_warnings() as warned:
        data = load(options.data, options.target, options.task)
        _check_names(options.models, data.task)
        problem = prepare(data, options.seed)
        models = _chosen(options.models, problem)
    outcomes, failures = [], []
    try:
        _sweep_all(problem, models, options.jobs, outcomes, failures)
        _write(problem, outcomes, failures, warned, out, command, options.joblib)
    except KeyboardInterrupt:
        return _keep(problem, outcomes, len(models), out)
    return 1 if failures else 0


def _check_names(names, task):
    """Refuse models that do not exist or do not do the task."""
    for name in names or []:
        if name not in MODELS:
            raise ReportError(f"no model {name!r}; there are: {', '.join(MODELS)}")
        if task not in MODELS[name].tasks:
            raise ReportError(f"model {name!r} does not do {task}")


def _chosen(names, problem):
    """The baseline, and of the models those asked for, or all that suit the problem."""
    chosen = {"dense": BASELINE}
    for name in names or MODELS:
        model = MODELS[name]
        if problem.task not in model.tasks:
            continue
        reason = model.unsuited(problem)
        if reason is None:
            chosen[name] = model
        elif names:
            raise ReportError(f"model {name!r} does not suit these data: {reason}")
        else:
            problem.notes.append(f"The model {name} was left out: {reason}.")
    return chosen


def _sweep_all(problem, models, n_jobs, outcomes, failures):
    """Append an outcome a model, as soon as there is one."""
    fits = {name: plan(problem, model) for name, model in models.items()}
    progress = Progress(sum(fits.values()))
    end = 0
    try:
        for name, model in models.items():
            end += fits[name]
            progress.start(name)
            try:
                outcome = sweep(problem, name, model, n_jobs, progress.tick)
            except Exception as error:  # one model's trouble is not another's
                reason = str(error).strip().splitlines() or [""]
                text = f"{name} failed: {type(error).__name__}: {reason[-1]}"
                failures.append(text)
                progress.fail(end, text)
            else:
                outcomes.append(outcome)
                progress.finish(f"{outcome.best.cv_mean:.4f}")
    finally:
        progress.close()
    if not outcomes:
        raise ReportError("; ".join(failures))


def _write(problem, outcomes, failures, warned, out, command, joblib):
    kind = "joblib" if joblib else "skops"
    best = _results.ranked(outcomes)[0].best.pipeline
    with recorded_warnings() as from_halves:
        stable = stable_features(problem, outcomes)
    table = _results.table(outcomes, problem.metric)
    try:
        with published(out) as folder:
            saved, trusted = save_pipeline(best, folder, kind)
            rows = _results.rows_as_csv(outcomes, problem.metric)
            (folder / "results.csv").write_text(rows, encoding="utf-8")
            page = _html.render(
                problem,
                outcomes,
                stable,
                failures=failures,
                warned=[*warned, *from_halves],
                command=command,
                saved=saved,
                trusted=trusted,
            )
            (folder / "report.html").write_text(page, encoding="utf-8")
    except ReportError:
        print(table)  # nothing else is left of what the fits took
        raise
    for other in {*PIPELINES.values()} - {saved}:  # of an earlier report
        (out / other).unlink(missing_ok=True)
    print(table)
    said = " ".join(_words.findings(problem, outcomes, stable))
    print(f"\n{textwrap.fill(said, LINE, break_on_hyphens=False)}")
    print(f"\n{out / 'report.html'}  (also results.csv, {saved})")


def _keep(problem, outcomes, n_models, out):
    """After an interrupt, write the rows that are finished."""
    kept = "nothing was finished"
    if outcomes:
        with published(out) as folder:
            rows = _results.rows_as_csv(outcomes, problem.metric)
            (folder / "results.csv").write_text(rows, encoding="utf-8")
        kept = f"{len(outcomes)} of {n_models} rows are in {out / 'results.csv'}"
    print(f"interrupted; {kept}", file=sys.stderr)
    return INTERRUPTED
