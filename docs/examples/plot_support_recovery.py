"""
Which features were it?
=======================

Ten of 200 features make the target, and three estimators are asked for ten: the Lasso,
the adaptive Lasso and orthogonal matching pursuit. How many are the right ones, as
samples grow in number?
"""

# %%
# The features are independent of one another, or share five hidden factors, as genes,
# pixels and prices do. The ten coefficients are between 0.5 and 1.5, of either sign,
# and the noise has a standard deviation of 2.

import matplotlib.pyplot as plt
import numpy as np

from sparselearn.linear_model import AdaptiveLasso, Lasso, OrthogonalMatchingPursuit
from sparselearn.metrics import support_f1

N_FEATURES, K, N_DRAWS = 200, 10, 5
SIZES = [50, 100, 200, 400, 800]
rng = np.random.default_rng(0)
loadings = rng.standard_normal((5, N_FEATURES))
truth = np.zeros(N_FEATURES)
truth[:K] = rng.choice([-1, 1], K) * rng.uniform(0.5, 1.5, K)


def draw(n_samples, strength, seed):
    """X and y, with factors that have `strength` times the spread of the rest."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, N_FEATURES))
    X += strength * rng.standard_normal((n_samples, 5)) @ loadings
    return X, X @ truth + 2 * rng.standard_normal(n_samples)


# %%
# All three have `n_nonzero_coefs`, so that no alpha has to be chosen and only the
# choice of features is compared. Of ten features against ten,
# :func:`~sparselearn.metrics.support_f1` is the share that is right.

models = {
    "Lasso": Lasso(n_nonzero_coefs=K),
    "adaptive Lasso": AdaptiveLasso(n_nonzero_coefs=K, pilot="lasso"),
    "matching pursuit": OrthogonalMatchingPursuit(n_nonzero_coefs=K),
}


def recovered(model, strength):
    """The mean share of right features for each number of samples."""
    return [
        np.mean(
            [
                support_f1(truth, model.fit(*draw(n, strength, seed)).coef_)
                for seed in range(N_DRAWS)
            ]
        )
        for n in SIZES
    ]


looks = [("#0072B2", "o"), ("#009E73", "D"), ("#CC79A7", "^")]
fig, axes = plt.subplots(1, 2, figsize=(9, 4), sharey=True, layout="constrained")
for ax, strength, title in zip(
    axes, (0.0, 1.0), ("independent", "five shared factors")
):
    for (name, model), (colour, marker) in zip(models.items(), looks):
        share = recovered(model, strength)
        ax.plot(SIZES, share, color=colour, marker=marker, linewidth=2, label=name)
        print(f"{title:20} {name:17}", *(f"{s:5.2f}" for s in share))
    ax.set(title=title, xlabel="Samples", xscale="log", ylim=(0, 1.05))
    ax.set_xticks(SIZES, SIZES)
    ax.minorticks_off()
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="#E6E8EB", linewidth=0.8)
axes[0].set_ylabel("Right features, of ten")
axes[0].yaxis.set_major_formatter(lambda share, _: f"{10 * share:.0f}")
axes[0].legend(frameon=False, loc="lower right")
plt.show()

# %%
# Where features are independent all three find them, given samples enough. Where they
# are not, more samples hardly help the Lasso, because it is not noise that misleads it:
# a feature that resembles several right ones enters before them, and as all
# coefficients are shrunk there is always something left for it to explain. The adaptive
# Lasso shrinks little what its pilot finds to be large, and becomes right. Matching
# pursuit does not shrink: where the right ones are in, nothing is left for the others.
# But it never gives back what it has chosen too early.
