"""Networks learn from dask collections as from rows in memory, a chunk at a time."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone

from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.neural_network import _samples as samples_module
from sparselearn.neural_network._samples import Hold

dask = pytest.importorskip("dask")
da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")

N_ROWS = 60
STEPS = {"batch_size": 8, "max_iter": 3, "random_state": 0}
STEADY = {"learning_rate": "constant", "tol": 0.0}
LONG = {"n_iter_no_change": 99}
MODELS = {
    "topk": SparseAutoencoder(7, n_nonzero_coefs=2, **STEPS),
    "jumprelu": SparseAutoencoder(7, activation="jumprelu", noise=0.1, **STEPS),
    "deep": SparseAutoencoder(3, hidden_layer_sizes=4, activation="tanh", **STEPS),
    "classes": SparseMLPClassifier((5,), class_weight="balanced", **STEPS),
    "labels": SparseMLPClassifier((5,), l1=1e-3, refit_epochs=2, **STEPS),
    "number": SparseMLPRegressor((5,), **STEPS),
    "numbers": SparseMLPRegressor((4,), solver="sgd", **STEPS),
}
each_model = pytest.mark.parametrize("kind", MODELS)
one_of_each = pytest.mark.parametrize("kind", ["topk", "classes", "numbers"])


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.fixture
def data(rng):
    X = np.abs(rng.standard_normal((N_ROWS, 6))) * rng.uniform(0.5, 2.0, 6)
    return X, rng.integers(0, 3, N_ROWS) / 2.0  # some weights are 0


def target(kind, X):
    """A y of some kind, or None."""
    order = np.argsort(X[:, 0] + X[:, 1])
    classes = np.empty(len(X), dtype=int)
    classes[order] = np.arange(len(X)) * 3 // len(X)
    return {
        "classes": np.array(["a", "b", "c"])[classes],
        "labels": (X[:, :2] > 1.0).astype(int),
        "number": X[:, 0] - X[:, 1],
        "numbers": X[:, :3] + 1.0,
    }.get(kind)


def arguments(kind, X, weights, chunked=lambda values: values):
    """As `fit` takes them."""
    y = target(kind, X)
    found = {"sample_weight": None if weights is None else chunked(weights)}
    return (chunked(X), None if y is None else chunked(y)), found


def in_one(values):
    return da.from_array(values, chunks=values.shape)


def in_rows(*sizes):
    return lambda values: da.from_array(values, chunks=(sizes, *values.shape[1:]))


def weights_of(model):
    """All that was learned."""
    thresholds = getattr(model, "thresholds_", None)
    others = [] if thresholds is None else [thresholds]
    return [*model.coefs_, *model.intercepts_, *others]


def assert_same(found, expected, **tolerance):
    tolerance = tolerance or {"rtol": 0.0}  # the same bits
    for mine, theirs in zip(weights_of(found), weights_of(expected), strict=True):
        np.testing.assert_allclose(mine, theirs, **tolerance)
    assert found.n_features_in_ == expected.n_features_in_


@each_model
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}], ids=["", "stops"])
def test_one_chunk_is_as_in_memory(kind, options, data):
    """To the bit: whatever is drawn is drawn alike, and so is what is held out."""
    X, weights = data
    model = clone(MODELS[kind]).set_params(**options)
    args, given = arguments(kind, X, weights)
    expected = clone(model).fit(*args, **given)
    args, given = arguments(kind, X, weights, in_one)
    found = clone(model).fit(*args, **given)
    assert_same(found, expected)
    assert found.history_.keys() == expected.history_.keys()
    for name in found.history_.keys() - {"seconds"}:
        np.testing.assert_array_equal(found.history_[name], expected.history_[name])
    assert found.best_epoch_ == expected.best_epoch_
    if target(kind, X) is None:
        np.testing.assert_array_equal(found.mean_, expected.mean_)
        assert found.explained_variance_ == expected.explained_variance_


def chained(model, chunks, order):
    """The model after a `partial_fit` of chunk after chunk."""
    for number in order:
        X, y, weights = chunks[number]
        if weights.any():
            model.partial_fit(X, *([] if y is None else [y]), sample_weight=weights)
    return model


def cut(kind, X, weights, sizes):
    y = target(kind, X)
    rows = [slice(end - size, end) for size, end in zip(sizes, np.cumsum(sizes))]
    return [(X[r], None if y is None else y[r], weights[r]) for r in rows]


def begun(kind, X, weights):
    """A model that has seen all classes, and about what it centres."""
    model = clone(MODELS[kind]).set_params(**STEADY)
    if kind in ("classes", "labels"):
        model.set_params(class_weight=None)
        y = target(kind, X)
        return model.partial_fit(X, y, sample_weight=weights, classes=np.unique(y))
    y = target(kind, X)
    return model.partial_fit(X, *([] if y is None else [y]), sample_weight=weights)


SIZES = (20, 1, 0, 25, 14)


@each_model
def test_a_pass_is_a_chain_over_the_chunks(kind, data):
    """In the order that the model's generator draws, or that of the chunks."""
    X, weights = data
    weights[20] = 1.0
    chunks = cut(kind, X, weights, SIZES)
    args, given = arguments(kind, X, weights, in_rows(*SIZES))
    found, expected = begun(kind, X, weights), begun(kind, X, weights)
    for _ in range(2):
        order = np.arange(5)
        if target(kind, X) is not None:
            order = expected._past["random_state"].permutation(5)
        found.partial_fit(*args, **given)
        chained(expected, chunks, order)
    assert_same(found, expected)
    assert found.n_iter_ == 3  # a call is an epoch, whatever the number of chunks


