"""Pruning: the least important weights of a fitted estimator, set to zero."""

from sparselearn.pruning._adapters import Adapter, register_adapter
from sparselearn.pruning._blocks import Block
from sparselearn.pruning._prune import importance, prune
from sparselearn.pruning._pruner import Pruner

__all__ = ["Adapter", "Block", "Pruner", "importance", "prune", "register_adapter"]
