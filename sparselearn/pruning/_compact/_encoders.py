"""Rules of encoders of categories."""

from itertools import pairwise

import numpy as np
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from sparselearn._compat import cut_encoder, n_codes_of
from sparselearn.pruning._compact._rules import Narrowed, register_compaction, renamed

__all__ = ["cut_inputs"]


def cut_inputs(encoder, used, categories=None):
    """A copy of a fitted encoder for some of its inputs.

    Parameters
    ----------
    encoder : OneHotEncoder or OrdinalEncoder
    used : ndarray of bool of shape (n_features_in_,)
    categories : dict, default=None
        Of an encoder that ignores what it does not know: by number of the input, the
        mask of the categories that it still has to know.

    Returns
    -------
    smaller : encoder
    """
    return renamed(cut_encoder(encoder, used, categories or {}), used)


def _ordinal(encoder, kept):
    return Narrowed(cut_inputs(encoder, kept), kept)


def _one_hot(encoder, kept):
    """Categories without a column are forgotten, where what is unknown is ignored.

    Their rows are zero in all columns that are left, as those of unknown ones are.
    Where unknown ones raise an error, or count as infrequent, the others must stay
    known; their columns are taken out afterwards.
    """
    n_codes = n_codes_of(encoder)
    starts = np.concatenate([[0], np.cumsum(n_codes)])
    used = np.array([kept[a:b].any() for a, b in pairwise(starts)], dtype=bool)
    outputs, known, notes = kept.copy(), {}, []
    for j in np.flatnonzero(used):
        part = slice(starts[j], starts[j + 1])
        columns = _column_of_each_category(encoder, j)
        if columns is None:
            outputs[part] = True
            if not kept[part].all():
                words = "OneHotEncoder still has to know all categories of input"
                notes.append(("", f"{words} {j}"))
        else:
            known[j] = (columns >= 0) & kept[part][np.maximum(columns, 0)]
    return Narrowed(cut_inputs(encoder, used, known), used, outputs, tuple(notes))


def _column_of_each_category(encoder, j):
    """Positions among the columns of input j, -1 where there is none.

    None if categories of this input cannot be forgotten.
    """
    if encoder.handle_unknown not in ("ignore", "infrequent_if_exist"):
        return None
    groups = getattr(encoder, "infrequent_categories_", None)
    if groups is not None and groups[j] is not None:
        return None
    n_categories = len(encoder.categories_[j])
    dropped = None if encoder.drop_idx_ is None else encoder.drop_idx_[j]
    columns = np.arange(n_categories)
    if dropped is not None:
        columns = np.where(columns > dropped, columns - 1, columns)
        columns[dropped] = -1
    return columns


register_compaction(OrdinalEncoder, _ordinal)
register_compaction(OneHotEncoder, _one_hot)
