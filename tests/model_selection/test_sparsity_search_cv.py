"""A search over sparsity is a grid search, for less."""

import pickle
import warnings
from functools import partial

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
import sklearn
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import MiniBatchDictionaryLearning as PeerDictionary
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Lasso as PeerLasso
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import get_scorer, make_scorer, r2_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    KFold,
    ShuffleSplit,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.cluster import KMeansCoder
from sparselearn.decomposition import MiniBatchDictionaryLearning, SparseCoder
from sparselearn.linear_model import (
    AdaptiveLasso,
    ElasticNet,
    GroupLasso,
    Lasso,
    MCPRegressor,
    MultiTaskLasso,
    OrthogonalMatchingPursuit,
    SparseHuberRegressor,
    SparseLogisticRegression,
    SparsePoissonRegressor,
)
from sparselearn.model_selection import SparsitySearchCV, sparsest_within_one_se
from sparselearn.model_selection._folds import Folds, evaluate
from sparselearn.pruning import Pruner

ALPHAS = [0.3, 0.03, 1.0, 0.1]
SIZES = [3, 1, 5]


def regression(rng, n_samples=45, n_features=8):
    X = rng.standard_normal((n_samples, n_features))
    y = X[:, :3] @ [3.0, -2.0, 1.0] + rng.standard_normal(n_samples)
    return X, y


def counts(rng):
    X, y = regression(rng)
    return X, rng.poisson(np.exp(0.3 * y)).astype(float)


def classes(rng):
    X, y = regression(rng)
    return X, np.where(y > 0, "yes", "no")


def tasks(rng):
    X, y = regression(rng)
    return X, np.column_stack([y, -y + X[:, 3]])


def atoms(seed=0, n_components=12):
    return np.random.default_rng(seed).standard_normal((n_components, 8))


def coder(**options):
    return SparseCoder(atoms(), **options)


def coded(step, head=None):
    return make_pipeline(StandardScaler(), step, head or Ridge())


# By name: the data, the estimator, the parameter, its values, and how near scores are.
FAMILIES = {
    "lasso": (regression, Lasso(), "alpha", ALPHAS, 1e-5),
    "lasso to a size": (regression, Lasso(), "n_nonzero_coefs", SIZES, 0.0),
    "refitted lasso": (regression, Lasso(refit_support="ols"), "alpha", ALPHAS, 1e-5),
    "elastic net": (regression, ElasticNet(), "alpha", ALPHAS, 1e-5),
    "group lasso": (regression, GroupLasso(groups=2), "alpha", ALPHAS, 1e-4),
    "several tasks": (tasks, MultiTaskLasso(), "alpha", ALPHAS, 1e-4),
    "adaptive lasso": (regression, AdaptiveLasso(), "alpha", ALPHAS, 1e-5),
    "mcp": (regression, MCPRegressor(), "alpha", ALPHAS, 1e-5),
    "logistic": (classes, SparseLogisticRegression(), "alpha", [0.1, 0.01], 0.0),
    "poisson": (counts, SparsePoissonRegressor(), "alpha", [0.1, 0.01], 1e-3),
    "huber": (regression, SparseHuberRegressor(), "alpha", ALPHAS, 1e-4),
    "omp": (regression, OrthogonalMatchingPursuit(), "n_nonzero_coefs", SIZES, 1e-9),
    "codes": (regression, coded(coder()), "sparsecoder__n_nonzero_coefs", SIZES, 0.0),
    "codes to a tolerance": (
        regression,
        coded(coder(tol=0.05)),
        "sparsecoder__n_nonzero_coefs",
        SIZES,
        0.0,
    ),
    "thresholded codes": (
        regression,
        coded(coder(method="threshold", split_sign=True)),
        "sparsecoder__n_nonzero_coefs",
        SIZES,
        0.0,
    ),
    "codes alone": (regression, coder(), "n_nonzero_coefs", SIZES, 0.0),
    "codes by examples": (
        regression,
        coded(SparseCoder(method="ormp")),
        "sparsecoder__n_nonzero_coefs",
        SIZES,
        0.0,
    ),
    "centroids": (
        regression,
        coded(KMeansCoder(6, random_state=0)),
        "kmeanscoder__n_nonzero_coefs",
        [2, None, 1],
        0.0,
    ),
    "centroids, whitened": (
        regression,
        coded(KMeansCoder(6, whiten="pca", spherical=True, random_state=0)),
        "kmeanscoder__n_nonzero_coefs",
        [2, 1],
        0.0,
    ),
    "centroids with a threshold": (
        regression,
        coded(KMeansCoder(6, encoder="soft-threshold", random_state=0)),
        "kmeanscoder__n_nonzero_coefs",
        [2, 1],
        0.0,
    ),
    "a learned dictionary": (
        regression,
        coded(MiniBatchDictionaryLearning(6, max_iter=2, tol=0.0, random_state=0)),
        "minibatchdictionarylearning__n_nonzero_coefs",
        [2, 1],
        0.0,
    ),
    "a peer's dictionary": (
        regression,
        coded(PeerDictionary(6, max_iter=2, random_state=0)),
        "minibatchdictionarylearning__transform_n_nonzero_coefs",
        SIZES,
        0.0,
    ),
    "pruner": (
        regression,
        make_pipeline(StandardScaler(), Pruner(Ridge(), criterion="magnitude")),
        "pruner__sparsity",
        [0.5, 0.25],
        0.0,
    ),
    "pruner that chooses": (
        classes,
        Pruner(LogisticRegression(), random_state=0),
        "n_nonzero_coefs",
        [3, 5],
        0.0,
    ),
    "no path": (
        regression,
        make_pipeline(StandardScaler(), PeerLasso()),
        "lasso__alpha",
        ALPHAS,
        0.0,
    ),
    "not a step's": (
        regression,
        make_pipeline(StandardScaler(), PeerLasso()),
        "lasso",
        [PeerLasso(), Ridge()],
        0.0,
    ),
}


