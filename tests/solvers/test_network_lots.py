"""Several steps of a dense network in one call are those steps one after another."""

import numpy as np
import pytest
import scipy.sparse as sp

from sparselearn._parallel import stream
from sparselearn._solvers import _network
from sparselearn._solvers._batches import Noise, OneHot, Pass, Rows
from sparselearn._solvers._network import (
    Adam,
    CodeLayer,
    DenseLearner,
    Momentum,
    Network,
    NetworkSpec,
    glorot,
)
from sparselearn._solvers._training import Part, annealed, train
from sparselearn._solvers._workspace import lot_of_pass

N_ROWS, N_FEATURES = 150, 30
SIZE = 40


def make_learner(
    optimizer=Adam,
    code=None,
    n_out=N_FEATURES,
    n_hidden=20,
    output="identity",
    **options,
):
    sizes = (N_FEATURES, n_hidden, n_out)
    loss = "cross_entropy" if output == "softmax" else "squared_error"
    spec = NetworkSpec(sizes, ("sigmoid", output), loss, code)
    network = Network(sizes, np.float32)
    glorot(network, spec.activations, np.random.RandomState(3))
    return DenseLearner(spec, network, optimizer(network.values), **options)


def make_rows(rng, kind):
    X = rng.random((N_ROWS, N_FEATURES)) * (rng.random((N_ROWS, N_FEATURES)) < 0.2)
    X = X.astype(np.float32)
    if kind == "shifted":
        return Rows(X, shift=rng.random(N_FEATURES), scale=0.7)
    if kind == "scaled":
        return Rows(X, scale=0.7)
    if kind == "read-only":
        X.flags.writeable = False
    if kind == "csr":
        X = sp.csr_array(X)
    if kind == "double":
        X = X.astype(np.float64)
    return Rows(X, dtype=np.float32)


def run_pass(learner, passing, run=map):
    """The sum of the losses of a pass at rates that change."""
    loss, at = 0.0, 0
    while at < len(passing):
        n_steps = min(learner.n_at_once(passing), passing.alike(at))
        rates = [0.01 / (at + i + 1) for i in range(n_steps)]
        loss += learner.steps(passing, at, rates, run)
        at += n_steps
    return loss


def one_by_one(learner, passing):
    loss = 0.0
    for number, (batch, _) in enumerate(passing):
        loss += learner.step(batch, 0.01 / (number + 1), map)
    return loss


