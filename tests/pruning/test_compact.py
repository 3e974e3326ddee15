"""A compact pipeline gives what the whole one gives, of less."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
import reference
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
)
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    ARDRegression,
    BayesianRidge,
    LassoLars,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    Ridge,
    SGDClassifier,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeRegressor

from sparselearn.linear_model import GroupLasso, Lasso, MultiTaskLasso
from sparselearn.neural_network import SparseMLPClassifier, SparseMLPRegressor
from sparselearn.pruning import (
    Pruner,
    PrunerCV,
    compact,
    export,
    prune,
    register_compaction,
)
from sparselearn.pruning._compact._columns import Columns

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N_ROWS = 60


@pytest.fixture
def X(rng):
    return rng.normal(size=(N_ROWS, 12))


@pytest.fixture
def y(X):
    return X[:, 2] - 2.0 * X[:, 7] + 1.0


def table(rng, n_rows=N_ROWS):
    """Numbers, some missing, and words."""
    numbers = rng.normal(size=(n_rows, 5))
    numbers[rng.random(numbers.shape) < 0.2] = np.nan
    numbers[:, 3] = np.nan
    found = pd.DataFrame(numbers, columns=[f"n{j}" for j in range(5)])
    for j, words in enumerate(["ab", "abcdef", "abcdefghij"]):
        found[f"c{j}"] = rng.choice(list(words), n_rows)
    found["left"], found["over"] = rng.normal(size=(2, n_rows))
    return found


def branches(**options):
    """A pipeline of all that usually is in one, with columns to throw away."""
    numbers = make_pipeline(
        SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    both = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector("n")),
            ("codes", OrdinalEncoder(), ["c1", "c0"]),
            ("words", OneHotEncoder(handle_unknown="ignore"), ["c0", "c1", "c2"]),
        ],
        remainder="passthrough",
        **options,
    )
    return make_pipeline(both, Ridge())


def with_zeros(pipeline, kept):
    """`pipeline`, with other coefficients, which are zero outside `kept`."""
    pipeline = deepcopy(pipeline)
    coef = pipeline[-1].coef_
    pipeline[-1].coef_ = np.where(kept, 1.0 + np.arange(coef.size) % 7, 0.0)
    return pipeline


def n_columns(pipeline):
    return pipeline[-1].n_features_in_


def assert_same(pipeline, smaller, X, method="predict"):
    wanted, found = (getattr(p, method)(X) for p in (pipeline, smaller))
    scale = np.abs(wanted).max()
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * scale)


def assert_settled(smaller, X):
    """Compact twice is compact once."""
    twice = compact(smaller, X)
    assert [name for name, _ in twice.steps] == [name for name, _ in smaller.steps]
    kinds = [[type(step) for _, step in p.steps] for p in (smaller, twice)]
    assert kinds[0] == kinds[1]
    assert twice.compaction_.columns == smaller.compaction_.columns
    twice.compaction_ = smaller.compaction_
    size = len(pickle.dumps(smaller))
    assert abs(len(pickle.dumps(twice)) - size) < 0.02 * size


@pytest.mark.parametrize("options", [{}, {"sparse_threshold": 0.0}])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_tables_with_random_zeros(rng, share, options):
    frame = table(rng)
    whole = branches(**options).fit(frame, rng.normal(size=N_ROWS))
    for _ in range(2):
        kept = rng.random(n_columns(whole)) < share
        pipeline = with_zeros(whole, kept)
        smaller = compact(pipeline, frame)
        assert_same(pipeline, smaller, frame)
        kept[0] |= not kept.any()
        wanted = pipeline[:-1].get_feature_names_out()[kept]
        assert smaller[:-1].get_feature_names_out().tolist() == wanted.tolist()
        assert n_columns(smaller) == kept.sum()
        assert_settled(smaller, frame)


@settings(max_examples=15, deadline=None)
@given(st.lists(st.booleans(), min_size=12, max_size=12), st.data())
def test_arrays_with_any_zeros(kept, data):
    """Steps in any order, each of which has a rule."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2, 30, 12)), rng.normal(size=30)
    steps = {
        "scale": StandardScaler(),
        "impute": SimpleImputer(),
        "function": FunctionTransformer(np.tanh),
        "select": SelectKBest(f_regression, k=data.draw(st.integers(1, 12))),
        "none": "passthrough",
    }
    names = data.draw(st.permutations(list(steps)))
    pipeline = Pipeline([(n, deepcopy(steps[n])) for n in names] + [("end", Ridge())])
    pipeline.fit(X[0], y)
    kept = np.resize(kept, n_columns(pipeline))
    pipeline = with_zeros(pipeline, kept)
    smaller = compact(pipeline, X[1])
    assert n_columns(smaller) == max(kept.sum(), 1)
    assert_same(pipeline, smaller, X[1])
    assert_settled(smaller, X[1])
    assert {name for name, _ in smaller.steps} >= {name for name, _ in pipeline.steps}
    read = reference.columns_read(pipeline.predict, X[1])
    assert set(read) <= set(smaller.compaction_.columns)


