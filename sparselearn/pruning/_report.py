"""What pruning did to an estimator: its sizes and scores, before and after."""

from typing import NamedTuple

from sparselearn.pruning._sizes import SparsityReport, sparsity_report

__all__ = ["PruningReport", "report_on"]


class PruningReport(NamedTuple):
    """What :meth:`Pruner.report` found; print it to read it.

    Parameters
    ----------
    before : SparsityReport or None
        Of the unpruned estimator, if it was kept.
    after : SparsityReport
        Of the pruned one.
    scores : dict of str -> float
        "dense", unpruned; "masked", with weights removed; "finished", with what is left
        corrected without labels, if it was trained afterwards; "pruned", as it is.
    """

    before: SparsityReport | None
    after: SparsityReport
    scores: dict

    def __repr__(self):
        names = list(self.after.totals)
        before = {} if self.before is None else self.before.totals
        width = max(map(len, names))
        lines = [repr(self.after).split("\n\n")[0], ""]
        lines += [f"{'':{width}}  {'before':>12}  {'after':>12}"]
        for name in names:
            cells = [
                f"{totals[name]:>12,.6g}" if name in totals else f"{'':>12}"
                for totals in (before, self.after.totals)
            ]
            lines.append(f"{name:{width}}  {cells[0]}  {cells[1]}")
        for name, score in self.scores.items():
            lines.append(f"{'score, ' + name:{width}}  {'':>12}  {score:>12.4f}")
        return "\n".join(lines)


def report_on(before, after, scores, X=None):
    """Sizes of two estimators, and with rows the time that they take to predict them.

    Parameters
    ----------
    before : estimator or None
    after : estimator
    scores : dict
    X : array-like or None

    Returns
    -------
    report : PruningReport
    """
    timed = X is not None and hasattr(after, "predict")
    sizes = [
        estimator and sparsity_report(estimator, X, measure_time=timed)
        for estimator in (before, after)
    ]
    return PruningReport(*sizes, scores)
