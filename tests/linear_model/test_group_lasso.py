"""Group Lasso: the ways to say groups, and the laws that are those of groups alone."""

import re
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from reference import group_descent, sparse_regression
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sparselearn
from sparselearn import penalties
from sparselearn._kernels import _blocks, _groups
from sparselearn._solvers._certificates import critical_alpha
from sparselearn._solvers._feature_groups import find_groups
from sparselearn._solvers._group_working_set import GroupWorkingSet
from sparselearn._solvers._problem import make_problem
from sparselearn._validation import column_major
from sparselearn.linear_model import (
    GroupLasso,
    GroupLassoCV,
    Lasso,
    LassoCV,
    SparseGroupLasso,
    alpha_max,
)

STORAGES = {"dense": np.asarray, "csr": sp.csr_array, "csc": sp.csc_matrix}
each_storage = pytest.mark.parametrize("storage", STORAGES.values(), ids=STORAGES)
each_model = pytest.mark.parametrize("kind", [GroupLasso, SparseGroupLasso])


@pytest.fixture
def seed():
    return 0


@pytest.fixture
def data(rng):
    return sparse_regression(rng, 50, 24)


def lists(groups):
    return [group.tolist() for group in groups]


# -- the ways to say groups -------------------------------------------------------


NAMES = ["num__age", "num__fare", "enc__city_Paris", "enc__city_Rome", "enc__sex_f"]


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (None, [[0], [1], [2], [3], [4]]),
        (2, [[0, 1], [2, 3], [4]]),
        (np.int64(9), [[0, 1, 2, 3, 4]]),
        ([[3, 1], [0]], [[3, 1], [0], [2], [4]]),
        ((np.array([4]), range(2)), [[4], [0, 1], [2], [3]]),
        ([["enc__city_Rome", "num__age"]], [[3, 0], [1], [2], [4]]),
        (["enc__", "num__"], [[2, 3, 4], [0, 1]]),
        (["enc__", "enc__city"], [[4], [2, 3], [0], [1]]),
        (np.array([2, 0, 2, 1, 0]), [[1, 4], [3], [0, 2]]),
        ([7, 7, 3, 3, 7], [[2, 3], [0, 1, 4]]),
        (np.array(["b", "a", "b", "a", "a"]), [[1, 3, 4], [0, 2]]),
        ("auto", [[0], [1], [2, 3], [4]]),
    ],
    ids=repr,
)
def test_groups_may_be_said_in_many_ways(groups, expected):
    assert lists(find_groups(groups, 5, np.array(NAMES))) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        # A neighbour whose category has an underscore, before or after.
        (["e__c_A", "e__c_B", "e__c_New_York"], [[0, 1, 2]]),
        (["e__c_A_a", "e__c_B", "e__c_C"], [[0, 1, 2]]),
        (["e__c_New_A", "e__c_New_B", "e__c_P", "e__c_R"], [[0, 1, 2, 3]]),
        # Features whose own names have underscores.
        (["e__a_c_A", "e__a_c_B", "e__a_s_1", "e__a_s_2"], [[0, 1], [2, 3]]),
        (["e__a_c_A", "e__a_s_1", "e__a_s_2"], [[0], [1, 2]]),
        # Of two transformers, or apart from one another.
        (["e__c_A", "f__c_B"], [[0], [1]]),
        (["e__c_A", "e__d", "e__c_B"], [[0], [1], [2]]),
        (["e__c_A", "e__c_B", "f__c_C", "f__c_D"], [[0, 1], [2, 3]]),
        # Passed through.
        (["remainder__x_1", "remainder__x_2"], [[0], [1]]),
        # Without a ColumnTransformer.
        (["city_A", "city_B", "age", "_", "__"], [[0, 1], [2], [3], [4]]),
        (["a__b__c_A", "a__b__c_B"], [[0, 1]]),
    ],
    ids=repr,
)
def test_blocks_are_told_from_names(names, expected):
    assert lists(find_groups("auto", len(names), names)) == expected


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([[0, 1], [1, 2]], "feature 'num__fare' is in group 0 and in group 1; groups"),
        ([[0, 0]], "'num__age' is twice in group 0"),
        ([[0], [5]], "group 1 has feature 5; X has 5 features"),
        ([[-1]], "group 0 has feature -1"),
        ([["num__age", "fare"]], "group 0 has 'fare', which is no feature"),
        ([[0], []], r"group 1 must be a non-empty list of features; got \[\]"),
        ([[0], 3], "group 1 must be a non-empty list"),
        ([[0.5]], r"group 0 must hold indices or names; got \[0.5\]"),
        ([0, 1], r"has shape \(2,\); an array of labels must have one for each"),
        (0, "groups=0: a size of groups must be at least 1"),
        ("city", "groups='city': the one string allowed is \"auto\""),
        (["num__", "bin__"], "no feature is left for group 1, the prefix 'bin__'"),
    ],
    ids=repr,
)
def test_groups_that_make_no_sense_are_named(groups, words):
    with pytest.raises(ValueError, match=words):
        find_groups(groups, 5, NAMES)


