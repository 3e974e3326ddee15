"""Parts of the main job's report: what it reads, what it says, what it draws."""

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from sparselearn._report import _figures, _results
from sparselearn._report._data import load
from sparselearn._report._models import MODELS
from sparselearn._report._prepare import prepare
from sparselearn._report._read import ReportError
from sparselearn._report._stable import stable_features
from sparselearn._report._words import findings
from sparselearn.feature_selection import StabilitySelector
from sparselearn.linear_model import Lasso, SparseLogisticRegression

pd = pytest.importorskip("pandas")

N = 80


@pytest.fixture
def table(rng):
    """Numbers and categories, and a target that depends on both."""
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=N).round(3),
            "weight": rng.normal(size=N).round(3),
            "kind": rng.choice(["round", "flat"], N),
        }
    )
    frame["price"] = frame["size"] * 2 + (frame["kind"] == "flat")
    return frame


def loaded(frame, folder, target="price", name="a.csv", **options):
    frame.to_csv(folder / name, index=False, **options)
    return load(folder / name, target)


# -- reading ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "call"),
    [
        ("a.csv", {"sep": ";"}, "sep=';'"),
        ("a.csv", {"sep": ";", "decimal": ","}, "sep=';', decimal=','"),
        ("a.csv", {"sep": "\t"}, "sep='\\t'"),
        ("a.csv.gz", {"sep": "|"}, "sep='|'"),
        ("a.tsv", {"sep": "\t"}, "sep='\\t'"),
        ("a.csv", {"encoding": "cp1252"}, "encoding='cp1252'"),
        ("a.csv", {"encoding": "utf-16", "sep": "\t"}, "encoding='utf-16'"),
    ],
)
def test_any_separator_and_encoding_is_read(table, tmp_path, name, options, call):
    table["kind"] = table["kind"].replace("flat", "plätt")
    expected = loaded(table, tmp_path)
    data = loaded(table, tmp_path, name=name, **options)
    pd.testing.assert_frame_equal(data.X, expected.X)
    np.testing.assert_array_equal(data.y, expected.y)
    assert call in data.notes[0]


def test_a_first_line_of_numbers_is_a_row(table, tmp_path):
    table[["size", "weight", "price"]].to_csv(
        tmp_path / "a.csv", index=False, header=False
    )
    data = load(tmp_path / "a.csv")
    assert data.target == "column 3"
    np.testing.assert_array_equal(data.X.to_numpy(), table[["size", "weight"]])
    assert "holds numbers, not names" in " ".join(data.notes)


def test_numbers_that_count_name_columns(table, tmp_path):
    table[["size", "weight", "price"]].set_axis([0, 1, 2], axis=1).to_csv(
        tmp_path / "a.csv", index=False
    )
    data = load(tmp_path / "a.csv")
    assert list(data.X.columns) == ["0", "1"]
    assert len(data.y) == N


def test_columns_that_say_nothing_of_other_rows_are_left_out(table, tmp_path):
    days = pd.date_range("2020-01-01", periods=N)
    table["when"] = days.strftime("%d.%m.%Y")
    table["seen"] = days.astype(str) + " 12:30:00"
    table["customer_id"] = np.arange(N)[::-1] * 7
    table["row"] = np.arange(1, N + 1)
    table["name"] = [f"person {i}" for i in range(N)]
    table["cost"] = [f"${i},{100 + i}.50" for i in range(N)]
    # These look alike and stay: a year, few names, an id that groups rows.
    table["year"] = np.arange(N) + 1900
    table["level"] = [f"{10 * (i % 5)} %" for i in range(N)]
    table["group_id"] = np.arange(N) // 4
    data = loaded(table, tmp_path)
    kept = ["size", "weight", "kind", "year", "level", "group_id"]
    assert list(data.X.columns) == kept
    said = " ".join(data.notes)
    for text in (
        "dates: when, seen; add columns of numbers",
        "keys, another in each row: customer_id.",
        "row numbers: row.",
        "names, another in each row: name.",
        "numbers written as text: cost; write them plainly",
    ):
        assert f"Left out, {text}" in said


def test_a_target_nearly_named_is_suggested(table, tmp_path):
    with pytest.raises(ReportError, match="did you mean 'price'"):
        loaded(table, tmp_path, target="Prize")


def test_texts_that_are_no_classes_are_refused(table, tmp_path):
    table["price"] = [f"${value:.2f}" for value in table["price"]]
    with pytest.raises(ReportError, match="numbers are written as text"):
        loaded(table, tmp_path)
    table.to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(ReportError, match="no --target was given"):
        load(tmp_path / "a.csv")


# -- sentences in a column ----------------------------------------------------


@pytest.fixture
def messages(table, rng):
    words = ["we", "sell", "cheap", "watches", "now", "call", "back", "please"]
    table["note"] = [" ".join(rng.choice(words, 6)) for _ in range(N)]
    table["spam"] = np.where(table["note"].str.contains("cheap"), "yes", "no")
    table.loc[:2, "note"] = np.nan
    table["size"] = table["size"].mask(table["size"] > 1)
    return table.drop(columns="price")


