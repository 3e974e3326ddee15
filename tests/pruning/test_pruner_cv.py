"""Paths of pruned estimators: on rows of the user's, and on folds with a choice."""

import copy
import pickle
from itertools import pairwise

import joblib
import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeRegressor

from sparselearn.pruning import Pruner, PrunerCV, prune, pruning_path


@pytest.fixture
def problem(rng):
    X = rng.normal(size=(120, 12))
    coef = np.append(2.0 ** -np.arange(6), np.zeros(6))
    return X, X @ coef + 0.1 * rng.normal(size=120)


@pytest.fixture(scope="module")
def network():
    X, y = load_digits(return_X_y=True)
    X = X / 16
    model = MLPClassifier((20,), solver="lbfgs", random_state=0).fit(X[:500], y[:500])
    return model, X[500:900], y[500:900]


# pruning_path


def test_path_is_prune_at_each_level(network):
    model, X, y = network
    before = joblib.hash(model)
    path = pruning_path(model, X[:200], X_test=X[200:], y_test=y[200:])
    assert joblib.hash(model) == before
    assert (path.criterion, path.refit) == ("lamp", "lstsq")
    n_parts = sum(W.size for W in model.coefs_)
    assert path.n_nonzero_coefs[0] == n_parts
    assert path.score[0] == model.score(X[200:], y[200:])
    np.testing.assert_array_equal(path.sparsity, 1 - path.n_nonzero_coefs / n_parts)
    for level in (3, 6):
        for refit, scores in (("lstsq", path.score), ("none", path.score_masked)):
            pruned = prune(
                model,
                X[:200],
                criterion="lamp",
                refit=refit,
                n_nonzero_coefs=path.n_nonzero_coefs[level],
            )
            assert pruned.score(X[200:], y[200:]) == scores[level]
        for mask, W in zip(path.masks[level], pruned.coefs_):
            np.testing.assert_array_equal(mask, W != 0)
    for more, fewer in pairwise(path.masks):
        for outer, inner in zip(more, fewer):
            assert np.all(outer[inner])
    assert np.all(np.diff(path.threshold) >= 0)


def test_path_of_chosen_sparsities(problem):
    X, y = problem
    model = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    paths = [
        pruning_path(m, X, y, sparsities=[0.75, 0.25], n_jobs=n_jobs)
        for m, n_jobs in ((model, 1), (model, 2), (FrozenEstimator(model), None))
    ]
    for path in paths:
        np.testing.assert_array_equal(path.n_nonzero_coefs, [9, 3])
        np.testing.assert_array_equal(path.score, paths[0].score)
    by_error = pruning_path(model, X, y, sparsities=[0], scoring="neg_max_error")
    assert by_error.score[0] == -np.abs(model.predict(X) - y).max()
    with pytest.raises(ValueError, match=r"sparsities=\[1.0\]"):
        pruning_path(model, X, sparsities=[1.0])
    # Without targets against its own predictions.
    assert pruning_path(model, X, sparsities=[0]).score[0] == 1.0


# PrunerCV


def test_scores_are_those_of_fits_on_folds(problem):
    X, y = problem
    folds = KFold(3)
    model = Pruner(Ridge(), criterion="magnitude", refit="fold")
    found = PrunerCV(model, sparsities=[0.25, 0.5, 0.75], cv=folds).fit(X, y)
    results = found.cv_results_
    for k, share in enumerate([0.25, 0.5, 0.75]):
        slow = clone(model).set_params(sparsity=share)
        expected = cross_val_score(slow, X, y, cv=folds)
        for fold, score in enumerate(expected):
            assert results[f"split{fold}_test_score"][k] == pytest.approx(score, 1e-12)
        assert results["mean_test_score"][k] == pytest.approx(expected.mean())
        assert results["std_test_score"][k] == pytest.approx(expected.std())
        assert results["mean_test_sparsity"][k] == share
        assert results["params"][k]["sparsity"] == share
    assert found.base_score_ == pytest.approx(
        cross_val_score(Ridge(), X, y, cv=folds).mean()
    )
    assert list(results["is_control"]) == [False] * 3 + [True] * 3
    last = clone(model).set_params(sparsity=found.best_sparsity_).fit(X, y)
    np.testing.assert_array_equal(found.estimator_.coef_, last.estimator_.coef_)
    np.testing.assert_array_equal(found.predict(X), last.predict(X))


