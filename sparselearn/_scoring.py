"""Scores of predictors, of dask collections by sums formed where chunks lie."""

import functools

from sparselearn._dask import chunks_of, is_collection, reduced
from sparselearn._solvers._score_sums import AccuracySums, ErrorSums

__all__ = ["ScoresAccuracy", "ScoresDetermination", "score_chunks"]


def score_chunks(predictor, sums, X, y, sample_weight=None):
    """The score of what `predictor` predicts for a dask collection.

    Parameters
    ----------
    predictor : estimator
        With `predict`; it goes to the chunks, and some sums come back.
    sums : type
        Of `_score_sums`.
    X, y, sample_weight
        As of `chunks_of`.
    """
    found = functools.partial(_sums_of, predictor, sums)
    return reduced(found, chunks_of(X, y, sample_weight)).score()


def _sums_of(predictor, sums, X, y, sample_weight):
    return sums.of(y, predictor.predict(X), sample_weight)


class ScoresAccuracy:
    """`score` of a classifier; it stands before scikit-learn's mixin."""

    def score(self, X, y, sample_weight=None):
        """The accuracy: the share of the samples that are predicted right.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or data frame: the model goes to its chunks, and of each
            come two numbers.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Of several labels all are to be right.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            In [0, 1].
        """
        if not is_collection(X):
            return super().score(X, y, sample_weight)
        return score_chunks(self, AccuracySums, X, y, sample_weight)


class ScoresDetermination:
    """`score` of a regressor; it stands before scikit-learn's mixin."""

    def score(self, X, y, sample_weight=None):
        """The coefficient of determination R2, the mean over the targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Or a dask array or data frame: the model goes to its chunks, and of each
            come four numbers a target.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            At most 1.
        """
        if not is_collection(X):
            return super().score(X, y, sample_weight)
        return score_chunks(self, ErrorSums, X, y, sample_weight)
