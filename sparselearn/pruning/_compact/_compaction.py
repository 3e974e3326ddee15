"""`compact`: a fitted pipeline that does not compute what it does not use."""

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sparselearn.pruning._compact._chain import as_pipeline, behind_columns
from sparselearn.pruning._compact._rules import narrow
from sparselearn.pruning._wrappers import last_step

__all__ = ["Compaction", "compact"]

# By how much, of the largest output, rounding may move one.
TOLERANCE = {"float64": 1e-12, "float32": 1e-5}
PASS = "passthrough"
METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "score_samples",
    "transform",
)


@dataclass(frozen=True)
class Compaction:
    """What :func:`compact` found that a pipeline needs.

    Attributes
    ----------
    n_features_in : int or None
        Number of columns of the input; None for an input such as documents.
    columns : list or None
        Names, or numbers, of the columns that are used.
    notes : tuple of (str, str)
        Steps that were kept although parts of what they give, or all that they read,
        may feed nothing, and why.
    difference : float or None
        The largest difference of an output, where rows to compare on were given.
    """

    n_features_in: int | None
    columns: list | None
    notes: tuple
    difference: float | None

    def __str__(self):
        lines = []
        if self.columns is not None:
            lines = [f"{len(self.columns)} of {self.n_features_in} columns are used"]
        return "\n".join([*lines, *(f"{step}: {text}" for step, text in self.notes)])


def compact(pipeline, X=None):
    r"""A copy of a fitted pipeline that never computes what feeds zero coefficients.

    From the last step to the first, each is cut to the columns that the next one
    reads. With f the steps before the last one, and S the columns of f(x) that the
    last one reads,

    .. math:: \mathrm{predict}(f(x)) = \mathrm{predict}_S(f_S(x)), \qquad
        S = \{ j : w_{j \cdot} \ne 0 \}

    for a linear model of weights w or the first layer of a perceptron; of trees, S is
    what some node splits on. One-hot categories, terms of texts, products of features,
    branches of a ColumnTransformer and columns of the input that only lead outside S
    are dropped. The copy takes the same X; of a data frame the columns that are not
    used may be absent, or have any content.

    What has no rule is kept, and all that it reads, and is named in the report, such as
    PCA, TfidfVectorizer with a `norm` (in which all terms count), or encoders that
    raise an error for a category that they do not know. So nothing is guessed;
    :func:`register_compaction` teaches a rule.

    Parameters
    ----------
    pipeline : Pipeline or estimator
        Fitted; it is not changed. :class:`Pruner` and
        :class:`~sklearn.frozen.FrozenEstimator` are replaced by what is in them, and
        another estimator becomes a pipeline of one step.
    X : array-like, sparse array or list of documents, default=None
        Rows to compare predictions on, as `pipeline` takes them.

    Returns
    -------
    smaller : Pipeline
        With steps of the same names, among new ones that take columns. Its
        attribute ``compaction_`` is a :class:`Compaction`. What training needs, and
        the history of a fit, is not in it.

    Raises
    ------
    ValueError
        If the copy does not give on X what `pipeline` gives, up to rounding (1e-12 of
        the largest output; 1e-5 in float32). So it does where columns of float32 are
        left alone that were computed in float64 among others.

    See Also
    --------
    shrink : Removes hidden units.
    export : Drops what training needs, stores weights without zeros.

    Examples
    --------
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sparselearn.linear_model import SparseLogisticRegression
    >>> from sparselearn.pruning import compact
    >>> texts = ["a good film", "a bad film", "good fun", "the plot", "bad"]
    >>> model = make_pipeline(CountVectorizer(), SparseLogisticRegression(alpha=0.05))
    >>> small = compact(model.fit(texts, [1, 0, 1, 0, 0]), texts)
    >>> small[:-1].get_feature_names_out()
    array(['good'], dtype=object)
    """
    check_is_fitted(pipeline)
    found = narrow(deepcopy(pipeline), None)
    smaller, names = found.estimator, getattr(pipeline, "feature_names_in_", None)
    name = type(last_step(pipeline)).__name__.lower()
    if found.inputs is not None and not found.inputs.all():
        if found.whole is not None:
            smaller = found.whole
        else:
            like = _first_step(smaller)
            smaller = behind_columns(name, smaller, found.inputs, like, names)
    smaller = as_pipeline(name, smaller)
    smaller.compaction_ = None
    difference = None if X is None else _difference(pipeline, smaller, X)
    smaller.compaction_ = Compaction(
        n_features_in=None if found.inputs is None else found.inputs.size,
        columns=_columns(found.inputs, names),
        notes=found.notes,
        difference=difference,
    )
    return smaller


def _first_step(estimator):
    """The step that gets X, whose containers those of its columns are."""
    while isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, PASS)]
        estimator = steps[0] if steps else PASS
    return estimator


def _columns(inputs, names):
    if inputs is None:
        return None
    numbers = np.flatnonzero(inputs)
    return (numbers if names is None else names[numbers]).tolist()


def _difference(pipeline, smaller, X):
    """The largest difference of an output, or an error if it is more than rounding."""
    largest = 0.0
    for method in METHODS:
        if not hasattr(pipeline, method):
            continue
        wanted, found = (_dense(getattr(p, method)(X)) for p in (pipeline, smaller))
        if wanted.shape != found.shape:
            raise ValueError(
                f"The compact pipeline gives {method} of shape {found.shape}, not "
                f"{wanted.shape}: a rule is wrong."
            )
        if wanted.dtype.kind != "f":
            gap, scale, tolerance = float(np.sum(wanted != found)), 0.0, 0.0
        else:
            apart = ~((wanted == found) | (np.isnan(wanted) & np.isnan(found)))
            gap = float(np.abs(wanted[apart] - found[apart]).max(initial=0.0))
            scale = float(np.abs(wanted[np.isfinite(wanted)]).max(initial=0.0))
            tolerance = TOLERANCE.get(str(wanted.dtype), 1e-12)
        if not gap <= tolerance * scale:
            words = "rows differ" if scale == 0.0 else f"of {scale:g} at most"
            raise ValueError(
                f"The compact pipeline changes {method} by {gap:g} ({words}). Are "
                "columns of float32 among others? Give X as one float64 array, or "
                "register_compaction(kind, rule) with the right rule."
            )
        largest = max(largest, gap)
    return largest


def _dense(output):
    if isinstance(output, list):  # of several outputs
        return np.stack([np.asarray(part) for part in output])
    return output.toarray() if sp.issparse(output) else np.asarray(output)
