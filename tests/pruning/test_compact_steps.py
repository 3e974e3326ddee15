"""The law of each rule: what is kept of a step is what it gave, of fewer inputs."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from sparselearn.pruning._compact._rules import narrow


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


def assert_law(transformer, X, kept):
    """What `narrow` promises; returns what it gives."""
    found = narrow(transformer, kept)
    assert found.inputs.any()
    part = X.loc[:, found.inputs] if hasattr(X, "loc") else X[:, found.inputs]
    whole, given = transformer.transform(X), found.estimator.transform(part)
    assert getattr(given, "format", "dense") == getattr(whole, "format", "dense")
    assert given.dtype == whole.dtype
    outputs = kept if found.outputs is None else found.outputs
    assert outputs[kept].all()
    atol = 1e-14 * np.nanmax(np.abs(dense(whole).astype(float)))
    np.testing.assert_allclose(dense(given), dense(whole)[:, outputs], 0, atol)
    names = transformer.get_feature_names_out()[outputs]
    inputs = getattr(X, "columns", np.array([f"x{j}" for j in range(X.shape[1])]))
    renamed = found.estimator.get_feature_names_out(inputs[found.inputs])
    assert renamed.tolist() == names.tolist()
    assert found.estimator.n_features_in_ == found.inputs.sum()
    return found


def masks(rng, n, n_masks=6):
    """Random ones, those of one column, and that of all."""
    for share in rng.random(n_masks):
        mask = rng.random(n) < share
        mask[rng.integers(n)] = True
        yield mask
    yield np.arange(n) == n - 1
    yield np.ones(n, dtype=bool)


BY_COLUMN = [
    StandardScaler(),
    StandardScaler(with_mean=False, with_std=False),
    MinMaxScaler(clip=True),
    MaxAbsScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(),
    Binarizer(threshold=0.3),
    QuantileTransformer(n_quantiles=7),
    FunctionTransformer(np.square, feature_names_out="one-to-one"),
    FunctionTransformer(feature_names_out="one-to-one"),
    SimpleImputer(),
    KBinsDiscretizer(4, encode="ordinal", quantile_method="averaged_inverted_cdf"),
]


@pytest.mark.parametrize("transformer", BY_COLUMN, ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_by_column(rng, transformer, dtype):
    X = rng.normal(size=(30, 7)).astype(dtype)
    transformer.fit(X)
    for kept in masks(rng, 7):
        found = assert_law(transformer, X, kept)
        np.testing.assert_array_equal(found.inputs, kept)


@pytest.mark.parametrize(
    "transformer",
    [
        StandardScaler(with_mean=False),
        MaxAbsScaler(),
        RobustScaler(with_centering=False),
    ],
    ids=lambda e: type(e).__name__,
)
def test_by_column_of_sparse_arrays(rng, transformer):
    X = sp.csr_array(rng.normal(size=(30, 7)) * (rng.random((30, 7)) < 0.4))
    transformer.fit(X)
    for kept in masks(rng, 7):
        assert_law(transformer, X, kept)


def test_counts_of_missing_values(rng):
    X = rng.normal(size=(30, 4))
    X[:10, 1] = np.nan
    scaler = StandardScaler().fit(X)
    found = assert_law(scaler, X, np.array([False, True, True, False]))
    assert found.estimator.n_samples_seen_.tolist() == [20, 30]


@pytest.mark.filterwarnings("ignore:Skipping features")
@pytest.mark.parametrize("keep_empty", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sp.csc_array])
def test_imputers(rng, keep_empty, form):
    X = rng.normal(size=(30, 7))
    X[rng.random(X.shape) < [0.0, 0.3, 0.0, 0.2, 0.0, 0.1, 0.0]] = np.nan
    X[:, 2] = np.nan
    imputer = SimpleImputer(
        strategy="median", add_indicator=True, keep_empty_features=keep_empty
    ).fit(form(X))
    n = imputer.transform(X).shape[1]
    for kept in masks(rng, n, 12):
        found = assert_law(imputer, form(X), kept)
        n_values = 6 + keep_empty
        assert found.inputs.sum() <= kept.sum()
        # Not a single indicator more than asked for.
        np.testing.assert_array_equal(found.outputs[n_values:], kept[n_values:])
    only = np.arange(n) == 0
    assert not narrow(imputer, only).estimator.add_indicator


def test_imputers_of_words():
    columns = {"a": ["x", np.nan, "x"], "b": [1.0, 2.0, 2.0], "c": [*"yyz"]}
    frame = pd.DataFrame(columns, dtype=object)
    imputer = SimpleImputer(strategy="most_frequent").fit(frame)
    found = narrow(imputer, np.array([True, False, True]))
    given = found.estimator.transform(frame[["a", "c"]])
    assert given.tolist() == imputer.transform(frame)[:, [0, 2]].tolist()


def words(rng, n_rows=80):
    """Categories of texts, numbers, numbers and nothing, and rare ones."""
    return pd.DataFrame(
        {
            "a": rng.choice(list("xyz"), n_rows),
            "b": rng.choice([1.0, 3.0, 7.0, np.nan], n_rows),
            "c": rng.choice(list("pq"), n_rows),
            "d": rng.choice(list("abcdefghij"), n_rows, p=[0.4, 0.3, *[0.0375] * 8]),
        }
    )


def with_strangers(frame):
    """Some values that were not there in the fit."""
    frame = frame.copy()
    frame.loc[0, "a"], frame.loc[1, "b"], frame.loc[2, "d"] = "stranger", 99.0, "zz"
    return frame


@pytest.mark.filterwarnings("ignore:Found unknown categories")
@pytest.mark.parametrize("drop", [None, "first", "if_binary", ["y", np.nan, "p", "b"]])
@pytest.mark.parametrize("frequency", [None, 0.1])
@pytest.mark.parametrize("unknown", ["error", "ignore", "infrequent_if_exist"])
def test_one_hot(rng, drop, frequency, unknown):
    frame = words(rng)
    encoder = OneHotEncoder(
        drop=drop,
        min_frequency=frequency,
        handle_unknown=unknown,
        sparse_output=bool(rng.integers(2)),
        dtype=np.float32,
    ).fit(frame)
    other = frame if unknown == "error" else with_strangers(frame)
    n = encoder.transform(frame).shape[1]
    for kept in masks(rng, n):
        found = assert_law(encoder, other, kept)
        if unknown != "error" and frequency is None:
            np.testing.assert_array_equal(found.outputs, kept)
            n_known = sum(map(len, found.estimator.categories_))
            assert n_known == kept.sum()
        elif not np.array_equal(found.outputs, kept):
            assert "still has to know" in found.notes[0][1]


def test_unknown_categories_stay_errors(rng):
    frame = words(rng)
    encoder = OneHotEncoder().fit(frame)
    kept = np.arange(encoder.transform(frame).shape[1]) == 0
    found = narrow(encoder, kept)
    with pytest.raises(ValueError, match="unknown categories"):
        found.estimator.transform(with_strangers(frame)[["a"]])


def test_categories_that_are_given(rng):
    frame = words(rng)[["a", "c"]]
    encoder = OneHotEncoder(
        categories=[[*"zyxw"], [*"qp"]], handle_unknown="ignore"
    ).fit(frame)
    found = assert_law(encoder, frame, np.array([1, 0, 1, 0, 0, 0], dtype=bool))
    assert found.estimator.categories_[0].tolist() == ["z", "x"]
    again = found.estimator.fit(frame[["a"]])
    assert again.get_feature_names_out().tolist() == ["a_z", "a_x"]


@pytest.mark.parametrize("frequency", [None, 0.1])
def test_ordinal(rng, frequency):
    frame = words(rng)
    encoder = OrdinalEncoder(
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
        min_frequency=frequency,
    ).fit(frame)
    for kept in masks(rng, 4):
        found = assert_law(encoder, with_strangers(frame), kept)
        assert len(found.estimator.categories_) == kept.sum()


@pytest.mark.parametrize("encode", ["onehot", "onehot-dense"])
def test_bins(rng, encode):
    X = rng.normal(size=(40, 4))
    bins = KBinsDiscretizer(
        [2, 4, 3, 5], encode=encode, quantile_method="averaged_inverted_cdf"
    ).fit(X)
    for kept in masks(rng, 14):
        assert_law(bins, X, kept)


@pytest.mark.parametrize("include_bias", [True, False])
def test_splines(rng, include_bias):
    X = rng.normal(size=(40, 4))
    splines = SplineTransformer(4, include_bias=include_bias).fit(X)
    for kept in masks(rng, splines.n_features_out_):
        assert_law(splines, X, kept)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"degree": (2, 3), "include_bias": False},
        {"interaction_only": True, "degree": 3},
        {"order": "F"},
    ],
)
@pytest.mark.parametrize("form", [np.asarray, sp.csr_array, sp.csc_matrix])
def test_polynomials(rng, options, form):
    X = form(rng.normal(size=(20, 5)) * (rng.random((20, 5)) < 0.7))
    terms = PolynomialFeatures(**options).fit(X)
    for kept in masks(rng, terms.n_output_features_):
        found = assert_law(terms, X, kept)
        assert found.outputs is None  # not a term too many
        read = terms.powers_[kept].any(axis=0)
        assert found.inputs.sum() == max(read.sum(), 1)
        if not kept.all():
            assert_law(found.estimator, X[:, np.flatnonzero(found.inputs)], kept[kept])


def test_order_of_memory_is_kept(rng):
    X = rng.normal(size=(20, 5))
    terms = PolynomialFeatures(order="F").fit(X)
    smaller = narrow(terms, np.arange(21) % 2 == 1).estimator
    assert smaller.transform(X[:, narrow(terms, np.arange(21) % 2 == 1).inputs]).flags[
        "F_CONTIGUOUS"
    ]
