"""One fitted estimator pruned to many amounts."""

from copy import deepcopy

from sparselearn.pruning._allocation import positions
from sparselearn.pruning._criteria import score_parts
from sparselearn.pruning._procedure import Plan, Subject, prune_in_place
from sparselearn.pruning._wrappers import with_last_step

__all__ = ["Trials"]


class Trials:
    """Prunes copies of a fitted estimator; importances are computed once.

    Parameters
    ----------
    estimator : estimator
        Fitted; it is not changed.
    subject : Subject
        What was observed of it.
    plan : Plan
        Its `amount` is not read.
    """

    def __init__(self, estimator, subject: Subject, plan: Plan):
        self.estimator, self.subject, self.plan = estimator, subject, plan
        self.importances = score_parts(plan.criterion, plan.granularity, *subject)

        blocks = subject.blocks
        excluded = positions(plan.exclude, "exclude", self.importances, blocks)
        self._layers = [k for k in range(len(self.importances)) if k not in excluded]

    @property
    def n_parts(self):
        """Number of parts that can be kept or not."""
        return sum(self.importances[k].size for k in self._layers)

    def n_kept(self, masks):
        """How many of them `masks` keep."""
        return sum(int(masks[k].sum()) for k in self._layers)

    def n_wanted(self, amount):
        """How many parts the keyword argument `amount` of `make_masks` keeps."""
        plan = self.plan._replace(amount=amount)
        return self.n_kept(plan.masks(self.importances, self.subject)[0])

    def prune(self, amount, plan=None):
        """A pruned copy, and what was done to it.

        Parameters
        ----------
        amount : int or dict
            Number of parts to keep, or another keyword argument of `make_masks`.
        plan : Plan, default=None
            Another one of the same criterion and granularity.

        Returns
        -------
        estimator : estimator
        pruned : Pruned
        """
        if not isinstance(amount, dict):
            amount = {"n_nonzero_coefs": int(amount)}
        plan = (plan or self.plan)._replace(amount=amount)
        twin = with_last_step(self.estimator, deepcopy)
        return twin, prune_in_place(twin, self.subject, plan, self.importances)
