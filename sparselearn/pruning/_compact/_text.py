"""Rules of bags of words: terms that feed nothing are not looked for."""

import re

import numpy as np
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)

from sparselearn._compat import cut_terms
from sparselearn.pruning._compact._rules import Narrowed, cut, register_compaction

__all__ = ["KnownTerms"]

# How a vectorizer makes terms of a document; the rest of its parameters it counts by.
RECIPE = (
    "strip_accents",
    "lowercase",
    "preprocessor",
    "tokenizer",
    "analyzer",
    "stop_words",
    "token_pattern",
    "ngram_range",
)
WORDS = CountVectorizer().token_pattern  # of two letters or more
SPACES = "".join(c if re.match(r"\w", c) else " " for c in map(chr, range(128)))


class KnownTerms:
    """An analyzer that gives those terms of a document that are known, no others.

    Those that the analyzer of `recipe` would give, in any order: a bag has none.

    Parameters
    ----------
    recipe : CountVectorizer
    terms : collection of str
    """

    def __init__(self, recipe, terms):
        self.recipe = recipe
        self.terms = frozenset(terms)
        self._prepare()

    def __getstate__(self):
        return {"recipe": self.recipe, "terms": self.terms}

    def __setstate__(self, state):
        vars(self).update(state)
        self._prepare()

    def __repr__(self):
        return f"KnownTerms({self.recipe!r}, {len(self.terms)} terms)"

    def _prepare(self):
        recipe = self.recipe
        self._is_known = self.terms.__contains__
        self._whole = None
        if recipe.analyzer != "word":
            self._whole = recipe.build_analyzer()
            return
        self._preprocess = recipe.build_preprocessor()
        self._tokenize = recipe.build_tokenizer()
        self._stop_words = recipe.get_stop_words()
        self._cuts_at_spaces = False
        words = self.terms.difference(self._stop_words or ())
        if recipe.tokenizer is None and recipe.token_pattern == WORDS:
            # The same words: a run of letters is matched from its start to its end.
            self._tokenize = re.compile(r"(?u)\w\w+").findall
            self._cuts_at_spaces = True
            words = frozenset(word for word in words if len(word) > 1)
        self._is_word = words.__contains__
        # Where the words of a longer term may begin: all that is before a space in it.
        self._lengths = range(recipe.ngram_range[0], recipe.ngram_range[1] + 1)
        self._beginnings = {
            term[: space.start()]
            for term in self.terms
            for space in re.finditer(" ", term)
        }

    def __call__(self, text):
        """The known terms of `text`, as often as it has them."""
        if self._whole is not None:
            return filter(self._is_known, self._whole(text))
        text = self._preprocess(text)
        if self._lengths == range(1, 2):
            return filter(self._is_word, self._split(text))
        words = self._tokenize(text)
        if self._stop_words is not None:
            words = [word for word in words if word not in self._stop_words]
        return filter(self._is_known, self._candidates(words))

    def _split(self, text):
        # Twice as fast as a regular expression. That single letters, which are no
        # words, are cut out too does not matter: they are not known then.
        if self._cuts_at_spaces and text.isascii():
            return text.translate(SPACES).split()
        return self._tokenize(text)

    def _candidates(self, words):
        """Terms of one word, and longer ones where a known one may begin."""
        for n in self._lengths:
            if n == 1:
                yield from words
                continue
            starts = [i for i, word in enumerate(words) if word in self._beginnings]
            for i in starts:
                if i + n <= len(words):
                    yield " ".join(words[i : i + n])


def _analyzer_of(vectorizer, terms):
    """What finds the known terms in a document."""
    recipe = vectorizer.analyzer
    if isinstance(recipe, KnownTerms):
        return KnownTerms(recipe.recipe, terms)
    parameters = {name: getattr(vectorizer, name) for name in RECIPE}
    return KnownTerms(CountVectorizer(**parameters), terms)


def _vectorizer(vectorizer, kept):
    norm = getattr(vectorizer, "norm", None)
    if norm is not None:
        return _all_for_norm(vectorizer, kept, norm, None)
    if kept.all():
        return Narrowed(vectorizer, None)
    smaller = cut_terms(vectorizer, kept)
    smaller.analyzer = _analyzer_of(vectorizer, smaller.vocabulary_)
    return Narrowed(smaller, None)


def _all_for_norm(transformer, kept, norm, inputs):
    """All terms are needed, where each is divided by a norm over all of them."""
    name = type(transformer).__name__
    words = f"{name} has norm={norm!r}, in which all terms count: all are kept"
    notes = () if kept.all() else (("", words),)
    return Narrowed(transformer, inputs, np.ones_like(kept), notes)


def _tfidf(transformer, kept):
    if transformer.norm is not None:
        all_terms = np.ones_like(kept)
        return _all_for_norm(transformer, kept, transformer.norm, all_terms)
    return Narrowed(cut(transformer, kept, "idf_"), kept)


register_compaction(CountVectorizer, _vectorizer)
register_compaction(TfidfVectorizer, _vectorizer)
register_compaction(TfidfTransformer, _tfidf)