def test_the_choice(problem):
    X, y = problem
    model = Pruner(Ridge(), criterion="magnitude", refit="fold")
    fits = {
        tolerance: PrunerCV(model, tolerance=tolerance, cv=4).fit(X, y)
        for tolerance in (0.0, 0.3, "1se", "best", None)
    }
    for tolerance, fit in fits.items():
        results, real = fit.cv_results_, ~fit.cv_results_["is_control"]
        mean, share = results["mean_test_score"][real], results["param_sparsity"][real]
        best = mean.max()
        if tolerance == "best":
            enough = best
        elif tolerance == "1se":
            k = mean.argmax()
            folds = np.array([results[f"split{i}_test_score"][k] for i in range(4)])
            enough = best - folds.std(ddof=1) / 2
        else:
            enough = fit.base_score_ - (0.01 if tolerance is None else tolerance)
        assert fit.tolerance_ == pytest.approx(fit.base_score_ - enough, abs=1e-12)
        assert fit.score_ >= enough - 1e-12
        good = mean >= enough - 1e-12
        good[1:] &= good[:-1] | (tolerance == "best")
        assert fit.best_sparsity_ == share[good].max()
        assert fit.masks_[0].sum() == 12 - round(fit.best_sparsity_ * 12)
    assert fits[0.3].best_sparsity_ > fits[0.0].best_sparsity_


def test_auto_tries_all_candidates(problem):
    X, y = problem
    found = PrunerCV(Ridge(), cv=3, random_state=0).fit(X, y)
    pairs = set(
        zip(found.cv_results_["param_criterion"], found.cv_results_["param_refit"])
    )
    assert pairs >= {("magnitude", "fold"), ("magnitude", "obs"), ("obs", "obs")}
    assert found.best_params_["criterion"] == found.criterion_ != "random"
    assert found.best_params_["refit"] == found.refit_


def test_nothing_is_good_enough(rng):
    X = rng.normal(size=(100, 3))
    y = X.sum(axis=1)
    with pytest.warns(UserWarning, match="not pruned") as caught:
        found = PrunerCV(Ridge(), sparsities=[0.4, 0.7], tolerance=1e-9, cv=3).fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    assert found.best_sparsity_ == 0.0
    np.testing.assert_array_equal(found.estimator_.coef_, Ridge().fit(X, y).coef_)


def test_trees_and_support_vectors(problem):
    X, y = problem
    tree = Pruner(DecisionTreeRegressor(random_state=0), granularity="node")
    found = PrunerCV(tree, tolerance=0.1, cv=3, random_state=0).fit(X, y)
    assert found.estimator_.get_n_leaves() < found.unpruned_.get_n_leaves()
    machine = Pruner(SVC(), granularity="support_vector")
    labels = y > np.median(y)
    found = PrunerCV(machine, tolerance=0.05, cv=3, random_state=0).fit(X, labels)
    assert len(found.estimator_.support_) < len(found.unpruned_.support_)


def test_same_bits_for_any_number_of_jobs(problem):
    X, y = problem
    fits = [PrunerCV(Ridge(), cv=3, random_state=0, n_jobs=n).fit(X, y) for n in (1, 2)]
    one, two = (fit.cv_results_ for fit in fits)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name])
    np.testing.assert_array_equal(fits[0].masks_[0], fits[1].masks_[0])


def test_pruner_with_an_amount_is_refused(problem):
    for wrong in (
        Pruner(Ridge(), sparsity=0.5),
        Pruner(Ridge(), tolerance=0.1),
        Pruner(Ridge(), granularity=(1, 2)),
    ):
        with pytest.raises(ValueError, match=r"chosen here|nothing to choose"):
            PrunerCV(wrong).fit(*problem)


def test_metadata(problem, rng):
    X, y = problem
    weight, groups = rng.random(120) ** 3, rng.integers(0, 6, size=120)
    options = {"cv": GroupKFold(3), "sparsities": [0.0, 0.5]}
    plain = PrunerCV(Ridge(), **options).fit(X, y, weight, groups)
    scores = [
        Ridge().fit(X[a], y[a], weight[a]).score(X[b], y[b], weight[b])
        for a, b in GroupKFold(3).split(X, y, groups)
    ]
    assert plain.base_score_ == pytest.approx(np.mean(scores))
    with config_context(enable_metadata_routing=True):
        asking = Ridge().set_fit_request(sample_weight=True)
        for estimator in (asking, Pruner(asking)):
            routed = PrunerCV(estimator, **options)
            routed.fit(X, y, sample_weight=weight, groups=groups)
            assert routed.base_score_ == plain.base_score_


def test_copies_and_searches(problem):
    X, y = problem
    found = PrunerCV(Pruner(Ridge()), cv=3, random_state=0)
    search = GridSearchCV(found, {"estimator__estimator__alpha": [0.1, 1.0]}, cv=2)
    assert search.fit(X, y).best_score_ > 0.5
    found.fit(X, y)
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        np.testing.assert_array_equal(twin.predict(X), found.predict(X))
    assert found.restore().coef_.all()
    classifier = PrunerCV(LogisticRegression(), cv=3).fit(X, y > 0)
    np.testing.assert_array_equal(classifier.classes_, [False, True])
    assert hasattr(classifier, "predict_proba")
    assert not hasattr(found, "predict_proba")
