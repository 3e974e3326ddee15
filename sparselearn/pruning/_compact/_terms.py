"""The terms of documents, looked up without making a list of all of them."""

import re

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer

__all__ = ["KnownTerms", "can_be_looked_up", "reader", "recipe_of"]

# How a vectorizer makes terms of a document; by its other parameters it counts them.
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
_LETTERS = np.array([bool(re.match(r"\w", chr(code))) for code in range(256)])
# Of the characters that are one byte, all that are in no word become spaces.
SPACES = bytes(np.where(_LETTERS, np.arange(256), ord(" ")).astype(np.uint8))


def recipe_of(vectorizer):
    """A CountVectorizer that makes terms as `vectorizer` does."""
    if isinstance(vectorizer.analyzer, KnownTerms):
        return vectorizer.analyzer.recipe
    return CountVectorizer(**{name: getattr(vectorizer, name) for name in RECIPE})


def can_be_looked_up(terms):
    """Whether `reader` can tell these terms from nothing."""
    return all(isinstance(term, str) and term for term in terms)


def reader(recipe, values):
    """A function that gives the values of the terms of a text, as often as they come.

    Parameters
    ----------
    recipe : CountVectorizer
        Whose analyzer makes the terms.
    values : dict
        By term, none of them 0 or empty. Other terms are passed over.

    Returns
    -------
    read : callable
        ``read(text)``, an iterator, in no order: a bag has none.
    """
    if recipe.analyzer != "word":
        analyze, get = recipe.build_analyzer(), values.get
        return lambda text: filter(None, map(get, analyze(text)))
    preprocess, tokenize = recipe.build_preprocessor(), recipe.build_tokenizer()
    is_plain = recipe.tokenizer is None and recipe.token_pattern == WORDS
    if is_plain:  # the same words: a run of letters is matched from start to end
        tokenize = re.compile(r"(?u)\w\w+").findall
    stop_words = recipe.get_stop_words() or frozenset()
    if recipe.ngram_range != (1, 1):
        return _sequences(recipe.ngram_range, preprocess, tokenize, stop_words, values)
    values = {term: v for term, v in values.items() if term not in stop_words}
    if is_plain:
        return _words(preprocess, tokenize, values)
    get = values.get
    return lambda text: filter(None, map(get, tokenize(preprocess(text))))


def _words(preprocess, tokenize, values):
    """Cut where there are spaces, which is faster than a regular expression.

    That finds single letters too, which are no words; so none has a value.
    """
    values = {term: value for term, value in values.items() if len(term) > 1}
    of_bytes, get = {}, values.get
    for term, value in values.items():
        try:
            of_bytes[term.encode("latin-1")] = value
        except UnicodeEncodeError:  # not in a text that can be encoded
            continue
    get_bytes = of_bytes.get

    def read(text):
        text = preprocess(text)
        try:
            words = text.encode("latin-1").translate(SPACES).split()
        except UnicodeEncodeError:
            return filter(None, map(get, tokenize(text)))
        return filter(None, map(get_bytes, words))

    return read


def _sequences(ngram_range, preprocess, tokenize, stop_words, values):
    """Sequences of words are put together where one that has a value may begin."""
    first, last = ngram_range
    get = values.get
    # A word may have a space in it: all that is before one, in any term.
    beginnings = {t[: gap.start()] for t in values for gap in re.finditer(" ", t)}

    def candidates(words):
        if first == 1:
            yield from words
        starts = [i for i, word in enumerate(words) if word in beginnings]
        for n in range(max(first, 2), last + 1):
            for i in starts:
                if i + n <= len(words):
                    yield " ".join(words[i : i + n])

    def read(text):
        words = tokenize(preprocess(text))
        if stop_words:
            words = [word for word in words if word not in stop_words]
        return filter(None, map(get, candidates(words)))

    return read


class KnownTerms:
    """An analyzer that gives those terms of a document that are known, no others.

    Parameters
    ----------
    recipe : CountVectorizer
        Whose analyzer makes the terms.
    terms : iterable of str
    """

    def __init__(self, recipe, terms):
        self.__setstate__({"recipe": recipe, "terms": list(terms)})

    def __call__(self, text):
        """The known terms of `text`, as often as it has them."""
        return self._read(text)

    def __getstate__(self):
        return {"recipe": self.recipe, "terms": self.terms}

    def __setstate__(self, state):
        vars(self).update(state)
        self._read = reader(self.recipe, {term: term for term in self.terms})

    def __repr__(self):
        return f"KnownTerms({self.recipe!r}, {len(self.terms)} terms)"
