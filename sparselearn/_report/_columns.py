"""Columns of a table: which are numbers, which text, which are left out, and why."""

import re

import numpy as np

__all__ = ["CATEGORIES", "MIN_ROWS", "is_prose", "listed", "usable"]

MIN_ROWS = 20
CATEGORIES = 50  # of one text column, at most
PROSE_WORDS = 3  # in the mean, from which on a text is read word by word
EACH_ROW = 0.95  # share of different values in a column that names rows
SAMPLE = 200
DATE = re.compile(r"\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?$")
QUANTITY = re.compile(r"[^\w]*\d[\d.,' ]*[^\w]*$")  # $1,200.00 or 12 %
ID = re.compile(r"(.*[_\s-])?(id|index)$", re.IGNORECASE)


def usable(frame, notes):
    """`frame` with columns of float64 and of text only; the rest is said in `notes`."""
    import pandas as pd

    columns, left = {}, {}
    for name, column in frame.items():
        kind = pd.api.types.infer_dtype(column, skipna=True)
        if pd.api.types.is_any_real_numeric_dtype(column) or kind in (
            "boolean",
            "decimal",
        ):
            numbers = pd.to_numeric(column.astype(object), errors="coerce")
            columns[name] = numbers.astype(np.float64)
            reason = _why_no_quantity(name, columns[name])
        elif kind == "string" or isinstance(column.dtype, pd.CategoricalDtype):
            text = column.astype(object)
            columns[name] = text.where(column.notna(), np.nan)
            reason = _why_no_category(columns[name])
        elif kind.startswith(("date", "timedelta")):
            reason = "dates"
        else:
            reason = "neither numbers nor text"
        if reason:
            columns.pop(name, None)
            left.setdefault(reason, []).append(name)
    for reason, names in left.items():
        hint = _HINTS.get(reason, "")
        notes.append(f"Left out, {reason}: {listed(names)}{hint}.")
    return pd.DataFrame(columns, index=frame.index)


_HINTS = {
    "dates": "; add columns of numbers, such as year, month or weekday, to use them",
    "numbers written as text": "; write them plainly, as 1200.5, to use them",
}


def listed(names, at_most=10):
    """`names` in one line, the first of them if they are many."""
    names = list(map(str, names))
    more = f" and {len(names) - at_most} more" if len(names) > at_most else ""
    return ", ".join(names[:at_most]) + more


def is_prose(column):
    """Whether a column of text holds sentences, not categories."""
    values = column.dropna()
    if values.nunique() <= CATEGORIES:
        return False
    some = values.iloc[:: max(1, len(values) // SAMPLE)]
    return some.str.split().str.len().mean() >= PROSE_WORDS


def _why_no_quantity(name, column):
    """Row numbers and keys say nothing of rows to come; None for a quantity."""
    values = column.to_numpy()
    if len(values) < MIN_ROWS or not np.array_equal(values, np.round(values)):
        return None
    if values[0] in (0, 1) and np.all(np.diff(values) == 1):
        return "row numbers"
    if ID.match(name) and len(np.unique(values)) == len(values):
        return "keys, another in each row"
    return None


def _why_no_category(column):
    """Why no category can be learned from a column of text; None if it can."""
    values = column.dropna()
    n_different = values.nunique()
    if len(values) < MIN_ROWS or n_different <= min(CATEGORIES, EACH_ROW * len(values)):
        return None
    some = values.iloc[:: max(1, len(values) // SAMPLE)].astype(str)
    for pattern, reason in (
        (DATE, "dates"),
        (QUANTITY, "numbers written as text"),
    ):
        if np.mean([bool(pattern.match(value)) for value in some]) >= EACH_ROW:
            return reason
    if n_different < EACH_ROW * len(values) or is_prose(column):
        return None
    return "names, another in each row"