def test_sentences_become_words(messages, tmp_path):
    problem = prepare(loaded(messages, tmp_path, "spam"), 0)
    rows, _ = problem.train
    by_hand = TfidfVectorizer(min_df=2, sublinear_tf=True)
    expected = by_hand.fit_transform(rows["note"].fillna("")).toarray()
    words = [f"note: {word}" for word in by_hand.get_feature_names_out()]
    columns = [list(problem.shown).index(word) for word in words]
    expected /= expected.max(axis=0)
    np.testing.assert_allclose(problem.X[:, columns].toarray(), expected)
    assert list(problem.shown[:2]) == ["size", "weight"]
    assert "kind_flat" in problem.shown
    assert problem.blocks == []
    assert np.isfinite(problem.X.data).all()
    reason = MODELS["group-lasso"].unsuited(problem)
    assert reason == "it takes no sparse features"


def test_categories_of_few_words_are_no_sentences(table, tmp_path):
    table["town"] = [f"a town of number {i % 20}" for i in range(N)]
    problem = prepare(loaded(table, tmp_path), 0)
    assert "town_a town of number 3" in problem.shown


def test_folds_are_prepared_by_their_own_rows(messages, tmp_path):
    problem = prepare(loaded(messages, tmp_path, "spam"), 0)
    rows, y = problem.train
    for fold, (train, test) in zip(problem.folds, problem.cv.split(rows, y)):
        steps = clone(problem.preparation).fit(rows.iloc[train])
        for own, at in ((fold.X, train), (fold.X_test, test)):
            expected = steps.transform(rows.iloc[at])
            np.testing.assert_allclose(own.toarray(), expected.toarray(), rtol=1e-12)
        np.testing.assert_array_equal(fold.names, steps.get_feature_names_out())


# -- what is said -------------------------------------------------------------


def outcome(name, scores, sparsities, best, sparse, weights=None, **more):
    """An outcome of two folds, whose standard error is 0.01."""
    scores = np.asarray(scores)
    results = {
        "params": [{"step__size": i} for i in range(len(scores))],
        "mean_test_score": scores,
        "std_test_score": np.full(len(scores), 0.01),
        "mean_test_sparsity": np.asarray(sparsities),
        "split0_test_score": scores,
        "split1_test_score": scores,
    }

    def choice(i):
        model = LogisticRegression()
        if weights is not None:
            model.coef_ = np.asarray(weights)
        return SimpleNamespace(
            index=i,
            parameter=f"size={i}",
            cv_mean=scores[i],
            cv_std=0.01,
            sparsity=sparsities[i],
            n_nonzero=10 * (1 - sparsities[i]),
            held_out=scores[i] - 0.1,
            pipeline=Pipeline([("linear", model)]),
        )

    settings = {"swept": True, "unit": "weights"} | more
    return SimpleNamespace(
        name=name,
        cv_results=results,
        best=choice(best),
        sparse=choice(sparse),
        fit_seconds=0.5,
        predict_microseconds=12.0,
        **settings,
    )


PROBLEM = SimpleNamespace(
    metric="accuracy",
    task="classification",
    y=np.repeat([0, 1], 50),
    preparation=[],
    test=(None, np.zeros(30)),
)
DENSE = outcome("dense", [0.90], [0.0], 0, 0, swept=False)


def test_words_are_those_of_the_numbers():
    network = outcome("pruned-mlp", [0.952, 0.945, 0.80], [0.0, 0.9, 0.99], 0, 1)
    lasso = outcome(
        "lasso",
        [0.93, 0.925],
        [0.2, 0.75],
        0,
        1,
        weights=[[0, 0, 3, 0]],
        unit="coefficients",
    )
    found = findings(PROBLEM, [DENSE, lasso, network])
    assert found == [
        "The best model is pruned-mlp: in cross-validation it classifies 95.2 % of the "
        "rows correctly, and 85.2 % on the 30 rows held out. That is 5.2 points more "
        "than the dense linear model has (90.0 %, 80.0 % held out).",
        "The sparsest model within one standard error (1.0 points) of that is "
        "pruned-mlp with 90.0 % zeros (size=1): 94.5 %.",
        "Of 4 features 1 is enough for lasso (size=1), at a cost of 0.5 points against "
        "the best linear model: 92.5 %, 82.5 % held out.",
        "Of the weights of pruned-mlp 90.0 % can go at a cost of 0.7 points against "
        "the whole.",
    ]


def test_most_of_the_features_are_not_few():
    for weights, told in (([1.0, 2.0, 0.0, 0.0], True), ([1.0, 2.0, 3.0, 0.0], False)):
        lasso = outcome(
            "lasso", [0.93], [0.2], 0, 0, weights=[weights], unit="coefficients"
        )
        said = " ".join(findings(PROBLEM, [DENSE, lasso]))
        assert ("are enough for lasso" in said) == told


