"""The learner of sparse autoencoders, against formulas in matrices and differences."""

import pickle

import numpy as np
import pytest
from reference import (
    adam_by_rows,
    dead_kept,
    output_loss,
    output_slope,
    sparse_autoencoder_gradient,
    sparse_autoencoder_objective,
    units_kept,
)

from sparselearn._parallel import stream
from sparselearn._solvers import _dead_units, _unit_steps
from sparselearn._solvers._sparse_autoencoder import SparseLearner, SparseSpec
from sparselearn._solvers._training import Batch

N, P, M, K = 23, 9, 14, 3
SELECTIONS = {
    "topk": SparseSpec("topk", K),
    "batchtopk": SparseSpec("batchtopk", 2.5),
    "relu": SparseSpec("relu", alpha=0.3),
    "jumprelu": SparseSpec("jumprelu", alpha=0.3),
}
every_selection = pytest.mark.parametrize("selection", SELECTIONS)
every_path = pytest.mark.parametrize("dense", [False, True])


@pytest.fixture
def X(rng):
    X = rng.standard_normal((N, P))
    X[4] = 0.0
    return X


@pytest.fixture
def batch(rng, X):
    return Batch(X, X, rng.uniform(0.5, 2.0, N))


def make(spec, X, rng, n_components=M, *, moved=True):
    """A learner, unless not `moved` of uneven encoder, biases and thresholds."""
    state = np.random.RandomState(rng.integers(2**31))
    learner = SparseLearner(spec, X, n_components, state)
    if moved:
        units = learner.units
        units.encoder[...] *= rng.uniform(0.5, 1.5, units.encoder.shape)
        units.bias[...] = rng.uniform(-0.2, 0.2, n_components)
        units.threshold[...] *= rng.uniform(0.5, 2.0, units.threshold.size)
        learner.output_bias[...] = rng.uniform(-0.2, 0.2, X.shape[1])
    return learner


def weights_of(learner):
    units = learner.units
    theta = units.threshold if units.threshold.size else np.zeros(units.bias.size)
    encoder = units.decoder if learner.spec.tied else units.encoder
    return [
        values.copy()
        for values in (encoder, units.decoder, units.bias, theta, learner.output_bias)
    ]


def base_of(learner, X):
    """Pre-activations, those that stay, and thresholds."""
    W_e, _, b_e, theta, _ = weights_of(learner)
    p = X @ W_e.T + b_e
    spec = learner.spec
    mask = units_kept(p, spec.selection, spec.n_nonzero, theta)
    return p, mask, theta


