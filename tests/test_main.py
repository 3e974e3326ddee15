"""The main job, run in this process on small data with few models."""

import base64
import csv
import errno
import html
import os
import re
import shlex
import sys
import warnings
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy import sparse as sp
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import dump_svmlight_file, load_diabetes, load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import (
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.__main__ import main
from sparselearn._report import _figures
from sparselearn._report._data import Data, load
from sparselearn._report._models import MODELS, Model
from sparselearn._report._prepare import prepare
from sparselearn._report._progress import Progress
from sparselearn._report._read import ReportError
from sparselearn._report._search import Search, sparsest
from sparselearn._report._sweep import one_se_below
from sparselearn.decomposition import SparseCoder
from sparselearn.linear_model import GroupLasso, Lasso

pd = pytest.importorskip("pandas")
pytest.importorskip("jinja2")
skops = pytest.importorskip("skops.io")
matplotlib.use("Agg")

FULL = os.strerror(errno.EFBIG)  # what the limit of the size of a file is called


@pytest.fixture
def run(tmp_path, capsys):
    """Run ``python -m sparselearn``; give the status and what it said."""

    def call(*arguments, jobs=1, out=tmp_path / "out"):
        everything = [*map(str, arguments), "--out", str(out), "--jobs", str(jobs)]
        capsys.readouterr()
        status = main(everything)
        said = capsys.readouterr()
        return status, said.out, said.err

    return call


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(scope="module")
def wine(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "wine.csv"
    load_wine(as_frame=True).frame.to_csv(path, index=False)
    return path


@pytest.fixture
def mixed():
    """Numbers, text, gaps, a constant column, dates and row numbers."""
    rng = np.random.default_rng(0)
    n = 80
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 10, n).round(1),
            "noise": rng.normal(size=n),
            "city": rng.choice(["Oslo", "Bergen", "Voss"], n),
            "always": np.ones(n),
            "empty": np.full(n, np.nan),
            "smoker": rng.random(n) < 0.5,
        }
    )
    frame["bought"] = np.where(
        (frame["age"] > 45) | (frame["city"] == "Voss"), "yes", "no"
    )
    frame.loc[3:9, "age"] = np.nan
    frame.loc[5:14, "city"] = None
    return frame


def unwrapped(text):
    return " ".join(text.split())


def rows_of(out):
    with open(out / "results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def page_of(out):
    return (out / "report.html").read_text(encoding="utf-8")


def load_pipeline(out):
    path = out / "best-pipeline.skops"
    return skops.load(path, trusted=skops.get_untrusted_types(file=path))


# -- what is written ----------------------------------------------------------


def test_lasso_row_is_what_scikit_learn_recomputes(run, out, wine):
    status, said, _ = run(wine, "--models", "lasso", "--seed", 3)
    dense, lasso = rows_of(out)
    assert status == 0
    assert (dense["model"], lasso["model"]) == ("dense", "lasso")

    X, y = load_wine(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        X, y, test_size=0.25, stratify=y, random_state=3
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=3)

    def scores(model):
        pipeline = make_pipeline(StandardScaler(), model)
        return cross_val_score(pipeline, X_train, y_train, cv=folds)

    def fitted(model):
        return make_pipeline(StandardScaler(), model).fit(X_train, y_train)

    baseline = LogisticRegression(max_iter=1000)
    assert float(dense["cv_mean"]) == pytest.approx(scores(baseline).mean())
    expected = accuracy_score(y_test, fitted(baseline).predict(X_test))
    assert float(dense["held_out"]) == pytest.approx(expected)
    assert (dense["parameter"], dense["nonzeros"]) == ("", "39.0")

    problem = prepare(load(wine), 3)
    alphas = MODELS["lasso"].grid(problem)["penalised__estimator__alpha"]
    models = [OneVsRestClassifier(Lasso(alpha=alpha)) for alpha in alphas]
    by_alpha = np.array([scores(model) for model in models])
    mean, std = by_alpha.mean(axis=1), by_alpha.std(axis=1)
    best = np.flatnonzero(mean == mean.max())[0]  # alphas fall: the sparsest of equals
    assert lasso["parameter"] == f"alpha={alphas[best]:.4g}"
    assert float(lasso["cv_mean"]) == pytest.approx(mean[best])
    assert float(lasso["cv_std"]) == pytest.approx(std[best])
    model = fitted(models[best])
    coefs = np.vstack([one.coef_ for one in model[-1].estimators_])
    assert float(lasso["nonzeros"]) == np.count_nonzero(coefs)
    assert float(lasso["sparsity"]) == pytest.approx(np.mean(coefs == 0))
    expected = accuracy_score(y_test, model.predict(X_test))
    assert float(lasso["held_out"]) == pytest.approx(expected)
    standard_error = by_alpha[best].std(ddof=1) / np.sqrt(5)
    enough = np.flatnonzero(mean >= mean[best] - standard_error)[0]
    assert lasso["within_1se_parameter"] == f"alpha={alphas[enough]:.4g}"
    assert float(lasso["within_1se_cv_mean"]) == pytest.approx(mean[enough])
    expected = accuracy_score(y_test, fitted(models[enough]).predict(X_test))
    assert float(lasso["within_1se_held_out"]) == pytest.approx(expected)

    percent = f"classifies {100 * mean[best]:.1f} % of the rows correctly"
    assert f"The best model is lasso: in cross-validation it {percent}" in unwrapped(
        said
    )
    assert f"{100 * np.mean(coefs == 0):.1f} %" in said
    for column in ("fit_seconds", "predict_us_per_row"):
        assert float(lasso[column]) > 0.0
    assert f"{mean[best]:.4f} ± {std[best]:.4f}" in said
    assert str(out / "report.html") in said


def test_page_is_one_file_that_says_everything(run, out, wine):
    chosen = ("--models", "kmeans-codes", "lasso", "pruned-linear")
    status, _, _ = run(wine, *chosen)
    page = page_of(out)
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "best-pipeline.skops",
        "report.html",
        "results.csv",
    ]
    for name in ("dense", "kmeans-codes", "lasso", "pruned-linear"):
        assert f'<td class="word">{name}</td>' in page
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', page)
    assert len(pictures) == 2  # the scores and the path
    for picture in pictures:
        assert base64.b64decode(picture).startswith(b"\x89PNG")
    assert not re.search(r"https?:|src=\"(?!data:)|<link|<script|@import", page)
    assert "alcohol" in page
    assert "Held out for the last score: 45 of 178 rows" in page
    assert "entries of a code in kmeans-codes" in page
    (command,) = re.findall("<footer><code>(.*?)</code>", page)
    words = shlex.split(html.unescape(command))  # as a shell reads it
    assert words[:3] == ["python", "-m", "sparselearn"]
    assert words[3:] == [str(wine), *chosen, "--out", str(out), "--jobs", "1"]