@pytest.mark.parametrize("groups", ["auto", ["enc__"], [["enc__city_Paris"]]])
def test_names_that_are_not_there_are_asked_for(groups, data):
    with pytest.raises(ValueError, match="needs feature names, and X has none: fit on"):
        GroupLasso(groups=groups).fit(*data)


def test_overlaps_without_names_are_named_by_index(data):
    with pytest.raises(ValueError, match="feature 1 is in group 0 and in group 2"):
        GroupLasso(groups=[[0, 1], [2], [1]]).fit(*data)


def test_weights_are_of_groups(data):
    X, y = data
    words = r"one weight for each group, shape \(8,\)"
    for model in (GroupLasso, SparseGroupLasso, GroupLassoCV):
        with pytest.raises(ValueError, match=words):
            model(groups=3, penalty_weights=np.ones(24)).fit(X, y)
    largest = GroupLasso(0.2, groups=3, tol=1e-12).fit(X, y)
    roots = clone(largest).set_params(penalty_weights=np.full(8, np.sqrt(3)))
    np.testing.assert_array_equal(roots.fit(X, y).coef_, largest.coef_)
    ends = clone(largest).set_params(penalty_weights=[0, np.inf, *np.ones(6)])
    ends.fit(X, y)
    residual = y - ends.predict(X)
    np.testing.assert_allclose(X[:, :3].T @ residual, 0.0, atol=1e-4)
    assert not ends.coef_[3:6].any()


# -- solutions -------------------------------------------------------------------


@each_storage
@pytest.mark.parametrize("positive", [False, True])
@each_model
def test_it_is_what_a_slow_solver_finds(data, storage, positive, kind, rng):
    X, y = data
    s = rng.uniform(size=50)
    labels = rng.integers(0, 6, 24)
    model = kind(0.05, groups=labels, positive=positive, tol=1e-13)
    model.fit(storage(X), y, sample_weight=s)
    s /= s.sum()
    groups = [np.flatnonzero(labels == k) for k in range(6)]
    assert lists(model.groups_) == lists(groups)
    sizes = np.array([group.size for group in groups])
    share = getattr(model, "l1_ratio", 0.0)
    # The penalty of Simon et al.: every coefficient has the same L1 part.
    lam, mu = 0.05 * (1 - share) * np.sqrt(sizes), np.full(6, 0.05 * share)
    slow = group_descent(
        X - s @ X, y - s @ y, s, groups, lam, mu, positive=positive, n_steps=3000
    )
    np.testing.assert_allclose(model.coef_, slow, atol=1e-6)
    active = [k for k, group in enumerate(groups) if slow[group].any()]
    np.testing.assert_array_equal(model.group_support_, active)
    np.testing.assert_array_equal(model.support_, np.flatnonzero(slow))


@pytest.mark.parametrize("shape", [(50, 8), (30, 60)])
@pytest.mark.parametrize("positive", [False, True])
def test_groups_of_one_and_an_l1_ratio_of_1_are_the_lasso(rng, shape, positive):
    X, y = sparse_regression(rng, *shape)
    options = {"positive": positive, "tol": 1e-13}
    expected = Lasso(0.1, **options).fit(X, y)
    for model in (
        GroupLasso(0.1, **options),
        GroupLasso(0.1, groups=1, **options),
        SparseGroupLasso(0.1, **options),
        SparseGroupLasso(0.1, groups=4, l1_ratio=1.0, **options),
        SparseGroupLasso(0.1, groups=4, l1_ratio=1.0 - 1e-12, **options),
    ):
        model.fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-7)
        assert model.objective_ == pytest.approx(expected.objective_)
    whole = SparseGroupLasso(0.1, groups=4, l1_ratio=0.0, **options).fit(X, y)
    group = GroupLasso(0.1, groups=4, **options).fit(X, y)
    np.testing.assert_array_equal(whole.coef_, group.coef_)


