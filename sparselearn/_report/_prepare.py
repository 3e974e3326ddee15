"""Preparing: the part that is held out, and what every pipeline begins with."""

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

from sparselearn._report._columns import CATEGORIES, is_prose, listed
from sparselearn._report._data import Data
from sparselearn._report._read import ReportError

__all__ = ["Fold", "Problem", "prepare"]

HELD_OUT = 0.25
N_FOLDS, MANY_ROWS, N_FOLDS_OF_MANY = 5, 5000, 3
IMBALANCE = 3  # largest class over smallest, from which accuracy is balanced
MISSING = "missing"  # the category of a missing text
WORDS = 2000  # of a column of sentences, at most


class Fold(NamedTuple):
    """One fold, its rows prepared by what was fitted to its training rows.

    `names` are of its features, of shape (n_features_of_fold,).
    """

    X: object
    y: np.ndarray
    X_test: object
    y_test: np.ndarray
    names: np.ndarray


class Problem(NamedTuple):
    """What a model is asked to learn.

    Parameters
    ----------
    data : Data
    X, y : array of shape (n_train, n_features), ndarray of shape (n_train,)
        The training rows, prepared; grids and factories look at these.
    task : {"classification", "regression"}
    seed : int
    preparation : Pipeline
        What made X, fitted; every model's pipeline begins with a clone of its steps.
    names, shown : ndarray of str of shape (n_features,)
        Names of the prepared features, as the pipeline has and as a person reads them.
    blocks : list of str
        What the names of the one-hot columns of a text column begin with, for each that
        has more than one such column in all folds.
    train, test : (rows, target)
        As they were read.
    metric : str
        A scorer of scikit-learn.
    cv : splitter
    folds : list of Fold
        What `cv` makes of the training rows, the same for all models.
    notes : list of str
        Those of `data`, and what was done here.
    """

    data: Data
    X: object
    y: np.ndarray
    task: str
    seed: int
    preparation: Pipeline
    names: np.ndarray
    shown: np.ndarray
    blocks: list
    train: tuple
    test: tuple
    metric: str
    cv: object
    folds: list
    notes: list


def prepare(data, seed):
    """Hold rows out, and fit on the others the steps that pipelines begin with."""
    classes = data.task == "classification"
    X_train, X_test, y_train, y_test = train_test_split(
        data.X,
        data.y,
        test_size=HELD_OUT,
        stratify=data.y if classes else None,
        random_state=seed,
    )
    notes = [*data.notes]
    preparation = Pipeline([*_clean(data, notes), *_scale(data, notes)])
    try:
        X = preparation.fit_transform(X_train)
    except ValueError as error:
        if "variance threshold" not in str(error):
            raise
        raise ReportError(f"{data.name}: every column is constant") from error
    _note_constant(data, preparation, notes)
    n_folds = N_FOLDS if len(y_train) < MANY_ROWS else N_FOLDS_OF_MANY
    if classes:
        n_folds = min(n_folds, int(np.unique(y_train, return_counts=True)[1].min()))
    notes.append(
        f"Held out for the last score: {len(y_test)} of {len(data.y)} rows"
        f"{', stratified by class' if classes else ''}. The others are scored by "
        f"{n_folds}-fold cross-validation; every fold prepares its own training rows."
    )
    splitter = StratifiedKFold if classes else KFold
    cv = splitter(n_folds, shuffle=True, random_state=seed)
    names = preparation.get_feature_names_out(data.names)
    splits = list(cv.split(X_train, y_train))
    return Problem(
        data,
        X,
        y_train,
        data.task,
        seed,
        preparation,
        names,
        _shown(names, data.X),
        _blocks(X_train, [train for train, _ in splits]),
        (X_train, y_train),
        (X_test, y_test),
        _metric(data, notes),
        cv,
        [_fold(data, preparation, X_train, y_train, *split) for split in splits],
        notes,
    )


def _fold(data, preparation, rows, y, train, test):
    steps, at = clone(preparation), rows.iloc if hasattr(rows, "iloc") else rows
    X = steps.fit_transform(at[train])
    names = steps.get_feature_names_out(data.names)
    return Fold(X, y[train], steps.transform(at[test]), y[test], names)


def _clean(data, notes):
    """Steps that make numbers without gaps of what was read."""
    if hasattr(data.X, "columns"):
        return [("columns", _clean_columns(data.X, notes))]
    missing = int(np.isnan(data.X.data if sp.issparse(data.X) else data.X).sum())
    if not missing:
        return []
    notes.append(f"{missing} missing values: the median of the column (SimpleImputer).")
    return [("impute", SimpleImputer(strategy="median", keep_empty_features=True))]


