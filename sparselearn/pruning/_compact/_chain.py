"""Rules of what is around other estimators, and of the steps one after another."""

from copy import copy

import numpy as np
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from sparselearn._compat import branches_of, with_branches
from sparselearn.pruning._compact._columns import Columns, columns_of
from sparselearn.pruning._compact._rules import (
    Narrowed,
    n_outputs_of,
    narrow,
    register_compaction,
)

__all__ = ["behind_columns"]

INPUT = "input_columns"  # the name of the step that takes columns of the input


def _pipeline(pipeline, kept):
    """From the last step to the first: what one takes is what is asked of the next."""
    steps, notes = [], []
    taken = {name for name, step in pipeline.steps if not isinstance(step, Columns)}
    for name, step in reversed(pipeline.steps):
        found = narrow(step, kept)
        if not _gives(found, kept):
            chosen = columns_of(kept[found.outputs], like=step)
            steps.append((_free(f"{name}_columns", taken), chosen))
        if not (isinstance(step, Columns) and found.estimator == "passthrough"):
            steps.append((name, found.estimator))
        notes += _below(name, found.notes)
        kept = found.inputs
    steps = steps[::-1] or [(pipeline.steps[-1][0], "passthrough")]
    whole = None
    if found.whole is not None:
        first = (steps[0][0], found.whole)
        whole = _with_steps(pipeline, [first, *steps[1:]])
    return Narrowed(_with_steps(pipeline, steps), kept, None, tuple(notes), whole)


def _gives(found, kept):
    """Whether it gives the columns that were asked for, and no others."""
    return found.outputs is None or np.array_equal(found.outputs, kept)


def _below(name, notes):
    return [(f"{name}/{path}" if path else name, text) for path, text in notes]


def _free(name, taken):
    while "__" in name:
        name = name.replace("__", "_")
    while name in taken:
        name += "_"
    return name


def _with_steps(pipeline, steps):
    smaller = copy(pipeline)
    smaller.steps = steps
    return smaller


def behind_columns(name, estimator, mask, like, names=None):
    """A pipeline of the columns of `mask`, and `estimator`."""
    pipeline = as_pipeline(name, estimator)
    taken = {name for name, _ in pipeline.steps}
    chosen = (_free(INPUT, taken), columns_of(mask, like, names))
    return _with_steps(pipeline, [chosen, *pipeline.steps])


def as_pipeline(name, estimator):
    """`estimator`, in a pipeline of one step if it is none."""
    if isinstance(estimator, Pipeline):
        return estimator
    return Pipeline([(name, estimator)])


def _branch(name, transformer, kept):
    """A branch that gives exactly the columns `kept`: (transformer, inputs, notes)."""
    if isinstance(transformer, Pipeline):
        found = _pipeline(transformer, kept)
        return found.estimator, found.inputs, _below(name, found.notes)
    found = _pipeline(Pipeline([(name, transformer)]), kept)
    smaller = found.estimator
    if len(smaller.steps) == 1:
        smaller = smaller.steps[0][1]
    if isinstance(smaller, str):  # what passes is a fitted transformer here
        smaller = columns_of(np.ones_like(found.inputs[found.inputs]), transformer)
    return smaller, found.inputs, found.notes


def _column_transformer(columns, kept):
    """Branches and inputs that feed nothing are dropped."""
    branches, sizes, notes = [], [], []
    used = np.zeros(columns.n_features_in_, dtype=bool)
    for name, transformer, numbers, spec in branches_of(columns):
        part = kept[columns.output_indices_[name]]
        if not part.any():
            continue
        smaller, inputs, words = _branch(name, transformer, part)
        if isinstance(spec, list) and inputs is not None:
            numbers = numbers[inputs]
            spec = [s for s, stays in zip(spec, inputs) if stays]
        used[numbers] = True
        branches.append((name, smaller, numbers, spec))
        sizes.append(int(np.count_nonzero(part)))
        notes += words
    narrower = with_branches(columns, branches, sizes, used)
    whole = with_branches(columns, branches, sizes)  # it picks by itself
    return Narrowed(narrower, used, None, tuple(notes), whole)


def _feature_union(union, kept):
    """Each branch behind those of the columns that it needs."""
    sizes, found, notes = [], [], []
    listed = [part for part in union.transformer_list if not _is_dropped(part[1])]
    sizes = [n_outputs_of(transformer) for _, transformer in listed]
    if None in sizes or sum(sizes) != kept.size:
        return None
    ends = np.cumsum(sizes)
    for (name, transformer), end, size in zip(listed, ends, sizes):
        part = kept[end - size : end]
        if part.any():
            smaller, inputs, words = _branch(name, transformer, part)
            found.append((name, transformer, smaller, inputs))
            notes += words
    masks = [inputs for *_, inputs in found]
    used = None
    if all(mask is not None for mask in masks):
        used = np.logical_or.reduce(masks)
    branches = []
    for name, transformer, smaller, inputs in found:
        own = inputs if used is None else inputs[used]
        if own is not None and not own.all():
            names = getattr(transformer, "feature_names_in_", None)
            names = names if used is None or names is None else names[used]
            smaller = behind_columns(name, smaller, own, transformer, names)
        branches.append((name, smaller))
    narrower = copy(union)
    narrower.transformer_list = branches
    vars(narrower).pop("_transformers_feature_names_out", None)
    return Narrowed(narrower, used, None, tuple(notes))


def _is_dropped(transformer):
    return isinstance(transformer, str) and transformer == "drop"


def _frozen(frozen, kept):
    return narrow(frozen.estimator, kept)


def _transformed_target(regressor, kept):
    found = narrow(regressor.regressor_, None)
    if found.inputs is None:
        return None
    smaller = copy(regressor)
    smaller.regressor_ = found.estimator
    if hasattr(regressor, "feature_names_in_"):
        smaller.feature_names_in_ = regressor.feature_names_in_[found.inputs]
    return found._replace(estimator=smaller, whole=None)


for _kind, _rule in (
    (Pipeline, _pipeline),
    (ColumnTransformer, _column_transformer),
    (FeatureUnion, _feature_union),
    (FrozenEstimator, _frozen),
    (TransformedTargetRegressor, _transformed_target),
):
    register_compaction(_kind, _rule)
