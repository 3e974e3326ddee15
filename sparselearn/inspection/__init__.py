"""Pictures of sparse models; matplotlib is imported when one is drawn."""

from sparselearn.inspection._atoms_display import AtomsDisplay
from sparselearn.inspection._coefficient_path_display import CoefficientPathDisplay
from sparselearn.inspection._pruning_display import PruningDisplay
from sparselearn.inspection._sparsity_score_display import SparsityScoreDisplay
from sparselearn.inspection._stability_path_display import StabilityPathDisplay
from sparselearn.inspection._training_curve_display import TrainingCurveDisplay

__all__ = [
    "AtomsDisplay",
    "CoefficientPathDisplay",
    "PruningDisplay",
    "SparsityScoreDisplay",
    "StabilityPathDisplay",
    "TrainingCurveDisplay",
]
