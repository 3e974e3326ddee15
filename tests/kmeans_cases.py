"""Coders that laws are held against, and the slow twins of what they make."""

import numpy as np
import pytest
import scipy.sparse as sp
from reference import (
    hard_codes,
    keep_largest,
    line_distances,
    local_codes,
    shortest_rows,
    signed_triangle_codes,
    soft_threshold_codes,
    topk_codes,
    triangle_codes,
    unit_rows,
)

from sparselearn.cluster import KMeansCoder

SOFT = {"encoder": "soft-threshold"}
SPLIT = {"split_sign": True}
LINES = {"spherical": True}
ZCA, PCA = {"whiten": "zca"}, {"whiten": "pca", "whiten_eps": 0.0}
CODERS = [
    {"encoder": "hard"},
    {"encoder": "hard"} | LINES | ZCA,
    {"encoder": "triangle"},
    {"encoder": "triangle", "n_nonzero_coefs": 3},
    {"encoder": "triangle"} | ZCA,
    {"encoder": "triangle"} | LINES,
    {"encoder": "triangle", "n_nonzero_coefs": 3} | LINES | SPLIT | PCA,
    SOFT,
    SOFT | {"n_nonzero_coefs": 2} | SPLIT | ZCA,
    SOFT | {"threshold": 0.5} | LINES,
    {"encoder": "topk"},
    {"encoder": "topk", "n_nonzero_coefs": 2} | SPLIT | PCA,
    {"encoder": "topk", "n_nonzero_coefs": 3} | LINES | ZCA,
    {"encoder": "llc"},
    {"encoder": "llc", "n_nonzero_coefs": 3} | SPLIT | ZCA,
]


def name_of(options):
    parts = [key if value is True else str(value) for key, value in options.items()]
    return "-".join(parts)


every_coder = pytest.mark.parametrize("options", CODERS, ids=name_of)


def make(n_components=7, **options):
    return KMeansCoder(n_components, **({"random_state": 0} | options))


def dense(codes):
    return codes.toarray() if sp.issparse(codes) else codes


def is_dense(options):
    """Whether codes of these options are made without zeros in mind."""
    return options["encoder"] == "triangle" and "n_nonzero_coefs" not in options


def in_space(coder, X):
    """Samples as distances are measured, and the centroids there; in float64."""
    if coder.whiten is None:
        return X.astype(float), coder.components_.astype(float)
    whitened = (X.astype(float) - coder.mean_) @ coder.whitening_.T
    return whitened, coder.whitened_components_.astype(float)


def signed_codes(coder, X):
    """The codes of a fitted coder, by their definitions."""
    rows, centroids = in_space(coder, X)
    n_nonzero = coder.n_nonzero_coefs or len(centroids)
    signed = coder.spherical or coder.split_sign
    if coder.encoder == "hard":
        codes = hard_codes(rows, centroids)
        if coder.spherical:
            codes = np.eye(len(centroids))[line_distances(rows, centroids).argmin(1)]
            codes *= np.sign(rows @ centroids.T)
    elif coder.encoder == "triangle":
        twin = signed_triangle_codes if coder.spherical else triangle_codes
        codes = twin(rows, centroids)
    elif coder.encoder == "soft-threshold":
        codes = soft_threshold_codes(rows, centroids, coder.threshold_)
        if signed:
            codes -= soft_threshold_codes(rows, -centroids, coder.threshold_)
    elif coder.encoder == "topk":
        n_nonzero = coder.n_nonzero_coefs or 5
        return topk_codes(rows, centroids, n_nonzero, signed=signed)
    else:
        return local_codes(rows, centroids, coder.n_nonzero_coefs or 5)
    return np.sign(codes) * keep_largest(np.abs(codes), n_nonzero)


def expected_codes(coder, X):
    """The same as `transform` gives them, dense."""
    codes = signed_codes(coder, X)
    if not coder.split_sign:
        return codes
    return np.hstack([np.maximum(codes, 0.0), np.maximum(-codes, 0.0)])


def expected_rows(coder, codes, X, weights):
    """What signed codes stand for, by the definitions; `X` are the training samples."""
    rows, centroids = in_space(coder, X)
    if coder.encoder == "llc":
        found = codes @ centroids
    elif coder.encoder in ("topk", "soft-threshold"):
        found = shortest_rows(codes, centroids, coder.threshold_ or 0.0)
    else:
        if coder.spherical:
            centroids = unit_rows(centroids) * coder.gains_[:, None]
        mass = np.abs(codes).sum(axis=1, keepdims=True)
        found = codes @ centroids / np.where(mass > 0.0, mass, 1.0)
    mean = np.average(rows, axis=0, weights=weights) * (not coder.spherical)
    found[~codes.any(axis=1)] = mean
    if coder.whiten is None:
        return found
    return found @ coder.inverse_whitening_.T + coder.mean_