def quietly(search, *data, **params):
    with warnings.catch_warnings():
        # A dictionary of two passes has not converged, here or in a grid search.
        warnings.simplefilter("ignore")
        return search.fit(*data, **params)


@pytest.mark.parametrize("family", FAMILIES)
def test_results_are_those_of_a_grid_search(family, rng):
    make, estimator, name, values, near = FAMILIES[family]
    X, y = make(rng)
    options = {"cv": KFold(3), "return_train_score": True, "error_score": "raise"}
    ours = SparsitySearchCV(estimator, param_name=name, values=values, **options)
    ours = quietly(ours, X, y).cv_results_
    theirs = GridSearchCV(estimator, {name: values}, **options)
    theirs = quietly(theirs, X, y).cv_results_
    assert theirs.keys() <= ours.keys()
    assert [*map(str, ours["params"])] == [*map(str, theirs["params"])]
    for key in theirs:
        if key.endswith("score") and not key.startswith("rank"):
            np.testing.assert_allclose(
                ours[key], theirs[key], rtol=0, atol=near + 1e-12, err_msg=key
            )
    assert ours[f"param_{name}"].dtype == theirs[f"param_{name}"].dtype


class Spy(TransformerMixin, BaseEstimator):
    """Counts fits and transforms, of all clones together."""

    calls = []

    def fit(self, X, y=None):
        self.calls.append(("fit", len(X)))
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        self.calls.append(("transform", len(X)))
        return X


@pytest.mark.parametrize(
    ("last", "name"),
    [
        (Lasso(), "lasso__alpha"),
        (PeerLasso(), "lasso__alpha"),
        (Pruner(Ridge(), criterion="magnitude"), "pruner__sparsity"),
    ],
)
def test_steps_before_are_used_once_a_fold(last, name, rng):
    X, y = regression(rng)
    Spy.calls = []
    search = SparsitySearchCV(
        make_pipeline(Spy(), last), param_name=name, values=[0.3, 0.2, 0.1], cv=3
    ).fit(X, y)
    a_fold = [("fit", 30), ("transform", 30), ("transform", 15)]
    assert Spy.calls == 3 * a_fold + [("fit", 45), ("transform", 45)]
    assert type(search.best_estimator_[0]) is Spy


