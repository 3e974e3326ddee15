"""A fit on a cluster where workers die, a chunk fails, or Ctrl-C is pressed."""

import os
import signal
import time

import pytest
from numpy.testing import assert_allclose, assert_equal

SCRIPT = "faults_script.py"


@pytest.fixture
def found(run_script):
    return run_script(SCRIPT, time_limit=300.0)


def assert_alike(found, expected):
    """The same attributes, to rounding: a chunk may lie otherwise in memory."""
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_alike(found[name], value)
        else:
            assert_allclose(found[name], value, 1e-9, 1e-12, err_msg=name)


def test_workers_that_die_change_nothing(found):
    assert "coef_" in found["undisturbed"]["Lasso"]
    assert_alike(found["workers_die"], found["undisturbed"])


def test_chunks_that_lay_on_a_dead_worker_are_read_again(found):
    n_chunks, learned = found["a_worker_with_data_dies"]
    assert n_chunks > 0
    assert_alike(learned, found["undisturbed"]["Lasso"])


def test_rows_that_were_nowhere_else_are_said_to_be_lost(found):
    kind, said, learned = found["scattered_rows_are_lost"]
    assert kind == "RuntimeError"
    assert "scatter" in said
    assert learned == {}


def test_a_task_of_which_workers_die_is_named(found):
    kind, said, learned = found["a_worker_dies_of_each_try"]
    assert kind == "KilledWorker"
    assert said.startswith("Attempted to run task")
    assert learned == {}


def test_a_chunk_that_cannot_be_read_changes_nothing(found):
    said, before, after = found["a_chunk_cannot_be_read"]
    assert said == "no more of part-5"
    assert "coef_" in before
    assert_equal(after, before)


def test_an_interrupt_leaves_tasks_undone_and_the_estimator_as_it_was(found):
    before, interrupted = found["a_client_is_interrupted"]
    n_read, after = zip(*interrupted)
    assert set(n_read) == {2}  # those that were being read, and no other after these
    assert "coef_" in before
    assert_equal(after, (*[{}] * len(found["undisturbed"]), before))


def test_an_interrupted_script_leaves_no_process(start_script):
    script = start_script(SCRIPT, "until interrupted")
    deadline = time.monotonic() + script.time_limit / 2
    reading = script.folder / "gate-ever" / "arrival-0"
    while not reading.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert reading.exists(), script.output()
    os.kill(script.process.pid, signal.SIGINT)
    assert script.wait() == -signal.SIGINT, script.output()
    while script.group() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert script.group() == []
    assert "KeyboardInterrupt" in script.output()
