"""The laws of a sparse autoencoder, whatever its activation."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.linalg import lstsq
from scipy.optimize import nnls
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from sparselearn import _compat
from sparselearn._solvers._encoding import Encoding
from sparselearn._solvers._network import DenseLearner
from sparselearn._solvers._sparse_autoencoder import SparseLearner
from sparselearn.metrics import match_atoms
from sparselearn.neural_network import SparseAutoencoder
from sparselearn.neural_network._course import Course
from sparselearn.neural_network._design import make_design, make_learner
from sparselearn.neural_network._samples import Samples

COMMON = {
    "n_components": 10,
    "max_iter": 6,
    "batch_size": 32,
    "learning_rate_init": 0.01,
    "random_state": 0,
}
KINDS = {
    "topk": {"n_nonzero_coefs": 3},
    "batchtopk": {"activation": "batchtopk", "n_nonzero_coefs": 2.5},
    "jumprelu": {"activation": "jumprelu", "n_nonzero_coefs": 3},
    "relu": {"activation": "relu", "alpha": 0.3},
    "sigmoid": {"activation": "sigmoid"},
    "tanh": {"activation": "tanh", "alpha": 0.2},
    "deep": {"activation": "sigmoid", "hidden_layer_sizes": (7,)},
    "deep topk": {"n_nonzero_coefs": 3, "hidden_layer_sizes": (7,)},
    "deep batchtopk": {
        "activation": "batchtopk",
        "n_nonzero_coefs": 2.5,
        "hidden_layer_sizes": (7,),
    },
    "deep jumprelu": {
        "activation": "jumprelu",
        "n_nonzero_coefs": 3,
        "hidden_layer_sizes": (7,),
    },
    "lbfgs": {"activation": "sigmoid", "solver": "lbfgs", "l2": 1.0},
    "deep relu": {"activation": "relu", "alpha": 0.1, "hidden_layer_sizes": (7, 6)},
    "logits": {"n_nonzero_coefs": 3, "loss": "cross_entropy"},
    "noisy": {"n_nonzero_coefs": 3, "noise": 0.3},
    "noisy sigmoid": {"activation": "sigmoid", "noise": 0.3},
    "deep logits": {
        "activation": "sigmoid",
        "hidden_layer_sizes": 9,
        "loss": "cross_entropy",
    },
}
SPARSE = ("topk", "batchtopk", "jumprelu", "relu", "logits", "noisy")


def make(kind, **changes):
    return SparseAutoencoder(**(COMMON | KINDS[kind] | changes))


every_kind = pytest.mark.parametrize("kind", KINDS)
every_clean_kind = pytest.mark.parametrize(
    "kind", [k for k in KINDS if "noisy" not in k]
)
every_online_kind = pytest.mark.parametrize("kind", [k for k in KINDS if k != "lbfgs"])


@pytest.fixture
def X(rng):
    """Rows in [0, 1], half of whose entries are zero."""
    codes = rng.random((90, 6)) * (rng.random((90, 6)) < 0.4)
    X = codes @ (rng.random((6, 8)) < 0.4)
    return np.minimum(X * (rng.random((90, 8)) < 0.8), 1.0)


def dense(codes):
    return codes.toarray() if sp.issparse(codes) else codes


def same(model, other, X, *, rtol=0.0, atol=0.0):
    """Whether two models make the same of X."""
    np.testing.assert_allclose(
        dense(model.transform(X)), dense(other.transform(X)), rtol=rtol, atol=atol
    )
    for name in ("components_", "activation_rate_", "explained_variance_", "loss_"):
        np.testing.assert_allclose(
            getattr(model, name), getattr(other, name), rtol=rtol, atol=atol
        )


# -- what a code is --------------------------------------------------------------


def by_hand(model, X, n_nonzero=None):
    """Codes and reconstructions from the fitted attributes, layer by layer."""
    layers = list(zip(model.coefs_, model.intercepts_))
    half = len(layers) // 2
    rows = X
    for W, b in layers[: half - 1]:
        rows = np.maximum(rows @ W + b, 0.0)
    p = rows @ layers[half - 1][0] + layers[half - 1][1]
    if model.activation == "topk":
        largest = np.sort(p, axis=1)[:, -n_nonzero][:, None]
        z = np.where((p >= largest) & (p > 0.0), p, 0.0)
    elif model.activation in ("batchtopk", "jumprelu"):
        z = np.where(p > model.thresholds_, p, 0.0)
    elif model.activation == "relu":
        z = np.maximum(p, 0.0)
    else:
        z = np.tanh(p) if model.activation == "tanh" else 1 / (1 + np.exp(-p))
    rows = z
    for W, b in layers[half:-1]:
        rows = np.maximum(rows @ W + b, 0.0)
    rows = rows @ layers[-1][0] + layers[-1][1]
    return z, 1 / (1 + np.exp(-rows)) if model.loss == "cross_entropy" else rows


@every_kind
def test_the_attributes_are_the_model(kind, X):
    model = make(kind).fit(X)
    codes, found = by_hand(model, X, n_nonzero=3)
    z = model.transform(X)
    assert sp.issparse(z) == (model.activation not in ("sigmoid", "tanh"))
    np.testing.assert_allclose(dense(z), codes, atol=1e-12)
    np.testing.assert_allclose(model.inverse_transform(z), found, atol=1e-12)
    np.testing.assert_allclose(model.inverse_transform(dense(z)), found, atol=1e-12)
    errors = ((X - found) ** 2).sum(axis=1)
    np.testing.assert_allclose(model.score_samples(X), -errors, atol=1e-12)


@pytest.mark.parametrize("kind", ["topk", "batchtopk", "jumprelu", "relu"])
@pytest.mark.parametrize("refine", ["ols", "nnls"])
def test_refined_codes_are_of_least_squares(kind, refine, X):
    plain = make(kind).fit(X)
    model = make(kind, refine=refine).fit(X)
    codes, supports = dense(model.transform(X)), dense(plain.transform(X)) != 0.0
    for x, code, support in zip(X[:20], codes, supports):
        atoms, goal = model.components_[support].T, x - model.intercepts_[1]
        if not support.any():
            assert not code.any()
            continue
        best = nnls(atoms, goal)[0] if refine == "nnls" else lstsq(atoms, goal)[0]
        left = np.sum((goal - atoms @ best) ** 2)
        assert np.sum((goal - model.components_.T @ code) ** 2) == pytest.approx(left)
        assert not code[~support].any()
    assert model.score(X) == pytest.approx(model.explained_variance_)
    assert model.score(X) >= plain.score(X) or refine == "nnls"
    # Read by `transform`.
    np.testing.assert_array_equal(
        dense(plain.set_params(refine=refine).transform(X)), codes
    )
    np.testing.assert_allclose(
        dense(plain.transform(sp.csr_array(X))), codes, atol=1e-9
    )


@every_kind
def test_figures_of_the_training_samples(kind, X, rng):
    weights = rng.integers(0, 3, len(X)).astype(float)
    model = make(kind).fit(X, sample_weight=weights)
    codes, found = by_hand(model, X, n_nonzero=3)
    selects = model.activation not in ("sigmoid", "tanh")
    fires = codes != 0.0 if selects else np.abs(codes) > 0.5
    rate = weights @ fires / weights.sum()
    np.testing.assert_allclose(model.activation_rate_, rate)
    np.testing.assert_array_equal(model.dead_units_, np.flatnonzero(rate == 0.0))
    n_nonzero = weights @ np.count_nonzero(codes, axis=1) / weights.sum()
    assert model.n_nonzero_coefs_ == pytest.approx(n_nonzero)
    assert model.sparsity_ == pytest.approx(1.0 - n_nonzero / 10)
    np.testing.assert_allclose(model.mean_, weights @ X / weights.sum())
    score = r2_score(X, found, sample_weight=weights, multioutput="variance_weighted")
    assert model.explained_variance_ == pytest.approx(score)
    assert model.score(X, sample_weight=weights) == pytest.approx(score)


def test_score_is_about_the_training_mean(X):
    model = make("topk").fit(X)
    for W in model.coefs_:
        W[:] = 0.0
    model.intercepts_[0][:] = 0.0
    model.intercepts_[1][:] = model.mean_
    assert model.score(X) == pytest.approx(0.0)
    far = X[:20] + 3.0
    error = np.sum((far - model.mean_) ** 2)
    model.intercepts_[1][:] += 3.0
    better = np.sum((far - model.mean_ - 3.0) ** 2)
    assert model.score(far) == pytest.approx(1.0 - better / error)


@every_kind
def test_components_are_what_a_unit_adds(kind, X):
    model = make(kind).fit(X)
    if len(model.coefs_) == 2:
        expected = model.coefs_[1]
    else:
        codes = by_hand(model, X, n_nonzero=3)[0]
        size = np.ones(10)
        if model.activation not in ("sigmoid", "tanh"):
            size = codes.sum(axis=0) / np.maximum((codes > 0).sum(axis=0), 1)
            size[size == 0.0] = 1.0
        expected = model.inverse_transform(np.diag(size)) - model.inverse_transform(
            np.zeros((1, 10))
        )
    np.testing.assert_allclose(model.components_, expected, atol=1e-12)
    if kind in ("topk", "batchtopk", "jumprelu", "relu"):
        lengths = np.linalg.norm(model.components_, axis=1)
        np.testing.assert_allclose(lengths, 1.0, rtol=1e-12)


@every_kind
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_code_does_not_depend_on_other_rows(kind, dtype, X):
    X = np.tile(X, (2, 1)).astype(dtype)  # more than a chunk
    model = make(kind).fit(X)
    codes = dense(model.transform(X))
    assert codes.dtype == dtype
    for i in (0, 130, 179):
        np.testing.assert_array_equal(dense(model.transform(X[i : i + 1]))[0], codes[i])
        row = sp.csr_array(X[i : i + 1])
        all_rows = dense(model.transform(sp.csr_array(X)))
        np.testing.assert_array_equal(dense(model.transform(row))[0], all_rows[i])
    found = model.inverse_transform(codes)
    np.testing.assert_array_equal(
        model.inverse_transform(codes[130:131])[0], found[130]
    )
    assert found.dtype == dtype


# -- right answers -----------------------------------------------------------------


def test_it_finds_planted_atoms(rng):
    atoms = rng.standard_normal((12, 16))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((2000, 12))
    for row in codes:
        row[rng.choice(12, 2, replace=False)] = 1.0 + rng.random(2)
    X = codes @ atoms + 0.01 * rng.standard_normal((2000, 16))
    model = SparseAutoencoder(
        24, n_nonzero_coefs=2, max_iter=40, learning_rate_init=3e-3, random_state=0
    ).fit(X)
    assert match_atoms(atoms, model.components_, threshold=0.95).recovered == 1.0


@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("make_X", [np.asarray, sp.csr_array])
def test_learners_know_what_zeros_have_become(make_X, loss, monkeypatch, rng):
    """Steps visit what is not zero in X, though rows are centred; and learn the same.

    So they do in a later `partial_fit` of other samples.
    """
    X = rng.random((90, 8)) * (rng.random((90, 8)) < 0.15)
    X[:, 7] = 0.5
    decide = Encoding._list

    def fit(can_list):
        said = []

        def spy(self, rows, run):
            said.append(can_list and decide(self, rows, run))
            return said[-1]

        monkeypatch.setattr(Encoding, "_list", spy)
        model = make("topk", loss=loss, batch_size=45).fit(make_X(X))
        model.partial_fit(make_X(X[:45] ** 2))
        return model, said

    listed, said = fit(True)
    multiplied, _ = fit(False)
    assert said == [True] * 13
    same(listed, multiplied, X, rtol=1e-9, atol=1e-9)


def test_first_atoms_vary_as_the_features_do(rng):
    spreads = np.array([0.0, 1.0, 1e-3, 20.0])
    design = make_design(make("topk", n_components=4000), 4)

    def sizes(deviations):
        state, rows = np.random.RandomState(0), rng.standard_normal((9, 4))
        args = (np.zeros(4), deviations, 9.0, state)
        learner = make_learner(design, rows, *args)
        np.testing.assert_array_equal(learner.units.encoder, learner.units.decoder)
        return np.median(np.abs(learner.units.decoder), axis=0)

    found = sizes(spreads)
    assert found[0] == 0.0
    # Of length 1, they are mostly the last feature's.
    np.testing.assert_allclose(found[2] / found[1], 1e-3, rtol=0.15)
    assert found[3] > 0.95
    np.testing.assert_allclose(sizes(1e-300 * spreads), found, rtol=1e-12)
    assert (sizes(np.zeros(4)) > 0.3).all()


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_features_that_hardly_vary_have_small_weights(scale, rng):
    """An encoder is blind to what the decoder has no use for."""
    X = rng.standard_normal((300, 12)) @ rng.standard_normal((12, 12))
    X[:, ::2] *= 1e-3
    model = make("topk", max_iter=20).fit(scale * X)
    squares = np.square(model.coefs_[0]).sum(axis=1)
    assert squares[::2].sum() < 1e-4 * squares.sum()


def test_the_number_of_nonzeros_comes_down(X):
    """From four times as many, over the share of the epochs that is said."""
    wide = {"max_iter": 10, "n_nonzero_coefs": 2, "n_components": 20}
    model = make("topk", **wide).fit(X)
    numbers = model.history_["n_nonzero_coefs"]
    assert 5.0 < numbers[0] <= 8.0
    assert (np.diff(numbers[:5]) < 0.0).all()
    assert (numbers[5:] <= 2.0).all()
    assert np.diff(model.transform(X).indptr).max() == 2

    late = make("topk", anneal=0.8, **wide).fit(X).history_["n_nonzero_coefs"]
    assert late[7] > 2.0 >= late[8]

    def never(model):
        return (model.history_["n_nonzero_coefs"][-2:] <= 2.0).all()

    for changes in ({"anneal": 0.0}, {"learning_rate": "constant"}):
        assert never(make("topk", **wide | {"max_iter": 2} | changes).fit(X))
    assert never(make("topk", **wide).partial_fit(X).partial_fit(X))
    # What has been learned is not unlearned.
    again = model.set_params(warm_start=True, max_iter=2).fit(X)
    assert again.n_iter_ == 12
    assert never(again)


@pytest.mark.parametrize("seed", [0, 1])
def test_balanced_units_live(seed):
    X = load_digits().data[:600]
    options = {"n_components": 300, "n_nonzero_coefs": 5, "max_iter": 12}
    options |= {"batch_size": 64, "learning_rate_init": 2e-3, "random_state": seed}
    free, even = (
        make("topk", revive=None, balance=balance, **options).fit(X)
        for balance in (0.0, 3.0)
    )
    assert even.dead_units_.size < 0.3 * free.dead_units_.size
    rates = free.activation_rate_, even.activation_rate_
    skewed, level = (rate.std() / rate.mean() for rate in rates)
    assert level < 0.9 * skewed
    assert even.score(X) > free.score(X) - 0.03


def test_a_larger_penalty_makes_shorter_codes(X):
    found = [
        make("relu", alpha=alpha, max_iter=40).fit(X) for alpha in (0.01, 0.3, 3.0)
    ]
    lengths = [model.n_nonzero_coefs_ for model in found]
    sizes = [model.transform(X).sum() for model in found]
    scores = [model.explained_variance_ for model in found]
    for values in (lengths, sizes, scores):
        assert values == sorted(values, reverse=True)
        assert len(set(values)) == 3


@pytest.mark.parametrize("target", [0.05, 0.2])
def test_units_are_held_at_their_target(target, X):
    model = make(
        "sigmoid",
        sparsity_target=target,
        alpha=100.0,
        max_iter=400,
        batch_size=90,
        learning_rate_init=0.05,
    ).fit(X)
    np.testing.assert_allclose(model.transform(X).mean(axis=0), target, rtol=0.2)


def test_more_nonzeros_explain_more(X):
    scores = [
        make("topk", n_nonzero_coefs=k, max_iter=30).fit(X).explained_variance_
        for k in (1, 2, 4)
    ]
    assert scores == sorted(scores)


@pytest.mark.parametrize(("kind", "unit"), [("topk", 1.0), ("topk", 1e6), ("deep", 1)])
def test_who_learned_with_noise_rebuilds_without(kind, unit, rng):
    """Rows of two planes, the second of them below the noise."""
    planes = np.linalg.qr(rng.standard_normal((12, 4)))[0].T
    codes = rng.standard_normal((600, 4)) * [3.0, 3.0, 0.3, 0.3]
    X = unit * (codes @ planes)
    spread = np.sqrt(X.var(axis=0).mean())
    noisy = X + 0.6 * spread * rng.standard_normal(X.shape)
    losses = []
    for noise in (0.0, 0.6):
        model = make(kind, n_components=10, noise=noise, max_iter=30).fit(X)
        rebuilt = model.inverse_transform(model.transform(noisy))
        losses.append(((rebuilt - X) ** 2).mean())
    assert losses[1] < 0.7 * losses[0]


@pytest.mark.parametrize("kind", ["noisy", "logits"])
def test_noise_is_in_units_of_the_spread(kind, X):
    model, spread = make(kind, noise=0.3), np.sqrt(X.var(axis=0).mean())
    design, state = make_design(model, X.shape[1]), np.random.RandomState(0)
    course = Course(design, Samples.of(X, None), state, None)
    rows = np.zeros((500, X.shape[1]))
    noise = course.noise().added_to(rows, 100) * course.sigma
    assert noise.std() == pytest.approx(0.3 * spread, rel=0.05)
    assert (noise[:100] != noise[100:200]).all()
    course.design = design._replace(noise=0.0)
    assert course.noise() is None


@pytest.mark.parametrize("kind", ["topk", "sigmoid"])
def test_tied_weights_are_shared(kind, X):
    model = make(kind, tied_weights=True).fit(X)
    encoder, decoder = model.coefs_
    ratio = encoder.T / decoder
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-9)
    untied = make(kind).fit(X)
    assert not np.allclose(
        untied.coefs_[0].T, ratio[0, 0] * untied.coefs_[1], rtol=1e-3
    )


# -- the same whatever the storage, the units, the threads ---------------------------


@every_kind
def test_storage_does_not_matter(kind, X, tmp_path):
    expected = make(kind).fit(X)
    np.save(tmp_path / "X.npy", X)
    read_only = X.copy()
    read_only.flags.writeable = False
    large = sp.csr_array(X)
    large.indices, large.indptr = large.indices.astype("i8"), large.indptr.astype("i8")
    for other in (
        np.asfortranarray(X),
        np.repeat(X, 2, axis=0)[::2],
        read_only,
        np.load(tmp_path / "X.npy", mmap_mode="r"),
    ):
        found = make(kind).fit(other)
        same(found, expected, X)
        assert found.score(other) == expected.score(X)
    for other in (sp.csr_array(X), sp.csc_matrix(X), large):
        found = make(kind).fit(other)
        same(found, expected, X, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(
            dense(found.transform(other)), dense(found.transform(X)), atol=1e-12
        )
        assert found.score(other) == pytest.approx(expected.score(X), abs=1e-9)


def test_a_long_memory_map_is_read_in_blocks(rng, tmp_path):
    X = rng.random((1300, 4)).astype(np.float32)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = make("topk", max_iter=30).fit(mapped)
    assert model.score(X) == pytest.approx(
        make("topk", max_iter=30).fit(X).score(X), abs=0.1
    )


@every_kind
def test_float32_is_near_float64(kind, X):
    one = make(kind).fit(X.astype(np.float32))
    assert {W.dtype for W in (*one.coefs_, *one.intercepts_)} == {np.dtype(np.float32)}
    assert one.components_.dtype == np.float32
    two = make(kind).fit(X)
    assert one.explained_variance_ == pytest.approx(two.explained_variance_, abs=1e-3)
    assert one.loss_ == pytest.approx(two.loss_, rel=1e-4)


@every_kind
def test_the_number_of_threads_does_not_matter(kind, X):
    X = np.tile(X, (3, 1)).astype(np.float32)
    one, two = (make(kind, n_jobs=n, max_iter=3).fit(X) for n in (1, 2))
    same(one, two, X)
    assert one.score(X) == two.score(X)
    np.testing.assert_array_equal(one.score_samples(X), two.score_samples(X))


@pytest.mark.parametrize("kind", [k for k in KINDS if "logits" not in k])
@pytest.mark.parametrize("scale", [2.0**-20, 2.0**20])
def test_the_unit_of_X_does_not_matter(kind, scale, X):
    model, scaled = make(kind).fit(X), make(kind).fit(scale * X)
    unit = scale if model.activation not in ("sigmoid", "tanh") else 1.0
    np.testing.assert_allclose(
        dense(scaled.transform(scale * X)), unit * dense(model.transform(X)), rtol=1e-9
    )
    np.testing.assert_allclose(
        scaled.inverse_transform(scaled.transform(scale * X)),
        scale * model.inverse_transform(model.transform(X)),
        rtol=1e-9,
    )
    assert scaled.score(scale * X) == pytest.approx(model.score(X))
    np.testing.assert_allclose(scaled.loss_, scale**2 * model.loss_)


@pytest.mark.parametrize("kind", [k for k in KINDS if "logits" not in k])
def test_where_the_origin_is_does_not_matter(kind, X):
    shift = np.linspace(-30.0, 50.0, X.shape[1])
    model, shifted = make(kind).fit(X), make(kind).fit(X + shift)
    np.testing.assert_allclose(
        dense(shifted.transform(X + shift)), dense(model.transform(X)), atol=1e-6
    )
    np.testing.assert_allclose(shifted.score(X + shift), model.score(X), atol=1e-6)


@every_clean_kind  # noise is drawn for each row there is
def test_weights_are_repeats(kind, X, rng):
    """Where a batch holds all samples; of weight 0 is absent."""
    weights = rng.integers(0, 4, len(X))
    options = {"batch_size": 1000, "max_iter": 15}
    weighted = make(kind, **options).fit(X, sample_weight=weights.astype(float))
    repeated = make(kind, **options).fit(np.repeat(X, weights, axis=0))
    if kind in ("batchtopk", "deep batchtopk", "deep jumprelu"):
        # Which are the largest of a batch, and where thresholds begin in a deep
        # network, depends on how many rows it has.
        assert weighted.score(X) == pytest.approx(repeated.score(X), abs=0.3)
    else:
        same(weighted, repeated, X, rtol=1e-5, atol=1e-7)
    present = weights > 0
    absent = make(kind, **options).fit(X[present], sample_weight=weights[present])
    same(weighted, absent, X, rtol=1e-9, atol=1e-12)


# -- going on ------------------------------------------------------------------------


@every_online_kind
def test_one_pass_is_one_partial_fit(kind, X):
    whole = make(
        kind, max_iter=1, shuffle=False, learning_rate="constant", batch_size=30
    )
    same(whole.fit(X), clone(whole).partial_fit(X), X)


@every_online_kind
def test_a_chain_of_partial_fits_is_one_pass(kind, X):
    """If all calls have the mean and the spread of the first."""
    X = np.concatenate([X[:30], X[29::-1], X[:30]])
    model = make(kind, batch_size=30)
    whole = clone(model).partial_fit(X)
    for start in (0, 30, 60):
        model.partial_fit(X[start : start + 30])
    for W, V in zip(model.coefs_, whole.coefs_):
        np.testing.assert_allclose(W, V, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(model.mean_, X.mean(axis=0))
    assert model.n_iter_ == 3


@every_online_kind
def test_a_pickle_goes_on_where_it_was(kind, X, tmp_path):
    model = make(kind, batch_size=30).partial_fit(X[:50])
    through_pickle = pickle.loads(pickle.dumps(model))
    model.save(tmp_path / "model.npz")
    loaded = SparseAutoencoder.load(tmp_path / "model.npz")
    assert loaded.get_params() == model.get_params()
    for other in (through_pickle, loaded):
        same(other, model, X)
    model.partial_fit(X[50:])
    for other in (through_pickle, loaded):
        same(other.partial_fit(X[50:]), model, X)
    # Without the moments of the optimiser it would be another step.
    for name, moment in model._kept["learner"].items():
        if name.startswith("first") and np.size(moment):
            assert np.abs(moment).max() > 0.0


@every_online_kind
def test_warm_start_goes_on(kind, X):
    model = make(kind, warm_start=True, learning_rate="constant")
    once = clone(model).set_params(max_iter=12).fit(X)
    model.fit(X).fit(X)
    same(model, once, X)
    assert model.n_iter_ == len(model.history_["loss"]) == 12
    cold = make(kind, learning_rate="constant").fit(X)
    assert cold.fit(X).n_iter_ == 6


def test_warm_start_takes_another_sparsity_but_no_other_layers(X):
    model = make("topk", warm_start=True).fit(X)
    model.set_params(n_nonzero_coefs=1).fit(X)
    assert model.n_nonzero_coefs_ <= 1.0
    with pytest.raises(ValueError, match="Fit a clone"):
        model.set_params(n_components=11).fit(X)
    with pytest.raises(ValueError, match="Fit a clone"):
        model.partial_fit(X)


@every_kind
def test_early_stopping_keeps_the_best(kind, X):
    model = make(
        kind,
        early_stopping=True,
        validation_fraction=0.3,
        learning_rate="constant",
        learning_rate_init=0.1,
        max_iter=60,
        n_iter_no_change=3,
        tol=0.0,
        batch_size=16,
    ).fit(X)
    scores = model.history_["score"]
    assert model.n_iter_ == len(scores) < 60
    assert scores[model.best_epoch_ - 1] == scores.max()
    short = clone(model).set_params(max_iter=int(model.best_epoch_)).fit(X)
    same(model, short, X)


def test_a_steady_loss_ends_it_at_a_constant_rate(X):
    options = {"learning_rate": "constant", "max_iter": 300, "batch_size": 90}
    loose, tight = (make("sigmoid", tol=tol, **options).fit(X) for tol in (0.1, 0.01))
    assert loose.n_iter_ < tight.n_iter_ < 300
    assert make("sigmoid", tol=0.1, **options, n_iter_no_change=3).fit(X).n_iter_ < (
        loose.n_iter_
    )
    # An adaptive rate is then lowered, five times, before that ends it.
    options["learning_rate"] = "adaptive"
    adaptive = make("sigmoid", tol=0.1, **options).fit(X)
    rates, n_first = adaptive.history_["learning_rate"], loose.n_iter_
    np.testing.assert_array_equal(rates[:n_first], rates[0])
    np.testing.assert_allclose(np.unique(rates)[::-1], rates[0] / 5.0 ** np.arange(6))
    assert n_first < adaptive.n_iter_ < 300
    # What is annealed goes on to the end of the schedule.
    options["learning_rate"] = "annealed"
    assert make("sigmoid", tol=0.1, **options).fit(X).n_iter_ == 300


def test_time_may_end_it(X):
    model = make("topk", max_time=1e-6, max_iter=1000).fit(X)
    assert model.n_iter_ == 1


def test_iterations_on_all_samples(X):
    """L-BFGS: the objective falls at every one, far below where Adam comes to."""
    model = make("lbfgs", max_iter=60, l2=1.0, tol=0.0).fit(X)
    history = model.history_
    objective = history["loss"] + history["penalty"]
    assert (np.diff(objective) < 0.0).all()
    held = make("lbfgs", max_iter=60, alpha=300.0).fit(X).transform(X)
    np.testing.assert_allclose(held.mean(axis=0), 0.05, rtol=0.1)
    adam = make("sigmoid", max_iter=60, l2=1.0, batch_size=90).fit(X)
    assert history["loss"][-1] < adam.history_["loss"][-1]
    loose = make("lbfgs", max_iter=60, l2=1.0, tol=0.05).fit(X)
    assert loose.n_iter_ < model.n_iter_
    with pytest.raises(ValueError, match="partial_fit needs solver='adam'"):
        model.partial_fit(X)


def test_history(X):
    model = make("topk", early_stopping=True).fit(X)
    names = {
        "loss",
        "learning_rate",
        "seconds",
        "score",
        "n_nonzero_coefs",
        "dead_share",
    }
    assert set(model.history_) == names
    assert all(len(values) == 6 for values in model.history_.values())
    assert (np.diff(model.history_["seconds"]) > 0.0).all()
    assert model.loss_ == model.history_["loss"][model.best_epoch_ - 1]
    with pytest.raises(ValueError, match="diverged"), np.errstate(all="ignore"):
        make("sigmoid", learning_rate_init=1e300).fit(X)


# -- interrupts and bad data -----------------------------------------------------------


@pytest.mark.parametrize("kind", ["topk", "deep"])
def test_an_interrupt_leaves_the_last_state(kind, X, monkeypatch):
    model = make(kind).fit(X)
    before = pickle.dumps(model)

    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    for learn in ("fit", "partial_fit"):
        learner = SparseLearner if kind == "topk" else DenseLearner
        with monkeypatch.context() as patch:
            patch.setattr(learner, "end_epoch", interrupted)
            with pytest.raises(KeyboardInterrupt):
                getattr(model, learn)(X[::-1] / 2)
        assert pickle.dumps(model) == before


@pytest.mark.parametrize("kind", ["topk", "deep", "logits"])
def test_a_bad_batch_changes_nothing(kind, X):
    model = make(kind).partial_fit(X)
    before = pickle.dumps(model)
    holes = X.copy()
    holes[3, 2] = np.nan
    bad = [
        (holes, None),
        (X[:, 1:], None),
        (X, -np.ones(len(X))),
        (X, np.zeros(len(X))),
    ]
    if kind == "logits":
        bad.append((X + 0.1, None))
    for rows, weights in bad:
        with pytest.raises(ValueError):
            model.partial_fit(rows, sample_weight=weights)
        assert pickle.dumps(model) == before


@pytest.mark.parametrize("rate", ["constant", "annealed"])
def test_no_unit_is_resampled_while_the_rate_falls(rate, rng, monkeypatch):
    revived = []
    monkeypatch.setattr(
        SparseLearner, "_resample", lambda self: revived.append(self.n_steps)
    )
    X = rng.random((64, 8))
    make("topk", revive="resample", max_iter=10, learning_rate=rate).fit(X)
    # Two steps an epoch. From a share of 0.8 of them on, the rate falls.
    assert revived == list(range(2, 21 if rate == "constant" else 17, 2))


@every_kind
def test_what_is_passed_in_stays(kind, X):
    rows, weights = X.copy(), np.ones(len(X))
    model = make(kind)
    params = copy.deepcopy(model.get_params())
    model.fit(rows, sample_weight=weights)
    if kind != "lbfgs":
        model.partial_fit(rows)
    model.inverse_transform(model.transform(rows))
    np.testing.assert_array_equal(rows, X)
    np.testing.assert_array_equal(weights, 1.0)
    assert model.get_params() == params


@every_kind
@pytest.mark.parametrize("n_rows", [1, 2])
def test_a_few_rows(kind, n_rows, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = make(kind).fit(X[:n_rows])
    assert dense(model.transform(X)).shape == (90, 10)
    assert np.isfinite(model.inverse_transform(model.transform(X))).all()


@every_kind
def test_constant_data(kind):
    for value in (0.0, 0.75):
        model = make(kind, max_iter=80).fit(np.full((20, 3), value))
        assert np.isfinite(model.score(np.full((5, 3), value)))
        assert np.isfinite(model.transform([[value] * 3]).sum())
    if "logits" not in kind:
        np.testing.assert_allclose(
            model.inverse_transform(model.transform([[0.75] * 3])), 0.75, atol=0.1
        )


def test_a_constant_column_and_a_row_of_zeros(X):
    X[:, 2] = 0.5
    X[4] = 0.0
    for storage in (np.asarray, sp.csr_array):
        model = make("topk", max_iter=150).fit(storage(X))
        found = model.inverse_transform(model.transform(storage(X)))
        np.testing.assert_allclose(found[:, 2], 0.5, atol=0.1)


def test_k_is_clipped_and_whole(X):
    model = make("topk", n_nonzero_coefs=99).fit(X)
    relu = by_hand(model, X, n_nonzero=10)[0]
    np.testing.assert_allclose(dense(model.transform(X)), relu, atol=1e-12)
    with pytest.raises(ValueError, match="whole number"):
        make("topk", n_nonzero_coefs=2.5).fit(X)
    # Read by `transform`: a fitted model makes longer codes, or shorter ones.
    model = make("topk", n_nonzero_coefs=2).fit(X).set_params(n_nonzero_coefs=4)
    assert np.diff(model.transform(X).indptr).max() == 4
    assert SparseAutoencoder(70, max_iter=1).fit(X).transform(X).nnz <= 2 * len(X)


# -- parameters ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"activation": "sigmoid", "n_nonzero_coefs": 3}, "n_nonzero_coefs=3 means"),
        ({"activation": "tanh", "n_nonzero_coefs": 3}, "n_nonzero_coefs=3 means"),
        ({"sparsity_target": 0.1}, "sparsity_target=0.1 means nothing"),
        ({"alpha": 0.1}, "alpha=0.1 means nothing with activation='topk'"),
        ({"activation": "relu", "alpha": 0.1, "n_nonzero_coefs": 3}, "give one"),
        ({"activation": "sigmoid", "revive": "auxk"}, "revive='auxk' needs one layer"),
        (
            {"activation": "relu", "hidden_layer_sizes": 5, "revive": "resample"},
            "revive='resample' needs",
        ),
        ({"activation": "sigmoid", "refine": "ols"}, "refine='ols' fits"),
        ({"loss": "cross_entropy", "refine": "nnls"}, "refine='nnls' fits"),
        ({"solver": "lbfgs"}, "solver='lbfgs' needs"),
        ({"activation": "relu", "solver": "lbfgs"}, "solver='lbfgs' needs"),
        (
            {"activation": "sigmoid", "solver": "lbfgs", "noise": 0.1},
            "noise=0.1 is drawn for each batch",
        ),
        ({"activation": "relu", "balance": 1.0}, "balance=1.0 needs one layer, and"),
        ({"hidden_layer_sizes": 5, "balance": 1.0}, "balance=1.0 needs one layer"),
        ({"hidden_layer_sizes": (4, 0)}, "positive whole numbers"),
        ({"hidden_layer_sizes": (4, 2.5)}, "positive whole numbers"),
    ],
)
def test_what_means_nothing_is_an_error(options, match, X):
    with pytest.raises(ValueError, match=match):
        SparseAutoencoder(4, **options).fit(X)


def test_refine_after_the_fit_is_checked(X):
    model = make("sigmoid").fit(X).set_params(refine="ols")
    with pytest.raises(ValueError, match="refine='ols' fits"):
        model.transform(X)


def test_cross_entropy_is_for_shares(X):
    for storage in (np.asarray, sp.csr_array):
        with pytest.raises(ValueError, match=r"X in \[0, 1\].* to 2"):
            make("logits").fit(storage(2.0 * X / X.max()))
        with pytest.raises(ValueError, match="X in"):
            make("logits").fit(storage(-X))


def test_a_target_that_asks_for_nothing_warns(X):
    with pytest.warns(UserWarning, match="sparsity_target=0.5") as caught:
        make("sigmoid", sparsity_target=0.5).fit(X)
    assert [warning.filename for warning in caught] == [__file__]


def test_codes_of_zeros_warn(X):
    with pytest.warns(ConvergenceWarning, match="All codes are zero") as caught:
        make("relu", alpha=1e6, max_iter=40, learning_rate_init=0.1).fit(X)
    assert [warning.filename for warning in caught] == [__file__]


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("topk", {"n_components": 9}),
        ("topk", {"n_nonzero_coefs": 2}),
        ("topk", {"batch_size": 20}),
        ("topk", {"learning_rate_init": 0.02}),
        ("topk", {"learning_rate": "constant"}),
        ("topk", {"max_iter": 7}),
        ("topk", {"anneal": 0.0}),
        ("topk", {"shuffle": False}),
        ("topk", {"random_state": 1}),
        ("topk", {"loss": "cross_entropy"}),
        ("topk", {"tied_weights": True}),
        ("topk", {"early_stopping": True}),
        ("topk", {"early_stopping": True, "validation_fraction": 0.4}),
        ("topk", {"hidden_layer_sizes": (7,)}),
        ("sigmoid", {"solver": "lbfgs"}),
        ("sigmoid", {"sparsity_target": 0.2}),
        ("sigmoid", {"alpha": 1.0}),
        ("sigmoid", {"l2": 1.0}),
        ("topk", {"noise": 0.1}),
        ("topk", {"balance": 2.0}),
        ("topk", {"balance": 0.0}),
        ("batchtopk", {"balance": 2.0}),
        ("sigmoid", {"noise": 0.1}),
        ("relu", {"alpha": None, "n_nonzero_coefs": 2}),
    ],
)
def test_parameters_are_alive(kind, changes, X):
    before = {"early_stopping": True} if len(changes) == 2 else {}
    before = make(kind, **before).fit(X)
    after = make(kind, **changes).fit(X)
    codes = [dense(model.transform(X)) for model in (before, after)]
    assert codes[0].shape != codes[1].shape or not np.allclose(*codes, atol=1e-6)


# -- callbacks -------------------------------------------------------------------------


class Stopper:
    """A callback that keeps what it sees, and stops after two epochs."""

    def __init__(self):
        self.seen = []

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        if context.task_name == "epoch":
            self.seen.append(fitted_estimator)
        return len(self.seen) == 2

    def teardown(self, estimator, context):
        pass


@pytest.mark.skipif(
    _compat.CallbackSupportMixin is None, reason="scikit-learn < 1.9 has no callbacks"
)
@pytest.mark.parametrize("kind", ["topk", "deep", "lbfgs"])
def test_callbacks_see_an_autoencoder_as_if_it_had_ended(kind, X):
    stopper = Stopper()
    model = make(kind, learning_rate="constant").set_callbacks(stopper).fit(X)
    assert model.n_iter_ == len(stopper.seen) == 2
    for n, seen in enumerate(stopper.seen, start=1):
        short = make(kind, learning_rate="constant", max_iter=n).fit(X)
        same(seen, short, X)
    same(model, short, X)


# -- as users of scikit-learn use it --------------------------------------------------


def test_a_search_over_the_length_of_codes(X):
    y = (X[:, 0] > np.median(X[:, 0])).astype(int)
    pipeline = Pipeline([("codes", make("topk")), ("model", LogisticRegression())])
    search = GridSearchCV(pipeline, {"codes__n_nonzero_coefs": [1, 3, 50]}, n_jobs=2)
    with joblib.parallel_config(backend="threading"):
        search.fit(X, y)
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert len(set(scores)) > 1


@every_kind
def test_frames_are_dense(kind, X):
    pandas = pytest.importorskip("pandas")
    names = [f"pixel{i}" for i in range(8)]
    frame = pandas.DataFrame(X, columns=names)
    model = make(kind).set_output(transform="pandas").fit(frame)
    codes = model.transform(frame)
    assert list(codes.columns) == [f"sparseautoencoder{j}" for j in range(10)]
    np.testing.assert_array_equal(codes, dense(make(kind).fit(X).transform(X)))
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[names[::-1]])


@every_kind
def test_fit_transform(kind, X):
    model = make(kind)
    codes = dense(model.fit_transform(X))
    np.testing.assert_array_equal(codes, dense(model.transform(X)))


def test_files(X, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=[f"pixel{i}" for i in range(8)])
    model = make("tanh", hidden_layer_sizes=[7], random_state=np.random.RandomState(3))
    model.fit(frame).save(tmp_path / "model.npz")
    with np.load(tmp_path / "model.npz", allow_pickle=False) as archive:
        assert all(archive[name].dtype != object for name in archive)
    loaded = SparseAutoencoder.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.feature_names_in_, frame.columns)
    assert loaded.hidden_layer_sizes == [7]
    same(loaded, model, frame)
    for name, values in model.history_.items():
        np.testing.assert_array_equal(loaded.history_[name], values)
    assert loaded.random_state.rand() == model.random_state.rand()

    np.savez(tmp_path / "other.npz", a=1)
    with pytest.raises(ValueError, match="was not written by"):
        SparseAutoencoder.load(tmp_path / "other.npz")

    class Child(SparseAutoencoder):
        pass

    with pytest.raises(ValueError, match="holds a SparseAutoencoder"):
        Child.load(tmp_path / "model.npz")
    model.set_params(random_state=object())
    with pytest.raises(TypeError, match="random_state is a object"):
        model.save(tmp_path / "model.npz")


def test_a_full_disk_does_not_cost_the_file_that_was_there(X, tmp_path, full_disk):
    path = tmp_path / "model.npz"
    before = make("tanh").fit(X)
    before.save(path)
    with full_disk(1000), pytest.raises(OSError, match=r"model\.npz"):
        make("tanh", n_components=3).fit(X).save(path)
    assert list(tmp_path.iterdir()) == [path]
    same(SparseAutoencoder.load(path), before, X)


def test_threads_of_the_context_are_taken(X, monkeypatch):
    from sparselearn.neural_network import _autoencoder

    asked = []
    stream = _autoencoder.stream

    def spied(n_jobs):
        asked.append(joblib.effective_n_jobs(n_jobs))
        return stream(n_jobs)

    monkeypatch.setattr(_autoencoder, "stream", spied)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        make("topk", max_iter=1).fit(X)
    assert asked == [2]