def test_saved_pipeline_predicts_the_same_from_the_file_itself(run, out, wine):
    run(wine, "--models", "pruned-mlp")
    best = rows_of(out)[1]
    frame = pd.read_csv(wine)
    _, X_test, _, y_test = train_test_split(
        frame.drop(columns="target"),
        frame["target"],
        test_size=0.25,
        stratify=frame["target"],
        random_state=0,
    )
    pipeline = load_pipeline(out)
    assert type(pipeline) is Pipeline  # no class of the report's own
    assert pipeline.score(X_test, y_test) == pytest.approx(float(best["held_out"]))
    (trusted,) = re.findall(r"trusted = \[\n(.*?)\]", page_of(out), flags=re.DOTALL)
    kinds = skops.get_untrusted_types(file=out / "best-pipeline.skops")
    assert re.findall(r"&#34;(.*?)&#34;|\"(.*?)\"", trusted) == [("", k) for k in kinds]


def test_joblib_only_if_asked(run, out, wine):
    import joblib

    run(wine, "--models", "lasso")
    (out / "mine.txt").write_text("stays")
    status, said, _ = run(wine, "--models", "lasso", "--joblib")
    assert status == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "best-pipeline.joblib",
        "mine.txt",
        "report.html",
        "results.csv",
    ]
    pipeline = joblib.load(out / "best-pipeline.joblib")
    frame = pd.read_csv(wine).drop(columns="target")
    assert set(pipeline.predict(frame)) == {0, 1, 2}
    assert "best-pipeline.joblib" in said


def test_jobs_change_only_times(run, tmp_path, wine):
    arguments = (wine, "--models", "lasso")
    _, _, error = run(*arguments, jobs=1, out=tmp_path / "one")
    run(*arguments, jobs=2, out=tmp_path / "two")
    one, two = rows_of(tmp_path / "one"), rows_of(tmp_path / "two")
    for row in [*one, *two]:
        del row["fit_seconds"], row["predict_us_per_row"]
    assert one == two
    done = [re.match(r"(\d+)/(\d+) fits, \d+ s: (.*)", s) for s in error.splitlines()]
    assert all(done)
    assert done[-1][1] == done[-1][2]
    assert [line[3].split(":")[0] for line in done] == ["dense", "lasso"]


def test_mixed_columns_are_prepared_and_said(run, out, mixed, tmp_path):
    mixed.to_csv(tmp_path / "mixed.csv")  # with row numbers
    status, _, error = run(tmp_path / "mixed.csv", "--models", "pruned-linear")
    assert status == 0
    page = page_of(out)
    for said in (
        "The first column has no name and was taken for row numbers.",
        "No --target was given: &#39;bought&#39; was taken.",
        "age (7), city (10), empty (80)",
        "Text columns are one-hot encoded",
        "dropped (VarianceThreshold): always, empty.",
    ):
        assert said in page
    assert "city_Voss" in page
    assert ">always<" not in page
    assert "Warning" not in error
    names = prepare(load(tmp_path / "mixed.csv"), 0).names
    assert {"age", "smoker", "city_Oslo", "city_missing"} <= set(names)
    raw = pd.read_csv(tmp_path / "mixed.csv")
    predicted = load_pipeline(out).predict(raw)
    assert np.mean(predicted == raw["bought"]) > 0.5
    assert set(predicted) == {"yes", "no"}


