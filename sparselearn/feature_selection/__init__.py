"""Selection of features, with what is known of its errors."""

from sparselearn.feature_selection._bounds import false_positive_bound
from sparselearn.feature_selection._stability_selector import StabilitySelector

__all__ = ["StabilitySelector", "false_positive_bound"]
