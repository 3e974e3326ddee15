"""Fixtures that every test may use."""

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