def test_nothing_changes_without_zeros(X, y):
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    smaller = compact(pipeline, X)
    assert smaller.compaction_.columns == list(range(12))
    assert [name for name, _ in smaller.steps] == ["standardscaler", "ridge"]
    np.testing.assert_array_equal(smaller.predict(X), pipeline.predict(X))


def test_original_is_untouched(rng):
    frame = table(rng)
    pipeline = branches().fit(frame, rng.normal(size=N_ROWS))
    pipeline = with_zeros(pipeline, rng.random(n_columns(pipeline)) < 0.2)
    before = pickle.dumps(pipeline)
    smaller = compact(pipeline, frame)
    assert pickle.dumps(pipeline) == before
    smaller[-1].coef_[:] = 1.0
    assert pickle.dumps(pipeline) == before


def test_unused_columns_may_be_absent(rng):
    frame = table(rng)
    pipeline = branches().fit(frame, rng.normal(size=N_ROWS))
    names = pipeline[:-1].get_feature_names_out()
    kept = np.isin(names, ["words__c1_b", "numbers__n1", "remainder__over"])
    pipeline = with_zeros(pipeline, kept)
    smaller = compact(pipeline, frame)
    assert smaller.compaction_.columns == ["n1", "c1", "over"]
    few = frame[["over", "c1", "n1"]]
    np.testing.assert_array_equal(smaller.predict(few), smaller.predict(frame))
    with pytest.raises(ValueError, match="columns are missing"):
        smaller.predict(few[["over", "c1"]])
    assert [name for name, *_ in smaller[0].transformers_] == [
        "numbers",
        "words",
        "remainder",
    ]


def test_columns_by_name(X, y):
    frame = pd.DataFrame(X, columns=[f"f{j}" for j in range(12)])
    pipeline = make_pipeline(StandardScaler(), Lasso(alpha=0.5)).fit(frame, y)
    smaller = compact(pipeline, frame)
    assert smaller.compaction_.columns == ["f2", "f7"]
    assert smaller.feature_names_in_.tolist() == list(frame)
    assert smaller.n_features_in_ == 12
    wanted = smaller.predict(frame)
    np.testing.assert_array_equal(smaller.predict(frame[["f7", "f2"]]), wanted)
    with pytest.raises(ValueError, match=r"no columns \['f2'\]"):
        smaller.predict(frame[["f7"]])
    frame["f0"] = np.nan  # not used, not looked at
    np.testing.assert_array_equal(smaller.predict(frame), wanted)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_set_output(X, y, container):
    pytest.importorskip(container)
    steps = StandardScaler(), SelectKBest(f_regression, k=6), Lasso(alpha=0.5)
    pipeline = make_pipeline(*steps).set_output(transform=container).fit(X, y)
    smaller = compact(pipeline, X)
    assert_same(pipeline, smaller, X)
    assert list(smaller[:-1].transform(X).columns) == ["x2", "x7"]
    assert_settled(smaller, X)
    last = make_pipeline(*steps[:-1]).set_output(transform=container).fit(X, y)
    wanted, found = last.transform(X), compact(last, X).transform(X)
    assert type(found) is type(wanted)
    assert list(found.columns) == list(wanted.columns)


