"""
What tells a digit from the others
==================================

Multinomial logistic regression has a row of coefficients for each class. On images of
digits each row is an image itself: where ink speaks for the digit, and where against
it. A larger `alpha` leaves the few pixels that matter most.
"""

# %%
# The images are 8 by 8 pixels of 0 to 16. They share their units, so they are brought
# to the range from 0 to 1, and not each to the same spread.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparselearn.linear_model import SparseLogisticRegression

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, random_state=0)

# %%
# Two alphas, and how sparse and how right each model is:

models = {
    alpha: SparseLogisticRegression(alpha).fit(X_train, y_train)
    for alpha in (0.001, 0.02)
}
for alpha, model in models.items():
    print(
        f"alpha {alpha}: {model.n_nonzero_coefs_} of {model.coef_.size} coefficients, "
        f"accuracy {model.score(X_test, y_test):.3f}, "
        f"within {model.dual_gap_:.0e} of the minimum"
    )

# %%
# Each column is a class. Blue ink speaks for it, red against, white is exactly zero:
# these pixels are not looked at.

fig, axes = plt.subplots(2, 10, figsize=(10, 2.5), layout="constrained")
for row, (alpha, model) in zip(axes, models.items()):
    most = np.max(np.abs(model.coef_))
    for k, ax in enumerate(row):
        coef = model.coef_[k].reshape(8, 8)
        ax.imshow(coef, cmap="RdBu", vmin=-most, vmax=most)
        ax.set(xticks=[], yticks=[])
    row[0].set_ylabel(f"alpha {alpha}")
for k, ax in enumerate(axes[0]):
    ax.set_title(k)
plt.show()

# %%
# The classes have pixels of their own, and few are shared: which ones tell a 6 is not
# which tell a 7. The intercepts, which are not penalised, make up for how common each
# class is.
