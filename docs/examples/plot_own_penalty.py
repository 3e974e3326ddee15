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

from sparselearn import losses, penalties


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
# And that is what an algorithm needs of it. Proximal gradient descent, with the loss
# of :mod:`sparselearn.losses`, on data in which every other coefficient is negative:

rng = np.random.default_rng(0)
X = rng.standard_normal((100, 8))
true = np.array([2.0, -2.0, 1.0, -1.0, 0.5, -0.5, 0.0, 0.0])
y = X @ true + 0.1 * rng.standard_normal(100)

step = len(y) / np.linalg.norm(X, 2) ** 2


def descend(penalty, n_steps=200):
    """Minimise the mean loss plus `penalty`."""
    w = np.zeros(X.shape[1])
    for _ in range(n_steps):
        gradient = X.T @ losses.gradient(losses.Quadratic(), y, X @ w) / len(y)
        w = penalties.prox(penalty, w - step * gradient, step, slice(None))
    return w


for penalty in (penalties.L1(0.3), TwoSided(up=0.1, down=1.2)):
    print(f"{type(penalty).__name__:9}", *(f"{w:5.2f}" for w in descend(penalty)))
