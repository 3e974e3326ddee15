"""A memory map of rows that is larger than memory: no public estimator copies it.

What is counted is what numpy allocates while a method runs, less what it returns;
pages of files are not. Numbers for each row are no copy: there are 256 features.
"""

import tracemalloc
from dataclasses import dataclass, field

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import Ridge
from test_common import public_estimators

from sparselearn import (
    cluster,
    decomposition,
    feature_extraction,
    feature_selection,
    linear_model,
    model_selection,
    neural_network,
    pruning,
)
from sparselearn._solvers import (
    _centroid_start,
    _maps,
    _moments,
    _nearest,
    _spread,
    _working_set,
)
from sparselearn.cluster import _learning
from sparselearn.linear_model import _streaming

N_ROWS, N_FEATURES = 16384, 256
# More rows than some kernels begin with: what compiling takes is not counted.
FEW = 4352
METHODS = "transform", "predict", "predict_proba", "decision_function", "score"

# Why an estimator may allocate more than half of X, and how much at most, in X.
SEVERAL_ROWS = "residuals and codes of all rows are kept: a batch method"
PARTS = "parts of the rows go to another estimator, as copies"
IMAGES = "images are made of the rows, and patches of them"


@dataclass
class Case:
    """An estimator, cheap to fit.

    Attributes
    ----------
    target : str
        Which of the targets it takes.
    columns : bool
        Whether it reads columns: of a file of rows, it then turns a copy into a file.
    most : float
        What `fit` allocates at most, in units of X; 0.5 unless there is a `reason`.
    """

    estimator: BaseEstimator
    target: str = "line"
    columns: bool = False
    most: float = 0.5
    reason: str | None = field(default=None, compare=False)

    @property
    def name(self):
        return type(self.estimator).__name__


def turned(estimator, target="line"):
    return Case(estimator, target, columns=True)


few = {"n_nonzero_coefs": 2, "max_iter": 1}
lm, ranker = linear_model, {"n_pairs": 1, "n_selected": 3}
CASES = [
    # By sums over blocks of rows.
    Case(lm.Lasso(0.5)),
    Case(lm.ElasticNet(0.5)),
    Case(lm.GroupLasso(0.5, groups=4)),
    Case(lm.SparseGroupLasso(0.5, groups=4)),
    Case(lm.LassoCV(3, eps=0.3, cv=3)),
    Case(lm.ElasticNetCV(3, eps=0.3, cv=3)),
    Case(lm.GroupLassoCV(3, eps=0.3, cv=3, groups=4)),
    # By columns of the file that is turned.
    turned(lm.AdaptiveLasso(0.5)),
    turned(lm.MCPRegressor(0.5)),
    turned(lm.SCADRegressor(0.5)),
    turned(lm.MultiTaskLasso(0.5), "lines"),
    turned(lm.MultiTaskElasticNet(0.5), "lines"),
    turned(lm.MultiTaskLassoCV(3, eps=0.3, cv=3), "lines"),
    turned(lm.OrthogonalMatchingPursuit(3)),
    turned(lm.SparseLogisticRegression(0.1), "class"),
    turned(lm.SparseLogisticRegressionCV(3, eps=0.3, cv=2), "class"),
    turned(lm.SparsePoissonRegressor(0.1), "count"),
    turned(lm.SparseHuberRegressor(0.1)),
    turned(lm.SparseGLMRegressor()),
    # By rows.
    Case(cluster.KMeansCoder(8, max_iter=1, n_nonzero_coefs=2)),
    Case(cluster.KMeansCoder(8, max_iter=1, batch_size=1024, whiten="zca")),
    Case(decomposition.SparseCoder(np.eye(8, N_FEATURES), n_nonzero_coefs=2)),
    Case(decomposition.MiniBatchDictionaryLearning(8, **few)),
    Case(neural_network.SparseAutoencoder(8, **few)),
    Case(neural_network.SparseMLPClassifier(8, max_iter=1), "class"),
    Case(neural_network.SparseMLPRegressor(8, max_iter=1)),
    Case(feature_extraction.ZCAWhitening()),
    Case(feature_extraction.BagEncoder(cluster.KMeansCoder(8, max_iter=1))),
    # What does copy.
    Case(decomposition.DictionaryLearning(8, **few), most=3.0, reason=SEVERAL_ROWS),
    Case(decomposition.KSVD(8, **few), most=4.0, reason=SEVERAL_ROWS),
    Case(
        decomposition.DiscriminativeDictionaryLearning(8, **few),
        "class",
        most=6.0,
        reason=SEVERAL_ROWS,
    ),
    Case(
        feature_extraction.PatchEncoder(cluster.KMeansCoder(8, max_iter=1), stride=5),
        most=3.0,
        reason=IMAGES,
    ),
    Case(pruning.Pruner(Ridge(), sparsity=0.5, refit="none"), most=3.0, reason=PARTS),
    Case(
        pruning.PrunerCV(lm.Lasso(0.5), sparsities=[0.5], cv=2),
        most=9.0,
        reason=PARTS,
    ),
    Case(
        model_selection.SparsitySearchCV(lm.Lasso(), cv=2),
        columns=True,
        most=2.0,
        reason=PARTS,
    ),
    Case(
        feature_selection.StabilitySelector(lm.Lasso(), **ranker),
        columns=True,
        most=2.0,
        reason=PARTS,
    ),
]
each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A map of rows, the same of columns, and the targets."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("maps")
    X = rng.standard_normal((N_ROWS, N_FEATURES), dtype=np.float32) + 0.5
    np.save(folder / "rows.npy", X)
    np.save(folder / "columns.npy", np.asfortranarray(X))
    line = X[:, :3] @ [3.0, -2.0, 1.0] + rng.standard_normal(N_ROWS)
    targets = {
        "line": line,
        "lines": np.column_stack([line, -line]),
        "class": (line > 0).astype(int),
        "count": np.exp(line / 10.0),
    }
    rows, columns = (
        np.load(folder / f"{name}.npy", mmap_mode="r") for name in ("rows", "columns")
    )
    return rows, columns, targets


