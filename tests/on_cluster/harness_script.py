"""Checks of the harness itself: see `test_harness.py`.

As a script, one that hangs; the others are among those of `learners_script.py`.
"""

import os
import time

from cluster import run_checks


def processes(client):
    """Who runs: the workers, and what they print goes nowhere but to the log."""
    return client.run(os.getpid), os.getpid()


def fails(client):
    """The error comes back from a worker."""
    return client.submit(lambda: 1 / 0).result(timeout=30)


def hangs(client):
    client.submit(time.sleep, 600).result()


if __name__ == "__main__":
    run_checks(hangs)