@each_model
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_fit_is_passes(kind, shuffle, data):
    """At a steady rate, so that no step knows which of how many it is."""
    X, weights = data
    model = clone(MODELS[kind]).set_params(**STEADY, **LONG)
    first = {}
    if target(kind, X) is None:
        shuffle = False  # partial_fit takes samples as they come
        # Of a stream nobody knows when a unit is dead.
        model.set_params(revive=None)
    elif kind == "classes":
        model.set_params(class_weight=None)
        first = {"classes": ["a", "b", "c"]}
    elif kind == "labels":
        model.set_params(refit_epochs=0)
    model.set_params(shuffle=shuffle)
    args, given = arguments(kind, X, weights, in_rows(*SIZES))
    found = clone(model).fit(*args, **given)
    expected = clone(model)
    for _ in range(3):
        expected.partial_fit(*args, **given, **first)
    assert_same(found, expected)


def unknown(values):
    """A dask array that does not know how many rows its chunks have."""
    frame = dd.from_pandas(pd.DataFrame(np.asarray(values)), npartitions=4)
    return frame.to_dask_array() if values.ndim > 1 else frame.to_dask_array()[:, 0]


CHUNKS = {
    "rows": in_rows(20, 20, 20),
    "single rows": in_rows(*(1,) * N_ROWS),
    "empty": in_rows(0, 17, 0, 43),
    "columns too": lambda v: da.from_array(v, chunks=(20, *(2,) * (v.ndim - 1))),
    "unknown": unknown,
}


@pytest.mark.parametrize("kind", ["topk", "deep", "classes", "numbers"])
@pytest.mark.parametrize("chunked", CHUNKS.values(), ids=CHUNKS)
def test_frames_and_figures_are_of_all_rows(kind, chunked, data):
    """However they are cut: only the order of steps depends on it."""
    X, weights = data
    model = clone(MODELS[kind]).set_params(max_iter=2)
    args, given = arguments(kind, X, weights, chunked)
    found = model.fit(*args, **given)
    here, weighted = arguments(kind, X, weights)
    score = found.score(*here, **weighted)
    np.testing.assert_allclose(found.score(*args, **given), score, rtol=1e-10)
    if kind in ("topk", "deep"):
        expected = np.average(X, axis=0, weights=weights)
        np.testing.assert_allclose(found.mean_, expected, rtol=1e-12)
        np.testing.assert_allclose(found.explained_variance_, score, rtol=1e-10)
        sent = found.transform(X[weights > 0.0])
        codes = sent.toarray() if sp.issparse(sent) else sent
        fires = codes != 0.0 if kind == "topk" else np.abs(codes) > 0.5
        rates = np.average(fires, axis=0, weights=weights[weights > 0.0])
        np.testing.assert_allclose(found.activation_rate_, rates, atol=1e-12)


def test_balanced_classes_weigh_the_same_in_all_chunks(data):
    """As weights of samples that say so; one class has one sample with a weight."""
    X, weights = data
    y = target("classes", X)
    weights[np.flatnonzero(y == "b")[1:]] = 0.0
    weights[y == "b"] += 1.0
    mass = {c: weights[y == c].sum() for c in "abc"}
    balanced = weights * [weights.sum() / 3.0 / mass[c] for c in y]
    rows = in_rows(15, 25, 20)
    model = MODELS["classes"]
    found = clone(model).fit(rows(X), rows(y), sample_weight=rows(weights))
    expected = clone(model).set_params(class_weight=None)
    expected.fit(rows(X), rows(y), sample_weight=rows(balanced))
    assert_same(found, expected, rtol=1e-9)


