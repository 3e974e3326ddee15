"""What is exported predicts the same, and is smaller where it says so."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import (
    ElasticNet,
    LogisticRegression,
    Ridge,
    SGDClassifier,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR

from sparselearn.neural_network import (
    SparseAutoencoder,
    SparseMLPClassifier,
    SparseMLPRegressor,
)
from sparselearn.pruning import export, prune, sparsity_report
from sparselearn.pruning._adapters import LinearAdapter

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
NETWORKS = [MLPClassifier, MLPRegressor, SparseMLPClassifier, SparseMLPRegressor]


@pytest.fixture
def X(rng):
    return rng.normal(size=(60, 30))


@pytest.fixture
def y(X):
    return X[:, :5] @ [1.0, -2.0, 0.5, 0.0, 1.0] + 1.0


def fitted(kind, X, y, **options):
    network = kind(hidden_layer_sizes=(40, 20), max_iter=3, random_state=0, **options)
    return network.fit(X, y > 0 if "Classifier" in kind.__name__ else y)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_get_smaller_and_predict_the_same(X, y, kind, dtype):
    X = X.astype(dtype)
    network = fitted(kind, X, y.astype(dtype))
    pruned = prune(network, X, granularity="neuron", scope="layer", sparsity=0.5)
    pruned = prune(pruned, X, scope="layer", sparsity=0.9)
    sizes = {"whole": len(pickle.dumps(pruned))}
    for form in ("dense", "csr", "shrunk"):
        exported = export(pruned, form, X)
        sizes[form] = len(pickle.dumps(exported))
        wanted = pruned.predict(X)
        np.testing.assert_allclose(exported.predict(X), wanted, rtol=1e-4)
        assert 0.0 <= exported.export_difference_ < 1e-4
        again = pickle.loads(pickle.dumps(exported))
        np.testing.assert_array_equal(again.predict(X), exported.predict(X))
    assert sizes["dense"] < 0.5 * sizes["whole"]
    assert sizes["csr"] < 0.6 * sizes["dense"]
    assert sizes["shrunk"] < 0.6 * sizes["dense"]
    assert not hasattr(pruned, "export_difference_")


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("form", ["dense", "shrunk"])
def test_training_starts_anew(X, y, kind, form):
    targets = y > 0 if "Classifier" in kind.__name__ else y
    exported = export(prune(fitted(kind, X, y), X, sparsity=0.5), form)
    before = exported.coefs_[0].copy()
    exported.partial_fit(X, targets)
    assert np.any(exported.coefs_[0] != before)
    exported.set_params(warm_start=True).fit(X, targets)


def test_our_own_counts_read_csr(X, y):
    pruned = prune(fitted(SparseMLPRegressor, X, y), X, sparsity=0.8)
    exported = export(pruned, "csr")
    assert sp.issparse(exported.coefs_[0])
    assert exported.sparsity_ == pruned.sparsity_ == 0.8
    np.testing.assert_array_equal(exported.support_, pruned.support_)
    exported.set_masks([W != 0 for W in pruned.coefs_])
    assert exported.n_nonzero_coefs_ == pruned.n_nonzero_coefs_


def multiplies_vectors():
    """Whether scipy multiplies by a CSR of one dimension, as its 1.14 does not."""
    try:
        return (sp.csr_array(np.eye(3)) @ sp.csr_array(np.ones(3))).shape == (3,)
    except ValueError:
        return False


@pytest.mark.parametrize("storage", [np.asarray, sp.csr_array])
@pytest.mark.parametrize("model", [LogisticRegression(), SGDClassifier(), ElasticNet()])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_linear_models(X, y, model, storage, n_outputs):
    if isinstance(model, ElasticNet):
        if n_outputs == 1 and sp.csr_array(np.ones(2)).ndim == 2:
            pytest.skip("this scipy has no CSR of one dimension")
        targets = np.column_stack([y] * n_outputs) if n_outputs > 1 else y
        model = ElasticNet(alpha=0.01)
    else:
        targets = np.digitize(y, [0.0, 2.0][: max(1, n_outputs - 1)])
    pruned = prune(model.fit(X, targets), X, sparsity=0.9)
    rows = storage(X)
    if pruned.coef_.ndim == 1 and sp.issparse(rows) and not multiplies_vectors():
        with pytest.raises(ValueError, match="Take another of 'dense'"):
            export(pruned, "csr", rows)
        return
    exported = export(pruned, "csr", rows)
    assert sp.issparse(exported.coef_)
    np.testing.assert_allclose(
        exported.predict(storage(X)), pruned.predict(X), rtol=1e-12
    )


def test_regressors_that_cannot_are_refused(X, y):
    pruned = prune(Ridge().fit(X, y), X, sparsity=0.9)
    with pytest.raises(ValueError, match=r"Ridge exported .*format='csr'.*'dense'"):
        export(pruned, "csr")
    np.testing.assert_array_equal(export(pruned).coef_, pruned.coef_)


def test_a_difference_is_refused(X, y, monkeypatch):
    def compress(self, estimator):
        estimator.coef_ = 1.001 * estimator.coef_

    monkeypatch.setattr(LinearAdapter, "compress", compress)
    with pytest.raises(ValueError, match="changes predict by up to"):
        export(Ridge().fit(X, y), "csr")


def test_a_pipeline_is_exported_whole(X, y):
    whole = make_pipeline(StandardScaler(), MLPRegressor(max_iter=3, random_state=0))
    pruned = prune(whole.fit(X, y), X, sparsity=0.9)
    small = export(pruned, "csr", X)
    assert sp.issparse(small[-1].coefs_[0])
    np.testing.assert_allclose(small.predict(X), pruned.predict(X), rtol=1e-10)


def test_unknown_format(X, y):
    with pytest.raises(ValueError, match="'format'"):
        export(Ridge().fit(X, y), "onnx")


def test_the_report_counts(X, y):
    network = fitted(MLPRegressor, X.astype(np.float32), y.astype(np.float32))
    pruned = prune(
        network, granularity="neuron", scope="layer", sparsity=0.5, refit="none"
    )
    report = sparsity_report(pruned, X.astype(np.float32))
    nonzero = [int((W != 0).sum()) for W in pruned.coefs_]
    assert [row["n_nonzero"] for row in report.blocks] == nonzero
    assert [row["shape"] for row in report.blocks] == [(30, 40), (40, 20), (20, 1)]
    assert sum(row["units_kept"] for row in report.blocks[:2]) == 30
    assert [row["inputs_kept"] for row in report.blocks[1:]] == [
        row["units_kept"] for row in report.blocks[:-1]
    ]
    gone = 60 - 30
    assert sum(row["silent_units"] for row in report.blocks) >= gone
    totals = report.totals
    n_weights = 30 * 40 + 40 * 20 + 20
    assert totals["n_weights"] == totals["multiply_adds"] == n_weights
    assert totals["n_nonzero"] == totals["multiply_adds_sparse"] == sum(nonzero)
    assert totals["sparsity"] == 1 - sum(nonzero) / n_weights
    assert totals["n_parameters"] == n_weights + 61
    assert totals["parameter_sparsity"] < totals["sparsity"]
    arrays = [*pruned.coefs_, *pruned.intercepts_]
    assert totals["bytes_dense"] == sum(a.nbytes for a in arrays)
    csr = [sp.csr_array(W) for W in pruned.coefs_]
    stored = sum(W.data.nbytes + 4 * (W.indices.size + W.indptr.size) for W in csr)
    assert totals["bytes_csr"] == stored + 4 * 61
    assert totals["bytes_pickle"] == len(pickle.dumps(pruned))
    assert totals["bytes_gzip"] < totals["bytes_pickle"]
    assert "seconds" not in totals


def test_the_report_is_read_and_framed(X, y):
    report = sparsity_report(fitted(MLPRegressor, X, y))
    text = repr(report)
    assert "coefs_[1]" in text
    assert "40 x 20" in text
    assert "multiply_adds" in text
    pd = pytest.importorskip("pandas")
    frame = report.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.loc["coefs_[0]", "n_nonzero"] == 1200


def test_time_is_measured_on_request(X, y):
    model = Ridge().fit(X, y)
    assert sparsity_report(model, X, measure_time=True).totals["seconds"] > 0.0
    with pytest.raises(ValueError, match="measure_time=True needs X"):
        sparsity_report(model, measure_time=True)


def test_trees_machines_and_codes(X, y):
    models = [
        RandomForestRegressor(3, random_state=0).fit(X, y),
        SVR().fit(X, y),
        SparseAutoencoder(6, max_iter=2, n_nonzero_coefs=2, random_state=0).fit(X),
    ]
    for model in models:
        exported = export(model, "shrunk", X)
        assert exported.export_difference_ == 0.0
        with pytest.raises(TypeError, match="stored as CSR"):
            export(model, "csr")
        report = sparsity_report(model, X)
        assert report.totals["n_nonzero"] == sum(b["n_nonzero"] for b in report.blocks)