@each_model
def test_the_order_of_features_does_not_matter(data, kind, rng):
    X, y = data
    labels, order = np.arange(24) // 4, rng.permutation(24)
    model = kind(0.1, groups=labels, tol=1e-13).fit(X, y)
    other = kind(0.1, groups=labels[order], tol=1e-13).fit(X[:, order], y)
    np.testing.assert_allclose(other.coef_, model.coef_[order], atol=1e-7)


def test_a_rotated_group_has_a_rotated_solution(data, rng):
    """The norm knows no axes; the sparse group's does."""
    X, y = data
    Q = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    turned = X.copy()
    turned[:, :4] = X[:, :4] @ Q
    model = GroupLasso(0.1, groups=4, tol=1e-13).fit(X, y)
    other = GroupLasso(0.1, groups=4, tol=1e-13).fit(turned, y)
    np.testing.assert_allclose(other.coef_[:4], Q.T @ model.coef_[:4], atol=1e-7)
    np.testing.assert_allclose(other.coef_[4:], model.coef_[4:], atol=1e-7)


def test_duplicates_in_a_group_share(data):
    X, y = data
    X[:, 1] = X[:, 0]
    for storage in STORAGES.values():
        for kind in (GroupLasso, SparseGroupLasso):
            model = kind(0.1, groups=4, tol=1e-13).fit(storage(X), y)
            assert model.coef_[0] == pytest.approx(model.coef_[1], rel=1e-6)
            assert model.coef_[0] != 0.0


@each_storage
def test_a_group_larger_than_the_samples(storage, rng):
    X, y = sparse_regression(rng, 12, 40)
    model = GroupLasso(0.01, groups=[range(30)], tol=1e-10).fit(storage(X), y)
    assert model.dual_gap_ <= 1e-10 * np.var(y) / 2
    assert model.coef_[:30].all()


@pytest.mark.parametrize("shape", [(60, 12), (20, 60)])
def test_several_targets_are_problems_of_their_own(rng, shape):
    X, y = sparse_regression(rng, *shape)
    both = np.column_stack([y, np.cos(y)])
    model = GroupLasso(0.1, groups=4, tol=1e-13).fit(X, both)
    alone = [GroupLasso(0.1, groups=4, tol=1e-13).fit(X, t) for t in both.T]
    for k, one in enumerate(alone):
        np.testing.assert_allclose(model.coef_[k], one.coef_, atol=1e-8)
    active = set().union(*(one.group_support_ for one in alone))
    assert set(model.group_support_) == active


@each_model
@pytest.mark.parametrize("wanted", [0, 4, 9])
def test_a_number_of_coefficients(data, kind, wanted):
    X, y = data
    model = kind(n_nonzero_coefs=wanted, groups=4).fit(X, y)
    assert model.n_nonzero_coefs_ <= wanted
    less = kind(0.999 * model.alpha_, groups=4, tol=1e-10).fit(X, y)
    assert less.n_nonzero_coefs_ > wanted
    refit = kind(n_nonzero_coefs=wanted, groups=4, refit_support="ols").fit(X, y)
    np.testing.assert_array_equal(refit.support_, model.support_)
    residual = y - refit.predict(X)
    np.testing.assert_allclose(X[:, refit.support_].T @ residual, 0.0, atol=1e-8)


def test_least_squares_at_alpha_0(data):
    X, y = data
    for kind in (GroupLasso, SparseGroupLasso):
        model = kind(0.0, groups=4, tol=1e-13).fit(X, y)
        residual = y - model.predict(X)
        np.testing.assert_allclose(X.T @ residual, 0.0, atol=1e-4)


