"""K-means sparse codes."""

from sparselearn.cluster._kmeans_coder import KMeansCoder

__all__ = ["KMeansCoder"]
