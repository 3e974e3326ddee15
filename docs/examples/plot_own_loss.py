"""
A loss of your own
==================

A loss is a ``NamedTuple`` with a few formulas, like a penalty. This one counts squared
residuals above the prediction more, or less, than those below it: at 0.5 it predicts
the mean, at 0.9 what only the larger targets exceed. It is that of expectiles.
"""

# %%
# With y the target and z the prediction, each formula is registered with the function
# of :mod:`sparselearn.losses` that it answers. They are called with arrays by numpy and
# with numbers by compiled loops, so they are written in what both know.

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from sparselearn import losses, penalties
from sparselearn.linear_model import SparseGLMRegressor


class Expectile(NamedTuple):
    """``share (y - z)^2 / 2`` where y is above z, ``1 - share`` of it below."""

    share: float


@losses.value.register(Expectile)
def _(loss, y, z):
    above, below = np.maximum(y - z, 0.0), np.maximum(z - y, 0.0)
    return 0.5 * (loss.share * above**2 + (1.0 - loss.share) * below**2)


@losses.gradient.register(Expectile)
def _(loss, y, z):
    return (1.0 - loss.share) * np.maximum(z - y, 0.0) - loss.share * np.maximum(
        y - z, 0.0
    )


@losses.curvature.register(Expectile)
def _(loss, y, z):
    return loss.share * (y > z) + (1.0 - loss.share) * (y <= z)


@losses.conjugate.register(Expectile)
def _(loss, y, v):
    up, down = np.maximum(v, 0.0), np.maximum(-v, 0.0)
    return v * y + 0.5 * (up**2 / (1.0 - loss.share) + down**2 / loss.share)


@losses.fenchel_gap.register(Expectile)
def _(loss, y, z, v):
    above, below = np.maximum(y - z, 0.0), np.maximum(z - y, 0.0)
    up, down = np.maximum(v, 0.0), np.maximum(-v, 0.0)
    return (
        0.5 * loss.share * (above - down / loss.share) ** 2
        + 0.5 * (1.0 - loss.share) * (below - up / (1.0 - loss.share)) ** 2
        + above * up
        + below * down
    )


# %%
# The last is ``value + conjugate - z v``, written so that nothing cancels: that is what
# the certificate sums up. :class:`~sparselearn.linear_model.SparseGLMRegressor` takes
# the loss with any penalty. The data have a spread that grows along the first feature,
# 29 others that are noise, and nothing else.

rng = np.random.default_rng(0)
X = rng.uniform(-1, 1, (400, 30))
y = 2 * X[:, 0] + (1.2 + X[:, 0]) * rng.standard_normal(400)

fig, ax = plt.subplots(layout="constrained")
ax.scatter(X[:, 0], y, s=8, color="0.7")
line = np.zeros((2, 30))
line[:, 0] = -1, 1
for share in (0.1, 0.5, 0.9):
    model = SparseGLMRegressor(Expectile(share), penalty=penalties.L1(0.03)).fit(X, y)
    ax.plot(line[:, 0], model.predict(line), linewidth=2, label=f"{share}")
    print(
        f"share {share}: slope {model.coef_[0]:.2f}, "
        f"{model.n_nonzero_coefs_} of 30 features, gap {model.dual_gap_:.0e}"
    )
ax.set(xlabel="first feature", ylabel="target")
ax.legend(title="share")
plt.show()
