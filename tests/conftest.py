"""Fixtures that every test may use."""

import numpy as np
import pytest


@pytest.fixture(params=[0, 1])
def seed(request):
    """Seed of a test's random data; laws hold for each."""
    return request.param


@pytest.fixture
def rng(seed):
    """The generator that a test draws from."""
    return np.random.default_rng(seed)