KINDS = ["plain", "read-only", "shifted", "scaled", "csr", "double"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shuffled", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_lots_are_steps(seed, kind, shuffled, weighted):
    """To the bit, for any number of threads, and whoever gathers the rows."""
    rng = np.random.default_rng(seed)
    rows = make_rows(rng, kind)
    options = {"targets": rng.standard_normal((N_ROWS, 4)).astype(np.float32)}
    if weighted:
        options = {"weights": rng.random(N_ROWS)}  # and rows that are their own targets
    order = rng.permutation(N_ROWS)[:130] if shuffled else np.arange(15, 145)
    n_out = N_FEATURES if weighted else 4

    def passing():
        return Pass(rows, order, SIZE, **options)

    expected = make_learner(n_out=n_out)
    loss = one_by_one(expected, passing())
    for n_jobs in (1, 2):
        learner = make_learner(n_out=n_out)
        assert min(learner.n_at_once(passing()), passing().alike(0)) == 3
        with stream(n_jobs) as run:
            found = run_pass(learner, passing(), run)
        np.testing.assert_allclose(found, loss, rtol=1e-12)
        for name, value in expected.state().items():
            np.testing.assert_array_equal(learner.state()[name], value)


@pytest.mark.parametrize("penalty", ["kl", "l1"])
def test_lots_of_codes(rng, penalty):
    """Sizes of codes begin anew in each step; lists of entries too."""
    code = CodeLayer(0, penalty, 0.3, 0.1)
    passing = Pass(make_rows(rng, "plain"), rng.permutation(N_ROWS), SIZE)
    learners = [make_learner(code=code, n_hidden=130) for _ in "12"]
    one_by_one(learners[0], passing)
    run_pass(learners[1], passing)
    np.testing.assert_array_equal(*[each.network.values for each in learners])
    assert learners[0].n_nonzero == learners[1].n_nonzero


def test_lots_with_noise(rng):
    """It is drawn batch by batch, and rows that are targets stay clean."""
    rows, order = make_rows(rng, "plain"), rng.permutation(N_ROWS)

    def passing(deviation=0.5):
        noise = Noise(deviation, np.random.RandomState(0)) if deviation else None
        return Pass(rows, order, SIZE, noise=noise)

    learners = [make_learner(n_out=N_FEATURES) for _ in "12"]
    assert learners[0].n_at_once(passing()) > 1
    one_by_one(learners[0], passing())
    run_pass(learners[1], passing())
    np.testing.assert_array_equal(*[each.network.values for each in learners])
    clean = [batch.rows.copy() for batch, _ in passing(0.0)]
    noises = []
    for (batch, _), expected in zip(passing(), clean):
        np.testing.assert_array_equal(batch.targets, expected)
        noises.append(batch.rows - expected)
    assert np.concatenate(noises).std() == pytest.approx(0.5, rel=0.05)
    assert np.abs(noises[0] - noises[1]).min() > 0.0
    assert noises[0].dtype == rows.dtype


def test_lots_with_momentum_and_masks(rng):
    passing = Pass(make_rows(rng, "plain"), rng.permutation(N_ROWS), SIZE)
    masks = [rng.random((N_FEATURES, 20)) < 0.5, None]
    learners = [make_learner(Momentum, masks=masks, l2=0.1) for _ in "12"]
    one_by_one(learners[0], passing)
    run_pass(learners[1], passing)
    np.testing.assert_array_equal(*[each.network.values for each in learners])


@pytest.mark.parametrize("activation", ["batchtopk", "jumprelu"])
def test_what_is_learned_between_steps_is(rng, activation):
    code = CodeLayer(0, n_nonzero=3, alpha=None if activation == "jumprelu" else 0.0)
    passing = Pass(make_rows(rng, "plain"), rng.permutation(N_ROWS), SIZE)
    learners = [make_learner(code=code) for _ in "12"]
    for learner in learners:
        learner.spec = learner.spec._replace(activations=(activation, "identity"))
    learners = [
        DenseLearner(each.spec, each.network, each.optimizer) for each in learners
    ]
    one_by_one(learners[0], passing)
    run_pass(learners[1], passing)
    for name, value in learners[0].state().items():
        np.testing.assert_array_equal(learners[1].state()[name], value)


@pytest.mark.parametrize("kind", ["plain", "read-only", "csr"])
@pytest.mark.parametrize("shuffled", [False, True])
def test_lots_of_classes(rng, kind, shuffled):
    """Targets that the kernel makes of classes are those of a one-hot matrix."""
    rows, n_classes = make_rows(rng, kind), 4
    codes = rng.integers(n_classes, size=N_ROWS, dtype=np.int32)
    matrix = np.eye(n_classes, dtype=np.float32)[codes]
    order = rng.permutation(N_ROWS)[:130] if shuffled else np.arange(15, 145)
    expected = make_learner(n_out=n_classes, output="softmax")
    loss = one_by_one(expected, Pass(rows, order, SIZE, targets=matrix))
    targets = OneHot(codes, n_classes, np.float32)
    np.testing.assert_array_equal(targets[order], matrix[order])
    passing = Pass(rows, order, SIZE, targets=targets)
    assert passing.is_plain == (kind != "csr")
    for n_jobs in (1, 2):
        learner = make_learner(n_out=n_classes, output="softmax")
        with stream(n_jobs) as run:
            found = run_pass(learner, passing, run)
        np.testing.assert_allclose(found, loss, rtol=1e-12)
        for name, value in expected.state().items():
            np.testing.assert_array_equal(learner.state()[name], value)


@pytest.mark.parametrize("own", [False, True])
def test_lots_of_a_file_that_may_not_be_written(rng, tmp_path, own):
    """Their rows are read where they are; a kernel that wrote there would be killed."""
    X = make_rows(rng, "plain").X
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = None if own else rng.standard_normal((N_ROWS, 4)).astype(np.float32)
    order = rng.permutation(N_ROWS)
    learners = [make_learner(n_out=N_FEATURES if own else 4) for _ in "12"]
    for learner, rows in zip(learners, (X, mapped)):
        passing = Pass(Rows(rows), order, SIZE, targets=y)
        assert passing.is_plain
        lot, _ = lot_of_pass(passing, 0, 3, X.dtype)
        assert np.shares_memory(lot.rows, rows)
        run_pass(learner, passing)
    np.testing.assert_array_equal(*[each.network.values for each in learners])
    assert not mapped.flags.writeable


def test_lots_are_short(rng, monkeypatch):
    """Their work is bounded, and the numbers that are gathered for them."""
    passing = Pass(make_rows(rng, "plain"), np.arange(N_ROWS), 10)
    learner = make_learner()
    assert learner.n_at_once(passing) == _network.MOST_STEPS
    monkeypatch.setattr(_network, "WORK", 6.0 * 10 * learner.network.values.size * 2.5)
    assert learner.n_at_once(passing) == 2
    monkeypatch.setattr(_network, "WORK", 1.0)
    assert learner.n_at_once(passing) == 1
    monkeypatch.undo()
    monkeypatch.setattr(_network, "MOST_NUMBERS", 10 * N_FEATURES * 3)
    assert learner.n_at_once(passing) == _network.MOST_STEPS
    assert learner.n_at_once(Pass(make_rows(rng, "csr"), np.arange(N_ROWS), 10)) == 3


def test_rates_and_losses_of_training(rng):
    """Each step has its own rate, and the last one's is the epoch's."""
    rows = make_rows(rng, "plain")
    epochs = list(
        train(
            make_learner(),
            lambda: [Part(Pass(rows, np.arange(N_ROWS), SIZE))],
            n_epochs=3,
            rate=lambda share: annealed(0.01, share),
            run=map,
        )
    )
    learner, losses = make_learner(), []
    for epoch in range(3):
        losses.append(0.0)
        for batch, share in Pass(rows, np.arange(N_ROWS), SIZE):
            rate = annealed(0.01, (epoch + share) / 3)
            losses[-1] += learner.step(batch, rate, map) / N_ROWS
    np.testing.assert_allclose([epoch.loss for epoch in epochs], losses, rtol=1e-12)
    assert [epoch.rate for epoch in epochs] == [0.01, 0.01, rate]


def test_an_interrupted_lot_ends(rng):
    learner = make_learner()
    passing = Pass(make_rows(rng, "plain"), np.arange(N_ROWS), SIZE)
    with stream(2) as run:

        def together(function, n_parts):
            def first_only(part):
                if part == 0:
                    raise KeyboardInterrupt
                function(part)

            run.together(first_only, n_parts)

        def failing(function, items):
            return run(function, items)

        failing.n_threads, failing.together = 2, together
        with pytest.raises(KeyboardInterrupt):
            run_pass(learner, passing, failing)
        run_pass(learner, passing, run)
    assert np.isfinite(learner.network.values).all()
