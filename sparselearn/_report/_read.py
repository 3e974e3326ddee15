"""Reading: a path becomes a data frame, or rows and a target, and what was done."""

import codecs
import csv
import gzip
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_svmlight_file

__all__ = ["Arrays", "ReportError", "Table", "read"]

SEPARATORS = ",;\t|"
GUESSED_LINES = 50  # of the head of a text file, whose separator is guessed
NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
DECIMAL_COMMA = re.compile(r"\s*[-+]?\d+,\d+\s*$")


class ReportError(Exception):
    """What the user gave cannot be used; the message is one line for the terminal."""


class Table(NamedTuple):
    """A data frame whose target is one of its columns, and notes."""

    frame: object
    notes: list


class Arrays(NamedTuple):
    """Rows and their target.

    Parameters
    ----------
    X : ndarray of shape (n_rows, ...) or csr_array
        Of more than two dimensions where a row has a shape of its own.
    y : ndarray of shape (n_rows,)
    target : str
    names : list of str or None
    """

    X: object
    y: np.ndarray
    target: str
    names: list | None


def read(path):
    """The `Table` or `Arrays` of a file.

    Raises
    ------
    ReportError
    """
    path = Path(path)
    if not path.exists():
        raise ReportError(f"no such file: {path}")
    kind = next((k for k in _READERS if path.name.lower().endswith(k)), None)
    if path.is_dir() or kind is None:
        hint = "; save the sheet as .csv" if "xls" in path.suffix.lower() else ""
        raise ReportError(f"{path} is none of {', '.join(_READERS)}{hint}")
    try:
        return _READERS[kind](path)
    except ReportError:
        raise
    except Exception as error:  # readers raise the types of half a dozen libraries
        reason = str(error).strip() or type(error).__name__
        raise ReportError(f"cannot read {path}: {reason.splitlines()[0]}") from error


# -- tables -------------------------------------------------------------------


def _read_text(path):
    """A table of text, however its columns are separated and its letters encoded."""
    import pandas as pd

    encoding = _encoding(path)
    head = _head(path, encoding)
    options = {}
    separator = "\t" if ".tsv" in path.name.lower() else _separator(head)
    if separator != ",":
        options["sep"] = separator
    if separator == ";" and _has_decimal_commas(head):
        options["decimal"] = ","
    if encoding != "utf-8":
        options["encoding"] = encoding
    if not _has_header(head, separator, options.get("decimal", ".")):
        options["header"] = None
    frame = pd.read_csv(path, na_values="?", low_memory=False, **options)
    call = "".join(f", {name}={value!r}" for name, value in options.items())
    notes = [f'Read by pandas.read_csv(path, na_values="?"{call}).']
    if "header" in options:
        frame.columns = [f"column {j}" for j in range(1, frame.shape[1] + 1)]
        notes.append(
            "The first line holds numbers, not names, and was read as a row; columns "
            "are named by their place."
        )
    return Table(frame, notes)


def _open(path, encoding=None):
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    return opener(path, "rt", encoding=encoding) if encoding else opener(path, "rb")


def _encoding(path):
    """utf-8 if all of the file is; else what Windows writes, marked or in the West."""
    with _open(path) as file:
        if file.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            return "utf-16"
    try:
        with _open(path, "utf-8") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _head(path, encoding):
    lines = []
    with _open(path, encoding) as file:
        for line in file:
            lines.append(line.rstrip("\r\n"))
            if len(lines) == GUESSED_LINES:
                break
    return lines


def _separator(head):
    """What splits the first line into the most columns; commas in doubt."""
    if not head:
        return ","
    counts = {s: len(_cells(head[0], s)) for s in SEPARATORS}
    return max(counts, key=counts.get)


def _cells(line, separator):
    return next(csv.reader([line], delimiter=separator), [])


def _has_decimal_commas(head):
    cells = [cell for line in head[1:] for cell in _cells(line, ";")]
    return any(DECIMAL_COMMA.match(cell) for cell in cells) and not any(
        "." in cell and NUMBER.match(cell) for cell in cells
    )


def _has_header(head, separator, decimal):
    """Whether the first line names columns.

    Numbers name them only where they count, as a frame without names is written.
    """
    cells = _cells(head[0], separator) if head else []
    numbers = [c for c in cells if NUMBER.match(c.replace(decimal, "."))]
    if 2 * len(numbers) <= len(cells):
        return True
    values = np.array([float(c.replace(decimal, ".")) for c in numbers])
    return len(values) > 1 and np.all(np.diff(values) == 1)


def _read_parquet(path):
    import pandas as pd

    frame = pd.read_parquet(path).reset_index(drop=True)
    return Table(frame, ["Read by pandas.read_parquet(path)."])


# -- arrays -------------------------------------------------------------------


def _read_svmlight(path):
    X, y = load_svmlight_file(str(path), zero_based=True)
    X = sp.csr_array(X)
    first = 0
    if X.shape[1] > 1 and not np.any(X.indices == 0):  # the file counts from one
        X, first = X[:, 1:], 1
    names = [f"feature {j}" for j in range(first, first + X.shape[1])]
    return Arrays(X, y, "label", names)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        if "y" not in file or not ("X" in file or {"data", "indptr"} <= set(file)):
            raise ReportError(
                f"{path} has the arrays {', '.join(file)}; needed are y and X, or y "
                "and the parts data, indices, indptr, shape of a CSR matrix"
            )
        y = file["y"]
        names = (
            list(map(str, file["feature_names"])) if "feature_names" in file else None
        )
        if "X" in file:
            X = file["X"]
        else:
            parts = file["data"], file["indices"].astype(np.int32), file["indptr"]
            X = sp.csr_array(parts, shape=tuple(file["shape"])).astype(np.float64)
    if y.ndim != 1 or y.shape != X.shape[:1]:
        rows = X.shape[0] if X.ndim else "no"
        raise ReportError(f"{path}: y has shape {y.shape}, X has {rows} rows")
    n_columns = int(np.prod(X.shape[1:]))
    if names is not None and len(names) != n_columns:
        raise ReportError(f"{path}: {len(names)} feature_names, {n_columns} columns")
    return Arrays(X, y, "y", names)


_READERS = {
    ".csv": _read_text,
    ".csv.gz": _read_text,
    ".tsv": _read_text,
    ".tsv.gz": _read_text,
    ".parquet": _read_parquet,
    ".npz": _read_npz,
    ".svm": _read_svmlight,
    ".libsvm": _read_svmlight,
}
