"""Loading: a file becomes rows, a target, names, and a list of what was done."""

import difflib
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_digits

from sparselearn._report._columns import MIN_ROWS, listed, usable
from sparselearn._report._read import ReportError, Table, read

__all__ = ["Data", "load"]

TASKS = ("classification", "regression")
MAX_CLASSES = 30  # whole numbers of more different values are taken for quantities
MIN_CLASS_ROWS = 4  # one to hold out, three for three folds


class Data(NamedTuple):
    """Rows to learn from, as they were read.

    Parameters
    ----------
    name : str
    X : DataFrame, ndarray or csr_array of shape (n_rows, n_columns)
        A frame has columns of float64 and of text (object), missing values as NaN.
    y : ndarray of shape (n_rows,)
        Without missing values.
    target : str
    task : {"classification", "regression"}
    names : list of str or None
        Names of the columns.
    image_shape : (int, int) or None
        If a row is an image.
    notes : list of str
        What was decided and done, in sentences.
    """

    name: str
    X: object
    y: np.ndarray
    target: str
    task: str
    names: list | None
    image_shape: tuple | None
    notes: list


def load(source=None, target=None, task="auto"):
    """Read `source`, a path, or scikit-learn's digits for None.

    Raises
    ------
    ReportError
    """
    if source is None:
        name, contents = "digits", Table(load_digits(as_frame=True).frame, [])
    else:
        name, contents = Path(source).name, read(source)
    if isinstance(contents, Table):
        loaded = _from_table(contents, target)
    elif target is None:
        loaded = _from_arrays(contents)
    else:
        raise ReportError(f"--target names a column of a table, and {source} is none")
    X, y, column, names, image_shape, notes = loaded
    X = _finite(X, notes)
    if names is None and image_shape:
        names = [f"pixel_{i}_{j}" for i, j in np.ndindex(image_shape)]
    try:
        X, y, task = _check_target(X, y, column, task, notes)
    except ReportError as error:
        if isinstance(contents, Table) and target is None:
            hint = "; no --target was given, so this column was taken"
            raise ReportError(f"{error}{hint}") from None
        raise
    if X.shape[1] == 0:
        left = [note for note in notes if note.startswith("Left out")]
        said = (
            f" that can be learned from. {' '.join(left)}".rstrip(".") if left else ""
        )
        raise ReportError(f"{name} has no column besides the target {column!r}{said}")
    return Data(name, X, y, column, task, names, image_shape, notes)


# -- rows --------------------------------------------------------------------


def _from_table(table, target):
    frame, notes = table
    frame = frame.set_axis([str(column) for column in frame.columns], axis=1)
    first = frame.columns[0] if len(frame.columns) else None
    if first in ("", "Unnamed: 0") and target != first:
        notes.append("The first column has no name and was taken for row numbers.")
        frame = frame.drop(columns=first)
    if target is None and len(frame.columns):
        named = [c for c in ("target", "y", "label") if c in frame.columns]
        target = named[0] if named else frame.columns[-1]
        notes.append(f"No --target was given: {target!r} was taken.")
    if target not in frame.columns:
        raise ReportError(_no_column(target, list(frame.columns)))
    y = frame[target]
    X = usable(frame.drop(columns=target), notes)
    names = list(X.columns)
    y = y.astype(object).where(y.notna(), np.nan).infer_objects().to_numpy()
    return X, y, target, names, _pixel_square(names), notes


def _no_column(target, columns):
    """What to say where the target is not there."""
    lower = {column.strip().lower(): column for column in columns}
    near = difflib.get_close_matches(str(target).strip().lower(), lower, n=1)
    meant = f"; did you mean {lower[near[0]]!r}?" if near else ""
    return f"no column {target!r}{meant or f'; there are: {listed(columns, 12)}'}"


def _from_arrays(arrays):
    X, y, target, names = arrays
    notes, image_shape = [], None
    if not sp.issparse(X):
        X, image_shape, notes = _flat_rows(X, names)
    return X, y, target, names, image_shape, notes


def _flat_rows(X, names):
    notes = []
    image_shape = X.shape[1:] if X.ndim == 3 else None
    if X.ndim != 2:
        notes = [f"A row of shape {X.shape[1:]} was flattened."]
        X = X.reshape(len(X), -1)
    X = X.astype(np.result_type(X.dtype, np.float32), copy=False)
    if image_shape is None and names is None:
        image_shape = _smooth_square(X)
        if image_shape:
            notes.append(
                f"Rows are shown as {image_shape[0]} x {image_shape[1]} images: their "
                "number of columns is a square in which neighbours are correlated."
            )
    return X, image_shape, notes


