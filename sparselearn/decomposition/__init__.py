"""Sparse codes, and dictionaries that make them."""

from sparselearn.decomposition._dictionary_learning import DictionaryLearning
from sparselearn.decomposition._discriminative import (
    DiscriminativeDictionaryLearning,
)
from sparselearn.decomposition._functions import CodePath, encode_path, sparse_encode
from sparselearn.decomposition._ksvd import KSVD
from sparselearn.decomposition._minibatch_dictionary_learning import (
    MiniBatchDictionaryLearning,
)
from sparselearn.decomposition._sparse_coder import SparseCoder

__all__ = [
    "KSVD",
    "CodePath",
    "DictionaryLearning",
    "DiscriminativeDictionaryLearning",
    "MiniBatchDictionaryLearning",
    "SparseCoder",
    "encode_path",
    "sparse_encode",
]