def test_a_coder_and_what_it_prunes_are_fitted_once_a_fold(rng, monkeypatch):
    X, y = regression(rng)
    fits = []
    fit = KMeansCoder.fit
    monkeypatch.setattr(
        KMeansCoder,
        "fit",
        lambda self, *a, **k: (fits.append(1), fit(self, *a, **k))[1],
    )
    coder = KMeansCoder(6, random_state=0)
    name = "kmeanscoder__n_nonzero_coefs"
    search = SparsitySearchCV(coded(coder), param_name=name, values=SIZES, cv=3)
    search.set_params(refit=False).fit(X, y)
    assert len(fits) == 3
    fits.clear()
    soft = coded(KMeansCoder(6, encoder="soft-threshold", random_state=0))
    search.set_params(estimator=soft).fit(X, y)
    assert len(fits) == 9
    fits.clear()
    fit_ridge = Ridge.fit
    monkeypatch.setattr(
        Ridge,
        "fit",
        lambda self, *a, **k: (fits.append(1), fit_ridge(self, *a, **k))[1],
    )
    search = SparsitySearchCV(
        Pruner(Ridge(), criterion="magnitude"), values=[0.1, 0.5], cv=3, refit=False
    ).fit(X, y)
    assert len(fits) == 3


def vocal(estimator, X, y, heard):
    """A scorer that looks at all of an estimator."""
    heard.append((type(estimator), [type(step) for _, step in estimator.steps]))
    clone(estimator).fit(X, y)
    before = estimator[:-1]
    np.testing.assert_array_equal(before.transform(X[:9]), before.transform(X)[:9])
    return r2_score(y, estimator.predict(X))


def test_scorers_see_a_pipeline_of_the_same_steps(rng):
    X, y = regression(rng)
    heard = []
    pipeline = coded(coder(sparse_output=False))
    search = SparsitySearchCV(pipeline, values=[9, 8], cv=2)
    expected = search.fit(X, y).cv_results_["mean_test_score"]
    search.set_params(scoring=partial(vocal, heard=heard)).fit(X, y)
    assert heard == 4 * [(Pipeline, [StandardScaler, SparseCoder, Ridge])]
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], expected)


def test_several_metrics_and_train_scores(rng):
    X, y = classes(rng)
    scoring = {"acc": "accuracy", "loss": "neg_log_loss"}
    for refit in ("loss", False, partial(sparsest_within_one_se, metric="acc")):
        options = {"scoring": scoring, "refit": refit, "cv": 3}
        model = SparseLogisticRegression()
        search = SparsitySearchCV(model, values=[0.1, 0.03, 0.2], **options).fit(X, y)
        grid = {"alpha": search.cv_results_["param_alpha"].tolist()}
        options["refit"] = "loss" if callable(refit) else refit
        theirs = GridSearchCV(SparseLogisticRegression(tol=1e-9), grid, **options)
        theirs.fit(X, y)
        assert search.multimetric_
        for name in scoring:
            np.testing.assert_allclose(
                search.cv_results_[f"mean_test_{name}"],
                theirs.cv_results_[f"mean_test_{name}"],
                atol=1e-4,
            )
        if refit == "loss":
            assert search.best_params_ == theirs.best_params_
            assert search.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-4)
    with pytest.raises(ValueError, match="must be set to a scorer key"):
        SparsitySearchCV(SparseLogisticRegression(), scoring=scoring).fit(X, y)


@pytest.mark.parametrize("pipeline", [False, True])
def test_weights_reach_fits_and_scores(pipeline, rng):
    X, y = regression(rng)
    weights = rng.uniform(0.1, 5.0, y.size)
    estimator, name = Lasso(), "sample_weight"
    grid = {"alpha": ALPHAS}
    if pipeline:
        estimator, name = make_pipeline(StandardScaler(), Lasso()), "lasso__" + name
        grid = {"lasso__alpha": ALPHAS}
    options = {"cv": 3, "error_score": "raise"}
    ours = SparsitySearchCV(estimator, values=ALPHAS, **options)
    plain = ours.fit(X, y).cv_results_["mean_test_score"]
    ours.fit(X, y, **{name: weights})
    theirs = GridSearchCV(estimator, grid, **options).fit(X, y, **{name: weights})
    found = ours.cv_results_["mean_test_score"]
    np.testing.assert_allclose(found, theirs.cv_results_["mean_test_score"], atol=1e-5)
    assert np.abs(found - plain).max() > 1e-3


