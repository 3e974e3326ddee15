"""
A penalty of your own
=====================

A penalty is a ``NamedTuple`` with a few formulas. This one is an L1 whose two sides
differ: a coefficient pays `up` for each unit above zero and `down` for each below.
"""

# %%
# The class holds the numbers; each formula is registered with the function of
# :mod:`sparselearn.penalties` that it answers. `j` is the index of the coefficient,
# for penalties that differ from one to the next; this one does not.

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from sparselearn import penalties
from sparselearn.linear_model import SparseGLMRegressor


class TwoSided(NamedTuple):
    """``h(w) = up max(w, 0) + down max(-w, 0)``."""

    up: float
    down: float


@penalties.value.register(TwoSided)
def _(penalty, w, j):
    return penalty.up * np.maximum(w, 0.0) + penalty.down * np.maximum(-w, 0.0)


@penalties.prox.register(TwoSided)
def _(penalty, z, step, j):
    return np.maximum(z - step * penalty.up, 0.0) + np.minimum(
        z + step * penalty.down, 0.0
    )


# %%
# The functions choose by type, so a penalty of the package and this one are called
# alike. Here are both proximal operators; where a curve is flat, a coefficient is
# exactly zero.

z = np.linspace(-3, 3, 301)
fig, ax = plt.subplots(layout="constrained")
for penalty in (penalties.L1(1.0), TwoSided(up=0.5, down=2.0)):
    ax.plot(z, penalties.prox(penalty, z, 1.0, slice(None)), label=repr(penalty))
ax.axline((0, 0), slope=1, color="0.8", zorder=0)
ax.set(xlabel="z", ylabel="prox(z)")
ax.legend()
plt.show()

# %%
# That suffices for an algorithm. An estimator also says how far from the minimum it
# is at most, and which features to look at next; for these it asks three formulas
# more: the conjugate ``sup_w v w - h(w)``, the factor that brings a correlation g into
# its domain, and how far g is from the subgradients of h at w.


@penalties.conjugate.register(TwoSided)
def _(penalty, v, j):
    # A little outside is rounding: dual points are scaled to touch the ends.
    outside = np.maximum(v / penalty.up, -v / penalty.down) > 1.0 + 1e-12
    return np.where(outside, np.inf, 0.0)


@penalties.dual_scale.register(TwoSided)
def _(penalty, w, g, j):
    return 1.0 / np.maximum(1.0, np.maximum(g / penalty.up, -g / penalty.down))


@penalties.subdifferential_distance.register(TwoSided)
def _(penalty, w, g, j):
    at_zero = np.maximum(np.maximum(g - penalty.up, -penalty.down - g), 0.0)
    return (
        at_zero * (w == 0.0)
        + np.abs(g - penalty.up) * (w > 0.0)
        + np.abs(g + penalty.down) * (w < 0.0)
    )


# %%
# Now :class:`~sparselearn.linear_model.SparseGLMRegressor` fits with it, under the
# squared loss if no other is given. In these data every other coefficient is negative:

rng = np.random.default_rng(0)
X = rng.standard_normal((100, 8))
true = np.array([2.0, -2.0, 1.0, -1.0, 0.5, -0.5, 0.0, 0.0])
y = X @ true + 0.1 * rng.standard_normal(100)

for penalty in (penalties.L1(0.3), TwoSided(up=0.1, down=1.2)):
    model = SparseGLMRegressor(penalty=penalty).fit(X, y)
    print(
        f"{type(penalty).__name__:9}",
        *(f"{w:5.2f}" for w in model.coef_),
        f"  gap {model.dual_gap_:.0e}",
    )