def test_regression_and_sparse_rows(run, out, tmp_path):
    X, y = load_diabetes(return_X_y=True)
    X = sp.csr_array(np.where(np.abs(X) > 0.03, X, 0.0)[:150])
    dump_svmlight_file(X, y[:150], str(tmp_path / "d.svm"))
    names = ("elastic-net", "kmeans-codes", "dictionary-codes")
    status, _, _ = run(tmp_path / "d.svm", "--models", *names)
    assert status == 0
    assert {row["metric"] for row in rows_of(out)} == {"r2"}
    assert "MaxAbsScaler" in page_of(out)
    assert load_pipeline(out).predict(X).shape == (150,)


def test_group_lasso_takes_text_columns_whole(run, out, mixed, tmp_path):
    """As with the indices of the columns of each category, given by hand."""
    mixed["city_size"] = mixed["age"] ** 2  # no category of the column city
    mixed["size_1"], mixed["size_2"] = mixed["noise"] ** 2, mixed["noise"] ** 3
    mixed["plan"] = np.random.default_rng(1).choice(["a", "b_c", "b_d"], len(mixed))
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    arguments = ("--target", "bought", "--models", "group-lasso")
    status, _, _ = run(tmp_path / "mixed.csv", *arguments)
    assert status == 0
    row = rows_of(out)[1]
    assert row["model"] == "group-lasso"
    pipeline = load_pipeline(out)
    (model,) = pipeline[-1].estimators_
    names = list(pipeline[:-1].get_feature_names_out())
    blocks = [
        [names.index(f"text__{column}_{category}") for category in categories]
        for column, categories in [
            ("city", ["Bergen", "Oslo", "Voss", "missing"]),
            ("plan", ["a", "b_c", "b_d"]),
        ]
    ]
    raw = pd.read_csv(tmp_path / "mixed.csv")
    problem = prepare(load(tmp_path / "mixed.csv", "bought"), 0)
    by_hand = GroupLasso(model.alpha, groups=blocks)
    by_hand.fit(problem.X, problem.y == "yes")
    np.testing.assert_allclose(model.coef_, by_hand.coef_, atol=1e-5)
    assert len(model.groups_) == len(by_hand.groups_) == problem.X.shape[1] - 5
    assert float(row["nonzeros"]) == np.count_nonzero(model.coef_)
    assert model.coef_[blocks[0]].any()
    assert set(pipeline.predict(raw)) == {"yes", "no"}


def test_group_lasso_is_left_out_where_it_is_the_lasso(run, out, wine, monkeypatch):
    for name in set(MODELS) - {"lasso", "group-lasso"}:
        monkeypatch.delitem(MODELS, name)
    run(wine)
    assert [row["model"] for row in rows_of(out)] == ["dense", "lasso"]
    assert "The model group-lasso was left out: its groups are" in page_of(out)


def test_a_block_has_columns_in_every_fold(rng):
    """Text columns of rare and of single values lose their columns in some folds."""
    n = 40
    few = rng.choice(["a", "b"], (n, 6), p=[0.96, 0.04]).astype(object)
    few[rng.random((n, 6)) < 0.02] = np.nan
    frame = pd.DataFrame(few, columns=[f"few{j}" for j in range(6)])
    frame["single"] = [f"s{i}" for i in range(n)]
    frame["twice"] = [f"s{i // 2}" for i in range(n)]
    y = rng.choice(["yes", "no"], n)
    frame = frame.astype(object)
    data = Data("table", frame, y, "y", "classification", [*frame], None, [])
    problem = prepare(data, 0)
    X, y = problem.train
    prefixes = [f"{name}_" for name in frame]
    named = [set(prefixes)]
    for train, _ in [(np.arange(len(y)), None), *problem.cv.split(X, y)]:
        steps = clone(problem.preparation).fit(X.iloc[train], y[train])
        names = steps.get_feature_names_out()
        named.append(
            {p for p in prefixes if sum(name.startswith(p) for name in names) > 1}
        )
    assert problem.blocks == [p for p in prefixes if p in set.intersection(*named)]


def test_images_show_atoms_centroids_and_where_weights_are(run, out, tmp_path):
    X, y = load_digits(n_class=3, return_X_y=True)
    np.savez(tmp_path / "images.npz", X=X.reshape(-1, 8, 8)[:120], y=y[:120])
    names = ("kmeans-codes", "dictionary-codes", "pruned-linear")
    status, _, _ = run(tmp_path / "images.npz", "--models", *names)
    assert status == 0
    page = page_of(out)
    assert 'alt="Atoms as images"' in page
    assert "entries of a code in kmeans-codes and dictionary-codes" in page
    assert 'alt="Centroids as images"' in page
    assert 'alt="Weights of each model, as images"' in page
    assert "Which features were kept" not in page  # nobody knows pixels by name
    assert "halves of the rows agree" not in page
    assert "A row of shape (8, 8) was flattened." in page


# -- files --------------------------------------------------------------------


