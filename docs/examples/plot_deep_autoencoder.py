"""
A deep autoencoder in one line
==============================

The textbook's sparse autoencoder has layers between image and code, sigmoid units for
the code, a probability for each pixel, and a Kullback-Leibler penalty that keeps the
mean activation of each unit small. Here it is one line. What does the penalty do?
"""

# %%
# Digits of 8 x 8 pixels, from 0 to 1. The layers are 64 pixels, 64 units with ReLU, a
# code of 32 sigmoid units, and the same in reverse; for images of 28 x 28 pixels the
# line would be the same, and the network 784-64-32-64-784.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sparselearn.inspection import AtomsDisplay, TrainingCurveDisplay
from sparselearn.neural_network import SparseAutoencoder

X = load_digits().data.astype(np.float32) / 16
X, X_test = train_test_split(X, test_size=0.3, random_state=0)

autoencoder = SparseAutoencoder(
    32,
    hidden_layer_sizes=64,
    activation="sigmoid",
    sparsity_target=0.1,
    loss="cross_entropy",
    batch_size=128,
    learning_rate_init=3e-3,
    max_iter=300,
    random_state=0,
).fit(X)
print(f"{autoencoder.score(X_test):.1%} of the variance of new images")

# %%
# The loss of an epoch is the cross-entropy of an image, in nats, summed over pixels. It
# does not fall to zero: pixels are grey, and a probability of a half is one of a half.
# What is below the entropy of the pixels themselves no network can learn.

floor = -(X * np.log(np.fmax(X, 1e-9)) + (1 - X) * np.log(np.fmax(1 - X, 1e-9)))
display = TrainingCurveDisplay.from_estimator(autoencoder, quantities=["loss"])
ax = np.ravel(display.figure_.axes)[0]
ax.axhline(floor.sum(axis=1).mean(), color="0.5", linestyle="--", label="entropy")
ax.legend(frameon=False)
plt.show()

# %%
# Activations of new images, beside those of the same network without the penalty. There
# they take all values; here every unit has the mean that was asked for, and most
# activations are nearly zero, at little cost. None is exactly zero, and nothing says
# that a unit must be on now and then rather than a little all the time: for zeros, and
# few large numbers, there are other codes, such as ``activation="topk"``.

free = clone(autoencoder).set_params(sparsity_target=None, alpha=0.0).fit(X)
fig, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
bins = np.linspace(0, 1, 41)
for model, name in [(free, "no penalty"), (autoencoder, "target 0.1")]:
    codes = model.transform(X_test)
    left.hist(codes.ravel(), bins, density=True, alpha=0.6, label=name)
    right.hist(codes.mean(axis=0), bins, alpha=0.6, label=name)
    print(f"{name}: mean {codes.mean():.2f}, R2 {model.score(X_test):.3f}")
left.set_xlabel("Activation")
left.set_ylabel("Density")
left.set_yscale("log")
left.legend(frameon=False)
right.set_xlabel("Mean activation of a unit")
right.set_ylabel("Units")
plt.show()

# %%
# New images, and what is left of them after the 32 numbers.

shown = X_test[:10]
left_over = autoencoder.inverse_transform(autoencoder.transform(shown))
pairs = np.concatenate([shown, left_over])
display = AtomsDisplay(pairs, image_shape=(8, 8)).plot(n_columns=10, cmap="gray_r")
display.figure_.set_size_inches(7, 1.6)
plt.show()
