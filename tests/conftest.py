"""Fixtures that every test may use."""

import contextlib
import os

import numpy as np
import pytest

# How many times each law draws its data.
SEEDS = range(int(os.environ.get("SPARSELEARN_SEEDS", "1")))


@pytest.fixture(params=SEEDS)
def seed(request):
    """Seed of a test's random data; laws hold for each."""
    return request.param


@pytest.fixture
def rng(seed):
    """The generator that a test draws from."""
    return np.random.default_rng(seed)


def pytest_collection_modifyitems(items):
    """Names of tests are the same in every process, or xdist runs none of them."""
    bad = [item.nodeid for item in items if " at 0x" in item.nodeid]
    if bad:
        raise pytest.UsageError(f"the name of a test has an address: {bad[0]}")


@pytest.fixture
def full_disk():
    """``with full_disk(n_bytes):`` no file can grow beyond so many bytes."""
    resource = pytest.importorskip("resource")

    @contextlib.contextmanager
    def limited(n_bytes):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
