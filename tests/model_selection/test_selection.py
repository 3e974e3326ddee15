"""The sparsest candidate that is good enough, by hand and in searches."""

import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, Ridge
from sklearn.model_selection import GridSearchCV

from sparselearn.model_selection import sparsest_within_one_se
from sparselearn.model_selection._figures import jaccard


def results(scores, **columns):
    """`cv_results_` of scores (n_candidates, n_folds)."""
    scores = np.array(scores, dtype=float)
    found = {f"split{k}_test_score": row for k, row in enumerate(scores.T)}
    found["mean_test_score"] = scores.mean(axis=1)
    found["std_test_score"] = scores.std(axis=1)
    return found | {name: np.array(column) for name, column in columns.items()}


# The best is the second, 0.9 with a standard error of 0.1 / 2 over four folds.
SCORES = [
    [0.84, 0.84, 0.84, 0.84],
    [0.8, 1.0, 0.8, 1.0],
    [0.86, 0.86, 0.86, 0.86],
    [0.851, 0.851, 0.851, 0.851],
]


def test_within_a_standard_error_of_the_best():
    found = results(SCORES, mean_test_sparsity=[0.9, 0.1, 0.5, 0.8])
    assert sparsest_within_one_se(found) == 3
    assert sparsest_within_one_se(found, n_se=0.9) == 2
    assert sparsest_within_one_se(found, n_se=0.0) == 1
    assert sparsest_within_one_se(found, n_se=1.3) == 0


def test_of_equally_sparse_ones_the_better_then_the_first():
    found = results(SCORES, mean_test_sparsity=[0.9, 0.1, 0.8, 0.8])
    assert sparsest_within_one_se(found) == 2
    scores = [SCORES[1], SCORES[3], SCORES[3]]
    assert sparsest_within_one_se(results(scores, mean_test_sparsity=[0, 1, 1])) == 1


def test_the_column_and_its_direction():
    found = results(
        SCORES,
        param_a__alpha=[4, 1, 3, 2],
        param_a__C=[4, 1, 3, 2],
        param_depth=[4, 1, 3, 2],
        mean_test_size=[9, 1, 9, 0],
    )
    choose = partial(sparsest_within_one_se, found)
    assert choose(sparsity="a__alpha") == choose(sparsity="param_a__alpha") == 2
    assert choose(sparsity="a__C") == 1
    assert choose(sparsity="depth", larger_is_sparser=False) == 1
    assert choose(sparsity="depth", larger_is_sparser=True) == 2
    assert choose(sparsity="a__alpha", larger_is_sparser=False) == 1
    assert choose(sparsity="size", larger_is_sparser=False) == 3
    with pytest.raises(ValueError, match="larger or smaller values of 'depth'"):
        choose(sparsity="depth")
    with pytest.raises(ValueError, match=r"'a__alpha', 'a__C', 'depth'\] not just one"):
        choose()
    with pytest.raises(ValueError, match="no column sparsity='zeros'"):
        choose(sparsity="zeros")
    with pytest.raises(ValueError, match="no metric 'f1'; it has"):
        choose(metric="f1")
    del found["param_a__C"]
    assert choose() == 2
    found["mean_test_n_nonzero"] = np.array([1, 4, 3, 2])
    assert choose() == 3
    found["mean_test_sparsity"] = np.array([0.1, 0.4, 0.3, 0.2])
    assert choose() == 1


def test_candidates_that_failed_are_none():
    scores = [[np.nan] * 4, *SCORES[1:]]
    found = results(scores, mean_test_sparsity=[0.9, 0.1, np.nan, 0.8])
    assert sparsest_within_one_se(found) == 3
    found["mean_test_sparsity"][:] = np.nan
    with pytest.raises(ValueError, match="is NaN"):
        sparsest_within_one_se(found)
    found["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="All scores of metric 'score' are NaN"):
        sparsest_within_one_se(found)


def test_values_that_are_no_numbers():
    found = results(SCORES, param_alpha=np.array(["a", 1, 2, 3], dtype=object))
    with pytest.raises(ValueError, match="no numbers"):
        sparsest_within_one_se(found)


def test_in_a_grid_search():
    X, y = load_diabetes(return_X_y=True)
    grid = {"alpha": [0.01, 0.1, 0.3, 1.0, 2.0]}
    search = GridSearchCV(Lasso(), grid, refit=sparsest_within_one_se)
    found = pickle.loads(pickle.dumps(clone(search))).fit(X, y)
    mean = found.cv_results_["mean_test_score"]
    split = [found.cv_results_[f"split{k}_test_score"] for k in range(5)]
    best = mean.argmax()
    enough = mean[best] - np.std(split, axis=0)[best] / np.sqrt(5)
    assert found.best_index_ == max(np.flatnonzero(mean >= enough)) != best
    refit = partial(sparsest_within_one_se, metric="r2", sparsity="alpha")
    search = GridSearchCV(
        Lasso(), grid, scoring=["r2", "neg_mean_squared_error"], refit=refit
    )
    assert search.fit(X, y).best_index_ == found.best_index_
    search = GridSearchCV(Ridge(), {"tol": [1.0]}, refit=sparsest_within_one_se)
    with pytest.raises(ValueError, match="Say which by sparsity="):
        search.fit(X, y)


def test_jaccard():
    a, b, c = ({1, 2}, {2, 3}, {2})
    assert jaccard([a, b, c]) == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert jaccard([set(), set()]) == 1.0
    assert jaccard([set(), a]) == 0.0
    assert np.isnan(jaccard([a]))
