"""
The path of a Lasso, with its certificate
=========================================

How do the coefficients of a Lasso grow as its penalty falls, which of them would
cross-validation choose, and how far from the optimum are they at most?

The data are those of 442 diabetes patients: ten measurements at the start, and how
far the disease has advanced a year later.
"""

# %%
# The features have units of their own (years, mmHg, mg/dl), and a penalty compares
# coefficients with one another, so the features are brought to one scale first. The
# column names survive, because scikit-learn can be told to return data frames.

import matplotlib.pyplot as plt
import numpy as np
from sklearn import linear_model
from sklearn.datasets import load_diabetes
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sparselearn.inspection import CoefficientPathDisplay
from sparselearn.linear_model import Lasso, alpha_max, lasso_path

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = make_pipeline(StandardScaler(), Lasso()).set_output(transform="pandas")
scaled = model[:-1].fit_transform(X)

# %%
# Above :func:`~sparselearn.linear_model.alpha_max` every coefficient is 0, so this is
# where a grid begins.

largest = alpha_max(scaled, y)
alphas = largest * np.geomspace(1, 1e-3, 30)
search = GridSearchCV(model, {"lasso__alpha": alphas}, cv=10).fit(X, y)

lasso = search.best_estimator_[-1]
print(f"alpha_max {largest:.2f}, chosen alpha {lasso.alpha:.2f}")
print(lasso.n_nonzero_coefs_, "of 10 features:", *X.columns[lasso.support_])

# %%
# The path, and the chosen alpha as a dashed line. The penalty falls from left to
# right; named are the features with the largest coefficients there.

CoefficientPathDisplay.from_estimator(search.best_estimator_, X, y)
plt.show()

# %%
# Every fit comes with a duality gap: an upper bound of the distance between its
# objective and the lowest there is, computed in float64, anew from the coefficients.
# `tol` bounds it in units of the objective of the model that predicts the mean.

null = y.var(ddof=0) / 2
print(f"objective {lasso.objective_:.2f}, at most {lasso.dual_gap_:.1e} too high")
print(f"relative to the null model {lasso.dual_gap_ / null:.1e} <= {lasso.tol:.0e}")

# %%
# Such a bound does not have to be believed. Here it is by hand, for any coefficients:
# the residual, scaled until no feature correlates with it by more than alpha, is a
# feasible point of the dual problem, and the dual objective there is below every
# primal one.

Z, centred = scaled.to_numpy(), (y - y.mean()).to_numpy()


def relative_gap(w, alpha):
    """How far the objective of `w` is from the minimum, at most."""
    residual = centred - Z @ w
    theta = residual * min(1, alpha / np.max(np.abs(Z.T @ residual) / len(y)))
    primal = residual @ residual / (2 * len(y)) + alpha * np.abs(w).sum()
    dual = (theta @ centred - theta @ theta / 2) / len(y)
    return (primal - dual) / null


other = linear_model.Lasso(alpha=lasso.alpha).fit(Z, y)
for name, coef in {
    "this fit": lasso.coef_,
    "rounded to integers": lasso.coef_.round(),
    "scikit-learn's, tol=1e-4": other.coef_,
}.items():
    print(f"{name:26}{relative_gap(coef, lasso.alpha):8.0e}")

# %%
# A path is certified at each alpha.

path = lasso_path(scaled, y)
print(f"{len(path.alphas)} solutions, none further off than {path.dual_gaps.max():.0e}")

# %%
# What to try next: ``positive=True`` for coefficients that cannot be negative,
# ``penalty_weights`` for features that must stay in (0) or out (inf), and
# :func:`~sparselearn.linear_model.elastic_net_path` where features come in groups
# that resemble one another.