def test_metadata_are_routed(rng):
    X, y = regression(rng)
    weights, groups = rng.uniform(0.1, 5.0, y.size), np.arange(y.size) // 5
    with sklearn.config_context(enable_metadata_routing=True):
        scale = StandardScaler().set_fit_request(sample_weight=True)
        code = coder().set_fit_request(sample_weight=False)
        head = Ridge().set_fit_request(sample_weight=True)
        scoring = get_scorer("r2").set_score_request(sample_weight=True)
        options = {"cv": GroupKFold(3), "scoring": scoring, "error_score": "raise"}
        params = {"sample_weight": weights, "groups": groups}
        pipeline = make_pipeline(scale, code, head)
        name = "sparsecoder__n_nonzero_coefs"
        ours = SparsitySearchCV(pipeline, values=SIZES, **options).fit(X, y, **params)
        theirs = GridSearchCV(pipeline, {name: SIZES}, **options).fit(X, y, **params)
        np.testing.assert_allclose(
            ours.cv_results_["mean_test_score"],
            theirs.cv_results_["mean_test_score"],
            rtol=1e-12,
        )
        unrouted = SparsitySearchCV(
            make_pipeline(StandardScaler(), Lasso()), values=ALPHAS, scoring=scoring
        )
        with pytest.raises(ValueError, match="sample_weight"):
            unrouted.fit(X, y, sample_weight=weights)


def test_groups_are_the_splitters(rng):
    X, y = regression(rng)
    groups = np.arange(y.size) // 5
    search = SparsitySearchCV(Lasso(), values=ALPHAS, cv=GroupKFold(3))
    theirs = GridSearchCV(Lasso(), {"alpha": ALPHAS}, cv=GroupKFold(3))
    np.testing.assert_allclose(
        search.fit(X, y, groups=groups).cv_results_["split1_test_score"],
        theirs.fit(X, y, groups=groups).cv_results_["split1_test_score"],
        atol=1e-5,
    )


@pytest.mark.parametrize("family", ["lasso", "codes", "pruner that chooses", "no path"])
def test_the_same_bits_for_any_number_of_jobs(family, rng):
    make, estimator, name, values, _ = FAMILIES[family]
    X, y = make(rng)
    search = SparsitySearchCV(estimator, param_name=name, values=values, cv=3)
    one = search.fit(X, y).cv_results_
    with joblib.parallel_config("threading"):
        two = search.set_params(n_jobs=2).fit(X, y).cv_results_
    for key in one:
        if "time" not in key and key != "params":
            np.testing.assert_array_equal(one[key], two[key], err_msg=key)


def test_a_fold_can_be_sent_to_a_process(rng):
    X, y = regression(rng)
    options = get_scorer("r2"), True, np.nan
    splits = [(np.arange(30), np.arange(30, 45))]
    data = X, y, splits, {}, {}
    folds = Folds(coded(coder()), "sparsecoder__n_nonzero_coefs", *data, *options)
    job = folds, 0, SIZES
    here = evaluate(*job)
    there = pickle.loads(pickle.dumps(evaluate))(*pickle.loads(pickle.dumps(job)))
    for one, other in zip(here, pickle.loads(pickle.dumps(there))):
        assert one["figures"] == other["figures"]
        assert one["test_scores"] == pytest.approx(other["test_scores"])


