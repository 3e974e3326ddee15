"""Rules of transformers each column of which is made of one column of the input."""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
)

from sparselearn._compat import cut_indicator, encoder_of_bins, with_encoder_of_bins
from sparselearn.pruning._compact._encoders import cut_inputs
from sparselearn.pruning._compact._rules import (
    Narrowed,
    at_least_one,
    cut,
    register_compaction,
)

__all__ = []

# Attributes with an entry a column.
SCALERS = {
    Binarizer: (),
    MaxAbsScaler: ("scale_", "max_abs_"),
    MinMaxScaler: ("min_", "scale_", "data_min_", "data_max_", "data_range_"),
    QuantileTransformer: ("quantiles_",),
    RobustScaler: ("center_", "scale_"),
    StandardScaler: ("mean_", "var_", "scale_", "n_samples_seen_"),
}


def _scaler(scaler, kept):
    return Narrowed(cut(scaler, kept, *SCALERS[type(scaler)]), kept)


def _function(transformer, kept):
    """The identity and numpy's ufuncs work entry by entry; others may not.

    That names are "one-to-one" does not say so: a softmax has that too.
    """
    function = transformer.func
    is_by_entry = isinstance(function, np.ufunc) and (function.nin, function.nout) == (
        1,
        1,
    )
    if not (function is None or is_by_entry) or transformer.kw_args:
        return None
    if callable(transformer.feature_names_out):
        return None
    return Narrowed(cut(transformer, kept), kept)


def _imputer(imputer, kept):
    """Values first, without those of empty columns; then indicators of some columns."""
    statistics, indicator = imputer.statistics_, imputer.indicator_
    has_value = np.ones(statistics.size, dtype=bool)
    if not imputer.keep_empty_features:
        has_value = np.array([value == value for value in statistics], dtype=bool)
    valued = np.flatnonzero(has_value)
    marked = np.zeros(0, dtype=int) if indicator is None else indicator.features_
    marked = marked[kept[valued.size :]]
    used = np.zeros(statistics.size, dtype=bool)
    used[valued[kept[: valued.size]]] = True
    used[marked] = True
    changes = {"add_indicator": False, "indicator_": None}
    if marked.size:
        changes = {"indicator_": cut_indicator(indicator, used, marked)}
    smaller = cut(imputer, used, "statistics_", **changes)
    # A column of which only the indicator is asked for comes with its values.
    outputs = kept.copy()
    outputs[: valued.size] = used[valued]
    return Narrowed(smaller, used, outputs)


def _bins(binner, kept):
    n_inputs = binner.n_features_in_
    if binner.encode == "ordinal":
        return Narrowed(cut(binner, kept, "n_bins_", "bin_edges_"), kept)
    of_input = np.repeat(np.arange(n_inputs), binner.n_bins_.astype(int))
    used, outputs = _groups(of_input, kept, n_inputs)
    smaller = cut(binner, used, "n_bins_", "bin_edges_")
    encoder = cut_inputs(encoder_of_bins(binner), used)
    return Narrowed(with_encoder_of_bins(smaller, encoder), used, outputs)


def _splines(splines, kept):
    n_inputs = splines.n_features_in_
    n_each = splines.n_features_out_ // n_inputs
    used, outputs = _groups(np.repeat(np.arange(n_inputs), n_each), kept, n_inputs)
    bases = [splines.bsplines_[j] for j in np.flatnonzero(used)]
    changes = {"bsplines_": bases, "n_features_out_": n_each * len(bases)}
    return Narrowed(cut(splines, used, **changes), used, outputs)


def _groups(of_input, kept, n_inputs):
    """Inputs of the outputs `kept`, and all outputs of these."""
    used = np.zeros(n_inputs, dtype=bool)
    used[of_input[kept]] = True
    used = at_least_one(used)
    return used, used[of_input]


for _kind in SCALERS:
    register_compaction(_kind, _scaler)
for _kind, _rule in (
    (FunctionTransformer, _function),
    (KBinsDiscretizer, _bins),
    (SimpleImputer, _imputer),
    (SplineTransformer, _splines),
):
    register_compaction(_kind, _rule)