def _finite(X, notes):
    """`X` with NaN for infinity."""
    if hasattr(X, "columns"):
        numbers = X.select_dtypes(np.float64)
        infinite = np.isinf(numbers)
        cleaned = X.mask(infinite.reindex(columns=X.columns, fill_value=False))
    else:
        values = X.data if sp.issparse(X) else X
        infinite = np.isinf(values)
        cleaned = X
        if infinite.any():
            cleaned = X.copy()
            (cleaned.data if sp.issparse(X) else cleaned)[infinite] = np.nan
    count = int(np.sum(np.asarray(infinite)))
    if count == 0:
        return X
    notes.append(f"{count} infinite values were taken for missing ones.")
    return cleaned


# -- images -------------------------------------------------------------------


def _square(n):
    side = round(np.sqrt(n))
    return (side, side) if side > 2 and side * side == n else None


def _pixel_square(names):
    """The shape of an image where all columns are called pixel-something."""
    pixels = all(re.match(r"pixel", name, re.IGNORECASE) for name in names)
    return _square(len(names)) if pixels and names else None


def _smooth_square(X):
    """The shape of an image where neighbours, vertical ones too, are correlated.

    Columns of a table are in no such order; those of a spectrum or a series resemble
    the next ones, but not those one row of the square away more than those half a row
    nearer or farther.
    """
    shape = _square(X.shape[1])
    if shape is None or shape[0] < 8 or len(X) < 10 or not np.isfinite(X).all():
        return None
    some = X[:: max(1, len(X) // 500)].astype(np.float64)
    some = some - some.mean(axis=0)
    size = np.sqrt((some**2).sum(axis=0))

    def correlation(step):
        dot = (some[:, step:] * some[:, :-step]).sum(axis=0)
        both = size[step:] * size[:-step]
        return np.mean(dot[both > 0] / both[both > 0]) if np.any(both > 0) else 0.0

    side = shape[0]
    below = correlation(side)
    beside = max(correlation(side // 2), correlation(side + side // 2))
    return shape if min(correlation(1), below) > max(0.25, 2 * beside) else None


# -- target -------------------------------------------------------------------


def _check_target(X, y, target, task, notes):
    """Rows whose target is known, as the task needs it."""
    present = _present(y)
    if not present.all():
        notes.append(f"{(~present).sum()} rows without a target were dropped.")
        X, y = X[present], y[present]
    numbers = _as_numbers(y)
    guessed = _guess_task(numbers)
    if task == "auto":
        task = guessed
        kinds = len(set(y.tolist()))
        values = "text" if numbers is None else "numbers"
        notes.append(f"Target: {values}, {kinds} different: taken for {task} (--task).")
    if task == "regression":
        if numbers is None:
            raise ReportError(f"regression needs numbers in the target {target!r}")
        y = numbers.astype(np.float64)
        if len(y) < MIN_ROWS:
            raise ReportError(f"{len(y)} rows with a target; needed are {MIN_ROWS}")
        if np.ptp(y) == 0.0:
            raise ReportError(f"the target {target!r} has one value only: {y[0]:g}")
        return X, y, task
    y = _as_labels(y, numbers)
    X, y = _common_classes(X, y, target, notes)
    return X, y, task


def _present(y):
    if y.dtype.kind == "f":
        return np.isfinite(y)
    if y.dtype.kind == "O":
        return np.array([value == value and value is not None for value in y], bool)
    return np.ones(len(y), dtype=bool)


def _as_numbers(y):
    if y.dtype.kind == "O" and any(isinstance(value, str) for value in y):
        return None
    try:
        return y.astype(np.float64)
    except (TypeError, ValueError):
        return None


def _guess_task(numbers):
    if numbers is None:
        return "classification"
    values = np.unique(numbers)
    whole = np.array_equal(values, np.round(values))
    few = len(values) <= min(MAX_CLASSES, max(2, len(numbers) / MIN_CLASS_ROWS))
    return "classification" if whole and few else "regression"


def _as_labels(y, numbers):
    if numbers is None:
        return np.array([str(value) for value in y])
    whole = np.array_equal(numbers, np.round(numbers))
    return numbers.astype(np.int64) if whole else numbers.astype(str)


def _common_classes(X, y, target, notes):
    classes, counts = np.unique(y, return_counts=True)
    if len(classes) < 2:
        found = f": {classes[0]}" if len(classes) else ""
        raise ReportError(f"the target {target!r} has {len(classes)} class{found}")
    common = classes[counts >= MIN_CLASS_ROWS]
    kept = np.isin(y, common)
    if len(common) < 2 or 2 * kept.sum() < len(y):
        raise ReportError(
            f"the target {target!r} has {len(classes)} different values in {len(y)} "
            f"rows ({listed(classes, 3)}), and most rows are of a class of fewer than "
            f"{MIN_CLASS_ROWS}: classes are too many, or numbers are written as text"
        )
    if len(common) < len(classes):
        rare = listed(classes[counts < MIN_CLASS_ROWS])
        notes.append(
            f"Classes of fewer than {MIN_CLASS_ROWS} rows were dropped: {rare} "
            f"({(~kept).sum()} rows)."
        )
        X, y = X[kept], y[kept]
    return X, y