@pytest.fixture(autouse=True)
def larger_than_memory(monkeypatch):
    """Maps count as large, and blocks, whose size does not depend on X, are small."""
    monkeypatch.setattr(_maps, "LARGEST_COPY", 2**20)
    for module in (_streaming, _moments, _working_set):
        monkeypatch.setattr(module, "BLOCK", 2**17)
    # Room that is set aside, but where nothing is written, takes no memory.
    monkeypatch.setattr(_working_set, "ROOM", 64)
    monkeypatch.setattr(_centroid_start, "PART", 512)
    monkeypatch.setattr(_spread, "NUMBERS", 2**17)
    monkeypatch.setattr(_nearest, "CALL", 512)
    monkeypatch.setattr(_learning, "STARTING_NUMBERS", 2**17)
    monkeypatch.setattr(_learning, "STARTERS", 64)


@pytest.fixture
def files(monkeypatch):
    """The shapes of the temporary files that maps were turned into."""
    made, temporary = [], _maps._temporary

    def record(shape, dtype):
        made.append(shape)
        return temporary(shape, dtype)

    monkeypatch.setattr(_maps, "_temporary", record)
    return made


def size_of(result):
    if sp.issparse(result):
        return result.data.nbytes + result.indices.nbytes + result.indptr.nbytes
    return getattr(result, "nbytes", 0)


def share(method, X, *others):
    """What is allocated at the peak over what is returned, in units of X."""
    tracemalloc.start()
    try:
        result = method(X, *others)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    kept = 0 if isinstance(result, BaseEstimator) else size_of(result)
    return (peak - kept) / X.nbytes


def test_every_public_estimator_is_here():
    assert {case.name for case in CASES} == set(public_estimators())


@each_case
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_copy_of_a_file_of_rows(case, data, files):
    X, _, targets = data
    y = targets[case.target]
    small = np.array(X[:FEW])
    clone(case.estimator).fit(small, y[:FEW])
    model = clone(case.estimator)
    used = share(model.fit, X, y)
    assert used < case.most
    # The reason is one: else the case is as all others.
    assert (used >= 0.5) == (case.reason is not None)
    assert files == [X.shape[::-1]] * case.columns
    for name in METHODS:
        if hasattr(model, name):
            others = (y,) if name == "score" else ()
            getattr(model, name)(small, *(other[:FEW] for other in others))
            assert share(getattr(model, name), X, *others) < 0.5, name
    assert len(files) == case.columns


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.reason is None], ids=lambda case: case.name
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_no_copy_of_a_file_of_columns(case, data, files):
    _, X, targets = data
    y = targets[case.target]
    clone(case.estimator).fit(np.array(X[:FEW], order="F"), y[:FEW])
    assert share(clone(case.estimator).fit, X, y) < 0.5
    by_columns = case.estimator.__module__.startswith("sparselearn.linear_model")
    assert files == ([] if by_columns else [X.shape])
