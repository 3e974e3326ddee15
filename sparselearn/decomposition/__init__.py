"""Sparse codes, and dictionaries that make them."""

from sparselearn.decomposition._functions import CodePath, encode_path, sparse_encode
from sparselearn.decomposition._minibatch_dictionary_learning import (
    MiniBatchDictionaryLearning,
)
from sparselearn.decomposition._sparse_coder import SparseCoder

__all__ = [
    "CodePath",
    "MiniBatchDictionaryLearning",
    "SparseCoder",
    "encode_path",
    "sparse_encode",
]
