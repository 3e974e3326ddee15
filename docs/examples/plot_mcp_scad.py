"""
Penalties that do not shrink what is large
==========================================

What do MCP and SCAD do to a coefficient that the Lasso would shrink, and what does that
do to a fit?
"""

# %%
# Three penalties of one coefficient, of a feature of unit variance, and what becomes of
# the least-squares coefficient z of a feature that is correlated with no other: the
# proximal operator. All three set the small ones to zero. The Lasso moves every other
# one by alpha; MCP leaves alone what exceeds gamma times alpha, and SCAD comes to that
# more slowly.

import matplotlib.pyplot as plt
import numpy as np

from sparselearn import penalties
from sparselearn.linear_model import Lasso, MCPRegressor, SCADRegressor, alpha_max
from sparselearn.metrics import support_f1

one = np.ones(1)
SPECS = {
    "Lasso": penalties.L1(1.0),
    "SCAD, gamma 3.7": penalties.SCAD(1.0, 3.7, one, one),
    "MCP, gamma 3": penalties.MCP(1.0, 3.0, one, one),
}
COLOURS = ["#0072B2", "#009E73", "#CC79A7"]

z = np.linspace(-5, 5, 401)
first = np.zeros(z.size, dtype=int)
fig, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for (name, spec), colour in zip(SPECS.items(), COLOURS):
    look = {"color": colour, "linewidth": 2, "label": name}
    axes[0].plot(z, penalties.value(spec, z, first), **look)
    axes[1].plot(z, penalties.prox(spec, z, 1.0, first), **look)
axes[1].axline((0, 0), slope=1, color="0.8", zorder=0)
axes[0].set(title="The penalty", xlabel="w", ylabel="h(w)")
axes[1].set(title="What is left of z", xlabel="z", ylabel="prox(z)")
axes[0].legend(frameon=False)
plt.show()

# %%
# Now a fit: ten of 300 features matter, all of them share three hidden factors, and the
# estimators see 150 samples. Each goes through the same alphas.

N_SAMPLES, N_FEATURES, K = 150, 300, 10
rng = np.random.default_rng(0)
X = rng.standard_normal((N_SAMPLES, N_FEATURES))
X += rng.standard_normal((N_SAMPLES, 3)) @ rng.standard_normal((3, N_FEATURES))
true = np.zeros(N_FEATURES)
true[:K] = rng.choice([-1, 1], K) * rng.uniform(1, 2, K)
y = X @ true + rng.standard_normal(N_SAMPLES)

shares = np.geomspace(1, 0.01, 25)
alphas = alpha_max(X, y) * shares
MODELS = {
    "Lasso": Lasso(),
    "SCAD, gamma 3.7": SCADRegressor(),
    "MCP, gamma 3": MCPRegressor(),
}
fits = {
    name: np.array([model.set_params(alpha=a).fit(X, y).coef_ for a in alphas])
    for name, model in MODELS.items()
}

# %%
# On the left the choice of features, on the right how large those that matter become,
# as a share of what they are. The Lasso has to choose: where its selection is best, its
# coefficients are a quarter too small, and where these are nearly right, it has taken
# in noise. The other two are right in both at one alpha.

fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharex=True, layout="constrained")
for (name, coefs), colour in zip(fits.items(), COLOURS):
    f1 = [support_f1(true, coef) for coef in coefs]
    size = coefs[:, :K] @ true[:K] / (true @ true)
    look = {"color": colour, "linewidth": 2, "label": name}
    axes[0].plot(shares, f1, **look)
    axes[1].plot(shares, size, **look)
    best = np.flatnonzero(f1 == np.max(f1))[-1]  # of equals the least penalised
    print(f"{name:16} F1 {f1[best]:.2f} at {shares[best]:.3f} alpha_max,", end="")
    print(f" where coefficients are {size[best]:.2f} of what they should be")
axes[1].axhline(1, color="0.8", zorder=0)
axes[0].set(title="Support F1", xlabel="alpha / alpha_max", xscale="log")
axes[1].set(title="Size of the right coefficients", xlabel="alpha / alpha_max")
axes[0].invert_xaxis()
axes[0].legend(frameon=False)
plt.show()

# %%
# There is a price. The objective is not convex: the fit is the stationary point at the
# end of a path that begins at the largest alpha, and `stationarity_` says how precisely
# it is one, not that there is none better.

model = MODELS["MCP, gamma 3"].set_params(alpha=alphas[12]).fit(X, y)
print(f"stationary up to {model.stationarity_:.0e} of the largest correlation")