@pytest.mark.parametrize("wrap", [lambda p: p, Pruner], ids=["alone", "pruner"])
def test_set_output_after_what_passes(X, y, wrap):
    """The names of frames are those that later steps were fitted with."""
    steps = "passthrough", StandardScaler(), StandardScaler(), Ridge()
    model = wrap(make_pipeline(*steps).set_output(transform="pandas"))
    if isinstance(model, Pruner):
        model.set_params(n_nonzero_coefs=2, criterion="magnitude")
    model.fit(X, y)
    pipeline = getattr(model, "estimator_", model)
    pipeline[-1].coef_[[0, 1, 3, 4, 5, 6, 8, 9, 10, 11]] = 0.0
    smaller = compact(model, X)
    assert smaller.compaction_.columns == [2, 7]
    assert list(smaller[:-1].transform(X).columns) == ["x2", "x7"]


def test_frames_of_a_column_transformer(rng):
    frame = table(rng).drop(columns=["c0", "c1", "c2"])
    numbers = make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler())
    both = ColumnTransformer(
        [("numbers", numbers, ["n2", "n1", "n0"]), ("as", "passthrough", ["left"])],
        verbose_feature_names_out=False,
        remainder=StandardScaler(),
    )
    pipeline = make_pipeline(both, Ridge()).set_output(transform="pandas")
    pipeline.fit(frame.drop(columns=["n3", "n4"]), rng.normal(size=N_ROWS))
    pipeline = with_zeros(pipeline, np.array([1, 0, 1, 1, 0]))
    smaller = compact(pipeline, frame)
    assert list(smaller[:-1].transform(frame).columns) == ["n2", "n0", "left"]
    assert_settled(smaller, frame)


@pytest.mark.parametrize("form", [sp.csr_array, sp.csc_matrix, sp.coo_array, list])
def test_inputs(X, y, form):
    pipeline = make_pipeline(StandardScaler(with_mean=False), Lasso(alpha=0.5))
    pipeline.fit(X, y)
    given = X.tolist() if form is list else form(X)
    smaller = compact(pipeline, given)
    assert_same(pipeline, smaller, given)
    with pytest.raises(ValueError, match="11 features"):
        smaller.predict(X[:, :11])


def test_read_only_and_float32(X, y):
    X = X.astype(np.float32)
    X.flags.writeable = False
    pipeline = make_pipeline(StandardScaler(), Lasso(alpha=0.5)).fit(X, y)
    smaller = compact(pipeline, X)
    assert smaller.predict(X).dtype == pipeline.predict(X).dtype
    assert smaller.compaction_.difference <= 1e-5


MODELS = [
    Lasso(alpha=0.3),
    Lasso(alpha=0.3, penalty_weights=[1.0, 0.5] * 6),
    GroupLasso(
        0.3,
        groups=[[0, 1], [2, 3], [4, 5, 6], [7], [8, 9, 10, 11]],
        penalty_weights=[1.0, 0.9, 1.0, 0.5, 1.0],
    ),
    LassoLars(alpha=0.3),
    ARDRegression(threshold_lambda=100.0),
    DecisionTreeRegressor(max_depth=3),
    ExtraTreesRegressor(3, max_depth=2, random_state=0),
    GradientBoostingRegressor(n_estimators=5, max_depth=1, random_state=0),
    TransformedTargetRegressor(Lasso(alpha=0.1), func=np.arcsinh, inverse_func=np.sinh),
    FrozenEstimator(Lasso(alpha=0.3)),
    Pruner(Ridge(), n_nonzero_coefs=2),
    Pruner(make_pipeline(StandardScaler(), Ridge()), n_nonzero_coefs=2),
    PrunerCV(Ridge(), tolerance=0.1, cv=3),
]
CLASSIFIERS = [
    LinearSVC(penalty="l1", C=0.05),
    SGDClassifier(penalty="l1", alpha=0.05, random_state=0),
    RandomForestClassifier(4, max_depth=2, random_state=0),
    GradientBoostingClassifier(n_estimators=3, random_state=0, max_depth=1),
]


