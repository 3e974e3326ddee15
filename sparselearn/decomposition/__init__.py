"""Sparse codes, and dictionaries that make them."""

from sparselearn.decomposition._sparse_coder import SparseCoder

__all__ = ["SparseCoder"]