@pytest.mark.parametrize("form", ["frame", "csr", "csc64", "float32", "list", "memmap"])
def test_kinds_of_input(form, rng, tmp_path):
    X, y = regression(rng)
    pipeline = make_pipeline(StandardScaler(with_mean=False), Lasso())
    expected = SparsitySearchCV(pipeline, cv=3, values=ALPHAS).fit(X, y).cv_results_
    if form == "frame":
        pandas = pytest.importorskip("pandas")
        data = pandas.DataFrame(X, columns=[*"abcdefgh"], index=np.arange(45)[::-1])
    elif form == "csr":
        data = sp.csr_array(X)
    elif form == "csc64":
        data = sp.csc_array(X)
        data.indices = data.indices.astype(np.int64)
        data.indptr = data.indptr.astype(np.int64)
    elif form == "float32":
        data = X.astype(np.float32)
    elif form == "list":
        data = X.tolist()
    else:
        data = np.memmap(tmp_path / "X", X.dtype, "w+", shape=X.shape)
        data[:] = X
        data = np.memmap(tmp_path / "X", X.dtype, "r", shape=X.shape)
    search = SparsitySearchCV(pipeline, cv=3, values=ALPHAS).fit(data, y)
    for key in ("mean_test_score", "mean_test_n_nonzero", "support_agreement"):
        np.testing.assert_allclose(search.cv_results_[key], expected[key], atol=1e-4)
    if form == "frame":
        assert list(search.feature_names_in_) == [*"abcdefgh"]
        assert len(pandas.DataFrame(search.cv_results_)) == len(ALPHAS)


def test_frames_between_steps(rng):
    pytest.importorskip("pandas")
    X, y = regression(rng)
    pipeline = coded(coder())
    expected = SparsitySearchCV(pipeline, values=SIZES, cv=3).fit(X, y).cv_results_
    framed = clone(pipeline).set_output(transform="pandas")
    search = SparsitySearchCV(framed, values=SIZES, cv=3).fit(X, y)
    # Ridge solves dense codes another way.
    np.testing.assert_allclose(
        search.cv_results_["mean_test_score"], expected["mean_test_score"], atol=1e-2
    )
    assert search.best_estimator_[-1].feature_names_in_[0] == "sparsecoder0"