@pytest.mark.parametrize("model", MODELS + CLASSIFIERS, ids=lambda e: type(e).__name__)
def test_ends_of_pipelines(X, y, model):
    if model in CLASSIFIERS:
        y = np.digitize(y, [-1.0, 1.0])
    if isinstance(model, FrozenEstimator):
        model.estimator.fit(StandardScaler().fit_transform(X), y)
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    smaller = compact(pipeline, X)
    used = smaller.compaction_.columns
    assert 1 <= len(used) < 12
    assert set(reference.columns_read(pipeline.predict, X)) <= set(used)
    assert len(pickle.dumps(smaller)) < len(pickle.dumps(pipeline)) + 1200
    for method in ("predict", "predict_proba", "decision_function"):
        if hasattr(pipeline, method):
            assert_same(pipeline, smaller, X, method)
    assert_settled(smaller, X)


def test_deviations_of_bayesian_models(X, y):
    pipeline = make_pipeline(StandardScaler(), ARDRegression(threshold_lambda=100.0))
    pipeline.fit(X, y)
    pipeline[-1].coef_[2] = 0.0  # pruned, but still uncertain
    smaller = compact(pipeline, X)
    for wanted, found in zip(
        *(p.predict(X, return_std=True) for p in (pipeline, smaller))
    ):
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
    pipeline = make_pipeline(StandardScaler(), BayesianRidge()).fit(X, y)
    pipeline[-1].coef_[:6] = 0.0
    assert compact(pipeline, X).compaction_.columns == list(range(12))


def test_several_outputs(X, y):
    both = np.column_stack([y, X[:, 4]])
    pipeline = make_pipeline(StandardScaler(), MultiTaskLasso(alpha=0.3)).fit(X, both)
    smaller = compact(pipeline, X)
    assert smaller.compaction_.columns == [2, 4, 7]
    assert smaller[-1].sparsity_ == 0.0
    assert smaller[-1].support_.tolist() == [0, 1, 2]
    forest = RandomForestClassifier(3, max_depth=1, random_state=0).fit(X, both > 0)
    assert compact(forest, X).compaction_.difference == 0.0


@pytest.mark.parametrize(
    "kind", [MLPClassifier, MLPRegressor, SparseMLPClassifier, SparseMLPRegressor]
)
def test_perceptrons(X, y, kind):
    y = y > 0 if "Classifier" in kind.__name__ else y
    network = kind(hidden_layer_sizes=(8,), max_iter=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, y)
    pruned = prune(pipeline, X, granularity="feature", n_nonzero_coefs=3)
    smaller = compact(pruned, X)
    assert len(smaller.compaction_.columns) == 3
    assert_same(pruned, smaller, X)
    assert len(pickle.dumps(smaller)) < len(pickle.dumps(pruned))
    as_csr = compact(export(pruned, "csr", X), X)
    assert as_csr[-1].coefs_[0].shape == (3, 8)
    assert_settled(smaller, X)


def test_sparse_coefficients(X, y):
    pipeline = make_pipeline(StandardScaler(), Ridge()).fit(X, y)
    pruned = prune(pipeline, X, n_nonzero_coefs=2)
    smaller = compact(export(pruned, "csr", X), X)
    assert smaller.compaction_.columns == [2, 7]
    model = LogisticRegression().fit(X, y > 0)
    model.coef_[:, 3:] = 0.0
    smaller = compact(model.sparsify(), X)
    assert smaller[-1].coef_.shape == (1, 3)
    assert [name for name, _ in smaller.steps] == [
        "input_columns",
        "logisticregression",
    ]


