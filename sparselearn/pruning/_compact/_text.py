"""Rules of bags of words: terms that feed nothing are not counted."""

import json
import zlib

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.utils.validation import check_is_fitted

from sparselearn._compat import cut_terms
from sparselearn.pruning._compact._rules import Narrowed, cut, register_compaction
from sparselearn.pruning._compact._terms import (
    KnownTerms,
    can_be_looked_up,
    reader,
    recipe_of,
)

__all__ = ["NormedTerms"]


class NormedTerms(TransformerMixin, BaseEstimator):
    r"""Some columns of a TfidfVectorizer with a norm, in which all terms count.

    For the terms t of a document and their tf-idf values :math:`v_t`, the columns are
    :math:`v_t / \|v\|`, of a few t; :math:`\|v\|` is of all terms that were known to
    the vectorizer. So all of them are known here, and packed where this is saved.

    Parameters
    ----------
    vectorizer : TfidfVectorizer
        Unfitted.
    terms : list of str
        Those that have a column.

    Attributes
    ----------
    all_terms_ : list of str
    columns_ : ndarray of int
        Which of these have a column.
    tfidf_ : TfidfTransformer
        Of all terms.
    """

    def __init__(self, vectorizer, terms):
        self.vectorizer = vectorizer
        self.terms = terms

    def fit(self, raw_documents, y=None):
        """Learn all terms, and weights of them, from documents."""
        vectorizer = clone(self.vectorizer).fit(raw_documents)
        return self._know(vectorizer, np.isin(_terms_of(vectorizer), self.terms))

    def _know(self, vectorizer, kept):
        """Become fitted, by what a fitted vectorizer has learnt."""
        self.all_terms_ = _terms_of(vectorizer)
        self.columns_ = np.flatnonzero(kept)
        names = "norm", "use_idf", "smooth_idf", "sublinear_tf"
        options = {name: getattr(vectorizer, name) for name in names}
        self.tfidf_ = TfidfTransformer(**options)
        self.tfidf_.n_features_in_ = len(self.all_terms_)
        if vectorizer.use_idf:
            self.tfidf_.idf_ = vectorizer.idf_.copy()
        self._prepare()
        return self

    def _prepare(self):
        numbers = {term: j for j, term in enumerate(self.all_terms_, start=1)}
        self._read = reader(recipe_of(self.vectorizer), numbers)

    def transform(self, raw_documents):
        """Columns of tf-idf values of documents, a csr array."""
        check_is_fitted(self)
        if isinstance(raw_documents, str):
            raise ValueError("raw_documents is a string; give a list of documents.")
        decode, read = self.vectorizer.decode, self._read
        found, ends = [], [0]
        for document in raw_documents:
            found.extend(read(decode(document)))
            ends.append(len(found))
        columns = np.asarray(found, dtype=np.int32) - np.int32(1)
        shape = len(ends) - 1, len(self.all_terms_)
        ones = np.ones(columns.size, dtype=self.vectorizer.dtype)
        X = sp.csr_matrix((ones, columns, np.asarray(ends)), shape=shape)
        X.sum_duplicates()
        if self.vectorizer.binary:
            X.data.fill(1)
        return self.tfidf_.transform(X, copy=False)[:, self.columns_]

    def get_feature_names_out(self, input_features=None):
        """The terms that have a column."""
        check_is_fitted(self)
        return np.array([self.all_terms_[j] for j in self.columns_], dtype=object)

    def __getstate__(self):
        state = super().__getstate__().copy()
        state.pop("_read", None)
        if "all_terms_" in state:
            state["all_terms_"] = _packed(self.all_terms_)
            state["tfidf_"] = clone(self.tfidf_)
            if self.tfidf_.use_idf:
                # Few values differ: they are those of numbers of documents.
                values, codes = np.unique(self.tfidf_.idf_, return_inverse=True)
                codes = codes.astype(np.min_scalar_type(values.size))
                packed = zlib.compress(codes.tobytes(), level=9)
                state["_idf"] = values, packed, codes.dtype.str
        return state

    def __setstate__(self, state):
        state = state.copy()
        idf = state.pop("_idf", None)
        super().__setstate__(state)
        if "all_terms_" in state:
            self.all_terms_ = _unpacked(state["all_terms_"])
            self.tfidf_.n_features_in_ = len(self.all_terms_)
            if idf is not None:
                values, packed, dtype = idf
                codes = np.frombuffer(zlib.decompress(packed), dtype=dtype)
                self.tfidf_.idf_ = values[codes]
            self._prepare()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string, tags.input_tags.two_d_array = True, False
        return tags


def _terms_of(vectorizer):
    return vectorizer.get_feature_names_out().tolist()


def _packed(terms):
    return zlib.compress(json.dumps(terms).encode(), level=9)


def _unpacked(packed):
    return json.loads(zlib.decompress(packed))


def _vectorizer(vectorizer, kept):
    if kept.all():
        return Narrowed(vectorizer, None)
    smaller = cut_terms(vectorizer, kept)
    if can_be_looked_up(smaller.vocabulary_):
        recipe = recipe_of(vectorizer)
        smaller.analyzer = KnownTerms(recipe, smaller.vocabulary_)
    return Narrowed(smaller, None)


def _tfidf_vectorizer(vectorizer, kept):
    if vectorizer.norm is None or kept.all():
        return _vectorizer(vectorizer, kept)
    if not can_be_looked_up(vectorizer.vocabulary_):
        return _all_for_norm(vectorizer, kept, None)
    names = vectorizer.get_feature_names_out()[kept].tolist()
    unfitted = clone(vectorizer).set_params(vocabulary=None)
    smaller = NormedTerms(unfitted, names)._know(vectorizer, kept)
    return Narrowed(smaller, None, None, _note(vectorizer))


def _normed_terms(normed, kept):
    if kept.all():
        return Narrowed(normed, None, None, _note(normed.vectorizer))
    names = [term for term, stays in zip(normed.terms, kept) if stays]
    smaller = NormedTerms(normed.vectorizer, names)
    for name in ("all_terms_", "tfidf_", "_read"):
        setattr(smaller, name, getattr(normed, name))
    smaller.columns_ = normed.columns_[kept]
    return Narrowed(smaller, None, None, _note(normed.vectorizer))


def _note(transformer):
    name, norm = type(transformer).__name__, transformer.norm
    return (("", f"{name} has norm={norm!r}, in which all terms count: all are known"),)


def _all_for_norm(transformer, kept, inputs):
    notes = () if kept.all() else _note(transformer)
    return Narrowed(transformer, inputs, np.ones_like(kept), notes)


def _tfidf(transformer, kept):
    if transformer.norm is not None:
        return _all_for_norm(transformer, kept, np.ones_like(kept))
    return Narrowed(cut(transformer, kept, "idf_"), kept)


for _kind, _rule in (
    (CountVectorizer, _vectorizer),
    (TfidfVectorizer, _tfidf_vectorizer),
    (NormedTerms, _normed_terms),
    (TfidfTransformer, _tfidf),
):
    register_compaction(_kind, _rule)
