"""Features that halves of the training rows agree on, by name."""

from typing import NamedTuple

import numpy as np

from sparselearn._report._models import targets
from sparselearn._report._reading import input_weights
from sparselearn.feature_selection import StabilitySelector
from sparselearn.linear_model import Lasso, SparseLogisticRegression

__all__ = ["Stable", "stable_features"]

N_PAIRS = 50
# Rows x features x classes x pairs, of which more would take minutes.
MOST_WORK, FEWEST_PAIRS = 5e8, 10
SHOWN = 20


class Stable(NamedTuple):
    """What stability selection found.

    Parameters
    ----------
    rows : list of (str, float, int, float)
        By feature its name, the share of the halves that select it, how many models
        keep it, and its covariance with the target; NaN of more than two classes.
    n_stable, n_features, n_models, n_halves, n_selected : int
    threshold, expected : float
        Of the share; and the bound of the number of features falsely stable.
    """

    rows: list
    n_stable: int
    n_features: int
    n_models: int
    n_halves: int
    n_selected: int
    threshold: float
    expected: float

    @property
    def signed(self):
        """Whether the target has a direction."""
        return not any(np.isnan(row[3]) for row in self.rows)


def stable_features(problem, outcomes):
    """Select by halves of the training rows; None where features have no names.

    Pixels have none. Where the work would take minutes it is not done either.
    """
    data = problem.data
    if data.names is None or data.image_shape is not None:
        return None
    n_classes = len(np.unique(problem.y)) if data.task == "classification" else 1
    size = problem.X.nnz if hasattr(problem.X, "nnz") else problem.X.size
    n_pairs = min(N_PAIRS, int(MOST_WORK / (size * n_classes)))
    if n_pairs < FEWEST_PAIRS or problem.X.shape[1] < 2:
        return None
    linear = data.task == "regression"
    selector = StabilitySelector(
        Lasso() if linear else SparseLogisticRegression(),
        n_pairs=n_pairs,
        random_state=problem.seed,
    ).fit(problem.X, problem.y)
    share = selector.selection_probabilities_
    kept, n_models = _kept_by(problem, outcomes)
    covariance = _covariance(problem)
    order = np.lexsort((-kept, -share))[:SHOWN]
    return Stable(
        [
            (problem.shown[j], share[j], int(kept[j]), covariance[j])
            for j in order
            if share[j] > 0
        ],
        len(selector.support_),
        len(share),
        n_models,
        2 * n_pairs,
        selector.n_selected_,
        selector.threshold_,
        selector.expected_false_positives_,
    )


def _kept_by(problem, outcomes):
    """How many models keep each feature, within one standard error, and of how many."""
    kept, n_models = np.zeros(len(problem.names)), 0
    for outcome in outcomes:
        weights = input_weights(outcome.sparse.pipeline, len(problem.preparation))
        if outcome.swept and weights is not None:
            kept, n_models = kept + (weights != 0), n_models + 1
    return kept, n_models


def _covariance(problem):
    """Of each feature with the target, with the second of two classes."""
    columns = targets(problem)
    if columns.shape[1] > 1:
        return np.full(len(problem.names), np.nan)
    y = columns[:, 0] - columns[:, 0].mean()
    return problem.X.T @ y / len(y)
