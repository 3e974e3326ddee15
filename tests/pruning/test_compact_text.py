"""Terms that feed nothing are not looked for, and nothing else changes."""

import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.feature_extraction.text import (
    CountVectorizer,
    HashingVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.linear_model import Ridge, RidgeClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler

from sparselearn.pruning import compact
from sparselearn.pruning._compact._rules import narrow
from sparselearn.pruning._compact._terms import KnownTerms

TEXTS = [
    "The plot is bad, the film is BAD!",
    "a good film: good fun, and a good plot_twist",
    "Ein schöner Film über Häuser, übers Meer",
    "Ça, c'est très bon; c'est bien",
    "x y z 1 2 33 444",
    "",
    "новый фильм\tхорош\n\nno good",
    "the film\x1cis over\x85and done",
    "a good film, and a bad plot, so it is, so it is, and good,",
]
VECTORIZERS = [
    CountVectorizer(),
    CountVectorizer(binary=True, dtype=np.float32),
    CountVectorizer(ngram_range=(1, 3)),
    CountVectorizer(ngram_range=(2, 2), stop_words=["the"]),
    CountVectorizer(stop_words=["is", "film"], strip_accents="unicode"),
    CountVectorizer(lowercase=False, token_pattern=r"\w"),
    CountVectorizer(token_pattern=r"[a-z ]+,", ngram_range=(1, 2)),
    CountVectorizer(analyzer="char", ngram_range=(1, 3)),
    CountVectorizer(analyzer="char_wb", ngram_range=(2, 4)),
    CountVectorizer(analyzer=str.split),
    CountVectorizer(analyzer=lambda text: text.split(" ")),
    CountVectorizer(tokenizer=str.split, token_pattern=None, ngram_range=(1, 2)),
    CountVectorizer(preprocessor=str.upper),
    CountVectorizer(vocabulary=["film", "a", "bad", "good", "nothing", "no", "x"]),
    TfidfVectorizer(norm=None),
    TfidfVectorizer(norm=None, sublinear_tf=True, max_features=9),
    TfidfVectorizer(norm=None, use_idf=False),
    TfidfVectorizer(),
    TfidfVectorizer(norm="l1", sublinear_tf=True, dtype=np.float32),
    TfidfVectorizer(binary=True, use_idf=False, ngram_range=(1, 2), min_df=2),
    TfidfVectorizer(stop_words=["film"], vocabulary=["good", "film", "bad", "x"]),
    TfidfVectorizer(analyzer="char", ngram_range=(1, 2)),
]


@pytest.mark.parametrize("vectorizer", VECTORIZERS, ids=lambda e: type(e).__name__)
def test_terms(rng, vectorizer):
    vectorizer.fit(TEXTS)
    names = vectorizer.get_feature_names_out()
    whole = vectorizer.transform(TEXTS)
    for share in (0.0, 0.1, 0.5, 1.0):
        kept = rng.random(names.size) < share
        kept[rng.integers(names.size)] = True
        found = narrow(vectorizer, kept)
        assert (found.inputs, found.outputs) == (None, None)
        given = found.estimator.transform(TEXTS)
        assert type(given) is type(whole)
        assert given.dtype == whole.dtype
        np.testing.assert_array_equal(given.toarray(), whole.toarray()[:, kept])
        smaller = found.estimator
        if "lambda" not in repr(vectorizer):
            smaller = pickle.loads(pickle.dumps(found.estimator))
        assert smaller.get_feature_names_out().tolist() == names[kept].tolist()
        again = narrow(smaller, kept[kept]).estimator
        np.testing.assert_array_equal(again.transform(TEXTS).toarray(), given.toarray())
        np.testing.assert_array_equal(
            vectorizer.transform(TEXTS).toarray(), whole.toarray()
        )


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from("aB é1_-.\t\x1c ü\u00b2日"), max_size=30),
    st.integers(1, 2),
    st.integers(0, 1),
)
@example("a\x1caa ab\x1fab", 1, 0)
def test_words_of_any_text(text, first, more):
    """All terms of the analyzer that are known, as often as they come."""
    recipe = CountVectorizer(ngram_range=(first, first + more))
    terms = recipe.build_analyzer()(text)
    known = terms[::2]
    found = Counter(KnownTerms(recipe, known)(text))
    assert found == Counter(term for term in terms if term in set(known))
    assert list(KnownTerms(recipe, ["a", "é"])(text)) == []