@pytest.mark.parametrize("way", ["gram", "columns"])
@each_storage
def test_both_ways_of_descent_and_what_they_say(rng, storage, way, monkeypatch):
    X, y = sparse_regression(rng, 40, 90)
    by_columns = way == "columns"
    monkeypatch.setattr(GroupWorkingSet, "_gram_is_costly", lambda self: by_columns)
    model = GroupLasso(0.1, groups=3).fit(storage(X), y)
    assert model.solver_used_ == way
    assert 1.0 < model.n_passes_ < 20.0
    assert 0.0 < model.screened_share_ <= model.sparsity_
    assert model.dual_gap_ <= 1e-6 * np.var(y) / 2


def test_it_says_what_it_missed(data):
    X, y = data
    model = GroupLasso(0.01, groups=4, max_iter=1, tol=1e-9)
    with pytest.warns(ConvergenceWarning, match="GroupLasso stopped after 1 epochs at"):
        model.fit(X, y)
    assert model.n_iter_ == 1


# -- cross-validation ------------------------------------------------------------


@pytest.mark.parametrize("shape", [(60, 12), (24, 60)])
@each_storage
def test_cross_validation_is_a_grid_search(rng, shape, storage):
    X, y = sparse_regression(rng, *shape)
    alphas, cv = np.geomspace(1.0, 0.03, 5), KFold(3)
    model = GroupLassoCV(alphas, groups=4, cv=cv, tol=1e-10).fit(storage(X), y)
    search = GridSearchCV(
        GroupLasso(groups=4, tol=1e-10),
        {"alpha": alphas},
        cv=cv,
        scoring="neg_mean_squared_error",
    ).fit(storage(X), y)
    assert model.alpha_ == search.best_params_["alpha"]
    errors = -search.cv_results_["mean_test_score"]
    np.testing.assert_allclose(model.mse_path_.mean(axis=1), errors, rtol=1e-4)
    best = search.best_estimator_
    np.testing.assert_allclose(model.coef_, best.coef_, atol=1e-4)
    np.testing.assert_array_equal(model.group_support_, best.group_support_)


@pytest.mark.parametrize("shape", [(60, 12), (24, 60)])
def test_any_number_of_threads_gives_the_same_bits(rng, shape):
    X, y = sparse_regression(rng, *shape)
    one, two = (
        GroupLassoCV(8, groups=4, cv=3, n_jobs=n_jobs).fit(X, y) for n_jobs in (1, 2)
    )
    np.testing.assert_array_equal(one.mse_path_, two.mse_path_)
    np.testing.assert_array_equal(one.coef_, two.coef_)


def test_the_grid_begins_where_all_is_zero(data):
    X, y = data
    model = GroupLassoCV(6, groups=4, cv=3).fit(X, y)
    assert not model.coef_path_[:, [0]].toarray().any()
    design = make_problem(column_major(X), np.full(1, 1 / 50), fit_intercept=True)
    groups = penalties.Groups(np.arange(24), np.arange(0, 25, 4))
    penalty = penalties.GroupL2(1.0, groups, np.full(6, 2.0))
    assert model.alphas_[0] == pytest.approx(
        critical_alpha(design.with_target(y), penalty)
    )
    alone = GroupLassoCV(6, cv=3).fit(X, y)
    assert alone.alphas_[0] == pytest.approx(alpha_max(X, y))
    np.testing.assert_allclose(
        alone.mse_path_, LassoCV(6, cv=3).fit(X, y).mse_path_, rtol=1e-9
    )