@one_of_each
def test_the_bits_do_not_depend_on_the_scheduler_or_threads(kind, data):
    X, weights = data
    args, given = arguments(kind, X, weights, in_rows(20, 20, 20))
    model = clone(MODELS[kind]).set_params(early_stopping=True)
    expected = clone(model).fit(*args, **given)
    with dask.config.set(scheduler="threads"):
        found = clone(model).set_params(n_jobs=2).fit(*args, **given)
    assert_same(found, expected)
    assert found.history_["score"] == pytest.approx(expected.history_["score"], abs=0)


@one_of_each
def test_held_out_samples_are_not_learned_from(kind, data, monkeypatch):
    """Rows of a share of every chunk, and of every class; whatever they hold."""
    X, _ = data
    rows = in_rows(20, 40)
    model = clone(MODELS[kind]).set_params(
        early_stopping=True, validation_fraction=0.25, max_iter=2, shuffle=False
    )
    args, _ = arguments(kind, X, None, rows)
    kept = []

    def split(self, places, classes=None, number=None):
        found = real(self, places, classes, number)
        kept.append((number, *found, classes))
        return found

    real = Hold.split
    monkeypatch.setattr(samples_module.Hold, "split", split)
    found = clone(model).fit(*args)
    held_out = {number: (out, classes) for number, _, out, classes in kept}
    assert len(kept) > 3  # and each time the same ones
    for number, places, out, classes in kept:
        np.testing.assert_array_equal(out, held_out[number][0])
        together = np.sort(np.r_[places, out])
        np.testing.assert_array_equal(together, np.arange(40 if number else 20))
        assert abs(out.size - 0.25 * together.size) < (1 if classes is None else 3)
        for label in np.unique(classes) if classes is not None else []:
            of_label = classes == label
            assert abs(of_label[out].sum() - 0.25 * of_label.sum()) < 1.0
    # What is not learned from may be anything.
    strange = X.copy()
    strange[held_out[0][0]] = 1.0
    strange[20 + held_out[1][0]] = 1.0
    again, _ = arguments(kind, X, None, rows)
    other = clone(model).set_params(n_iter_no_change=99)
    expected = clone(other).fit(*again)
    found = clone(other).fit(rows(strange), *again[1:])
    np.testing.assert_array_equal(found.history_["loss"], expected.history_["loss"])
    assert not np.array_equal(found.history_["score"], expected.history_["score"])


def test_there_must_be_something_to_hold_out(data):
    X, _ = data
    model = SparseAutoencoder(2, early_stopping=True, random_state=0)
    with pytest.raises(ValueError, match=r"holds out 0 of 60.*validation_fraction"):
        model.set_params(validation_fraction=1e-9).fit(in_rows(30, 30)(X))


@one_of_each
def test_frames_keep_their_names(kind, data):
    X, _ = data
    frame = pd.DataFrame(X, columns=list("uvwxyz"))
    y = target(kind, X)
    args = [dd.from_pandas(frame, npartitions=3)]
    if y is not None:
        y = pd.DataFrame(y) if y.ndim == 2 else pd.Series(y)
        args.append(dd.from_pandas(y, npartitions=3))
    found = clone(MODELS[kind]).fit(*args)
    np.testing.assert_array_equal(found.feature_names_in_, frame.columns)
    args[0] = args[0].rename(columns={"z": "a"})
    found.set_params(class_weight=None) if kind == "classes" else None
    before = [w.copy() for w in weights_of(found)]
    with pytest.raises(ValueError, match="feature names"):
        found.partial_fit(*args)
    for mine, theirs in zip(weights_of(found), before, strict=True):
        np.testing.assert_array_equal(mine, theirs)


