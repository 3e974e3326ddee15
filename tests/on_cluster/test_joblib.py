"""Jobs of estimators on a cluster: what they find, and what is sent for it."""

import numpy as np
import pytest


@pytest.fixture(scope="module")
def found(run_script):
    return run_script("joblib_script.py")


# X goes from the client to the scheduler, from there to a worker, and from that to the
# other: three copies, and what jobs and results weigh. Of twenty jobs each had one.
@pytest.mark.parametrize(
    "name",
    [
        "search_of_paths",
        "search_of_fits",
        "search_of_a_map",
        "halves_by_path",
        "halves_by_fit",
        "pruner",
    ],
)
def test_a_cluster_finds_the_same_and_gets_the_data_once(found, assert_same, name):
    alone, there, copies = found[name]
    assert_same(alone, there, rtol=1e-9)  # an array may lie otherwise in memory
    assert 2.0 < copies < 5.0


def test_a_grid_search_finds_the_same_with_scattered_data(found, assert_same):
    alone, there, copies = found["grid_search"]
    assert_same(alone, there, rtol=1e-9)  # alone, BLAS may have had several threads
    assert 2.0 < copies < 5.0


@pytest.mark.parametrize("name", ["lasso_cv", "logistic_cv", "kmeans"])
def test_what_has_threads_of_its_own_sends_nothing(found, assert_same, name):
    alone, there, copies = found[name]
    assert_same(alone, there)
    assert copies < 0.5


def test_meta_estimators_inside_one_another(found, assert_same):
    for alone, there, _ in found["a_selector_in_a_search"]:
        assert_same(alone, there, rtol=1e-9)


def test_a_job_has_one_thread(found):
    for ours, of_joblib, of_blas in found["threads"]:
        assert ours
        assert of_joblib == 1
        assert set(of_blas) == {1}
    assert found["nothing_to_do"] == []


def test_threads_of_the_client_are_counted_here(found):
    assert found["threads_here"] == [True] * 4


def test_an_error_comes_back_and_leaves_nothing_fitted(found):
    assert found["an_error"] == ("not this one", False)


def test_workers_load_kernels_and_compile_none(found):
    for loaded, compiled in found["compiled_in_workers"]:
        assert loaded > 0
        assert compiled == 0


def test_jobs_of_workers_that_died_are_done_again(found):
    alone, there, n_survived = found["killed_workers"]
    assert n_survived < 2
    np.testing.assert_allclose(alone, there, rtol=1e-9)