def test_sums_of_batches_are_dropped(X, y):
    """They are of all features; a batch of those that are left begins anew."""
    smaller = compact(Lasso(alpha=0.5).partial_fit(X, y), X)
    again = smaller[-1].partial_fit(X[:, [2, 7]], y)
    np.testing.assert_allclose(again.coef_, Lasso(alpha=0.5).fit(X, y).coef_[[2, 7]])


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_history_is_dropped(X, y):
    model = LogisticRegressionCV(Cs=2, cv=2).fit(X, y > 0)
    model.coef_[:, 1:] = 0.0
    smaller = compact(model, X)
    assert not hasattr(smaller[-1], "coefs_paths_")


class Sum(TransformerMixin, BaseEstimator):
    """Each column plus the last one: not by column, and without a rule."""

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X + X[:, -1:]

    def get_feature_names_out(self, input_features=None):
        return np.array([f"sum{j}" for j in range(self.n_features_in_)])


def less_its_mean(X):
    return X - X.mean(axis=1)[:, None]


class OwnScaler(StandardScaler):
    def transform(self, X, copy=None):
        return super().transform(X) * np.abs(X).max(axis=1)[:, None]


@pytest.mark.parametrize(
    "barrier",
    [
        Sum(),
        PCA(),
        Normalizer(),
        OwnScaler(),
        FunctionTransformer(less_its_mean),
        FunctionTransformer(np.tanh, kw_args={"casting": "safe"}),
        FunctionTransformer(less_its_mean, feature_names_out="one-to-one"),
    ],
    ids=lambda e: type(e).__name__,
)
def test_what_has_no_rule_is_kept(X, y, barrier):
    before = SelectKBest(f_regression, k=9)
    pipeline = make_pipeline(
        StandardScaler(), before, barrier, StandardScaler(), Ridge()
    )
    pipeline.fit(X, y)
    pipeline = with_zeros(pipeline, np.arange(9) == 4)
    smaller = compact(pipeline, X)
    assert len(smaller.compaction_.columns) == 9  # those that are selected
    ((step, text),) = smaller.compaction_.notes
    assert type(barrier).__name__.lower() == step
    assert type(barrier).__name__ in text
    assert text in str(smaller.compaction_)
    assert n_columns(smaller) == 1
    assert_same(pipeline, smaller, X)
    assert_settled(smaller, X)


class OddSelector(SelectKBest):
    """A selector that is more than one."""

    def transform(self, X):
        return super().transform(X) - X.min(axis=1)[:, None]


class OddLasso(Lasso):
    def predict(self, X):
        return super().predict(X) + X[:, 0]


def test_subclasses_are_not_taken_for_what_they_inherit(X, y):
    pipeline = make_pipeline(OddSelector(f_regression, k=3), Ridge()).fit(X, y)
    pipeline = with_zeros(pipeline, [1, 0, 0])
    smaller = compact(pipeline, X)
    assert smaller.compaction_.columns == list(range(12))
    assert smaller.compaction_.notes[0][0] == "oddselector"
    pipeline = make_pipeline(StandardScaler(), OddLasso(alpha=0.5)).fit(X, y)
    smaller = compact(pipeline, X)
    assert smaller.compaction_.columns == list(range(12))
    assert smaller.compaction_.notes[0][0] == "oddlasso"


def test_an_end_without_a_rule(X, y):
    pipeline = make_pipeline(SelectKBest(f_regression, k=3), KNeighborsRegressor())
    pipeline.fit(X, y)
    smaller = compact(pipeline, X)
    assert len(smaller.compaction_.columns) == 3
    assert smaller.compaction_.notes[0][0] == "kneighborsregressor"