def test_formats_agree(mixed, tmp_path):
    mixed.to_csv(tmp_path / "a.csv", index=False)
    mixed.to_csv(tmp_path / "a.csv.gz", index=False)
    mixed.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    names = ["a.csv", "a.csv.gz", "a.tsv"]
    try:
        mixed.to_parquet(tmp_path / "a.parquet")
        names.append("a.parquet")
    except ImportError:
        pass
    first, *others = (load(tmp_path / name, "bought") for name in names)
    assert first.task == "classification"
    assert first.X["smoker"].dtype == np.float64
    for other in others:
        pd.testing.assert_frame_equal(other.X, first.X)
        np.testing.assert_array_equal(other.y, first.y)


def test_arrays_and_libsvm_agree(tmp_path, rng):
    X = rng.normal(size=(40, 6)) * (rng.random((40, 6)) < 0.4)
    X[0, [0, 5]] = 1.0  # libsvm files begin to count where a row begins
    X = sp.csr_array(X)
    y = np.arange(40) % 2
    parts = {"data": X.data, "indices": X.indices.astype(np.uint16)}
    parts |= {"indptr": X.indptr, "shape": np.array(X.shape), "y": y}
    names = np.array(list("abcdef"))
    np.savez(tmp_path / "parts.npz", **parts, feature_names=names)
    np.savez(tmp_path / "dense.npz", X=X.toarray(), y=y)
    dump_svmlight_file(X, y, str(tmp_path / "a.libsvm"), zero_based=False)
    loaded = [load(tmp_path / n) for n in ("parts.npz", "dense.npz", "a.libsvm")]
    for data in loaded:
        rows = data.X.toarray() if sp.issparse(data.X) else data.X
        np.testing.assert_allclose(rows, X.toarray())
        np.testing.assert_array_equal(data.y, y)
        assert data.image_shape is None
    numbered = [f"feature {j}" for j in range(1, 7)]
    assert [data.names for data in loaded] == [list("abcdef"), None, numbered]
    assert sp.issparse(loaded[0].X)
    assert sp.issparse(loaded[2].X)


def test_squares_of_smooth_columns_are_images(tmp_path, rng):
    X, y = load_digits(return_X_y=True)
    waves = np.cumsum(rng.normal(size=(100, 64)), axis=1)
    for name, rows, shape in [
        ("digits", X, (8, 8)),
        ("shuffled", X[:, rng.permutation(64)], None),
        ("noise", rng.normal(size=(100, 64)), None),
        ("waves", waves, None),
        ("no square", X[:, :63], None),
    ]:
        np.savez(tmp_path / "a.npz", X=rows, y=y[: len(rows)])
        assert load(tmp_path / "a.npz").image_shape == shape, name


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (np.arange(60) % 2, "classification"),
        (np.arange(60) % 2 == 0, "classification"),
        (np.repeat([1.0, -1.0], 30), "classification"),
        (np.array(["a", "b", "c"] * 20), "classification"),
        (np.arange(60), "regression"),
        (np.linspace(0, 1, 60), "regression"),
        (np.repeat([0.5, 1.5], 30), "regression"),
    ],
)
def test_task_is_guessed_from_the_target(tmp_path, rng, y, task):
    np.savez(tmp_path / "a.npz", X=rng.normal(size=(60, 2)), y=y)
    data = load(tmp_path / "a.npz")
    assert data.task == task
    if task == "classification" and y.dtype.kind in "fU":
        np.testing.assert_array_equal(data.y, y)


def test_what_cannot_be_learned_from_is_dropped_and_said(tmp_path, rng):
    y = np.repeat([0.0, 1.0, 2.0, np.nan], [30, 30, 3, 5])
    X = rng.normal(size=(68, 2))
    X[0, 0], X[1, 1] = np.inf, -np.inf
    np.savez(tmp_path / "a.npz", X=X, y=y)
    data = load(tmp_path / "a.npz")
    assert len(data.y) == 60
    assert np.isnan(data.X).sum() == 2
    said = " ".join(data.notes)
    assert "5 rows without a target were dropped" in said
    assert "fewer than 4 rows were dropped: 2 (3 rows)" in said
    assert "2 infinite values" in said
    assert np.isfinite(prepare(data, 0).X).all()


def test_unbalanced_classes_get_a_balanced_score(tmp_path, rng):
    for rest, metric in ((20, "accuracy"), (10, "balanced_accuracy")):
        y = np.repeat([0, 1], [40, rest])
        np.savez(tmp_path / "a.npz", X=rng.normal(size=(len(y), 2)), y=y)
        assert prepare(load(tmp_path / "a.npz"), 0).metric == metric


# -- errors -------------------------------------------------------------------


def bad_gzip(path):
    (path / "a.csv.gz").write_bytes(b"\x1f\x8b\x08 not really")
    return [path / "a.csv.gz"], "cannot read"


def one_class(path):
    pd.DataFrame({"x": range(30), "y": ["a"] * 30}).to_csv(path / "a.csv")
    return [path / "a.csv", "--target", "y"], "'y' has 1 class: a"


