"""joblib's own backends find what one thread finds, to the bit."""

import pytest


@pytest.fixture(scope="module")
def found(run_script):
    return run_script("backends_script.py", cluster=False)


@pytest.mark.parametrize("backend", ["threading", "loky", "multiprocessing"])
@pytest.mark.parametrize(
    "name",
    ["search_of_paths", "search_of_fits", "halves", "pruner", "lasso_cv", "kmeans"],
)
def test_any_backend_finds_the_same(found, assert_same, name, backend):
    assert_same(found[name]["sequential"], found[name][backend])
