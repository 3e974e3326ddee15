"""
Which features would be selected again
======================================

Of a thousand features ten matter. Which of those that a Lasso selects can be trusted,
and how many of them are there by chance?
"""

# %%
# Two hundred rows, a thousand features; every hundredth has an effect.

import matplotlib.pyplot as plt
import numpy as np

from sparselearn.feature_selection import StabilitySelector
from sparselearn.inspection import StabilityPathDisplay
from sparselearn.linear_model import Lasso, LassoCV

rng = np.random.default_rng(0)
X = rng.normal(size=(200, 1000))
true = np.arange(0, 1000, 100)
y = X[:, true] @ np.linspace(1.0, 0.4, 10) + rng.normal(size=200)


def report(name, support):
    """How many of the ten are found, and how many others."""
    n_true = np.isin(support, true).sum()
    print(f"{name:34}{n_true:3} true {len(support) - n_true:4} false")


# %%
# The alpha that predicts best lets in whatever helps a little.

report("Lasso, cross-validated", LassoCV().fit(X, y).support_)
report("Lasso, one standard error", LassoCV(selection="1se").fit(X, y).support_)

# %%
# A stability selector is told how many false positives to expect at most, and no
# alpha. What it takes for granted decides how far that goes: nothing at all, or that
# the shares by which chance features are selected have a distribution with one mode,
# or one that falls off as such distributions do (r-concave).

for assumption in ("none", "unimodal", "r-concave"):
    selector = StabilitySelector(
        Lasso(),
        expected_false_positives=1.0,
        assumption=assumption,
        random_state=0,
    ).fit(X, y)
    report(f"stable, {assumption}, first {selector.n_selected_}", selector.support_)

# %%
# The share of the halves that have selected a feature, as alpha falls. Stable features
# rise out of a carpet of others; the threshold is drawn through where there is little.

names = [f"x{j}" + " *" * (j in true) for j in range(1000)]
StabilityPathDisplay.from_estimator(selector, feature_names=names)
plt.show()

# %%
# Any other order of features has such a picture too, by the number of features that a
# half may select. Here each half fits a forest, and ranks features by its importances.

from sklearn.ensemble import ExtraTreesRegressor

forest = ExtraTreesRegressor(20, max_features=0.3, random_state=0)
few = np.r_[true, np.setdiff1d(np.arange(100), true)]
by_forest = StabilitySelector(forest, n_selected=8, n_pairs=10, random_state=0)
by_forest.fit(X[:, few], y)
StabilityPathDisplay.from_estimator(by_forest, feature_names=[names[j] for j in few])
plt.show()

# %%
# A twin of the first feature takes half of its votes: neither is stable then, although
# one of them matters. Look at the probabilities of neighbours before you drop one.

twin = X[:, 0] + 0.1 * rng.normal(size=200)
selector.fit(np.column_stack([X, twin]), y)
first, second = selector.selection_probabilities_[[0, 1000]]
print(f"the feature {first:.2f}, its twin {second:.2f}, alone 1.00")
