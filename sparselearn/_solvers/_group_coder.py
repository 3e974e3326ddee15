r"""Codes under a penalty of groups of atoms.

.. math:: \min_z \tfrac12 \|x - D^T z\|^2 + \alpha \sum_g \sqrt{|g|} \|z_g\|_2

Atoms of one group are in a row's code together or not at all.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from sparselearn._kernels._blocks import Blocks
from sparselearn._kernels._group_codes import encode_groups
from sparselearn._solvers._coding import Atoms, Coder
from sparselearn._solvers._feature_groups import find_groups, make_partition
from sparselearn._solvers._lasso_coder import codes_of

__all__ = ["GroupCoder"]

# Eigenvalues of a group below this share of the largest are rounding.
RANK = 1e-13


@dataclass(frozen=True)
class GroupCoder(Coder):
    """Minimise half the squared error plus a penalty of groups.

    Parameters
    ----------
    groups : tuple of tuples of int, or tuple of labels
        The atoms of each group, where those in none are a group each; or the group of
        each atom.
    alpha : float
        Strength of the penalty.
    relative : bool
        Whether `alpha` is a share of the least one that makes a row's code 0.
    positive : bool
        Whether codes are >= 0.
    tol : float
        Duality gap to reach, in units of half the row's squared length.
    max_iter : int
        Sweeps over the groups at most.
    """

    groups: tuple
    alpha: float = 0.0
    relative: bool = False
    positive: bool = False
    tol: float = 1e-6
    max_iter: int = 1000

    def prepare(self, atoms):
        _ = self._grouped(atoms).atoms.gram

    def _grouped(self, atoms):
        key = "groups", self.groups, self.positive
        return atoms.once(key, lambda: _group(atoms, self.groups, self.positive))

    def encode(self, rows, atoms):
        order, arranged, blocks = self._grouped(atoms)
        products, squares = arranged.products(rows)
        found = np.empty((3, squares.size))
        encode_groups(
            arranged.gram,
            blocks._replace(lam=np.empty(blocks.lam.size)),
            blocks.lam,
            float(self.alpha),
            self.relative,
            self.tol,
            self.max_iter,
            products,
            squares,
            found,
        )
        codes = np.empty_like(products)
        codes[:, order] = products
        return codes_of(codes, found, rows, atoms, squares)


class _Grouped(NamedTuple):
    """Atoms in the order of their groups; the strengths of blocks are for alpha = 1."""

    order: np.ndarray
    atoms: Atoms
    blocks: Blocks


def _group(atoms, groups, positive):
    found = find_groups(groups, atoms.size, of="the dictionary", kind="atom")
    order, starts = make_partition(found)
    arranged = Atoms(atoms.components[order])
    values, matrices = [], []
    for first, last in pairwise(starts):
        gram = arranged.gram[first:last, first:last]
        spread, vectors = np.linalg.eigh(gram)
        values.append(np.where(spread > RANK * max(spread[-1], 0.0), spread, 0.0))
        matrices.append(np.ravel(gram if positive else vectors))
    sizes = np.diff(starts)
    blocks = Blocks(
        starts=starts,
        lam=np.sqrt(sizes),
        mu=np.zeros(sizes.size),
        values=np.concatenate(values),
        matrices=np.concatenate(matrices),
        places=np.concatenate([[0], np.cumsum(sizes**2)]),
        exact=not positive,
        positive=positive,
    )
    return _Grouped(order, arranged, blocks)
