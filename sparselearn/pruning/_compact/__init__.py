"""Fitted pipelines without what feeds nothing: one rule for each kind of step.

Data flows one way, from the last step to the first: the columns that are asked of a
step, and the rule of its class, say which columns it asks of the step before.
"""

from sparselearn.pruning._compact import (  # noqa: F401  they register their rules
    _by_column,
    _chain,
    _columns,
    _encoders,
    _expansions,
    _last,
    _text,
)
from sparselearn.pruning._compact._compaction import Compaction, compact
from sparselearn.pruning._compact._rules import register_compaction

__all__ = ["Compaction", "compact", "register_compaction"]