def test_pruning_that_costs_nothing_is_said_so():
    network = outcome("pruned-mlp", [0.95, 0.96], [0.0, 0.9], 1, 1)
    begun_sparse = outcome("pruned-sparse-mlp", [0.94, 0.94], [0.5, 0.9], 1, 1)
    said = findings(PROBLEM, [DENSE, network, begun_sparse])
    assert len(said) == 3
    assert said[1] == (
        "Nothing sparser, of any model, is within one standard error (1.0 points) of "
        "that."
    )
    assert said[2].endswith("at no cost: it even gains 1.0 points over the whole.")


@pytest.mark.parametrize(
    ("metric", "guess"), [("accuracy", 0.75), ("balanced_accuracy", 0.5), ("r2", 0.0)]
)
def test_no_better_than_a_guess_is_said_so(metric, guess):
    y = np.repeat([0, 1], [75, 25])
    problem = SimpleNamespace(**vars(PROBLEM) | {"metric": metric, "y": y})
    for gain, n_sentences in ((0.009, 1), (0.011, 2)):
        network = outcome("pruned-mlp", [guess + gain], [0.5], 0, 0)
        said = findings(problem, [network])
        assert len(said) == n_sentences
        assert ("No model is clearly better" in said[0]) == (n_sentences == 1)


def test_columns_of_numbers_have_one_number_of_decimals():
    models = [
        outcome("a", [0.9], [0.5], 0, 0),
        outcome("bb", [0.75], [0.99999], 0, 0),
        outcome("c", [0.75], [0.123], 0, 0),
    ]
    rows = _results.cells(models)
    assert [row["sparsity"] for row in rows] == ["50.00 %", "100.00 %", "12.30 %"]
    assert [row["non-zeros"] for row in rows] == ["5  ", "0.0", "8.8"]
    lines = _results.table(models, "accuracy").splitlines()
    ends = {line.index(" %") for line in lines[2:]}
    assert len(ends) == 1
    changes = [row["change"] for row in _results.one_se_cells(models)]
    assert changes == ["+0.00"] * 3


# -- what is drawn ------------------------------------------------------------


def test_frontier_and_choices_are_drawn(monkeypatch):
    models = [
        outcome("a", [0.90, 0.91, 0.6], [0.0, 0.5, 0.9], 1, 1),
        outcome("b", [0.95, 0.80, 0.85], [0.1, 0.6, 0.8], 0, 2),
    ]
    figure = Figure()
    monkeypatch.setattr(_figures, "_picture", lambda draw, *size: draw(figure))
    _figures.score_against_sparsity(PROBLEM, [DENSE, *models])
    (ax,) = figure.axes
    (frontier,) = [
        line for line in ax.lines if line.get_label() == "frontier of all models"
    ]
    points = [
        (s, score)
        for o in models
        for s, score in zip(
            o.cv_results["mean_test_sparsity"], o.cv_results["mean_test_score"]
        )
    ]
    for s, best in frontier.get_xydata():
        assert best == max(score for other, score in points if other >= s)
    assert len(frontier.get_xydata()) >= 3
    (rings,) = [
        dots
        for dots in ax.collections
        if dots.get_label() == "one-standard-error choice"
    ]
    np.testing.assert_allclose(rings.get_offsets(), [[0.5, 0.91], [0.8, 0.85]])


# -- stable features ----------------------------------------------------------


@pytest.mark.parametrize("task", ["regression", "classification"])
def test_stable_features_are_those_of_the_selector(table, tmp_path, task):
    if task == "classification":
        table["price"] = np.where(table["price"] > 0, "dear", "cheap")
    problem = prepare(loaded(table, tmp_path), 0)
    weights = np.zeros((1, len(problem.names)))
    weights[0, 0] = -1.0
    models = [
        outcome("lasso", [0.9], [0.5], 0, 0, weights=weights),
        outcome("omp", [0.9], [0.5], 0, 0, weights=np.abs(weights)),
    ]
    for model in models:
        steps = [*problem.preparation.steps, *model.best.pipeline.steps]
        model.sparse.pipeline = Pipeline(steps)
    stable = stable_features(problem, models)
    linear = Lasso() if task == "regression" else SparseLogisticRegression()
    selector = StabilitySelector(linear, random_state=0).fit(problem.X, problem.y)
    share = dict(zip(problem.shown, selector.selection_probabilities_))
    assert {name: found for name, found, *_ in stable.rows} == {
        name: value for name, value in share.items() if value > 0
    }
    assert stable.n_stable == len(selector.support_)
    assert stable.n_halves == 2 * selector.n_pairs
    name, _, kept, covariance = stable.rows[0]
    assert (name, kept, stable.n_models) == ("size", 2, 2)
    assert covariance > 0
    assert "size" in findings(PROBLEM, [DENSE, *models], stable)[-1]


def test_pixels_are_no_stable_features(tmp_path, rng):
    np.savez(tmp_path / "a.npz", X=rng.random((40, 4, 4)), y=np.arange(40) % 2)
    assert stable_features(prepare(load(tmp_path / "a.npz"), 0), []) is None