@one_of_each
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_codes_of_a_collection_are_learned_from(kind, dtype, data):
    """CSR chunks that are made when they are asked for."""
    X, _ = data
    rows = in_rows(25, 35)
    coder = SparseAutoencoder(9, n_nonzero_coefs=3, max_iter=2, random_state=0)
    codes = coder.fit(X.astype(dtype)).transform(rows(X.astype(dtype)))
    assert sp.issparse(codes._meta)
    args = arguments(kind, X, None, rows)[0][1:]
    found = clone(MODELS[kind]).set_params(batch_size=25).fit(codes, *args)
    dense = codes.map_blocks(lambda part: part.toarray(), dtype=dtype)
    expected = clone(MODELS[kind]).set_params(batch_size=25).fit(dense, *args)
    assert found.coefs_[0].dtype == dtype
    assert_same(found, expected, rtol=1e-3 if dtype == np.float32 else 1e-8, atol=1e-5)


def everything(model):
    return {k: v for k, v in vars(model).items() if not k.startswith("_sklearn")}


@one_of_each
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_fails_changes_nothing(kind, method, data, monkeypatch):
    X, _ = data
    rows = in_rows(20, 20, 20)
    args, _ = arguments(kind, X, None, rows)
    model = clone(MODELS[kind])
    if method == "partial_fit":
        model = begun(kind, X, np.ones(N_ROWS))
        model.set_params(class_weight=None) if kind == "classes" else None
    before = everything(model)
    bad = X.copy()
    bad[30, 2] = np.nan
    with pytest.raises(ValueError, match=r"In chunk 1: .*NaN"):
        getattr(model, method)(rows(bad), *args[1:])
    assert everything(model) == before

    calls = []

    def real_then_interrupted(self, see, *options, **more):
        calls.append(1)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return real(self, see, *options, **more)

    real = samples_module.Samples.parts
    monkeypatch.setattr(samples_module.Samples, "parts", real_then_interrupted)
    with pytest.raises(KeyboardInterrupt):  # in the second chunk
        getattr(model, method)(*args)
    assert len(calls) == 2
    assert everything(model) == before


def test_errors_say_what_can_be_done(data):
    X, weights = data
    rows = in_rows(20, 20, 20)
    y = target("classes", X)
    with pytest.raises(ValueError, match=r"lbfgs.*adam"):
        SparseMLPClassifier(solver="lbfgs").fit(rows(X), rows(y))
    with pytest.raises(ValueError, match=r"lbfgs.*adam"):
        SparseAutoencoder(activation="tanh", solver="lbfgs").fit(rows(X))
    with pytest.raises(ValueError, match=r"one class: \['a'\]"):
        SparseMLPClassifier().fit(rows(X), rows(np.repeat("a", N_ROWS)))
    with pytest.raises(ValueError, match="classes has to be given"):
        SparseMLPClassifier().partial_fit(rows(X), rows(y))
    with pytest.raises(ValueError, match=r"class.*'c'.*none of"):
        SparseMLPClassifier().partial_fit(rows(X), rows(y), classes=["a", "b"])
    with pytest.raises(ValueError, match="zero for every sample"):
        SparseMLPClassifier().fit(rows(X), rows(y), sample_weight=rows(0.0 * weights))
    with pytest.raises(ValueError, match=r"In chunk \d: loss='cross_entropy'"):
        SparseAutoencoder(loss="cross_entropy").fit(rows(X))
    with pytest.raises(ValueError, match=r"In chunk \d: .*continuous"):
        SparseMLPClassifier().fit(rows(X), rows(X[:, 0]))
    with pytest.raises(ValueError, match="no rows"):
        SparseMLPRegressor().fit(rows(X)[:0], rows(X[:, 0])[:0])


def test_many_classes_in_a_chunk_are_no_reason_to_warn(data):
    X, _ = data
    y = np.arange(N_ROWS) % 30
    rows = in_rows(30, 30)
    model = SparseMLPClassifier((3,), **STEPS).fit(rows(X), rows(y))
    assert model.classes_.size == 30


def test_fit_transform(data):
    X, _ = data
    rows = in_rows(20, 20, 20)
    model = clone(MODELS["topk"])
    codes = model.fit_transform(rows(X))
    assert isinstance(codes, da.Array)
    assert_same(model, clone(model).fit(rows(X)))
    expected = model.transform(X).toarray()
    np.testing.assert_array_equal(codes.compute().toarray(), expected)


def test_warm_start_goes_on_through_collections(data):
    X, _ = data
    rows = in_rows(20, 40)
    options = {"warm_start": True, "max_iter": 2, **STEADY, **LONG}
    model = clone(MODELS["topk"]).set_params(**options)
    model.fit(rows(X)).fit(rows(X))
    longer = clone(model).set_params(max_iter=4).fit(rows(X))
    assert_same(model, longer)
    assert model.n_iter_ == 4
