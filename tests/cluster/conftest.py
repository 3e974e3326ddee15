"""What tests of coders share."""

import pytest

from sparselearn.cluster import _coding


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    """So that little data fills several, the last one in part."""
    monkeypatch.setattr(_coding, "CHUNK", 64)


@pytest.fixture
def X(rng):
    """Three heaps, some zeros."""
    centres = rng.normal(scale=3.0, size=(3, 5))
    X = centres[rng.integers(3, size=150)] + rng.standard_normal((150, 5))
    X[rng.uniform(size=X.shape) < 0.3] = 0.0
    return X
