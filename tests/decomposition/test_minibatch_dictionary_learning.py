"""Dictionaries learned online: laws of the estimator."""

import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sparselearn._solvers._online_dictionary import OnlineDictionary
from sparselearn.decomposition import MiniBatchDictionaryLearning, SparseCoder
from tests import reference


def learner(n_components=8, **options):
    options = {"batch_size": 20, "max_iter": 8, "tol": 0.0, "random_state": 0} | options
    return MiniBatchDictionaryLearning(n_components, **options)


def signals(rng, n=90, p=6, n_atoms=8):
    return reference.planted_dictionary(rng, p=p, K=n_atoms, n=n, k=2, noise=0.05)[0]


# Coders that need no alpha in units of X.
CODERS = {
    "lasso": {},
    "relative": {
        "coder": SparseCoder(method="lasso", alpha=0.3, alpha_mode="relative")
    },
    "omp": {"method": "omp", "n_nonzero_coefs": 2},
    "threshold": {"method": "threshold", "n_nonzero_coefs": 3, "positive": True},
}
every_coder = pytest.mark.parametrize("options", CODERS.values(), ids=CODERS)


def test_finds_the_atoms_that_made_the_samples():
    """Research problem: 50 atoms of 20 features, 3 a sample, 10% noise."""
    shares = []
    for seed in range(5):
        X, atoms = reference.planted_dictionary(np.random.default_rng(seed))
        found = MiniBatchDictionaryLearning(
            50, alpha=0.1, batch_size=200, random_state=seed
        ).fit(X)
        cosines = np.abs(atoms @ found.components_.T)
        shares.append(np.mean(cosines.max(axis=1) > 0.99))
    assert np.mean(shares) >= 0.97


@every_coder
def test_one_coder_for_fit_and_transform(rng, options):
    X = signals(rng)
    model = learner(**options)
    codes = model.fit_transform(X)
    again = clone(model).fit(X).transform(X)
    np.testing.assert_array_equal(codes.toarray(), again.toarray())
    np.testing.assert_array_equal(codes.toarray(), model.transform(X).toarray())
    assert model.explained_variance_ == pytest.approx(model.score(X), rel=1e-12)
    assert model.score(X) > 0.3


@every_coder
@pytest.mark.parametrize("unit", [1e-6, 1e6])
def test_units_do_not_matter(rng, options, unit):
    X = signals(rng)
    model, scaled = learner(**options).fit(X), learner(**options).fit(unit * X)
    assert model.n_replaced_ == scaled.n_replaced_
    np.testing.assert_allclose(model.components_, scaled.components_, atol=1e-6)
    np.testing.assert_allclose(
        unit * model.transform(X).toarray(),
        scaled.transform(unit * X).toarray(),
        atol=1e-5 * unit,
    )


def test_storage_does_not_matter(rng, tmp_path):
    X = signals(rng) * (rng.random((90, 6)) < 0.8)
    model = learner().fit(X)
    mapped = np.memmap(tmp_path / "X", mode="w+", shape=X.shape, dtype=X.dtype)
    mapped[:] = X
    mapped.flush()
    mapped = np.memmap(tmp_path / "X", mode="r", shape=X.shape, dtype=X.dtype)
    wide = sp.csr_array(X)
    wide.indices, wide.indptr = (
        a.astype(np.int64) for a in (wide.indices, wide.indptr)
    )
    for other in [mapped, np.asfortranarray(X), X[:, ::-1][:, ::-1]]:
        np.testing.assert_array_equal(
            learner().fit(other).components_, model.components_
        )
    for other in [sp.csr_array(X), sp.csc_matrix(X), wide]:
        np.testing.assert_allclose(
            learner().fit(other).components_, model.components_, atol=1e-6
        )


def test_float32_is_float64_nearly(rng):
    X = signals(rng).astype(np.float32)
    model, single = learner().fit(X.astype(float)), learner().fit(X)
    assert single.components_.dtype == single.transform(X).dtype == np.float32
    np.testing.assert_allclose(single.components_, model.components_, atol=1e-4)


def test_threads_give_the_same_bits(rng):
    X = signals(rng, n=600)
    options = {"batch_size": 400, "max_iter": 3}
    one = learner(n_jobs=1, **options).fit(X)
    two = learner(n_jobs=2, **options).fit(X)
    np.testing.assert_array_equal(one.components_, two.components_)
    np.testing.assert_array_equal(one.objective_path_, two.objective_path_)


