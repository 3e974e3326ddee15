"""The harness of this folder: errors come back, and nothing outlives a time limit."""

import time

import pytest


def test_results_and_errors_come_back(run_script):
    found = run_script("learners_script.py")
    workers, client = found["processes"]
    assert len({*workers.values(), client}) == 3
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        found["fails"]
    with pytest.raises(KeyError):
        found["no such check"]


def test_a_script_that_hangs_is_killed_with_its_workers(start_script):
    script = start_script("harness_script.py")
    deadline = time.monotonic() + 60
    while len(script.group()) < 3 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(script.group()) >= 3  # it and two workers
    script.time_limit = 0.1
    with pytest.raises(AssertionError, match=r"not through after 0\.1 s"):
        script.found()
    deadline = time.monotonic() + 15
    while script.group() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert script.group() == []