@pytest.mark.parametrize(
    ("estimator", "name", "values"),
    [
        (Lasso(), "alpha", [0.1, -1.0, 0.3]),
        (make_pipeline(StandardScaler(), Lasso()), "lasso__alpha", [0.1, "x", 0.3]),
        (coded(coder()), "sparsecoder__n_nonzero_coefs", [1, 0, 3]),
        (Pruner(Ridge(), criterion="magnitude"), "sparsity", [0.1, 1.5, 0.3]),
        (PeerLasso(), "alpha", [0.1, -1.0, 0.3]),
    ],
)
def test_one_candidate_that_fails_spoils_no_other(estimator, name, values, rng):
    X, y = regression(rng)
    search = SparsitySearchCV(estimator, param_name=name, values=values, cv=3)
    with (
        pytest.warns(FitFailedWarning, match="3 fits failed out of a total of 9"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(X, y)
    good = SparsitySearchCV(
        estimator, param_name=name, values=[values[0], values[2]], cv=3
    ).fit(X, y)
    for key in ("mean_test_score", "mean_test_n_nonzero"):
        np.testing.assert_allclose(
            search.cv_results_[key][[0, 2]], good.cv_results_[key], atol=1e-5
        )
        assert np.isnan(search.cv_results_[key][1])
    with pytest.raises(ValueError, match=rf"{name.split('__')[-1]}"):
        search.set_params(error_score="raise").fit(X, y)
    with pytest.raises(ValueError, match="All the 3 fits failed"):
        search.set_params(error_score=np.nan, values=[values[1]]).fit(X, y)


class Moody(Ridge):
    """Fails on some rows only."""

    def fit(self, X, y, sample_weight=None):
        if X.shape[0] == 30 and X.sum() < 0:
            raise ValueError("moody")
        return super().fit(X, y)


def test_a_head_that_fails_is_told_by_fold(rng):
    X, y = regression(rng)
    X[15:] = np.abs(X[15:])
    X[:15] = -100.0 * np.abs(X[:15])  # the first fold's training rows are positive
    pipeline = make_pipeline(coder(sparse_output=False), Moody())
    search = SparsitySearchCV(pipeline, values=SIZES, cv=3, error_score=-7.0)
    grid = {"sparsecoder__n_nonzero_coefs": SIZES}
    theirs = GridSearchCV(pipeline, grid, cv=3, error_score=-7.0)
    with pytest.warns(FitFailedWarning):
        search.fit(X, y)
    with pytest.warns(FitFailedWarning):
        theirs.fit(X, y)
    for k in range(3):
        key = f"split{k}_test_score"
        np.testing.assert_allclose(search.cv_results_[key], theirs.cv_results_[key])
    assert -7.0 in search.cv_results_["split1_test_score"]


def test_figures_of_sparsity(rng):
    X, y = regression(rng)
    splits = list(KFold(3).split(X))
    search = SparsitySearchCV(Lasso(), values=ALPHAS, cv=splits).fit(X, y)
    results = search.cv_results_
    for k, alpha in enumerate(ALPHAS):
        fits = [Lasso(alpha).fit(X[rows], y[rows]) for rows, _ in splits]
        sizes = [fit.n_nonzero_coefs_ for fit in fits]
        assert results["mean_test_n_nonzero"][k] == pytest.approx(np.mean(sizes))
        assert results["std_test_n_nonzero"][k] == pytest.approx(np.std(sizes))
        shares = [fit.sparsity_ for fit in fits]
        assert results["mean_test_sparsity"][k] == pytest.approx(np.mean(shares))
        assert results["std_test_sparsity"][k] == pytest.approx(np.std(shares))
        used = [set(fit.support_) for fit in fits]
        pairs = [(0, 1), (0, 2), (1, 2)]
        shared = [len(used[a] & used[b]) / len(used[a] | used[b]) for a, b in pairs]
        assert results["support_agreement"][k] == pytest.approx(np.mean(shared))
    assert search.n_nonzero_coefs_ == search.best_estimator_.n_nonzero_coefs_
    assert search.sparsity_ == search.best_estimator_.sparsity_


def test_figures_of_others(rng):
    X, y = regression(rng)
    peers = SparsitySearchCV(PeerLasso(), values=ALPHAS, cv=3).fit(X, y).cv_results_
    ours = SparsitySearchCV(Lasso(), values=ALPHAS, cv=3).fit(X, y).cv_results_
    for key in ("mean_test_n_nonzero", "mean_test_sparsity", "support_agreement"):
        np.testing.assert_allclose(peers[key], ours[key], atol=1e-12)
    codes = SparsitySearchCV(coded(coder()), values=SIZES, cv=3).fit(X, y).cv_results_
    np.testing.assert_array_equal(codes["mean_test_n_nonzero"], SIZES)
    assert "support_agreement" not in codes  # of the features codes say nothing
    ridge = SparsitySearchCV(
        KMeansCoder(3, random_state=0), param_name="tol", values=[1e-3], cv=2
    ).fit(X)
    assert ridge.cv_results_["mean_test_n_nonzero"] > 0
    scaled = SparsitySearchCV(
        make_pipeline(StandardScaler(), RidgeClassifier()),
        param_name="standardscaler__with_mean",
        values=[True, False],
        cv=2,
    ).fit(X, y > 0)
    assert scaled.cv_results_["mean_test_sparsity"].tolist() == [0.0, 0.0]


def test_a_metric_of_the_users_wins_over_a_column(rng):
    X, y = regression(rng)

    def scoring(estimator, X, y):
        return {"score": estimator.score(X, y), "sparsity": 0.5}

    search = SparsitySearchCV(
        Lasso(), values=ALPHAS, cv=2, scoring=scoring, refit="score"
    ).fit(X, y)
    assert search.cv_results_["mean_test_sparsity"].tolist() == [0.5] * 4
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    with pytest.raises(ValueError, match="scorer key"):
        search.set_params(refit="best").fit(X, y)


def test_choices(rng):
    X, y = regression(rng)
    y += 4.0 * rng.standard_normal(y.size)
    search = SparsitySearchCV(Lasso(), cv=3).fit(X, y)
    results = search.cv_results_
    assert search.best_index_ == np.argmax(results["mean_test_score"])
    assert search.best_score_ == results["mean_test_score"].max()
    expected = search.best_params_
    assert search.set_params(refit=True).fit(X, y).best_params_ == expected
    search.set_params(refit="1se").fit(X, y)
    assert search.best_index_ == sparsest_within_one_se(results)
    assert search.best_score_ == results["mean_test_score"][search.best_index_]
    assert search.best_params_["alpha"] > expected["alpha"]
    assert search.best_estimator_.alpha == search.best_params_["alpha"]
    search.set_params(refit=lambda found: 3).fit(X, y)
    assert search.best_index_ == 3
    assert not hasattr(search, "best_score_")
    search.set_params(refit=False).fit(X, y)
    assert search.best_params_ == expected
    assert not hasattr(search, "best_estimator_")
    assert not hasattr(search, "predict")
    with pytest.raises(ValueError, match="refit='1sd', with one metric"):
        search.set_params(refit="1sd").fit(X, y)


@pytest.mark.parametrize(
    ("make", "estimator", "name"),
    [
        (regression, Lasso(), "alpha"),
        (regression, PeerLasso(tol=1e-12), "alpha"),
        (regression, GroupLasso(groups=2), "alpha"),
        (tasks, MultiTaskLasso(), "alpha"),
        (classes, SparseLogisticRegression(l1_ratio=0.5, tol=1e-12), "alpha"),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_a_grid_begins_where_nothing_is_left(make, estimator, name, scale, rng):
    X, y = make(rng)
    params = {"sample_weight": rng.uniform(0.5, 2.0, len(y))}
    search = SparsitySearchCV(estimator, values=5, cv=2).fit(scale * X, y, **params)
    assert search.param_name_ == name
    values = search.cv_results_[f"param_{name}"].astype(float)
    assert values.size == 5
    first = clone(estimator).set_params(**{name: values[0]}).fit(scale * X, y, **params)
    assert not np.any(first.coef_)
    beyond = {name: 0.99 * values[0]}
    near = clone(estimator).set_params(**beyond).fit(scale * X, y, **params)
    assert np.any(near.coef_)
    steps = values[1:] / values[:-1]
    np.testing.assert_allclose(steps, steps[0])


@pytest.mark.filterwarnings("ignore:The max_iter was reached")
@pytest.mark.parametrize("solver", ["liblinear", "saga"])
def test_a_grid_of_a_peers_classifier(solver, rng):
    X, y = classes(rng)
    is_old = sklearn.__version__.startswith("1.7")
    sparse = {"penalty": "l1"} if is_old else {"l1_ratio": 1.0}
    options = {"solver": solver, "tol": 1e-6, "max_iter": 1000, "random_state": 0}
    if solver == "saga":
        options["class_weight"] = {"no": 1.0, "yes": 3.0}
    model = LogisticRegression(**sparse, **options)
    search = SparsitySearchCV(model, values=4, cv=2).fit(X, y)
    assert search.param_name_ == "C"
    values = search.cv_results_["param_C"].astype(float)
    np.testing.assert_allclose(values[1:] / values[:-1], 10.0)
    assert not np.any(clone(model).set_params(C=0.99 * values[0]).fit(X, y).coef_)
    assert np.any(clone(model).set_params(C=1.05 * values[0]).fit(X, y).coef_)
    assert search.cv_results_["mean_test_n_nonzero"][-1] > 4


def test_a_grid_is_of_what_the_step_sees(rng):
    X, y = regression(rng)
    scaled = 100.0 * X + 7.0
    alone = SparsitySearchCV(Lasso(), values=4, cv=2).fit(
        StandardScaler().fit_transform(scaled), y
    )
    for scale in (StandardScaler(), StandardScaler(copy=False)):
        before = scaled.copy()
        pipeline = make_pipeline(scale, Lasso())
        piped = SparsitySearchCV(pipeline, values=4, cv=2, refit=False).fit(scaled, y)
        np.testing.assert_allclose(
            piped.cv_results_["param_lasso__alpha"].astype(float),
            alone.cv_results_["param_alpha"].astype(float),
        )
        np.testing.assert_array_equal(scaled, before)


def test_what_works_in_place_shares_nothing(rng):
    X, y = regression(rng)
    steps = StandardScaler(), coder(sparse_output=False), StandardScaler(copy=False)
    pipeline = make_pipeline(*steps, Ridge())
    name = "sparsecoder__n_nonzero_coefs"
    ours = SparsitySearchCV(pipeline, values=SIZES, cv=3).fit(X, y)
    theirs = GridSearchCV(pipeline, {name: SIZES}, cv=3).fit(X, y)
    np.testing.assert_array_equal(
        ours.cv_results_["mean_test_score"], theirs.cv_results_["mean_test_score"]
    )


@pytest.mark.parametrize(
    ("estimator", "name"),
    [
        (Lasso(n_nonzero_coefs=3), "n_nonzero_coefs"),
        (OrthogonalMatchingPursuit(), "n_nonzero_coefs"),
        (coder(method="lasso", alpha=0.1), "alpha"),
        (coder(), "n_nonzero_coefs"),
        (MiniBatchDictionaryLearning(coder=coder()), "coder__n_nonzero_coefs"),
        (Pruner(Ridge()), "sparsity"),
        (Pruner(Ridge(), threshold=0.1), "threshold"),
        (coded(coder(), Lasso()), "lasso__alpha"),
        (coded(coder(), RidgeClassifier()), "sparsecoder__n_nonzero_coefs"),
        (
            Pipeline([("a", Pipeline([("b", coder())])), ("c", Ridge())]),
            "a__b__n_nonzero_coefs",
        ),
        (PeerDictionary(), "transform_n_nonzero_coefs"),
        (PeerDictionary(transform_alpha=0.1), "transform_alpha"),
    ],
)
def test_the_parameter_is_found(estimator, name):
    from sparselearn.model_selection._parameters import LARGER_IS_SPARSER, parameter_of

    assert parameter_of(estimator) == name
    assert name in estimator.get_params()
    assert name.split("__")[-1] in LARGER_IS_SPARSER


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"estimator": Ridge()}, "No parameter of Ridge"),
        ({"estimator": LogisticRegression()}, "Give param_name"),
        ({"estimator": Lasso(), "param_name": "alhpa"}, "'alhpa' is no parameter"),
        ({"estimator": Lasso(), "values": []}, "values is empty"),
        ({"estimator": Lasso(), "values": 0}, "values=0 must be >= 1"),
        ({"estimator": coder()}, "Data do not suggest values of n_nonzero_coefs"),
        ({"estimator": Lasso(), "param_name": "tol"}, "do not suggest values of tol"),
        ({"estimator": ElasticNet(l1_ratio=0.0)}, "do not suggest values of alpha"),
        ({"estimator": Pruner(Ridge(), threshold=1.0)}, "values of threshold"),
        ({"estimator": Lasso(), "cv": []}, "makes no folds"),
    ],
)
def test_errors_say_what_to_do(options, match, rng):
    with pytest.raises(ValueError, match=match):
        SparsitySearchCV(**options).fit(*regression(rng))