def test_pipelines_of_transformers(X, y):
    pipeline = make_pipeline(
        StandardScaler(), PolynomialFeatures(2), SelectKBest(f_regression, k=4)
    ).fit(X, y)
    smaller = compact(pipeline, X)
    assert_same(pipeline, smaller, X, "transform")
    wanted = pipeline.get_feature_names_out().tolist()
    assert smaller.get_feature_names_out().tolist() == wanted
    assert 1 < len(smaller.compaction_.columns) < 9
    assert_settled(smaller, X)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_unions(rng, X, y, share):
    union = make_union(
        StandardScaler(),
        make_pipeline(SelectKBest(f_regression, k=5), PCA(3)),
        PolynomialFeatures(2, include_bias=False),
        "passthrough",
    )
    pipeline = make_pipeline(StandardScaler(), union, Ridge()).fit(X, y)
    for _ in range(3):
        kept = rng.random(n_columns(pipeline)) < share
        pruned = with_zeros(pipeline, kept)
        smaller = compact(pruned, X)
        assert_same(pruned, smaller, X)
        names = pruned[:-1].get_feature_names_out()[kept].tolist()
        assert smaller[:-1].get_feature_names_out().tolist() == names
        assert_settled(smaller, X)
    only = np.isin(pipeline[:-1].get_feature_names_out(), ["standardscaler__x3"])
    smaller = compact(with_zeros(pipeline, only), X)
    assert [name for name, _ in smaller["featureunion"].transformer_list] == [
        "standardscaler"
    ]
    assert smaller.compaction_.columns == [3]


def test_weights_of_branches(X, y):
    weights = {"b": 0.5, "c": 3.0}
    union = FeatureUnion(
        [("a", StandardScaler()), ("b", "passthrough"), ("c", StandardScaler())],
        transformer_weights=weights,
    )
    both = ColumnTransformer(
        [("a", "drop", [0]), ("b", union, [3, 1, 5, 1]), ("c", StandardScaler(), [])],
        remainder="passthrough",
        transformer_weights=weights,
    )
    pipeline = make_pipeline(both, Ridge()).fit(X, y)
    kept = np.isin(np.arange(n_columns(pipeline)), [1, 5, 6, 10, 12, 14])
    pipeline = with_zeros(pipeline, kept)
    smaller = compact(pipeline, X)
    assert_same(pipeline, smaller, X)
    assert smaller.compaction_.columns == [1, 2, 5, 6]
    assert_settled(smaller, X)


def test_columns_of_columns(X, y):
    """A ColumnTransformer by numbers, of what is cut before it."""
    both = ColumnTransformer(
        [("a", StandardScaler(), slice(3, 9)), ("b", "passthrough", [-1, 0])]
    )
    pipeline = make_pipeline(StandardScaler(), both, Ridge()).fit(X, y)
    pipeline = with_zeros(pipeline, np.arange(8) % 3 == 1)
    smaller = compact(pipeline, X)
    assert smaller.compaction_.columns == [0, 4, 7]
    assert_same(pipeline, smaller, X)
    assert_settled(smaller, X)


def test_texts_among_numbers(rng):
    frame = table(rng)[["left", "over", "c2"]]
    frame["text"] = [" ".join(row) for row in rng.choice([*"ab", "it", "is"], (60, 5))]
    both = ColumnTransformer(
        [
            ("text", TfidfVectorizer(norm=None), "text"),
            ("norm", TfidfVectorizer(token_pattern=r"\w"), "text"),
            ("numbers", StandardScaler(), ["over", "left"]),
            ("words", OneHotEncoder(), ["c2"]),
        ]
    )
    pipeline = make_pipeline(both, Ridge()).fit(frame, rng.normal(size=60))
    names = pipeline[:-1].get_feature_names_out()
    for wanted in (["text__it", "numbers__left"], ["norm__a"], ["words__c2_d"]):
        pruned = with_zeros(pipeline, np.isin(names, wanted))
        smaller = compact(pruned, frame)
        assert smaller[:-1].get_feature_names_out().tolist() == wanted
        few = frame[smaller.compaction_.columns]
        assert_same(pruned, smaller, frame)
        np.testing.assert_array_equal(smaller.predict(few), smaller.predict(frame))
        assert_settled(smaller, frame)
    assert smaller.compaction_.columns == ["c2"]