def second_of(learner, batch, base, dead):
    """The arguments of the loss by which dead units learn."""
    _, W_d, _, _, b_d = weights_of(learner)
    p, mask, _ = base
    n_rows = len(batch.rows)
    rows = np.arange(
        max(-(-n_rows // _dead_units.SHARE), min(n_rows, _dead_units.ROWS))
    )
    most = min(_dead_units.MOST, dead.size)
    weight = _dead_units.WEIGHT * most / _dead_units.MOST * len(batch.rows) / rows.size
    output = np.where(mask, p, 0.0) @ W_d + b_d
    remainder = -output_slope(output, batch.targets, learner.spec.loss)
    return weight, rows, dead_kept(p, dead, most), remainder


def gradients_of(learner, batch, run=map):
    """What a step takes for the gradient: its first moment, before anything moves."""
    rate = 0.0
    loss = learner.step(batch, rate, run)
    first, scale = learner._first, 1.0 - learner.spec.beta_1
    found = [first.encoder, first.decoder, first.bias, first.threshold]
    return loss, [values / scale for values in (*found, learner._first_output[0])]


def along_sphere(gradient, decoder):
    return gradient - np.sum(gradient * decoder, axis=1, keepdims=True) * decoder


def differences(function, weights, step=1e-6):
    found = []
    for k, values in enumerate(weights):
        slope = np.zeros_like(values)
        for place in np.ndindex(values.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = [w.copy() for w in weights]
                moved[k][place] += sign * step
                ends.append(function(moved))
            slope[place] = (ends[0] - ends[1]) / (2.0 * step)
        found.append(slope)
    return found


@pytest.fixture
def forced(monkeypatch):
    """Let gradients come from matrix products, or from pairs."""

    paths = {
        "_by_products": _unit_steps._by_products,
        "_by_pairs": _unit_steps._by_pairs,
    }

    def force(dense):
        monkeypatch.setattr(_unit_steps, "DENSE", 0.0 if dense else 2.0)
        wanted = "_by_products" if dense else "_by_pairs"
        for name, path in paths.items():
            monkeypatch.setattr(_unit_steps, name, path if name == wanted else None)

    return force


# -- gradients ----------------------------------------------------------------


@every_path
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@every_selection
def test_gradients_are_differences(selection, loss, tied, dense, forced, rng, X):
    """Of all parameters, weighted rows, and dead units that learn by a second loss."""
    forced(dense)
    spec = SELECTIONS[selection]._replace(loss=loss, tied=tied, patience=50)
    learner = make(spec, X, rng)
    T = X if loss == "squared_error" else rng.uniform(0.0, 1.0, X.shape)
    batch = Batch(X, T, rng.uniform(0.5, 2.0, N))
    dead = np.array([2, 7, 11])
    learner.seen = 100
    learner.last_kept[:] = 99
    learner.last_kept[dead] = 50
    base = base_of(learner, X)
    options = {
        "loss": loss,
        "alpha": spec.alpha or 0.0,
        "width": learner.selection.width,
        "second": second_of(learner, batch, base, dead),
    }
    weights = weights_of(learner)
    shares = batch.weights / batch.weights.sum()
    args = (X, T, shares, base)
    slopes = differences(
        lambda moved: sparse_autoencoder_objective(moved, *args, **options), weights
    )
    formulas = sparse_autoencoder_gradient(weights, *args, **options)
    for slope, formula in zip(slopes, formulas):
        np.testing.assert_allclose(formula, slope, atol=1e-8)

    value, found = gradients_of(learner, batch)
    output = np.where(base[1], base[0], 0.0) @ weights[1] + weights[4]
    assert value == pytest.approx(batch.weights @ output_loss(output, T, loss))
    to_encoder, to_decoder, to_bias, to_theta, to_output = slopes
    if tied:
        to_decoder, to_encoder = to_decoder + to_encoder, to_encoder[:0]
    if selection != "jumprelu":
        to_theta = to_theta[:0]
    to_decoder = along_sphere(to_decoder, weights[1])
    wanted = (to_encoder, to_decoder, to_bias, to_theta, to_output)
    assert np.abs(to_decoder).max() > 1e-3
    for mine, true in zip(found, wanted):
        np.testing.assert_allclose(mine, true, atol=1e-8)


@every_path
def test_fewer_positive_than_wanted(dense, forced, rng, X):
    """Units of which no p is positive get no gradient, however many are wanted."""
    forced(dense)
    learner = make(SparseSpec("topk", M), X, rng)
    learner.units.bias[:8] = -1e3
    _, found = gradients_of(learner, Batch(X, X))
    for gradient in found[:3]:
        assert not gradient[:8].any()
        assert gradient[8:].any()


def test_all_units_wanted_is_relu(rng, X):
    state = rng.bit_generator.state
    found = []
    for spec in (SparseSpec("topk", M), SparseSpec("relu", alpha=0.0)):
        rng.bit_generator.state = state
        learner = make(spec, X, rng)
        for _ in range(3):
            learner.step(Batch(X, X), 1e-2, map)
        found.append(weights_of(learner))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# -- steps --------------------------------------------------------------------


@every_path
@pytest.mark.parametrize("beta_1", [0.0, 0.9])
@every_selection
def test_steps_are_those_of_adam(selection, beta_1, dense, forced, rng, X):
    """On all parameters, moved or not, though units without pairs may be passed over.

    The twin forms all gradients, and moves every parameter in every step. Biases and
    thresholds are rows of one entry, that of the output is one row.
    """
    forced(dense)
    spec = SELECTIONS[selection]._replace(beta_1=beta_1, revive=None)
    learner = make(spec, X, rng)
    learner.units.bias[3] = -1e3  # never kept
    weights = weights_of(learner)
    shapes = [(M, P), (M, P), (M, 1), (M, 1), (1, P)]
    moments = [(np.zeros(shape), np.zeros((shape[0], 1))) for shape in shapes]
    rates = [0.1, 0.05, 0.02, 0.05, 0.01, 0.05]
    for number, rate in enumerate(rates, 1):
        rows = np.ascontiguousarray(X[rng.permutation(N)[:4]])
        p = rows @ weights[0].T + weights[2]
        theta = weights[3]
        mask = units_kept(p, selection, spec.n_nonzero, theta)
        shares = np.full(4, 0.25)
        gradient = sparse_autoencoder_gradient(
            weights,
            rows,
            rows,
            shares,
            (p, mask, theta),
            loss=spec.loss,
            alpha=spec.alpha or 0.0,
            width=learner.selection.width,
        )
        gradient = list(gradient)
        gradient[1] = along_sphere(gradient[1], weights[1])
        weights = [
            adam_by_rows(
                w.reshape(shape), g.reshape(shape), m, number, rate, beta_1
            ).reshape(w.shape)
            for w, g, m, shape in zip(weights, gradient, moments, shapes)
        ]
        weights[1] /= np.linalg.norm(weights[1], axis=1, keepdims=True)
        weights[3] = np.maximum(weights[3], 0.0)
        learner.step(Batch(rows, rows), rate, map)
        for mine, true in zip(weights_of(learner), weights):
            np.testing.assert_allclose(mine, true, atol=1e-9)


@pytest.mark.parametrize("tied", [False, True])
@every_selection
def test_rotated_rows_are_learned_from_alike(selection, tied, rng, X):
    """Steps do not know which directions are called features."""
    rotation, _ = np.linalg.qr(rng.standard_normal((P, P)))
    atoms = rng.standard_normal((M, P))
    spec = SELECTIONS[selection]._replace(tied=tied, patience=30)
    found = []
    for turn in (np.eye(P), rotation):
        rows = np.ascontiguousarray(X @ turn)
        learner = SparseLearner(spec, rows, M, None, atoms=atoms @ turn)
        for _ in range(6):
            learner.step(Batch(rows, rows), 0.05, map)
        assert np.abs(learner.units.decoder @ turn.T - atoms).max() > 0.1
        W_e, W_d, b_e, theta, b_d = weights_of(learner)
        found.append([W_e @ turn.T, W_d @ turn.T, b_e, theta, b_d @ turn.T])
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, atol=1e-9)


@pytest.mark.parametrize("selection", ["topk", "batchtopk"])
@pytest.mark.parametrize("revive", [None, "auxk"])
def test_biases_move_to_where_units_are_kept_equally_often(
    selection, revive, rng, X, batch
):
    spec = SELECTIONS[selection]._replace(patience=5.0, revive=revive)
    learner = make(spec, X, rng)
    learner.units.bias[:3] = [-100.0, 5.0, -100.0]  # dead, always kept, dead
    even = pickle.loads(pickle.dumps(learner))
    even.spec = spec._replace(balance=2.0)
    shares = batch.weights / batch.weights.sum()
    use = 0.0
    for _ in range(3):
        even.restore(learner.state() | {"use": even._use})
        use = use + 0.01 * (shares @ base_of(even, X)[1] - use)
        for each in (learner, even):
            each.step(batch, 0.01, map)
        np.testing.assert_allclose(even._use, use, rtol=1e-12, atol=1e-15)
        lift = np.clip(1.0 - use / use.mean(), -1.0, 1.0)
        np.testing.assert_allclose(
            even.units.bias - learner.units.bias, 0.02 * lift, atol=1e-12
        )
        np.testing.assert_array_equal(even.units.encoder, learner.units.encoder)


def test_annealing_keeps_fewer_and_fewer(rng, X):
    learner = make(SparseSpec("topk", K, anneal=0.5), X, rng)
    due = []
    for share in (0.0, 0.25, 0.49, 0.5, 0.9):
        learner.hear(share)
        due.append(learner.selection.n_nonzero)
    assert due == [4 * K, 8, K, K, K]
    few = make(SparseSpec("topk", K, anneal=0.5), X, rng, 5)
    few.hear(0.0)
    assert few.selection.n_nonzero == 5
    steady = make(SparseSpec("topk", K), X, rng)
    steady.hear(0.0)
    assert steady.selection.n_nonzero == K


@pytest.mark.parametrize("tied", [False, True])
@every_selection
def test_a_background_changes_nothing_but_the_time(selection, tied, rng):
    """Rows that are mostly it are listed, with the same bits for any `n_jobs`."""
    background = rng.standard_normal(P)
    X = np.where(rng.random((80, P)) < 0.2, rng.standard_normal((80, P)), background)
    spec = SELECTIONS[selection]._replace(tied=tied, patience=200)
    atoms = rng.standard_normal((150, P))
    found = []
    for given, n_jobs in ((None, 1), (background, 1), (background, 2)):
        learner = SparseLearner(spec, X, 150, None, atoms=atoms, background=given)
        with stream(n_jobs) as run:
            assert learner._encoding._list(X, run) == (given is not None)
            for _ in range(4):
                learner.step(Batch(X, X), 1e-2, run)
        found.append(weights_of(learner))
    for a, b, c in zip(*found):
        np.testing.assert_allclose(a, b, atol=1e-9)
        np.testing.assert_array_equal(b, c)


@pytest.mark.parametrize("tied", [False, True])
@every_selection
def test_pairs_and_products_agree_in_float32(selection, tied, forced, rng, X):
    X = X.astype(np.float32)
    state = rng.bit_generator.state
    found = []
    for dense in (False, True):
        forced(dense)
        rng.bit_generator.state = state
        learner = make(SELECTIONS[selection]._replace(tied=tied), X, rng)
        for _ in range(3):
            learner.step(Batch(X, X), 1e-3, map)
        found.append(weights_of(learner))
    for a, b in zip(*found):
        np.testing.assert_allclose(a, b, atol=1e-5)


@every_path
@every_selection
def test_threads_change_no_bit(selection, dense, forced, rng):
    forced(dense)
    X = rng.standard_normal((80, P))
    spec = SELECTIONS[selection]._replace(patience=100)
    state = rng.bit_generator.state
    found = []
    for n_jobs in (1, 2):
        rng.bit_generator.state = state
        learner = make(spec, X, rng, 150)
        with stream(n_jobs) as run:
            for _ in range(4):
                learner.step(Batch(X, X), 1e-2, run)
        assert learner.dead_units().size > 0 or spec.alpha is not None
        found.append(weights_of(learner))
    for a, b in zip(*found):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("revive", ["auxk", "resample"])
@every_selection
def test_goes_on_from_its_state(selection, revive, rng, X):
    """A new learner that is given the state of another does what that does."""
    spec = SELECTIONS[selection]._replace(revive=revive, patience=40)
    if spec.alpha is not None:
        spec = spec._replace(alpha=None, n_nonzero=2.0)
    learner = make(spec, X, rng)
    for _ in range(3):
        learner.step(Batch(X, X), 1e-2, map)
    state = pickle.loads(pickle.dumps(learner.state()))
    other = make(spec, np.zeros((1, P)), rng, moved=False)
    other.restore(state)
    for _ in range(2):
        for each in (learner, other):
            each.step(Batch(X, X), 1e-2, map)
        assert learner.end_epoch(map) == other.end_epoch(map)
    for key, value in learner.state().items():
        np.testing.assert_array_equal(value, other.state()[key], err_msg=key)
    # What was given out does not move on.
    for key, value in pickle.loads(pickle.dumps(state)).items():
        np.testing.assert_array_equal(state[key], value)
    assert not np.array_equal(state["decoder"], learner.units.decoder)


# -- units that no row keeps --------------------------------------------------


def test_dead_units_are_those_that_no_row_kept(rng, X):
    spec = SparseSpec("topk", 1, patience=2 * N, revive=None)
    learner = make(spec, X, rng)
    learner.units.bias[:4] = -1e3
    kept = np.zeros(M, dtype=bool)
    for _ in range(2):
        _, mask, _ = base_of(learner, X)
        kept |= mask.any(axis=0)
        assert learner.dead_units().size == 0
        learner.step(Batch(X, X), 1e-4, map)
    np.testing.assert_array_equal(learner.dead_units(), np.flatnonzero(~kept))
    figures = learner.end_epoch(map)
    assert figures["dead_share"] == np.mean(~kept)
    assert figures["dead_share"] >= 4 / M
    mean = (base_of(learner, X)[1]).sum(axis=1).mean()
    assert figures["n_nonzero_coefs"] == pytest.approx(mean, abs=0.1)


def test_auxk_reaches_units_that_are_never_positive(rng, X):
    """Rows, bias and all; and without it nothing does."""
    found = {}
    for revive in ("auxk", None):
        learner = make(SparseSpec("topk", K, patience=1, revive=revive), X, rng)
        learner.units.bias[5] = -10.0
        learner.seen = 1
        learner.last_kept[:] = 1
        learner.last_kept[5] = 0
        _, found[revive] = gradients_of(learner, Batch(X, X))
    for gradient in found["auxk"][:3]:
        assert gradient[5].any()
    for gradient in found[None][:3]:
        assert not gradient[5].any()


def test_auxk_counts_no_more_units_than_it_may(monkeypatch, rng, X):
    """Of many dead units those with the largest p learn, and weigh in full."""
    monkeypatch.setattr(_dead_units, "MOST", 2)
    learner = make(SparseSpec("topk", K, patience=50), X, rng)
    learner.seen = 100
    learner.last_kept[:] = 99
    dead = np.array([0, 3, 4, 9])
    learner.last_kept[dead] = 0
    base = base_of(learner, X)
    batch = Batch(X, X)
    second = second_of(learner, batch, base, dead)
    assert second[2].sum() == 2 * N
    weights = weights_of(learner)
    wanted = sparse_autoencoder_gradient(
        weights, X, X, np.full(N, 1 / N), base, loss="squared_error", second=second
    )
    _, found = gradients_of(learner, batch)
    np.testing.assert_allclose(found[0], wanted[0], atol=1e-10)
    np.testing.assert_allclose(
        found[1], along_sphere(wanted[1], weights[1]), atol=1e-10
    )


@pytest.mark.parametrize("selection", ["topk", "jumprelu"])
def test_resampling_resets_dead_units_alone(selection, rng, X):
    spec = SELECTIONS[selection]._replace(revive="resample", patience=2 * N)
    learner = make(spec, X, rng)
    dead = np.array([1, 8])
    learner.units.bias[dead] = -1e3
    for _ in range(2):
        learner.step(Batch(X, X), 1e-2, map)
    np.testing.assert_array_equal(learner.dead_units(), dead)
    before = learner.state()
    learner.end_epoch(map)
    after = learner.state()
    alive = np.delete(np.arange(M), dead)
    for key in ("encoder", "decoder", "bias", "threshold"):
        for name in (key, "first_" + key, "second_" + key):
            if len(after[name]):
                np.testing.assert_array_equal(after[name][alive], before[name][alive])
    for name in ("first_encoder", "second_encoder", "first_bias", "second_decoder"):
        assert not after[name][dead].any()
    # They are rows of X, and their encoders are short.
    lengths = np.linalg.norm(X, axis=1)
    directions = X[lengths > 0] / lengths[lengths > 0, None]
    cosines = learner.units.decoder[dead] @ directions.T
    np.testing.assert_allclose(cosines.max(axis=1), 1.0)
    assert cosines[0].argmax() != cosines[1].argmax()
    mean = np.linalg.norm(learner.units.encoder[alive], axis=1).mean()
    np.testing.assert_allclose(
        learner.units.encoder[dead], 0.2 * mean * learner.units.decoder[dead]
    )
    assert learner.dead_units().size == 0


def test_resampling_draws_by_squared_loss(rng):
    """A row of twice the loss comes four times as often."""
    counts = np.zeros(2)
    rows = np.eye(2)
    for i in range(2000):
        reservoir = _dead_units.Reservoir(2, np.float64)
        reservoir.add(rows, np.array([1.0, 2.0]), np.random.default_rng([7, i]))
        counts += reservoir.take(1)[0]
    assert counts[1] / counts.sum() == pytest.approx(0.8, abs=0.03)


# -- a wanted number of non-zeros ---------------------------------------------


@pytest.mark.parametrize("selection", ["relu", "jumprelu", "batchtopk"])
@pytest.mark.parametrize("wanted", [1.5, 4.0])
def test_holds_the_wanted_number(selection, wanted, rng):
    """On average over rows that are encoded alone."""
    atoms = rng.standard_normal((20, P))
    X = rng.exponential(size=(400, 20)) * (rng.random((400, 20)) < 0.2) @ atoms
    X *= np.sqrt(X.size) / np.linalg.norm(X)
    learner = make(SparseSpec(selection, wanted), X, rng, 30, moved=False)
    n_steps = 1500
    for step in range(n_steps):
        rows = X[rng.integers(0, 400, 32)]
        rate = 3e-3 * min(1.0, 5.0 * (1.0 - step / n_steps))
        learner.step(Batch(rows, rows), rate, map)
    model = learner.model()
    p = X @ model.encoder.T + model.bias
    assert model.n_nonzero is None
    n_kept = np.count_nonzero(p > model.thresholds)
    assert n_kept / 400 == pytest.approx(wanted, rel=0.15)