def one_value(path):
    np.savez(path / "a.npz", X=np.eye(30), y=np.full(30, 2.5))
    return [path / "a.npz"], "one value only: 2.5"


def pickled(path):
    np.savez(path / "a.npz", X=np.array([{}, []], dtype=object), y=np.zeros(2))
    return [path / "a.npz"], "cannot read"


def wrong_arrays(path):
    np.savez(path / "a.npz", A=np.eye(3))
    return [path / "a.npz"], "needed are y and X"


def wrong_length(path):
    np.savez(path / "a.npz", X=np.eye(3), y=np.zeros(2))
    return [path / "a.npz"], "X has 3 rows"


def constant(path):
    np.savez(path / "a.npz", X=np.ones((40, 3)), y=np.arange(40) % 2)
    return [path / "a.npz"], "every column is constant"


def no_features(path):
    pd.DataFrame({"y": range(30)}).to_csv(path / "a.csv", index=False)
    return [path / "a.csv"], "no column besides"


def text_target(path):
    pd.DataFrame({"x": range(30), "y": ["a", "b"] * 15}).to_csv(path / "a.csv")
    return [path / "a.csv", "--task", "regression"], "needs numbers"


def not_a_table(path):
    (path / "a.parquet").write_bytes(b"PAR0" * 10)
    return [path / "a.parquet"], "cannot read"


def not_svm(path):
    (path / "a.svm").write_text("1 one:two\n")
    return [path / "a.svm"], "cannot read"


def empty(path):
    (path / "a.csv").write_text("")
    return [path / "a.csv"], "cannot read"


def unknown_kind(path):
    (path / "a.xlsx").write_text("")
    return [path / "a.xlsx"], "none of .csv"


def out_is_a_file(path):
    (path / "file").write_text("")
    return ["--out", path / "file"], "is a file"


def out_is_in_a_file(path):
    (path / "file").write_text("")
    return ["--out", path / "file" / "out"], f"{path / 'file'} is a file"


