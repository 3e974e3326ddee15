"""How sparse a model should be, by cross-validation."""

from sparselearn.model_selection._selection import sparsest_within_one_se
from sparselearn.model_selection._sparsity_search_cv import SparsitySearchCV

__all__ = ["SparsitySearchCV", "sparsest_within_one_se"]
