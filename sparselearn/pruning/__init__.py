"""Pruning: the least important weights of a fitted estimator, set to zero."""

from sparselearn.pruning._adapters import Adapter, Block, register_adapter
from sparselearn.pruning._prune import importance, prune
from sparselearn.pruning._pruner import Pruner

__all__ = ["Adapter", "Block", "Pruner", "importance", "prune", "register_adapter"]