def test_a_failed_fit_leaves_the_last_one(rng):
    X, y = regression(rng)
    search = SparsitySearchCV(Lasso(), values=ALPHAS, cv=3).fit(X, y)
    before = dict(vars(search))

    def interrupt(estimator, X, y):
        raise KeyboardInterrupt

    search.scoring = interrupt
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    search.scoring = None
    assert vars(search).keys() == before.keys()
    assert all(vars(search)[name] is before[name] for name in before)


def test_it_is_an_estimator(rng):
    X, y = regression(rng)
    search = SparsitySearchCV(
        make_pipeline(StandardScaler(), Lasso()), values=5, refit="1se", cv=3
    )
    copy = clone(search)
    assert copy.get_params()["estimator__lasso__tol"] == 1e-6
    fitted = pickle.loads(pickle.dumps(search.fit(X, y)))
    np.testing.assert_array_equal(fitted.predict(X), search.predict(X))
    assert fitted.score(X, y) == search.best_estimator_.score(X, y)
    nested = cross_val_score(copy, X, y, cv=ShuffleSplit(2, random_state=0))
    for score, (train, test) in zip(nested, ShuffleSplit(2, random_state=0).split(X)):
        again = clone(search).fit(X[train], y[train])
        assert score == pytest.approx(again.score(X[test], y[test]))
    codes = SparsitySearchCV(coder(), values=SIZES, cv=2).fit(X)
    assert codes.transform(X).shape == (45, 12)
    doubled = SparsitySearchCV(
        Lasso(), values=ALPHAS, cv=2, scoring=make_scorer(r2_score)
    ).fit(X, y)
    assert doubled.score(X, y) == pytest.approx(r2_score(y, doubled.predict(X)))