def test_weights_are_repeats_and_order_does_not_matter(rng):
    X = signals(rng)
    weights = rng.integers(0, 4, X.shape[0])
    model = learner().fit(X, sample_weight=weights)
    repeated = learner().fit(np.repeat(X, weights, axis=0))
    order = rng.permutation(X.shape[0])
    permuted = learner().fit(X[order], sample_weight=weights[order])
    for other in [repeated, permuted]:
        np.testing.assert_array_equal(other.components_, model.components_)
        assert other.objective_ == pytest.approx(model.objective_)
        np.testing.assert_allclose(other.atom_usage_, model.atom_usage_)
        np.testing.assert_allclose(other.mean_, model.mean_, atol=1e-12)


@pytest.mark.parametrize("missing", [False, True])
def test_a_chain_of_partial_fits_is_one_pass(rng, missing):
    X, weights = signals(rng, n=110), rng.random(110)
    options = {"init": rng.standard_normal((8, 6)), "shuffle": False, "max_iter": 1}
    if missing:
        X[rng.random(X.shape) < 0.1] = np.nan
        options["coder"] = SparseCoder(method="lasso", missing="mask")
    whole = learner(**options).fit(X, sample_weight=weights)
    chain = learner(**options)
    for rows in np.split(np.arange(110), [20, 80, 100]):
        chain.partial_fit(X[rows], sample_weight=weights[rows])
        chain = pickle.loads(pickle.dumps(chain))
    # `fit` puts the atoms in order: match them.
    match = np.argmax(np.abs(whole.components_ @ chain.components_.T), axis=1)
    signs = np.sign(np.sum(whole.components_ * chain.components_[match], axis=1))
    np.testing.assert_array_equal(np.sort(match), np.arange(8))
    np.testing.assert_array_equal(
        chain.components_[match] * signs[:, None], whole.components_
    )
    np.testing.assert_allclose(chain.mean_, whole.mean_, atol=1e-12)
    assert chain.n_iter_ == len(chain.objective_path_) == 4
    chain_mean = chain.objective_path_ @ [
        weights[rows].sum() for rows in np.split(np.arange(110), [20, 80, 100])
    ]
    assert chain_mean / weights.sum() == pytest.approx(whole.objective_path_[0])


def test_partial_fit_goes_on_from_fit(rng):
    X = signals(rng)
    model = learner(alpha=0.1).fit(X)
    atoms = model.components_
    model.partial_fit(X)
    assert model._online.n_seen == 9 * 90
    # It starts from the atoms of `fit`, in their order and with their signs.
    cosines = np.sum(model.components_ * atoms, axis=1)
    assert np.all(cosines > 0.9)
    assert np.any(model.components_ != atoms)


@pytest.mark.parametrize("n", [1, 3, 8, 37])
def test_partial_fit_takes_batches_of_any_size(rng, n):
    X = signals(rng)
    model = learner(alpha=0.1)
    for start in range(0, 74, n):
        model.partial_fit(X[start : start + n])
    assert model._online.n_seen >= 74
    assert model.score(X) > 0.3
    np.testing.assert_allclose(np.sum(model.components_**2, axis=1), 1.0)


def test_a_bad_batch_changes_nothing(rng):
    X = signals(rng)
    model = learner().partial_fit(X)
    before = pickle.dumps(model)
    bad = X.copy()
    bad[3, 3] = np.nan
    for wrong in [bad, X[:, :4], X[:0]]:
        with pytest.raises(ValueError):
            model.partial_fit(wrong)
    with pytest.raises(ValueError, match=r"(?i)weight"):
        model.partial_fit(X, sample_weight=np.zeros(90))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupt_leaves_the_last_good_state(rng, method, monkeypatch):
    X = signals(rng)
    model, unfitted = learner().fit(X), learner()
    before = pickle.dumps(model)
    learn_batch = OnlineDictionary._learn_batch

    def interrupted(self, *args):
        if self.n_seen % 90 >= 40:
            raise KeyboardInterrupt
        return learn_batch(self, *args)

    monkeypatch.setattr(OnlineDictionary, "_learn_batch", interrupted)
    for estimator in [model, unfitted]:
        with pytest.raises(KeyboardInterrupt):
            getattr(estimator, method)(2.0 * X)
    assert pickle.dumps(model) == before
    assert not hasattr(unfitted, "components_")


