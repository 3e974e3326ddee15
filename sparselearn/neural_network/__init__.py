"""Networks whose codes or weights are sparse."""

from sparselearn.neural_network._autoencoder import SparseAutoencoder
from sparselearn.neural_network._mlp_classifier import SparseMLPClassifier
from sparselearn.neural_network._mlp_regressor import SparseMLPRegressor

__all__ = ["SparseAutoencoder", "SparseMLPClassifier", "SparseMLPRegressor"]
