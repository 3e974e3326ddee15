"""
One-hot columns, taken or left together
=======================================

A table of categories becomes a wide matrix of zeros and ones. The Lasso chooses among
its columns, and a category is half in; the group Lasso chooses among the categories.
"""

# %%
# Eight categorical variables of two to twelve levels, and two numbers. Three of the
# categories and one number matter.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sparselearn.linear_model import GroupLassoCV, LassoCV, group_lasso_path

rng = np.random.default_rng(0)
N_LEVELS = {"city": 12, "month": 12, "brand": 9, "shop": 7}
N_LEVELS |= {"colour": 6, "size": 5, "day": 7, "gift": 2}
effects = {
    name: rng.standard_normal(N_LEVELS[name]) for name in ("city", "brand", "size")
}


def draw(n_samples):
    """A table, and what depends on it."""
    table = pd.DataFrame(
        {
            name: [f"{name[0]}{level}" for level in rng.integers(0, n, n_samples)]
            for name, n in N_LEVELS.items()
        }
    )
    table["weight"], table["age"] = rng.standard_normal((2, n_samples))
    y = 0.5 * table["weight"].to_numpy() + rng.standard_normal(n_samples)
    for name, effect in effects.items():
        y += effect[[int(value[1:]) for value in table[name]]]
    return table, y


table, y = draw(250)
encoder = make_column_transformer(
    (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), list(N_LEVELS)),
    (StandardScaler(), ["weight", "age"]),
).set_output(transform="pandas")
X = encoder.fit_transform(table)
print(X.shape[1], "columns, such as", X.columns[0], "and", X.columns[-1])

# %%
# ``groups="auto"`` tells the blocks from the names of the columns. Alpha is chosen by
# cross-validation, of which the sparsest model within one standard error is taken.

group = GroupLassoCV(groups="auto", selection="1se").fit(X, y)
lasso = LassoCV(selection="1se").fit(X, y)
names = [X.columns[g[0]].split("__")[1].split("_")[0] for g in group.groups_]
unseen, y_unseen = draw(2000)
for name, model in (("group Lasso", group), ("Lasso", lasso)):
    active = [n for n, g in zip(names, group.groups_) if model.coef_[g].any()]
    columns = model.n_nonzero_coefs_
    score = model.score(encoder.transform(unseen), y_unseen)
    print(f"{name:12} R2 {score:.2f}, {columns:2} columns of", *active)

# %%
# Along the path of the group Lasso whole categories enter; what is drawn is the length
# of each one's block. Those that matter enter first.

path = group_lasso_path(X, y, groups="auto", eps=1e-2)
coefs = path.coefs.toarray()
fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
palette = iter(["#0072B2", "#D55E00", "#009E73", "#CC79A7"])
for name, features in zip(names, group.groups_):
    lengths = np.linalg.norm(coefs[features], axis=0)
    matters = name in effects or name == "weight"
    look = {"color": next(palette), "linewidth": 2} if matters else {"color": "#C4C9CF"}
    ax.plot(path.alphas, lengths, **look)
    if matters:
        ax.annotate(
            name,
            (path.alphas[-1], lengths[-1]),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            color=look["color"],
        )
ax.axvline(group.alpha_, color="#3A3F45", linewidth=1, linestyle=":")
ax.set(xscale="log", xlabel="alpha", ylabel="Length of a group's coefficients")
ax.invert_xaxis()
ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# Grey are the groups that do not matter, dotted the chosen alpha. The Lasso has fewer
# columns, but they are single levels of more variables: whoever uses it has to ask for
# these too, and predicts no better. The group Lasso leaves whole questions out.
