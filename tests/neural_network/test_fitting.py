"""The loop that all networks share: stopping, history, the best state, batches."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._solvers._batches import Pass, Rows, shuffled
from sparselearn._solvers._maps import is_mapped
from sparselearn._solvers._training import Epoch, Learner, annealed
from sparselearn.neural_network._fitting import (
    Training,
    epochs_of,
    own_random_state,
)
from sparselearn.neural_network._rates import Rates
from sparselearn.neural_network._samples import Samples, split
from sparselearn.neural_network._targets import (
    NumberCoding,
    TargetFacts,
    find_classes,
)


class Counter(Learner):
    """Counts its steps; `losses` are those of its epochs."""

    def __init__(self, losses=()):
        self.losses, self.n_steps, self.rates, self.met = list(losses), 0, [], []

    def step(self, batch, rate, run):
        self.n_steps += 1
        self.rates.append(rate)
        self.met.append((batch.rows.copy(), batch.weights))
        return float(batch.rows.sum())

    def state(self):
        return {"n_steps": self.n_steps}

    def restore(self, state):
        self.n_steps = state["n_steps"]


def epochs_with(learner, losses, done=0):
    """Epochs of these losses, each a step of `learner`."""
    for i, loss in enumerate(losses):
        learner.n_steps += 1
        yield Epoch(done + i + 1, loss, 0.5 * (i + 1), {"extra": i})


def run_through(losses, *, tol=0.1, patience=2, **options):
    learner = Counter()
    training = Training(
        learner, epochs_with(learner, losses), tol=tol, patience=patience, **options
    )
    return learner, list(training)[-1]


def test_it_stops_when_the_loss_falls_no_more():
    # 9.5 is no tenth below 10, nor is 9.2 below 9.5: both together do not count.
    _, training = run_through([20.0, 10.0, 9.5, 9.2, 5.0])
    assert training.converged
    assert training.history["loss"] == [20.0, 10.0, 9.5, 9.2]
    _, training = run_through([20.0, 10.0, 9.5, 8.0, 7.9, 7.8])
    assert training.n_epochs == 6


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_the_tolerance_of_a_loss_is_relative(scale):
    losses = scale * np.array([20.0, 10.0, 9.5, 9.2, 5.0])
    assert run_through(losses)[1].n_epochs == 4


def test_the_best_held_out_state_is_what_stays():
    scores = iter([0.1, 0.6, 0.5, 0.62, 0.3])
    learner, training = run_through(
        [5.0, 4.0, 3.0, 2.0, 1.0], score=lambda: next(scores)
    )
    # 0.62 is the best, but not by tol=0.1 better than 0.6.
    assert training.history["score"] == [0.1, 0.6, 0.5, 0.62]
    assert training.best_epoch == 4
    learner.n_steps = 99
    training.end()
    assert learner.n_steps == 4


def test_a_glance_at_the_best_state_changes_nothing():
    scores = iter([0.1, 0.6, 0.5])
    learner, training = run_through([3.0, 2.0, 1.0], score=lambda: next(scores))
    assert training.as_ended(lambda: learner.n_steps) == 2
    assert learner.n_steps == 3


def test_an_optimiser_and_the_clock_may_end_it():
    for ending in ({"converged": True}, {"out_of_time": True}):
        epochs = iter([Epoch(1, 1.0, 0.1, {}, **ending)])
        training = Training(Counter(), epochs, tol=0.0, patience=5)
        assert next(training).done
        assert training.converged == ending.get("converged", False)


def test_divergence_is_an_error():
    with pytest.raises(ValueError, match="Lower learning_rate_init"):
        run_through([1.0, math.nan])


def test_history_goes_on():
    _, first = run_through([3.0, 2.0], patience=9)
    learner = Counter()
    training = Training(
        learner,
        epochs_with(learner, [1.5], done=2),
        tol=0.0,
        patience=9,
        score=lambda: 0.5,
        past=first.history,
    )
    history = next(training).history
    assert history["loss"] == [3.0, 2.0, 1.5]
    assert history["seconds"] == [0.5, 1.0, 1.5]
    np.testing.assert_array_equal(history["score"], [np.nan, np.nan, 0.5])
    assert first.n_epochs == 2
    assert training.n_epochs == training.best_epoch == 3


def options(**changes):
    defaults = {"max_iter": 5, "max_time": None}
    return SimpleNamespace(**(defaults | changes))


def all_epochs(X, *, places=None, seed=0, rates=None, **changes):
    learner, drawn = Counter(), np.random.RandomState(seed)
    places = np.arange(len(X)) if places is None else places
    samples = Samples(X, np.arange(1.0, len(X) + 1.0), places)
    epochs = epochs_of(
        learner,
        lambda: samples.parts(Rows, 4, random_state=drawn),
        estimator=options(**changes),
        rates=rates or Rates("annealed", 0.5),
        run=map,
    )
    return learner, list(epochs)


def test_an_epoch_meets_every_row_once(rng):
    X = rng.standard_normal((10, 3))
    places = np.array([0, 1, 3, 4, 5, 7, 9])
    learner, epochs = all_epochs(X, places=places)
    assert learner.n_steps == 10  # of four rows and of three
    for epoch in range(5):
        met = learner.met[2 * epoch : 2 * epoch + 2]
        rows = np.concatenate([rows for rows, _ in met])
        weights = np.concatenate([weights for _, weights in met])
        order = np.argsort(weights)
        np.testing.assert_array_equal(rows[order], X[places])
        np.testing.assert_array_equal(weights[order], places + 1.0)
        np.testing.assert_allclose(epochs[epoch].loss, X[places].sum() / weights.sum())
    orders = [tuple(learner.met[2 * epoch][1]) for epoch in range(5)]
    assert len(set(orders)) > 1


def test_the_rate_is_annealed_or_constant(rng):
    X = rng.standard_normal((40, 2))
    learner, epochs = all_epochs(X)
    shares = np.arange(50) / 50
    np.testing.assert_allclose(learner.rates, 0.5 * np.minimum(1.0, (1 - shares) / 0.2))
    assert epochs[-1].rate == learner.rates[-1] < 0.5
    learner, _ = all_epochs(X, rates=Rates("constant", 0.5))
    assert set(learner.rates) == {0.5}
    assert annealed(2.0, 0.9) == pytest.approx(1.0)


def test_a_rate_falls_with_the_rows_that_were_seen(rng):
    X = rng.standard_normal((10, 2))
    rates = Rates("invscaling", 0.5, power=0.7, seen=20.0)
    learner, _ = all_epochs(X, rates=rates)
    seen = 20.0 + 55.0 * np.arange(5)
    np.testing.assert_allclose(learner.rates, np.repeat(0.5 / (seen + 1) ** 0.7, 3))
    assert rates.seen == 20.0 + 5 * 55.0
    assert Rates("invscaling", 0.5)(0.0) == 0.5


def test_a_rate_falls_where_training_stands_still():
    rates = Rates("adaptive", 0.5)
    learner, used = Counter(), []

    def epochs():
        losses = [20.0, 10.0, *[9.5] * 3, 5.0, *[4.9] * 40]
        for number, loss in enumerate(losses):
            used.append(rates(0.0))
            yield Epoch(number + 1, loss, 1.0, {})

    training = Training(learner, epochs(), tol=0.1, patience=2, lower=rates.lower)
    last = list(training)[-1]
    assert last.converged
    # A fifth after each two epochs in vain, until it is less than a thousandth.
    powers = np.repeat([0, 1, 2, 3, 4, 5], [4, 4, 2, 2, 2, 2])
    np.testing.assert_allclose(used, 0.5 / 5.0**powers)


def test_time_ends_it_in_the_middle_of_an_epoch(rng):
    X = rng.standard_normal((40, 2))
    learner, epochs = all_epochs(X, max_time=1e-9)
    assert learner.n_steps == 1
    assert epochs[-1].out_of_time


def test_epochs_count_on(rng):
    samples = Samples.of(rng.standard_normal((4, 2)), None)
    epochs = epochs_of(
        Counter(),
        lambda: samples.parts(Rows, 4),
        estimator=options(max_iter=2),
        rates=Rates("constant", 0.5),
        run=map,
        done=3,
    )
    assert [epoch.number for epoch in epochs] == [4, 5]


@pytest.mark.parametrize("block", [None, 3, 100])
def test_an_order_is_a_permutation(block):
    places = np.arange(0, 200, 2)
    order = shuffled(places, np.random.RandomState(0), block=block)
    assert not np.array_equal(order, places)
    np.testing.assert_array_equal(np.sort(order), places)


def test_blocks_stay_near_one_another():
    order = shuffled(np.arange(64 * 10), np.random.RandomState(0), block=4)
    # What is mixed are sixteen blocks of four rows.
    together = order.reshape(-1, 64) // 4
    assert all(len(set(group)) == 16 for group in together)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gathered_rows(rng, dtype):
    X = np.round(rng.standard_normal((9, 4)), 1) * (rng.random((9, 4)) < 0.5)
    shift, places = rng.standard_normal(4), np.array([4, 0, 0])
    expected = (X[places] - shift) * 2.0
    for stored in (X, sp.csr_array(X), np.asfortranarray(X)):
        rows = Rows(stored, shift=shift, scale=2.0, dtype=dtype)
        out = np.empty((3, 4), dtype=dtype)
        np.testing.assert_allclose(
            rows.gather(places, out), expected, rtol=1e-6, atol=1e-6
        )


def test_a_batch_is_its_own_target_or_has_others(rng):
    X, Y = rng.standard_normal((5, 2)), rng.standard_normal((5, 1))
    order = np.array([3, 1, 0, 2, 4])
    for targets in (None, Y):
        found = list(Pass(Rows(X), order, 2, targets=targets))
        assert [share for _, share in found] == [0.0, 0.4, 0.8]
        (batch, _) = found[-1]
        assert len(batch.rows) == 1
        expected = batch.rows if targets is None else Y[[4]]
        np.testing.assert_array_equal(batch.targets, expected)


def test_what_is_a_memory_map(tmp_path, rng):
    X = rng.standard_normal((6, 3))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    assert is_mapped(mapped)
    assert is_mapped(np.asarray(mapped)[1:])
    assert not is_mapped(X[1:])
    assert not is_mapped(sp.csr_array(X))


def test_split_is_of_all_rows_by_class():
    places = np.arange(100, 140)
    classes = np.repeat([0, 1], [10, 30])
    training, held_out = split(places, 0.2, np.random.RandomState(0), classes=classes)
    np.testing.assert_array_equal(np.sort(np.r_[training, held_out]), places)
    assert (held_out < 110).sum() == 2
    assert held_out.size == 8
    assert [part.size for part in split(places, 1e-9, np.random.RandomState(0))] == [
        39,
        1,
    ]
    with pytest.raises(ValueError, match="at least 2 samples"):
        split(places[:1], 0.5, np.random.RandomState(0))


def test_the_own_generator_does_not_draw_on_the_users():
    users = np.random.RandomState(0)
    own = own_random_state(users)
    before = users.get_state()[1].copy()
    own.rand(1000)
    np.testing.assert_array_equal(users.get_state()[1], before)
    assert own_random_state(3).rand() == own_random_state(3).rand()


@pytest.mark.parametrize("kind", ["binary", "multiclass", "labels", "numbers"])
def test_targets_are_as_kernels_read_them(rng, kind):
    """However y lies: else each step would bring them to order anew."""
    y = np.asfortranarray(rng.integers(2, size=(12, 3)))
    if kind in ("binary", "multiclass"):
        y = np.arange(12) % (2 if kind == "binary" else 3)
    coding = (
        NumberCoding(3, False) if kind == "numbers" else find_classes(TargetFacts.of(y))
    )
    targets = coding.targets(y, np.float32)
    rows = Rows(np.zeros((12, 2), np.float32))
    assert Pass(rows, np.arange(12), 4, targets=targets).is_plain