def test_what_is_given_is_not_changed(rng):
    X, init = signals(rng), np.asfortranarray(rng.standard_normal((8, 6)))
    weights, coder = rng.random(90), SparseCoder(method="omp", n_nonzero_coefs=2)
    copies = [a.copy() for a in (X, init, weights)]
    model = learner(init=init, coder=coder)
    model.fit(X, sample_weight=weights).partial_fit(X, sample_weight=weights)
    for array, copy in zip((X, init, weights), copies):
        np.testing.assert_array_equal(array, copy)
    assert not hasattr(coder, "components_")
    assert not np.shares_memory(model.components_, init)
    assert model.init is init


def test_missing_entries_are_filled_in(rng):
    X = signals(rng, n=400)
    held_out = rng.random(X.shape) < 0.15
    coder = SparseCoder(method="omp", n_nonzero_coefs=2, missing="mask")
    model = learner(coder=coder, max_iter=30).fit(np.where(held_out, np.nan, X))
    assert model.score(X, held_out=held_out) > 0.5
    filled = model.inverse_transform(model.transform(np.where(held_out, np.nan, X)))
    error = np.mean((filled - X)[held_out] ** 2)
    assert error < 0.5 * np.mean(X[held_out] ** 2)


def test_a_factorisation_without_negative_numbers(rng):
    Z = rng.random((200, 4)) * (rng.random((200, 4)) < 0.5)
    X = Z @ (rng.random((4, 10)) * (rng.random((4, 10)) < 0.5))
    model = learner(4, alpha=1e-3, positive=True, positive_atoms=True, max_iter=50)
    codes = model.fit_transform(X)
    assert codes.min() >= 0.0
    assert model.components_.min() >= 0.0
    assert model.score(X) > 0.95


def test_sparse_atoms(rng):
    X = signals(rng, n=300, p=20)
    share = [
        np.mean(learner(alpha=0.1, atom_l1_ratio=r).fit(X).components_ == 0.0)
        for r in [0.0, 0.5, 1.0]
    ]
    assert share[0] == 0.0
    assert 0.0 < share[1] < share[2]


def test_duplicates_among_the_first_atoms_are_replaced(rng):
    X, atoms = reference.planted_dictionary(rng, p=10, K=8, n=400, k=2, noise=0.02)
    init = np.tile(atoms[0], (8, 1)) * np.array([1, -1, 2, 3, 1, 1, 1, 1.0])[:, None]
    model = learner(init=init, alpha=0.05, max_iter=30).fit(X)
    assert model.n_replaced_ >= 7
    assert model.coherence_ < 0.99
    cosines = np.abs(atoms @ model.components_.T).max(axis=1)
    assert np.mean(cosines > 0.95) >= 0.8


def test_order_signs_and_figures(rng):
    X, weights = signals(rng), rng.random(90)
    model = learner(alpha=0.1)
    codes = model.fit_transform(X, sample_weight=weights).toarray()
    used = codes != 0.0
    np.testing.assert_allclose(model.atom_usage_, weights @ used / weights.sum())
    assert model.n_nonzero_coefs_ == pytest.approx(model.atom_usage_.sum())
    assert model.sparsity_ == pytest.approx(1.0 - model.atom_usage_.mean())
    assert model.atom_usage_[0] > model.atom_usage_[-1]
    largest = np.argmax(np.abs(model.components_), axis=1)
    assert np.all(model.components_[np.arange(8), largest] > 0.0)
    errors = np.sum((X - codes @ model.components_) ** 2, axis=1)
    costs = 0.5 * errors + 0.1 * np.sum(np.abs(codes), axis=1)
    assert model.objective_ == pytest.approx(weights @ costs / weights.sum())
    cosines = np.abs(model.components_ @ model.components_.T) - np.eye(8)
    assert model.coherence_ == pytest.approx(cosines.max())


def test_more_atoms_than_samples_and_other_extremes(rng):
    model = learner(12).fit(rng.standard_normal((5, 4)))
    assert model.components_.shape == (12, 4)
    assert model.score(rng.standard_normal((5, 4))) > 0.0
    one = learner(3).fit(rng.standard_normal((30, 1)))
    np.testing.assert_allclose(np.abs(one.components_), 1.0)
    clipped = learner(3, method="omp", n_nonzero_coefs=50).fit(signals(rng))
    assert clipped.n_nonzero_coefs_ <= 3.0
    assert learner(None).fit(signals(rng)).components_.shape == (6, 6)