MISTAKES = [
    bad_gzip,
    one_class,
    one_value,
    pickled,
    wrong_arrays,
    wrong_length,
    constant,
    no_features,
    text_target,
    not_a_table,
    not_svm,
    empty,
    unknown_kind,
    out_is_a_file,
    out_is_in_a_file,
    lambda path: ([path / "nowhere.csv"], "no such file"),
    lambda path: (["--target", "size"], "no column 'size'"),
    lambda path: (["--models", "forest"], "no model 'forest'; there are: lasso"),
    lambda path: (["--models", "group-lasso"], "without text each column is alone"),
    lambda path: (["--jobs", "0"], "0 is neither -1 nor at least 1"),
    lambda path: (["--seed", "-1"], "-1 is not from 0"),
    lambda path: (["--task", "ranking"], "invalid choice: 'ranking'"),
]


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_one_line_and_status_2(mistake, tmp_path, capsys, monkeypatch):
    if mistake is not_a_table:
        pytest.importorskip("pyarrow")
    monkeypatch.setenv("SPARSELEARN_OUT", str(tmp_path / "out"))
    arguments, message = mistake(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(SystemExit) as stop:
        main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert stop.value.code == 2
    assert said.out == ""
    assert said.err.startswith("python -m sparselearn: ")
    assert said.err.count("\n") == 1
    assert message in said.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("name", ["pandas", "matplotlib", "jinja2", "skops"])
def test_missing_package_is_named(name, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(SystemExit) as stop:
        main([])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
    assert 'pip install "sparselearn[report]"' in error


def test_output_folder_comes_from_the_environment(tmp_path, monkeypatch, wine):
    monkeypatch.setenv("SPARSELEARN_OUT", str(tmp_path / "deep" / "here"))
    assert main([str(wine), "--models", "pruned-linear", "--jobs", "1"]) == 0
    assert (tmp_path / "deep" / "here" / "report.html").exists()
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["here"]


def test_a_full_disk_leaves_the_old_report_and_prints_the_table(
    run, out, wine, monkeypatch, full_disk, capsys
):
    monkeypatch.setitem(MODELS, "quick", nuisance())
    only = ("--models", "quick")
    assert run(wine, *only, "--seed", 1)[0] == 0
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    with full_disk(20_000), pytest.raises(SystemExit) as stop:
        run(wine, *only, "--seed", 2)
    said = capsys.readouterr()
    assert stop.value.code == 2
    last = said.err.splitlines()[-1]
    assert last == f"python -m sparselearn: --out {out} cannot be written: {FULL}"
    assert "quick" in said.out
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_an_interrupt_on_a_full_disk_is_told_in_one_line(
    run, out, wine, monkeypatch, full_disk, capsys
):
    monkeypatch.setitem(MODELS, "slow", nuisance(KeyboardInterrupt()))
    with full_disk(100), pytest.raises(SystemExit) as stop:
        run(wine, "--models", "slow")
    assert stop.value.code == 2
    assert f"cannot be written: {FULL}" in capsys.readouterr().err.splitlines()[-1]
    assert not out.exists()


# -- models that misbehave ----------------------------------------------------


class Nuisance(ClassifierMixin, BaseEstimator):
    """Raises or warns in `fit`; else a linear model with two weights."""

    def __init__(self, trouble=None, size=0):
        self.trouble = trouble
        self.size = size

    def fit(self, X, y):
        if isinstance(self.trouble, Warning):
            warnings.warn(self.trouble, stacklevel=1)
        elif self.trouble is not None:
            raise self.trouble
        self.classes_ = np.unique(y)
        self.coef_ = np.array([[1.0, 0.0] + [0.0] * (X.shape[1] - 2)])
        return self

    def predict(self, X):
        return np.full(X.shape[0], self.classes_[0])

    def __sklearn_clone__(self):
        return Nuisance(self.trouble, self.size)


def nuisance(trouble=None):
    return Model(
        build=lambda problem: [("nuisance", Nuisance(trouble))],
        grid=lambda problem: {"nuisance__size": [1, 2]},
    )


def test_interrupt_keeps_finished_rows(run, out, wine, monkeypatch):
    monkeypatch.setitem(MODELS, "slow", nuisance(KeyboardInterrupt()))
    status, said, error = run(wine, "--models", "lasso", "slow", "pruned-linear")
    assert status == 130
    assert said == ""
    assert "interrupted; 2 of 4 rows are in" in error.splitlines()[-1]
    assert [row["model"] for row in rows_of(out)] == ["dense", "lasso"]
    assert [path.name for path in out.iterdir()] == ["results.csv"]
    assert sorted(path.name for path in out.parent.iterdir()) == ["out"]


def test_interrupt_before_the_first_row_leaves_nothing(run, out, wine, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("sparselearn._report.load", interrupt)
    status, _, error = run(wine)
    assert status == 130
    assert error == "interrupted; nothing was finished\n"
    assert not out.exists()


def test_failing_model_is_told_and_the_others_stay(run, out, wine, monkeypatch):
    monkeypatch.setitem(MODELS, "broken", nuisance(ZeroDivisionError("by nought")))
    status, _, error = run(wine, "--models", "broken", "lasso")
    assert status == 1
    assert "broken failed: ZeroDivisionError: by nought" in error
    assert "broken failed: ZeroDivisionError: by nought" in page_of(out)
    assert [row["model"] for row in rows_of(out)] == ["dense", "lasso"]
    last = error.splitlines()[-1]
    assert re.match(r"(\d+)/\1 fits", last)


def test_warnings_are_listed_not_printed(run, out, wine, monkeypatch):
    monkeypatch.setitem(MODELS, "hasty", nuisance(ConvergenceWarning("too <few>")))
    status, said, error = run(wine, "--models", "hasty")
    assert status == 0
    assert "Warning" not in said + error
    page = page_of(out)
    text = "ConvergenceWarning: too &lt;few&gt;"
    assert f"10 of 10 fits of the cross-validation warned, for example: {text}" in page
    assert f"with all training rows: {text}" in page


def test_a_model_is_one_row_of_the_table(run, out, wine, monkeypatch):
    monkeypatch.setitem(MODELS, "new", nuisance())
    run(wine, "--models", "new")
    row = rows_of(out)[1]
    assert (row["model"], row["parameter"]) == ("new", "size=1")
    assert float(row["nonzeros"]) == 1
    assert float(row["sparsity"]) == pytest.approx(12 / 13)
    assert "new: 1 of 13" in page_of(out)


def test_model_that_does_not_do_the_task_is_refused(wine, monkeypatch, tmp_path):
    model = nuisance()._replace(tasks=("regression",))
    monkeypatch.setitem(MODELS, "other", model)
    with pytest.raises(SystemExit) as stop:
        main([str(wine), "--models", "other", "--out", str(tmp_path / "out")])
    assert stop.value.code == 2


# -- parts --------------------------------------------------------------------


SUITED = [(name, task) for name, model in MODELS.items() for task in model.tasks]


def problem_of(name, X, y, folder):
    """The problem that the model `name` gets of X and y, and its rows.

    For the group Lasso a text column is added, a function of the second column.
    """
    if not MODELS[name].named:
        np.savez(folder / "a.npz", X=X, y=y)
        problem = prepare(load(folder / "a.npz"), 0)
        return problem, problem.X
    frame = pd.DataFrame(X, columns=[f"x_{j}" for j in range(X.shape[1])])
    frame["kind"] = np.array(["low", "middle", "high"])[np.digitize(X[:, 1], [-1, 1])]
    frame.assign(y=y).to_csv(folder / "a.csv", index=False)
    problem = prepare(load(folder / "a.csv"), 0)
    return problem, pd.DataFrame(problem.X, columns=problem.names)


# Levels of one pass have a search, and tests, of their own.
FITTED_ALONE = [pair for pair in SUITED if not MODELS[pair[0]].one_pass]


@pytest.mark.parametrize(("name", "task"), FITTED_ALONE)
def test_every_model_sweeps_its_sparsity(name, task, tmp_path, rng):
    """Its ends fit, the sparsity read is that of the fit, and it can be saved."""
    X = rng.normal(size=(60, 9))
    score = X[:, 0] + 0.3 * rng.normal(size=60)
    y = (score > 0).astype(int) if task == "classification" else score
    problem, rows = problem_of(name, X, y, tmp_path)
    model = MODELS[name]
    ((parameter, values),) = model.grid(problem).items()
    found = []
    for value in (values[0], values[-1]):
        pipeline = make_pipeline(*(clone(step) for _, step in model.build(problem)))
        step, _, rest = parameter.partition("__")
        position = [step for step, _ in model.build(problem)].index(step)
        pipeline[position].set_params(**{rest: value})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            pipeline.fit(rows, problem.y)
        n_nonzero, sparsity = model.read(pipeline)
        assert n_nonzero >= 1
        if parameter.endswith("sparsity"):
            assert sparsity == pytest.approx(value, abs=0.06)
        found.append(sparsity)
    assert found[0] != found[1]
    saved = skops.dumps(pipeline)
    trusted = skops.get_untrusted_types(data=saved)
    loaded = skops.loads(saved, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict(rows), pipeline.predict(rows))


SWEPT_BY_ALPHA = {"lasso", "elastic-net", "group-lasso", "logistic", "adaptive-lasso"}
PENALISED = [pair for pair in SUITED if pair[0] in SWEPT_BY_ALPHA]


@pytest.mark.parametrize(("name", "task"), PENALISED)
@pytest.mark.parametrize("cuts", [[-1.0, 1.0], [0.5]], ids=len)
def test_alphas_begin_where_the_first_coefficient_enters(
    name, task, cuts, tmp_path, rng
):
    X = rng.normal(size=(60, 6))
    score = X[:, 0] + X[:, 1]
    # What correlates most with it is not what least squares gives the most weight.
    X[:, 2] = score + 0.5 * rng.normal(size=60)
    score += 0.3 * rng.normal(size=60)
    y = np.digitize(score, cuts) if task == "classification" else score
    problem, rows = problem_of(name, X, y, tmp_path)
    ((parameter, alphas),) = MODELS[name].grid(problem).items()
    ((step, model),) = MODELS[name].build(problem)
    model, largest = clone(model), alphas[0] / 0.7
    for alpha, enters in ((1.001 * largest, False), (0.98 * largest, True)):
        model.set_params(**{parameter.removeprefix(f"{step}__"): alpha})
        pipeline = make_pipeline(model).fit(rows, problem.y)
        n_nonzero, _ = MODELS[name].read(pipeline)
        assert (n_nonzero > 0) == enters
    assert np.all(np.diff(alphas) < 0)


def test_matching_pursuit_chooses_what_the_grid_says(tmp_path, rng):
    """That many features for each class, and at most half as many as rows."""
    y = np.arange(80) % 3
    np.savez(tmp_path / "a.npz", X=rng.normal(size=(80, 200)), y=y)
    problem = prepare(load(tmp_path / "a.npz"), 0)
    model = MODELS["omp"]
    sizes = model.grid(problem)["penalised__estimator__n_nonzero_coefs"]
    assert sizes == [1, 2, 4, 8, 16]
    ((_, pursuit),) = model.build(problem)
    for size in sizes:
        pipeline = make_pipeline(
            clone(pursuit).set_params(estimator__n_nonzero_coefs=size)
        )
        n_nonzero, sparsity = model.read(pipeline.fit(problem.X, problem.y))
        assert n_nonzero == 3 * size
        assert sparsity == pytest.approx(1 - size / 200)


def one_pass_problem(folder):
    X, y = load_digits(n_class=4, return_X_y=True)
    np.savez(folder / "a.npz", X=X.reshape(-1, 8, 8)[:160], y=y[:160])
    return prepare(load(folder / "a.npz"), 0)


def test_levels_are_those_of_pipelines_with_the_dictionary_of_the_fold(tmp_path):
    """Scores, non-zeros and predictions, as if each level had been encoded alone."""
    problem = one_pass_problem(tmp_path)
    model = MODELS["dictionary-codes"]
    search = Search(problem, model, 1).fit()
    ((parameter, levels),) = model.grid(problem).items()
    results = search.cv_results_
    assert [p[parameter] for p in results["params"]] == levels
    X, y = problem.train
    (_, learner), (_, head) = model.build(problem)

    def by_hand(train, level):
        rows = clone(problem.preparation)
        atoms = clone(learner).fit(rows.fit_transform(X[train])).components_
        coder = SparseCoder(atoms, n_nonzero_coefs=level)
        return Pipeline([*rows.steps, ("coder", coder), ("linear", clone(head))]).fit(
            X[train], y[train]
        )

    for i in (0, len(levels) - 1):
        fits = [
            (by_hand(train, levels[i]), test) for train, test in problem.cv.split(X, y)
        ]
        scores = [fit.score(X[test], y[test]) for fit, test in fits]
        assert results["mean_test_score"][i] == pytest.approx(np.mean(scores))
        assert results["std_test_score"][i] == pytest.approx(np.std(scores))
        coders = [fit["coder"] for fit, _ in fits]
        for name, attribute in (
            ("sparsity", "sparsity_"),
            ("n_nonzero", "n_nonzero_coefs_"),
        ):
            found = np.mean([getattr(coder, attribute) for coder in coders])
            assert results[f"mean_test_{name}"][i] == pytest.approx(found)
        steps = [*problem.preparation.steps, *search.fitted(i).steps]
        whole, expected = Pipeline(steps), by_hand(slice(None), levels[i])
        held_out = problem.test[0]
        np.testing.assert_array_equal(
            whole.predict_proba(held_out), expected.predict_proba(held_out)
        )
        assert model.read(whole) == model.read(expected)
        saved = skops.dumps(whole)
        loaded = skops.loads(saved, trusted=skops.get_untrusted_types(data=saved))
        np.testing.assert_array_equal(loaded.predict(held_out), whole.predict(held_out))


def test_one_dictionary_a_fold_serves_all_levels(tmp_path, monkeypatch):
    learned, ticks = [], []
    problem = one_pass_problem(tmp_path)
    model = MODELS["dictionary-codes"]
    (_, learner), _ = model.build(problem)
    fit = type(learner).fit

    def counting(self, X, y=None, sample_weight=None):
        learned.append(len(X))
        return fit(self, X, y, sample_weight)

    monkeypatch.setattr(type(learner), "fit", counting)
    search = Search(problem, model, 1, ticks.append).fit()
    search.fitted(0)
    search.fitted(1)
    n_folds, (levels,) = problem.cv.get_n_splits(), model.grid(problem).values()
    assert len(learned) == n_folds + 1
    assert learned[-1] == len(problem.y)
    assert ticks == [len(levels)] * n_folds


def test_warnings_of_levels_are_told_by_fold(tmp_path):
    problem = one_pass_problem(tmp_path)
    (coder, _), grid = (
        MODELS["dictionary-codes"].build(problem),
        {"nuisance__size": [1, 2]},
    )
    model = Model(
        build=lambda problem: [
            coder,
            ("nuisance", Nuisance(ConvergenceWarning("too few"))),
        ],
        grid=lambda problem: grid,
        one_pass=True,
    )
    search = Search(problem, model, 1).fit()
    for of_folds in (*search.warnings_, [search.fitted(1).texts]):
        for texts in of_folds:
            assert texts == ["ConvergenceWarning: too few"]


def test_maps_of_many_models_are_all_there(tmp_path, rng, monkeypatch):
    X, y = load_digits(n_class=2, return_X_y=True)
    np.savez(tmp_path / "a.npz", X=X.reshape(-1, 8, 8)[:60], y=y[:60])
    problem = prepare(load(tmp_path / "a.npz"), 0)
    names = [f"model {k}" for k in range(5)]
    outcomes = []
    for k, name in enumerate(names):
        model = LogisticRegression()
        model.coef_ = np.eye(problem.X.shape[1])[[k]]
        pipeline = make_pipeline(*problem.preparation, model)
        outcomes.append(
            SimpleNamespace(name=name, best=SimpleNamespace(pipeline=pipeline))
        )
    figure = Figure()
    monkeypatch.setattr(_figures, "_picture", lambda draw, *size: draw(figure))
    _figures.feature_maps(problem, outcomes)
    assert [ax.get_title() for ax in figure.axes] == names
    varies = np.flatnonzero(problem.preparation["varies"].get_support())
    for k, ax in enumerate(figure.axes):
        (image,) = ax.get_images()
        np.testing.assert_array_equal(
            np.flatnonzero(~np.ma.getmaskarray(image.get_array())), varies[[k]]
        )


def test_sparsest_candidate_by_hand():
    results = {
        "mean_test_score": np.array([0.90, 0.95, 0.94, 0.94, 0.80]),
        "std_test_score": np.array([0.0, 0.02, 0.0, 0.0, 0.0]),
        "mean_test_sparsity": np.array([0.99, 0.2, 0.6, 0.6, 0.7]),
        **{f"split{i}_test_score": None for i in range(5)},
    }
    results["mean_test_score"][3] += 0.001
    assert one_se_below(results, 1) == pytest.approx(0.95 - 0.02 / 2)
    assert sparsest(results, 0.94) == 3
    assert sparsest(results, 0.96) is None


class Terminal:
    def __init__(self):
        self.text = ""

    def isatty(self):
        return True

    def write(self, text):
        self.text += text

    def flush(self):
        pass


def test_bar_on_a_terminal_fills_and_goes():
    stream = Terminal()
    progress = Progress(4, stream)
    progress.start("lasso")
    progress.tick(4)
    progress.close()
    first, *_, last, wiped = stream.text.split("\r\x1b[K")[1:]
    assert re.match(r"\[-+\] 0/4 fits", first)
    assert re.match(r"\[#+\] 4/4 fits .* lasso", last)
    assert wiped == ""
    assert "\n" not in stream.text


def test_report_error_is_for_users_only():
    assert issubclass(ReportError, Exception)
    assert not issubclass(ReportError, ValueError | OSError)
