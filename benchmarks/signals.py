"""The problems of codes and dictionaries: patches of a bundled image, planted atoms."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp
from sklearn.datasets import load_sample_image, load_sample_images
from sklearn.feature_extraction.image import extract_patches_2d

__all__ = ["Signals", "blobs", "patches", "planted", "whitened_patches", "with_atoms"]

ROUNDS = 10


@dataclass(frozen=True)
class Signals:
    """Rows of X (C-ordered) to encode, or to learn atoms or centroids of.

    The Lasso's objective is the mean over rows of ||x - D' z||^2 / 2 + alpha ||z||_1, a
    pursuit's the mean of ||x - D' z||^2 with `n_nonzero_coefs` non-zeros. `atoms` are
    those to encode by, of length 1, or None; K-means starts from them. Learners find
    `n_components` of them.
    `planted`: the atoms that made X. `real`: measured data, not generated.
    """

    X: np.ndarray
    n_components: int
    alpha: float = 0.0
    n_nonzero_coefs: int = 0
    atoms: np.ndarray | None = None
    planted: np.ndarray | None = None
    seed: int = 0
    real: bool = False

    def arrays(self):
        """What the workers read, by name: never what was planted."""
        found = {"X": np.ascontiguousarray(self.X)}
        return found if self.atoms is None else found | {"atoms": self.atoms}

    def settings(self):
        """What the workers are told besides."""
        return {
            "n_components": self.n_components,
            "alpha": self.alpha,
            "n_nonzero_coefs": self.n_nonzero_coefs,
            "seed": self.seed,
        }

    def head(self, n_rows):
        """The same with the first rows only."""
        return replace(self, X=self.X[:n_rows])


def unit_rows(X):
    return X / np.linalg.norm(X, axis=1, keepdims=True)


def patches(n_rows, n_components, *, size=8, alpha=0.15, n_nonzero_coefs=10):
    """Patches of scikit-learn's image of china, grey, mean removed, of length 1."""
    image = load_sample_image("china.jpg").mean(axis=2)
    # Some of the sky is flat.
    found = extract_patches_2d(
        image, (size, size), max_patches=n_rows + n_rows // 10 + 10, random_state=0
    )
    found = found.reshape(len(found), -1)
    found -= found.mean(axis=1, keepdims=True)
    X = unit_rows(found[np.ptp(found, axis=1) > 0.0][:n_rows])
    return Signals(X, n_components, alpha, n_nonzero_coefs, real=True)


def with_atoms(problem):
    """The same with atoms to encode by, by spherical k-means from some of its rows.

    Of no library's making: X is assigned to the atom of the largest product, whatever
    its sign, and added to it (Coates and Ng, 2012).
    """
    rng = np.random.default_rng(problem.seed)
    chosen = rng.choice(len(problem.X), problem.n_components, replace=False)
    atoms = problem.X[chosen]
    for _ in range(ROUNDS):
        for start in range(0, len(problem.X), 4096):
            rows = problem.X[start : start + 4096]
            products = rows @ atoms.T
            nearest = np.abs(products).argmax(axis=1)
            sizes = np.take_along_axis(products, nearest[:, None], axis=1)
            starts = np.arange(len(rows) + 1)
            shape = len(rows), len(atoms)
            codes = sp.csr_array((sizes[:, 0], nearest, starts), shape=shape)
            atoms = unit_rows(atoms + codes.T @ rows)
    return replace(problem, atoms=atoms)


def planted(seed, *, n_rows=1500, n_features=20, n_components=50, n_nonzero_coefs=3):
    """Rows of so many normal codes of random atoms, with a tenth of noise."""
    rng = np.random.default_rng(seed)
    atoms = unit_rows(rng.standard_normal((n_components, n_features)))
    order = rng.random((n_rows, n_components)).argsort(axis=1)
    codes = np.zeros((n_rows, n_components))
    which = order[:, :n_nonzero_coefs]
    np.put_along_axis(codes, which, rng.standard_normal(which.shape), axis=1)
    X = codes @ atoms
    X += 0.1 * X.std() * rng.standard_normal(X.shape)
    return Signals(X, n_components, 0.15, n_nonzero_coefs, planted=atoms, seed=seed)


def starting_at_rows(X, n_components, n_nonzero_coefs, *, real):
    """The problem of K-means of float32 rows from different ones of them."""
    rng = np.random.default_rng(0)
    X = X.astype(np.float32)
    atoms = X[rng.choice(len(X), n_components, replace=False)]
    return Signals(
        X, n_components, n_nonzero_coefs=n_nonzero_coefs, atoms=atoms, real=real
    )


def whitened_patches(n_rows, n_components, *, size=6, n_nonzero_coefs=10):
    """Patches in colour of scikit-learn's images, as Coates and Ng prepare them.

    The contrast of each is normalised, with 10 added to the variance; then they are
    whitened by their principal components, with 0.1 added, and turned back (ZCA).
    """
    images = load_sample_images().images
    each = -(-n_rows // len(images))
    found = [
        extract_patches_2d(image, (size, size), max_patches=each, random_state=0)
        for image in images
    ]
    X = np.concatenate(found).reshape(each * len(images), -1).astype(np.float64)
    X -= X.mean(axis=1, keepdims=True)
    X /= np.sqrt(X.var(axis=1, keepdims=True) + 10.0)
    X -= X.mean(axis=0)
    variances, directions = np.linalg.eigh(X.T @ X / len(X))
    X = X @ (directions / np.sqrt(variances + 0.1)) @ directions.T
    X = np.random.default_rng(0).permutation(X)[:n_rows]
    return starting_at_rows(X, n_components, n_nonzero_coefs, real=True)


def blobs(n_rows, n_components, *, n_features=108, n_nonzero_coefs=10):
    """As many normal clouds as centroids, twice as far from 0 as they are wide."""
    rng = np.random.default_rng(0)
    centres = 2.0 * rng.standard_normal((n_components, n_features))
    X = centres[rng.integers(n_components, size=n_rows)]
    X += rng.standard_normal(X.shape)
    return starting_at_rows(X, n_components, n_nonzero_coefs, real=False)
