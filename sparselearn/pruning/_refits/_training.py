"""Training of what is left, with targets."""

__all__ = ["train"]


def train(estimator, masks, data, rates):
    """Train an estimator on all rows, weights that are pruned held at exactly 0.

    Parameters
    ----------
    estimator : estimator
        No pipeline; its blocks are written. It is trained in place.
    masks : list of ndarray of bool
        Of the weights of its blocks.
    data : Calibration
    rates : sequence of float
        By what to multiply the learning rate, one an epoch.
    """
    X, y, sample_weight = data.training()
    if X is None or y is None:
        raise ValueError(
            "refit='train' needs X and y; refit='lstsq' does without targets."
        )
    if len(rates):
        options = {"rates": rates, "seed": data.seed}
        data.adapter.train(estimator, masks, X, y, sample_weight, **options)
