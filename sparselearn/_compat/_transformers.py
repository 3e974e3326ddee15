"""Private attributes of fitted transformers of scikit-learn, which are made smaller."""

from copy import copy

import numpy as np

__all__ = [
    "branches_of",
    "cut_encoder",
    "cut_indicator",
    "cut_terms",
    "encoder_of_bins",
    "n_codes_of",
    "with_branches",
    "with_encoder_of_bins",
]


def n_codes_of(encoder):
    """How many columns a OneHotEncoder gives for each of its inputs."""
    return list(encoder._n_features_outs)


def cut_encoder(encoder, used, known):
    """A copy of an encoder of categories for the inputs `used`.

    Parameters
    ----------
    encoder : OneHotEncoder or OrdinalEncoder
    used : ndarray of bool
    known : dict
        By the old number of an input, which of its categories are still known, the
        dropped one not. Such an input must have no infrequent ones.
    """
    smaller, inputs = copy(encoder), np.flatnonzero(used)
    smaller.categories_ = [
        encoder.categories_[j][known.get(j, slice(None))] for j in inputs
    ]
    if not isinstance(encoder.categories, str):
        smaller.categories = smaller.categories_
    for name in ("_infrequent_indices", "_default_to_infrequent_mappings"):
        if hasattr(encoder, name):
            values = getattr(encoder, name)
            setattr(smaller, name, [values[j] for j in inputs] if values else values)
    if hasattr(encoder, "_missing_indices"):  # of an OrdinalEncoder
        number = {old: new for new, old in enumerate(inputs)}
        smaller._missing_indices = {
            number[j]: index
            for j, index in encoder._missing_indices.items()
            if j in number
        }
        return smaller
    for name in ("drop_idx_", "_drop_idx_after_grouping"):
        dropped = getattr(encoder, name)
        if dropped is not None:
            dropped = np.array(dropped, dtype=object)
            dropped[list(known)] = None
            dropped = dropped[inputs]
            if all(index is None for index in dropped):
                dropped = None
        setattr(smaller, name, dropped)
    if known:  # else it would warn of the categories that it does not know any more
        smaller.drop = None
    smaller._n_features_outs = smaller._compute_n_features_outs()
    return smaller


def encoder_of_bins(binner):
    """The encoder inside a KBinsDiscretizer."""
    return binner._encoder


def with_encoder_of_bins(binner, encoder):
    """`binner` with another encoder inside."""
    binner._encoder = encoder
    return binner


def cut_indicator(indicator, used, marked):
    """A copy of an imputer's MissingIndicator for the columns `used`.

    It marks where those are missing whose old numbers are `marked`.
    """
    smaller = copy(indicator)
    number = np.cumsum(used) - 1
    smaller.features_ = number[marked]
    smaller._n_features = smaller.n_features_in_ = int(np.count_nonzero(used))
    return smaller


def cut_terms(vectorizer, kept):
    """A copy of a CountVectorizer or TfidfVectorizer with the terms `kept` only."""
    smaller = copy(vectorizer)
    terms = sorted(vectorizer.vocabulary_.items(), key=lambda item: item[1])
    terms = [term for term, number in terms if kept[number]]
    smaller.vocabulary_ = {term: number for number, term in enumerate(terms)}
    if vectorizer.vocabulary is not None:
        smaller.vocabulary = smaller.vocabulary_
    if hasattr(vectorizer, "_tfidf"):
        smaller._tfidf = copy(vectorizer._tfidf)
        smaller._tfidf.n_features_in_ = len(terms)
        if hasattr(vectorizer._tfidf, "idf_"):
            smaller._tfidf.idf_ = vectorizer._tfidf.idf_[kept]
    return smaller


def branches_of(columns):
    """The fitted branches of a ColumnTransformer: name, transformer, numbers, columns.

    The columns are as they are to be given: one, a list of numbers or a list of names.
    Branches without a column, and those that drop theirs, are left out.
    """
    found = []
    for name, transformer, spec in columns.transformers_:
        numbers = np.asarray(columns._transformer_to_input_indices[name], dtype=int)
        is_dropped = isinstance(transformer, str) and transformer == "drop"
        if not numbers.size or is_dropped:
            continue
        if not np.isscalar(spec):
            is_named = not isinstance(spec, slice) and isinstance(spec[0], str)
            spec = list(spec) if is_named else numbers.tolist()
        found.append((name, transformer, numbers, spec))
    return found


def with_branches(columns, branches, sizes, used=None):
    """A copy of a ColumnTransformer with these branches only.

    Parameters
    ----------
    columns : ColumnTransformer
    branches : list
        As of `branches_of`, by the old numbers of the columns.
    sizes : list of int
        How many columns each gives.
    used : ndarray of bool, default=None
        Which columns of the old input it gets; None: all of them.
    """
    smaller = copy(columns)
    number = np.arange(columns.n_features_in_)
    if used is not None:
        number = np.cumsum(used) - 1
        smaller.n_features_in_ = int(np.count_nonzero(used))
        if hasattr(columns, "feature_names_in_"):
            smaller.feature_names_in_ = columns.feature_names_in_[used]
    vars(smaller).pop("_transformers_feature_names_out", None)
    smaller.remainder, smaller._remainder = "drop", ("remainder", "drop", [])
    smaller.transformers_, smaller.transformers, smaller._columns = [], [], []
    smaller._transformer_to_input_indices, smaller.output_indices_ = {}, {}
    start = 0
    for (name, transformer, numbers, spec), size in zip(branches, sizes):
        numbers = number[numbers].tolist()
        if isinstance(spec, list) and not isinstance(spec[0], str):
            spec = numbers
        elif not isinstance(spec, (list, str)):
            spec = numbers[0]
        branch = (name, transformer, spec)
        smaller._transformer_to_input_indices[name] = numbers
        smaller.output_indices_[name] = slice(start, start + size)
        start += size
        smaller.transformers_.append(branch)
        if name == "remainder":
            smaller.remainder, smaller._remainder = transformer, branch
        else:
            smaller.transformers.append(branch)
            smaller._columns.append(spec)
    return smaller
