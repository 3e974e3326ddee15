"""Networks whose codes or weights are sparse."""

from sparselearn.neural_network._autoencoder import SparseAutoencoder

__all__ = ["SparseAutoencoder"]
