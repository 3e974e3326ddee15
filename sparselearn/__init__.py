"""Sparse learning and pruning for scikit-learn users."""

from sparselearn._warm_up import warm_up

__version__ = "0.1.0.dev0"

__all__ = ["__version__", "warm_up"]