def test_terms_of_a_word_only():
    """A given term that the analyzer never gives is not found either."""
    vectorizer = CountVectorizer(vocabulary=["a", "film", "plot twist"])
    vectorizer.fit(TEXTS)
    smaller = narrow(vectorizer, np.array([True, True, False])).estimator
    given = smaller.transform(TEXTS).toarray()
    np.testing.assert_array_equal(given, vectorizer.transform(TEXTS).toarray()[:, :2])
    assert given[:, 0].sum() == 0


@pytest.mark.parametrize("kind", ["bytes", "file"])
def test_documents_of_other_kinds(tmp_path, kind):
    texts = [text.encode("latin-1", "replace") for text in TEXTS]
    options = {"encoding": "latin-1"}
    if kind == "file":
        paths = []
        for number, text in enumerate(texts):
            paths.append(tmp_path / f"{number}.txt")
            paths[-1].write_bytes(text)
        texts, options["input"] = paths, "filename"
    vectorizer = CountVectorizer(**options).fit(texts)
    kept = np.arange(len(vectorizer.vocabulary_)) % 3 == 0
    given = narrow(vectorizer, kept).estimator.transform(texts).toarray()
    np.testing.assert_array_equal(given, vectorizer.transform(texts).toarray()[:, kept])


@pytest.mark.parametrize("norm", ["l1", "l2"])
@pytest.mark.parametrize("steps", [1, 2])
def test_a_norm_needs_all_terms(norm, steps):
    vectorizers = [TfidfVectorizer(norm=norm)]
    if steps == 2:
        vectorizers = [CountVectorizer(), TfidfTransformer(norm=norm)]
    pipeline = make_pipeline(*vectorizers, Ridge()).fit(TEXTS, np.arange(len(TEXTS)))
    names = pipeline[:-1].get_feature_names_out()
    pipeline[-1].coef_[np.arange(names.size) != 4] = 0.0
    smaller = compact(pipeline, TEXTS)
    assert smaller[-1].coef_.shape == (1,)
    assert smaller[:-1].get_feature_names_out().tolist() == [names[4]]
    ((step, text),) = smaller.compaction_.notes
    assert step == type(vectorizers[-1]).__name__.lower()
    assert_settled(smaller, TEXTS)
    assert f"norm={norm!r}" in text
    assert smaller.compaction_.columns is None


def assert_settled(smaller, texts):
    again = compact(smaller, texts)
    kinds = [[type(step) for _, step in p.steps] for p in (smaller, again)]
    assert kinds[0] == kinds[1]
    assert again.compaction_.notes == smaller.compaction_.notes
    assert abs(len(pickle.dumps(again)) - len(pickle.dumps(smaller))) < 100


def test_terms_of_a_norm_are_packed(rng):
    texts = [" ".join(f"w{k}" for k in rng.integers(3000, size=200)) for _ in range(99)]
    vectorizer = TfidfVectorizer().fit(texts)
    kept = np.arange(len(vectorizer.vocabulary_)) == 7
    smaller = narrow(vectorizer, kept).estimator
    assert len(pickle.dumps(smaller)) < 0.2 * len(pickle.dumps(vectorizer))
    again = clone(smaller).fit(texts)
    np.testing.assert_array_equal(
        again.transform(texts).toarray(), smaller.transform(texts).toarray()
    )
    with pytest.raises(ValueError, match="is a string"):
        smaller.transform("a good film")


def test_two_steps_without_a_norm():
    pipeline = make_pipeline(
        FunctionTransformer(),
        CountVectorizer(),
        TfidfTransformer(norm=None),
        MaxAbsScaler(),
        RidgeClassifier(),
    ).fit(TEXTS, [0, 1, 2, 2, 0, 1, 2, 0, 1])
    pipeline[-1].coef_[:, 3:] = 0.0
    smaller = compact(pipeline, TEXTS)
    assert len(smaller["countvectorizer"].vocabulary_) == 3
    assert smaller["tfidftransformer"].idf_.shape == (3,)
    again = compact(smaller, TEXTS)
    assert [name for name, _ in again.steps] == [name for name, _ in pipeline.steps]
    assert len(pickle.dumps(again)) < 1.05 * len(pickle.dumps(smaller))


def test_hashes_are_kept():
    pipeline = make_pipeline(HashingVectorizer(n_features=64), Ridge())
    pipeline.fit(TEXTS, np.arange(len(TEXTS)))
    pipeline[-1].coef_[:60] = 0.0
    smaller = compact(pipeline, TEXTS)
    assert smaller[-1].coef_.size <= 4
    assert smaller.compaction_.notes[0][0] == "hashingvectorizer"
