"""Pruning: the least important weights of a fitted estimator, set to zero."""

from sparselearn.pruning._adapters import Adapter, register_adapter
from sparselearn.pruning._blocks import Block
from sparselearn.pruning._compact import Compaction, compact, register_compaction
from sparselearn.pruning._export import export
from sparselearn.pruning._obs_path import ObsPath, obs_path
from sparselearn.pruning._path import PruningPath, pruning_path
from sparselearn.pruning._prune import importance, prune
from sparselearn.pruning._pruner import Pruner
from sparselearn.pruning._pruner_cv import PrunerCV
from sparselearn.pruning._report import PruningReport
from sparselearn.pruning._shrink import shrink
from sparselearn.pruning._sizes import SparsityReport, sparsity_report

__all__ = [
    "Adapter",
    "Block",
    "Compaction",
    "ObsPath",
    "Pruner",
    "PrunerCV",
    "PruningPath",
    "PruningReport",
    "SparsityReport",
    "compact",
    "export",
    "importance",
    "obs_path",
    "prune",
    "pruning_path",
    "register_adapter",
    "register_compaction",
    "shrink",
    "sparsity_report",
]