@pytest.mark.parametrize("config", ["enable_metadata_routing", "transform_output"])
def test_configurations(rng, config):
    frame = table(rng)
    pipeline = branches(sparse_threshold=0.0)
    pipeline[0].transformers[2][1].set_params(sparse_output=False)
    value = "pandas" if config == "transform_output" else True
    with config_context(**{config: value}):
        pipeline.fit(frame, rng.normal(size=N_ROWS))
        pruned = with_zeros(pipeline, np.arange(n_columns(pipeline)) % 5 == 2)
        smaller = compact(pruned, frame)
        assert_same(pruned, smaller, frame)
        names = pruned[:-1].get_feature_names_out()[2::5].tolist()
        assert smaller[:-1].get_feature_names_out().tolist() == names
        assert_settled(smaller, frame)


def test_all_coefficients_zero(rng):
    frame = table(rng)
    pipeline = branches().fit(frame, rng.normal(size=N_ROWS))
    pipeline = with_zeros(pipeline, False)
    smaller = compact(pipeline, frame)
    assert len(smaller.compaction_.columns) == 1
    np.testing.assert_array_equal(smaller.predict(frame), pipeline[-1].intercept_)


def test_a_wrong_rule_is_found(X, y):
    class Late(Sum):
        pass

    register_compaction(
        Late, lambda late, kept: (StandardScaler().fit(X[:, kept]), kept)
    )
    pipeline = make_pipeline(Late(), Lasso(alpha=0.5)).fit(X, y)
    with pytest.raises(ValueError, match="changes predict by"):
        compact(pipeline, X)

    def some(late, kept):
        return (Sum().fit(X), kept) if kept.all() else None

    register_compaction(Late, some)
    smaller = compact(pipeline, X)
    assert "no rule for such parameters" in smaller.compaction_.notes[0][1]
    labels = make_pipeline(Late(), SGDClassifier(penalty="l1", alpha=0.1))
    labels.fit(X, np.where(y > 1, "a", "b"))
    register_compaction(
        Late, lambda late, kept: (StandardScaler().fit(X[:, kept]), kept)
    )
    with pytest.raises(ValueError, match="rows differ"):
        compact(labels, X)


def test_more_training_and_copies(X, y):
    """What comes out can be cloned, fitted and pickled as any pipeline."""
    pipeline = make_pipeline(StandardScaler(), PolynomialFeatures(2), Lasso(alpha=0.3))
    smaller = compact(pipeline.fit(X, y), X)
    again = clone(smaller).fit(X, y)
    assert n_columns(again) == n_columns(smaller)
    read = pickle.loads(pickle.dumps(smaller))
    np.testing.assert_array_equal(read.predict(X), smaller.predict(X))
    assert isinstance(smaller[0], Columns)


def test_unfitted_is_refused():
    with pytest.raises(Exception, match="not fitted"):
        compact(make_pipeline(StandardScaler(), Ridge()))


def test_doubled_steps_and_names(X, y):
    """A transformer that occurs twice; steps called as those that are put in."""
    scaler = StandardScaler()
    pipeline = Pipeline(
        [
            ("input_columns", scaler),
            ("pca_", PCA(6)),
            ("pca_columns", scaler.set_output(transform="default")),
            ("end", LinearRegression()),
        ]
    )
    pipeline.set_params(pca_columns=StandardScaler()).fit(X, y)
    pipeline = with_zeros(pipeline, np.arange(6) == 1)
    smaller = compact(pipeline, X)
    names = [name for name, _ in smaller.steps]
    assert names == ["input_columns", "pca_", "pca_columns_", "pca_columns", "end"]
    assert_same(pipeline, smaller, X)
    assert_settled(smaller, X)