def test_groups_of_the_splitter_are_not_those_of_features(data):
    X, y = data
    model = GroupLassoCV(5, groups=4, cv=GroupKFold(3))
    model.fit(X, y, groups=np.arange(50) // 5)
    assert model.mse_path_.shape == (5, 3)
    assert len(model.groups_) == 6


# -- in pipelines ----------------------------------------------------------------


def table(rng, n=120):
    pd = pytest.importorskip("pandas")
    city = rng.choice(["Paris", "Rome", "New_York", "Oslo"], n)
    frame = pd.DataFrame(
        {
            "age": rng.uniform(20, 80, n),
            "city": city,
            "colour": rng.choice(["red", "green", "blue"], n),
            "size": rng.standard_normal(n),
        }
    )
    effect = {"Paris": 3.0, "Rome": -2.0, "New_York": 0.0, "Oslo": 1.0}
    y = np.array([effect[c] for c in city]) + 0.1 * frame["age"]
    return frame, y + 0.3 * rng.standard_normal(n)


def encoding(**options):
    return ColumnTransformer(
        [
            ("scaler", StandardScaler(), ["age", "size"]),
            ("encoder", OneHotEncoder(sparse_output=False), ["city", "colour"]),
        ],
        **options,
    ).set_output(transform="pandas")


@pytest.mark.parametrize("verbose", [True, False])
def test_one_hot_blocks_in_a_grid_search(rng, verbose):
    """Blocks are told from the names that the encoder has made, fold by fold."""
    frame, y = table(rng)
    encoder = encoding(verbose_feature_names_out=verbose)
    search = GridSearchCV(
        make_pipeline(encoder, GroupLasso(groups="auto")),
        {
            "grouplasso__alpha": [1.0, 0.1, 0.02],
            "grouplasso__groups": ["auto", None],
        },
        cv=3,
    ).fit(frame, y)
    assert search.best_score_ > 0.9
    search.best_estimator_.set_params(grouplasso__groups="auto").fit(frame, y)
    model = search.best_estimator_[-1]
    assert lists(model.groups_) == [[0], [1], [2, 3, 4, 5], [6, 7, 8]]
    few = GroupLasso(0.1, groups="auto").fit(encoder.fit_transform(frame), y)
    np.testing.assert_array_equal(few.group_support_, [0, 2])


def test_prefixes_and_names_in_a_pipeline(rng):
    frame, y = table(rng)
    encoder = encoding()
    names = encoder.fit(frame).get_feature_names_out()
    colours = [name for name in names if "colour" in name]
    for groups in (["encoder__city", "encoder__colour"], [colours, ["scaler__age"]]):
        model = make_pipeline(encoder, GroupLasso(0.1, groups=groups)).fit(frame, y)[-1]
        assert len(model.groups_) == (4 if groups[0] == "encoder__city" else 7)
    assert clone(model).groups is not None


def test_what_is_passed_in_is_not_written_to(data):
    X, y = data
    weights, labels = np.ones(6), np.arange(24) // 4
    given = [X.copy(), y.copy(), weights.copy(), labels.copy()]
    for kind in (GroupLasso, SparseGroupLasso):
        kind(0.1, groups=labels, penalty_weights=weights).fit(X, y)
    for array, copy in zip((X, y, weights, labels), given):
        np.testing.assert_array_equal(array, copy)
        assert array.flags.writeable


def test_warm_up_leaves_nothing_to_compile(rng, monkeypatch):
    """Of either way of descent, dense and sparse."""
    sparselearn.warm_up(dtypes=["float64"])
    kernels = [
        kernel
        for module in (_groups, _blocks)
        for name in dir(module)
        if hasattr(kernel := getattr(module, name), "signatures")
    ]
    names = [kernel.__name__ for kernel in kernels]
    assert {"descend_groups", "descend_columns", "correlate"} <= set(names)
    before = [len(kernel.signatures) for kernel in kernels]
    X, y = sparse_regression(rng, 20, 60)
    for by_columns in (True, False):
        monkeypatch.setattr(
            GroupWorkingSet, "_gram_is_costly", lambda self, c=by_columns: c
        )
        for storage in STORAGES.values():
            for kind in (GroupLasso, SparseGroupLasso):
                kind(0.1, groups=[[1, 5], [0, 7]]).fit(storage(X), y, np.ones(20))
                kind(0.1, groups=3, positive=True).fit(storage(X[:, ::-1]), y)
    after = [len(kernel.signatures) for kernel in kernels]
    assert dict(zip(names, after)) == dict(zip(names, before))


def test_the_docstring_example_of_auto_is_true():
    names = ["encoder__city_Paris", "encoder__city_Rome", "encoder__city_New_York"]
    assert lists(find_groups("auto", 3, names)) == [[0, 1, 2]]
    doc = re.sub(r"\s+", " ", GroupLasso.__doc__)
    assert all(name in doc for name in names)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        find_groups("auto", 2, ["scaler__x_1", "scaler__x_2"])
    assert lists(find_groups("auto", 2, ["scaler__x_1", "scaler__x_2"])) == [[0, 1]]
