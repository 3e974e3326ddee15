"""What a part of an estimator is worth: one function and one row of `CRITERIA` each.

A criterion takes the blocks of a fitted estimator and its `Calibration`, and
returns arrays of importances, float64 and shaped as the granularity says; the
larger, the longer a part is kept. It changes nothing.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sparselearn.pruning._criteria._activity import (
    apoz,
    signal,
    signal_of_features,
    wanda,
)
from sparselearn.pruning._criteria._custom import score_by
from sparselearn.pruning._criteria._entropy import entropy, raw_entropy
from sparselearn.pruning._criteria._loss import (
    obd,
    taylor,
    taylor_of_features,
    taylor_of_units,
)
from sparselearn.pruning._criteria._magnitude import (
    lamp,
    magnitude,
    magnitude_of_units,
    magnitude_of_vectors,
)
from sparselearn.pruning._criteria._parts import sum_over_features, sum_over_units
from sparselearn.pruning._criteria._pratt import pratt
from sparselearn.pruning._criteria._random import (
    random_elements,
    random_features,
    random_units,
)
from sparselearn.pruning._criteria._stability import stability
from sparselearn.pruning._criteria._surgeon import obs, obs_of_inputs
from sparselearn.pruning._criteria._unit_surgeon import obs_of_units
from sparselearn.pruning._criteria._weakest_link import ccp
from sparselearn.pruning._granularity import parts_of

__all__ = ["CRITERIA", "Criterion", "check_knows", "score_parts"]


class Criterion(NamedTuple):
    """One row of the table: a function for each granularity that it knows.

    Parameters
    ----------
    element, neuron, feature, support_vector, node : callable or None
        ``function(blocks, data)`` -> list of ndarray. Without a function of its own
        a feature counts by the norm of the importances of its weights.
    needs_y : bool
        Whether it reads the targets of the calibration data.
    is_control : bool
        Whether it is there for others to be compared with.
    """

    element: Callable | None = None
    neuron: Callable | None = None
    feature: Callable | None = None
    support_vector: Callable | None = None
    node: Callable | None = None
    needs_y: bool = False
    is_control: bool = False


CRITERIA = {
    "apoz": Criterion(neuron=apoz, is_control=True),
    "ccp": Criterion(node=ccp),
    "entropy": Criterion(neuron=entropy),
    "lamp": Criterion(element=lamp),
    "magnitude": Criterion(
        element=magnitude,
        neuron=magnitude_of_units,
        support_vector=magnitude_of_vectors,
    ),
    "obd": Criterion(
        element=obd, neuron=sum_over_units(obd), feature=sum_over_features(obd)
    ),
    "obs": Criterion(
        element=obs,
        neuron=obs_of_units,
        feature=obs_of_inputs,
        support_vector=obs_of_inputs,
    ),
    "pratt": Criterion(element=pratt),
    "random": Criterion(
        element=random_elements,
        neuron=random_units,
        feature=random_features,
        support_vector=random_features,
        is_control=True,
    ),
    "raw-entropy": Criterion(neuron=raw_entropy, is_control=True),
    "signal": Criterion(neuron=signal, feature=signal_of_features),
    "stability": Criterion(neuron=stability),
    "taylor": Criterion(
        element=taylor,
        neuron=taylor_of_units,
        feature=taylor_of_features,
        needs_y=True,
    ),
    "wanda": Criterion(element=wanda),
}


def score_parts(criterion, granularity, blocks, data):
    """Importances of the parts of `blocks`, by a row of `CRITERIA` or a callable."""
    granularity = parts_of(granularity)
    if callable(criterion):
        return score_by(criterion, granularity, blocks, data)
    row = CRITERIA[criterion]
    if row.needs_y and data.y is None:
        raise ValueError(
            f"criterion={criterion!r} needs y, the targets of X; got None."
        )
    function = getattr(row, granularity)
    if function is not None:
        return function(blocks, data)
    if granularity == "feature" and row.element is not None:
        first = row.element(blocks, data)[0]
        by_feature = blocks[0].by_input(first).reshape(blocks[0].matrix().shape)
        return [np.linalg.norm(by_feature, axis=1)]
    return check_knows(criterion, granularity)


def check_knows(criterion, granularity):
    """Refuse a criterion that has no importances of such parts."""
    granularity = parts_of(granularity)
    if callable(criterion) or _scores(criterion, granularity):
        return
    known = sorted(name for name in CRITERIA if _scores(name, granularity))
    raise ValueError(
        f"criterion={criterion!r} does not know granularity={granularity!r}; "
        f"what does: {', '.join(known)}."
    )


def _scores(criterion, granularity):
    row = CRITERIA[criterion]
    if granularity == "feature" and row.element is not None:
        return True
    return getattr(row, granularity) is not None
