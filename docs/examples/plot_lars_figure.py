"""
The first figure of least angle regression
==========================================

*Least angle regression* by Efron, Hastie, Johnstone and Tibshirani (2004) begins with
a picture of the Lasso on ten measurements of 442 diabetes patients: each coefficient
against the sum of all their absolute values. Here it is from
:func:`~sparselearn.linear_model.lasso_path`, with a check that it is the same.
"""

# %%
# As in the paper the features have mean 0 and length 1, which is how scikit-learn
# brings them, and are numbered from 1 to 10. Along a path of 400 alphas the sum of
# absolute values grows from 0 to that of least squares, which is the last point.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, lars_path

from sparselearn.linear_model import alpha_max, lasso_path

X, y = load_diabetes(return_X_y=True, as_frame=True)
alphas = np.append(alpha_max(X, y) * np.geomspace(1, 1e-4, 400), 0.0)
path = lasso_path(X, y, alphas=alphas)
coefs = path.coefs.toarray()
size = np.abs(coefs).sum(axis=0)

# %%
# Ten lines are more than there are colours to tell apart: the last three are dashed,
# and each has its number and its name at its end. Where a feature enters stands a
# dotted line.

entered = np.argmax(coefs != 0, axis=1)
order = np.argsort(entered)
colours = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000"]

fig, ax = plt.subplots(figsize=(8, 5.5), layout="constrained")
ax.axhline(0, color="#5F6670", linewidth=0.8)
ends = coefs[:, -1]
heights = ends.copy()
for below, above in zip(np.argsort(ends), np.argsort(ends)[1:]):
    heights[above] = max(heights[above], heights[below] + 62)  # a line of text
for rank, j in enumerate(order):
    start = entered[j] - 1
    look = {"color": colours[rank % 7], "linestyle": "-" if rank < 7 else "--"}
    ax.axvline(size[start], color="#B8BCC2", linestyle=":", linewidth=1)
    ax.plot(size[start:], coefs[j, start:], linewidth=2, **look)
    ax.annotate(
        f"{j + 1}  {X.columns[j]}",
        xy=(size[-1], ends[j]),
        xytext=(size[-1] * 1.04, heights[j]),
        va="center",
        color=look["color"],
        arrowprops={"arrowstyle": "-", "color": look["color"]},
        annotation_clip=False,
    )
ax.set(
    xlabel=r"$t = \sum_j |\hat\beta_j|$",
    ylabel=r"$\hat\beta_j$",
    xlim=(0, size[-1]),
)
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The paper gives the order in which features enter as 3, 9, 4, 7, ..., 1.

print("they enter as", *(int(j) + 1 for j in order))

# %%
# Feature 7, a blood serum measurement, enters, turns, leaves, and comes back with the
# other sign. A path is not a ranking: what is in at one penalty may be out at a lower
# one.

seventh = coefs[6] != 0
for k in np.flatnonzero(np.diff(seventh.astype(int))):
    what = "enters" if seventh[k + 1] else "leaves"
    print(f"7 {what} at t = {size[k]:.0f}, alpha = {alphas[k + 1]:.4f}")

# %%
# The authors' own algorithm does not know a grid of alphas. It goes from one change of
# the support to the next, and between two of them coefficients are linear in alpha. It
# is another road to the same place:

knots, _, corners = lars_path(X.to_numpy(), (y - y.mean()).to_numpy(), method="lasso")
theirs = [np.interp(alphas, knots[::-1], corner[::-1]) for corner in corners]
least_squares = LinearRegression().fit(X, y).coef_
print(f"farthest from least angle regression: {np.abs(theirs - coefs).max():.0e}")
print(f"from least squares, at alpha = 0: {np.abs(least_squares - ends).max():.0e}")
print(f"largest coefficient: {np.abs(coefs).max():.0f}")
