"""
A perceptron that reads few pixels
==================================

An L1 penalty on all weights of a perceptron of handwritten digits: what it costs in
accuracy, and which pixels and units it leaves.
"""

# %%
# The sweep: one network for each weight of the penalty. After 60 epochs the zeros are
# held, and 20 more give the other weights back what the penalty has shrunk.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split

from sparselearn.inspection import (
    AtomsDisplay,
    SparsityScoreDisplay,
    TrainingCurveDisplay,
)
from sparselearn.neural_network import SparseMLPClassifier

X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X / 16, y, random_state=0)

network = SparseMLPClassifier(
    (40,),
    max_iter=60,
    refit_epochs=20,
    learning_rate_init=5e-3,
    batch_size=64,
    random_state=0,
)
search = GridSearchCV(
    network,
    {"l1": np.geomspace(3e-4, 1e-2, 6)},
    scoring={
        "score": "accuracy",
        "sparsity": lambda model, X, y: model.layer_sparsity_[0],
    },
    refit="score",
    cv=3,
    n_jobs=2,
).fit(X, y)
dense = GridSearchCV(network, {"l1": [0.0]}, cv=3).fit(X, y)

display = SparsityScoreDisplay.from_cv_results(
    search.cv_results_,
    baseline=dense.best_score_,
    score_name="Accuracy",
    xscale="log",
)
display.ax_.set_xlabel("Zeros in the first layer")
plt.show()

# %%
# How a sparse network came about: the penalty makes zeros epoch by epoch, and where it
# ends the loss falls once more.

model = network.set_params(l1=5e-3).fit(X, y)
TrainingCurveDisplay.from_estimator(model, quantities=["loss", "penalty", "sparsity"])
plt.show()
print(f"accuracy {model.score(X_test, y_test):.3f}, {model.sparsity_:.0%} zeros")

# %%
# What is left of the first layer: the units that are still in use, each with the
# pixels that it adds (blue) and subtracts (red).

units = model.active_units_[0]
print(f"{units.size} of 40 units, {model.support_.size} of 64 pixels")
AtomsDisplay(model.coefs_[0][:, units].T, image_shape=(8, 8)).plot()
plt.show()

# %%
# A penalty on all weights of a unit together removes whole units instead; those that
# stay are dense.

whole = network.set_params(l1=0.0, group_l1=3e-3).fit(X, y)
print(
    f"accuracy {whole.score(X_test, y_test):.3f}, "
    f"{whole.active_units_[0].size} of 40 units, {whole.support_.size} of 64 pixels"
)
AtomsDisplay(whole.coefs_[0][:, whole.active_units_[0]].T, image_shape=(8, 8)).plot()
plt.show()