def _clean_columns(frame, notes):
    prose, text = _prose_columns(frame), _text_columns(frame)
    numbers = [name for name in frame.columns if name not in {*text, *prose}]
    missing = frame.isna().sum()
    gaps = {name: count for name, count in missing.items() if count}
    if gaps:
        counts = listed(f"{name} ({count})" for name, count in gaps.items())
        notes.append(
            f"{sum(gaps.values())} missing values: the median of a column of numbers, "
            f'a category "{MISSING}" in one of text (SimpleImputer): {counts}.'
        )
    if text:
        notes.append(
            f"Text columns are one-hot encoded (OneHotEncoder; at most {CATEGORIES} "
            f"categories each, those seen once taken together): {listed(text)}."
        )
    number = SimpleImputer(strategy="median", keep_empty_features=True)
    if prose:
        notes.append(
            "Sentences are taken apart into words, weighed by how rare they are "
            f"(TfidfVectorizer; at most {WORDS} words a column, those in one row only "
            f"left out): {listed(prose)}."
        )
        number = make_pipeline(number, StandardScaler())
    groups = [("number", number, numbers), ("text", _one_hot(), text)]
    groups += [(f"words{k}", _words(), [name]) for k, name in enumerate(prose)]
    return ColumnTransformer(
        [group for group in groups if group[2]],
        sparse_threshold=1.0 if prose else 0.0,
        verbose_feature_names_out=_ambiguous(frame),
    )


def _one_hot():
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=MISSING),
        OneHotEncoder(
            min_frequency=2,
            max_categories=CATEGORIES,
            handle_unknown="infrequent_if_exist",
            sparse_output=False,
        ),
    )


def _words():
    return make_pipeline(
        SimpleImputer(strategy="constant", fill_value=""),
        FunctionTransformer(np.ravel, feature_names_out="one-to-one"),
        TfidfVectorizer(min_df=2, max_features=WORDS, sublinear_tf=True),
    )


def _object_columns(frame):
    return [name for name in frame.columns if frame[name].dtype == object]


def _prose_columns(frame):
    if not hasattr(frame, "columns"):
        return []
    return [name for name in _object_columns(frame) if is_prose(frame[name])]


def _text_columns(frame):
    prose = _prose_columns(frame)
    return [name for name in _object_columns(frame) if name not in prose]


def _ambiguous(frame):
    """Whether the name of a group is needed to tell features apart.

    As where a column is called "sex_male" beside a text column "sex", or a word as a
    column is.
    """
    text = _text_columns(frame)
    named_alike = any(name.startswith(f"{t}_") for t in text for name in frame.columns)
    return named_alike or bool(_prose_columns(frame))


def _shown(names, frame):
    """Names of features without those of groups, words with that of their column."""
    if not hasattr(frame, "columns"):
        return names
    ambiguous = _ambiguous(frame)
    column_of = {f"words{k}": name for k, name in enumerate(_prose_columns(frame))}

    def shown(name):
        group, _, rest = name.partition("__")
        if group in column_of and ambiguous:
            return f"{column_of[group]}: {rest}"
        name = rest if ambiguous and group in ("number", "text") else name
        return name.replace("_infrequent_sklearn", "_(rare)")

    return np.array([shown(name) for name in names], dtype=object)


def _blocks(rows, folds):
    """The `blocks` of a `Problem`, by the training rows and those of each fold."""
    if not hasattr(rows, "columns") or _prose_columns(rows):
        return []
    folds = [slice(None), *folds]

    def encoded(column):
        """Whether it has several categories, not all of which are seen once."""
        values = column.fillna(MISSING)
        counts = [values.iloc[train].value_counts() for train in folds]
        return all(len(found) > 1 and found.iloc[0] > 1 for found in counts)

    home = "text__" if _ambiguous(rows) else ""
    names = _text_columns(rows)
    return [f"{home}{name}_" for name in names if encoded(rows[name])]


def _scale(data, notes):
    """Steps that drop constant columns and bring the others to one scale."""
    if sp.issparse(data.X) or _prose_columns(data.X):
        scaler, how = MaxAbsScaler(), "divided by the largest absolute value"
    elif data.image_shape:
        scaler, how = MinMaxScaler(), "brought to the range from 0 to 1"
    else:
        scaler, how = StandardScaler(), "brought to mean 0 and variance 1"
    notes.append(f"Each column is {how} ({type(scaler).__name__}).")
    return [("varies", VarianceThreshold()), ("scale", scaler)]


def _note_constant(data, preparation, notes):
    constant = ~preparation["varies"].get_support()
    if not constant.any():
        return
    before = preparation[:-2]
    names = (
        before.get_feature_names_out(data.names)
        if len(before)
        else np.array(data.names or [f"x{j}" for j in range(data.X.shape[1])])
    )
    count = constant.sum()
    plural = "columns, constant in the training rows, were"
    if count == 1:
        plural = "column, constant in the training rows, was"
    notes.append(
        f"{count} {plural} dropped (VarianceThreshold): {listed(names[constant])}."
    )


def _metric(data, notes):
    if data.task == "regression":
        notes.append("Score: R2, the share of the target's variance explained.")
        return "r2"
    counts = np.unique(data.y, return_counts=True)[1]
    if counts.max() <= IMBALANCE * counts.min():
        notes.append("Score: accuracy, the share of rows classified correctly.")
        return "accuracy"
    notes.append(
        "Score: balanced accuracy, the mean over classes of the share of a class that "
        "is recognised, because the largest class is more than "
        f"{IMBALANCE} times the smallest."
    )
    return "balanced_accuracy"
