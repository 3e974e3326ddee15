"""Penalties: specs of a function h_j of one coefficient, and its maths.

A penalty is a ``NamedTuple`` of numbers and arrays. Each function below chooses
its formula by the penalty's type, takes the coordinate `j` because the formula
may depend on it, and works both on a scalar in a kernel and, with `j` a slice or
an index array, on many coordinates at once in numpy. A penalty of your own
registers with ``@value.register(MyPenalty)`` and so on.

Three families are here. Elastic nets are convex,

    h_j(w) = l1_j |w| + l2_j w^2 / 2,
    l1_j = alpha * weights_j * l1_ratio,    l2_j = alpha * weights_j * (1 - l1_ratio),

with l1_ratio = 1 or weights = 1 where the name does not speak of them. Folded concave
penalties begin as ``l1_j |w|`` and then bend until they are flat,

    h_j'(|w|) = max(l1_j - bend_j max(|w| - straight_j, 0), 0),

so that large coefficients are not shrunk; they have no conjugate that would certify.

With ``positive`` the domain is w >= 0. A weight of 0 leaves a coefficient unpenalised;
one of inf keeps it at 0.

The third is of groups of coefficients: there j is the index g of a group, w the block
w_g of its coefficients, and

    h_g(w) = lam_g ||w||_2 + mu_g ||w||_1,

of which lam_g and mu_g are the `group_strengths`.
"""

from sparselearn.penalties._elastic_net import (
    L1,
    ElasticNet,
    ElasticNetFamily,
    WeightedElasticNet,
    WeightedL1,
    strengths,
)
from sparselearn.penalties._folded_concave import MCP, SCAD, FoldedConcave, pieces
from sparselearn.penalties._formulas import (
    conjugate,
    dual_scale,
    fenchel_gap,
    prox,
    subdifferential_distance,
    threshold,
    value,
)
from sparselearn.penalties._groups import (
    GroupFamily,
    GroupL2,
    Groups,
    SparseGroup,
    dual_norm,
    group_strengths,
)
from sparselearn.penalties._scaled import Scaled

__all__ = [
    "L1",
    "MCP",
    "SCAD",
    "ElasticNet",
    "ElasticNetFamily",
    "FoldedConcave",
    "GroupFamily",
    "GroupL2",
    "Groups",
    "Scaled",
    "SparseGroup",
    "WeightedElasticNet",
    "WeightedL1",
    "conjugate",
    "dual_norm",
    "dual_scale",
    "fenchel_gap",
    "group_strengths",
    "pieces",
    "prox",
    "strengths",
    "subdifferential_distance",
    "threshold",
    "value",
]
