"""From the flat parameters of an estimator to a coder: one function a method."""

from sparselearn._solvers._threshold_coder import ThresholdCoder

__all__ = ["METHODS", "make_coder"]

# A tenth of the smallest alpha that makes a row's code 0, where no alpha is given.
RELATIVE_ALPHA = 0.1


def _alpha(parameters):
    """The given alpha and whether it is relative, or the default."""
    if parameters.alpha is None:
        return {"alpha": RELATIVE_ALPHA, "relative": True}
    relative = parameters.alpha_mode == "relative"
    return {"alpha": float(parameters.alpha), "relative": relative}


def _threshold(parameters, *, hard=False):
    options = {"alpha": 0.0}
    if parameters.alpha is not None or parameters.n_nonzero_coefs is None:
        options = _alpha(parameters)
    return ThresholdCoder(
        **options,
        hard=hard,
        n_nonzero=parameters.n_nonzero_coefs,
        positive=parameters.positive,
    )


def _hard_threshold(parameters):
    return _threshold(parameters, hard=True)


METHODS = {
    "threshold": _threshold,
    "hard-threshold": _hard_threshold,
}


def make_coder(parameters):
    """The coder that an estimator's parameters describe.

    Parameters
    ----------
    parameters : SparseCoder

    Returns
    -------
    Coder
    """
    return METHODS[parameters.method](parameters)