def test_zero_samples_are_silent(rng):
    X = signals(rng)
    X[::3] = 0.0
    codes = learner().fit_transform(X).toarray()
    assert not codes[::3].any()
    assert learner().fit(np.zeros((7, 3))).n_nonzero_coefs_ == 0.0


def test_warns_once(rng):
    X = signals(rng)
    with pytest.warns(ConvergenceWarning, match="All codes are zero") as caught:
        model = learner(alpha=1e6).fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert model.n_iter_ == 1
    np.testing.assert_allclose(np.sum(model.components_**2, axis=1), 1.0)
    with pytest.warns(ConvergenceWarning, match="All codes are zero") as caught:
        learner(alpha=1e6).partial_fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with pytest.warns(ConvergenceWarning, match="Raise max_iter or tol") as caught:
        learner(tol=1e-9, max_iter=3).fit(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        learner(tol=1e-9, max_iter=1000, max_time=1e-9).fit(X)


def test_time_ends_it(rng):
    model = learner(max_time=1e-9, max_iter=10**9).fit(signals(rng))
    assert model.n_iter_ == 1
    assert model._online.n_seen == 20


def test_a_coder_and_its_parameters_are_not_both_given(rng):
    coder = SparseCoder(method="omp")
    for options in [{"alpha": 1.0}, {"n_nonzero_coefs": 2}, {"positive": True}]:
        (name,) = options
        with pytest.raises(ValueError, match=f"{name}=.* was given, and a coder too"):
            learner(coder=coder, **options).fit(signals(rng))
    with pytest.raises(ValueError, match="init has shape"):
        learner(init=np.ones((3, 6))).fit(signals(rng))
    with pytest.raises(ValueError, match="max_iter"):
        learner(coder=SparseCoder(max_iter=0)).fit(signals(rng))


def test_names_say_what_is_in_an_atom(rng):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(signals(rng, p=4), columns=["a", "b", "c", "d"])
    init = np.array([[0.0, 3.0, 0.2, -2.0], [1.0, 0.0, 0.0, 0.0]])
    coder = SparseCoder(method="threshold", n_nonzero_coefs=1, split_sign=True)
    model = learner(2, init=init, coder=coder, max_iter=1).fit(X)
    model.components_ = init
    np.testing.assert_array_equal(
        model.get_feature_names_out(),
        [
            "minibatchdictionarylearning0_b_-d_positive",
            "minibatchdictionarylearning1_a_positive",
            "minibatchdictionarylearning0_b_-d_negative",
            "minibatchdictionarylearning1_a_negative",
        ],
    )
    frame = model.set_output(transform="pandas").transform(X)
    np.testing.assert_array_equal(frame.columns, model.get_feature_names_out())


def test_searches_over_sparsity_with_and_without_a_target(rng):
    X = signals(rng)
    grid = {"n_nonzero_coefs": [1, 2, 50]}
    search = GridSearchCV(learner(method="omp", max_iter=2), grid, cv=2).fit(X)
    assert search.best_params_["n_nonzero_coefs"] == 50
    pipeline = make_pipeline(learner(method="omp", max_iter=2), LogisticRegression())
    grid = {"minibatchdictionarylearning__n_nonzero_coefs": [1, 2]}
    GridSearchCV(pipeline, grid, cv=2).fit(X, X[:, 0] > 0.0)


@pytest.mark.parametrize(
    "change",
    [
        {"alpha": 0.05},
        {"method": "omp"},
        {"positive": True},
        {"batch_size": 45},
        {"init": "svd"},
        {"init": "k-means++"},
        {"max_iter": 2},
        {"tol": 0.5},
        {"shuffle": False},
        {"positive_atoms": True},
        {"atom_l1_ratio": 0.3},
        {"random_state": 1},
        {"coder": SparseCoder(method="omp", n_nonzero_coefs=1)},
    ],
    ids=str,
)
def test_every_parameter_is_alive(rng, change):
    X = signals(rng)
    plain, changed = learner().fit(X), learner(**change).fit(X)
    assert np.any(plain.components_ != changed.components_)
