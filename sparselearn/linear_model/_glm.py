"""What the models share whose loss is not the squared one."""

from functools import partial
from numbers import Integral, Real

import numpy as np

from sparselearn._compat import Interval
from sparselearn._solvers._path import make_solver, solve_to_size
from sparselearn._validation import check_penalty_weights
from sparselearn.linear_model._base import elastic_net_penalty
from sparselearn.linear_model._linear import LinearModel
from sparselearn.linear_model._twins import solve_twins

__all__ = ["GlmModel"]


class GlmModel(LinearModel):
    """A linear model with an elastic-net penalty; its `fit` says of which loss.

    A subclass holds the parameters named below.
    """

    _parameter_constraints = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "penalty_weights": ["array-like", None],
        "n_nonzero_coefs": [Interval(Integral, 0, None, closed="left"), None],
        "fit_intercept": ["boolean"],
        "positive": ["boolean"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def _penalty_at(self, n_features):
        """The penalty as a function of alpha."""
        if self.n_nonzero_coefs is not None and not self._selects:
            raise ValueError(
                "l1_ratio=0 makes no coefficient zero: n_nonzero_coefs="
                f"{self.n_nonzero_coefs} needs an l1_ratio > 0."
            )
        return partial(
            elastic_net_penalty,
            l1_ratio=self.l1_ratio,
            penalty_weights=check_penalty_weights(self.penalty_weights, n_features),
            positive=self.positive,
        )

    def _solve(self, problem, penalty_at, start):
        """The alpha in use and the solution of one problem."""
        stopping = {"tol": self.tol, "max_iter": self.max_iter}
        if self.n_nonzero_coefs is not None:
            return solve_to_size(
                problem,
                penalty_at,
                self.n_nonzero_coefs,
                **stopping,
            )
        penalty = penalty_at(self.alpha)
        solver = make_solver(problem, penalty, start=start)
        return self.alpha, solver.solve(penalty, **stopping)

    def _solve_twins(self, twins, problem, penalty_at):
        """The alpha in use and the solution of each of `twins` of this model."""
        return solve_twins(twins, problem, penalty_at)

    @property
    def _selects(self):
        """Whether the penalty makes coefficients zero."""
        return self.l1_ratio > 0.0

    def _largest_alpha(self, problem, penalty_at):
        """The smallest alpha that makes all penalised coefficients 0."""
        return make_solver(problem, penalty_at(1.0)).alpha_max

    def _with_shared_sums(self, problems, penalty, n_fits=1):
        """None of it: weights of rows change from step to step."""
        return problems

    def _start(self, shape):
        """Coefficients and intercept to start from, of the `shape` of `coef_`."""
        fitted = self.warm_start and hasattr(self, "coef_")
        if fitted and self.coef_.shape == shape:
            return self.coef_, self.intercept_
        return None

    def _store_certificates(self, problems, alphas, solutions, *, single, stacklevel=5):
        """Set what says how each solution was come by; warn if one missed `tol`."""

        def shaped(values):
            values = [float(value) for value in values]
            return values[0] if single else np.array(values)

        if alphas[0] is not None:
            self.alpha_ = shaped(alphas)
        measure, missed = self._certify(problems, alphas, solutions, shaped)
        self.n_iter_ = max(s.n_iter for s in solutions)
        self._store_routes([s.route for s in solutions])
        if missed:
            relative, n_iter = map(max, zip(*missed))
            self._warn_missed(relative, n_iter, measure, stacklevel=stacklevel)

    def _certify(self, problems, alphas, solutions, shaped):
        """Set what says how good the solutions are.

        Returns
        -------
        measure : str
            Of that, for the warning.
        missed : list of (float, int)
            That and the rounds of each solution that missed `tol`.
        """
        self.dual_gap_ = shaped(s.certificate.gap for s in solutions)
        self.objective_ = shaped(s.certificate.objective for s in solutions)
        missed = [
            (s.certificate.gap / p.null_value, s.n_iter)
            for p, s in zip(problems, solutions)
            if not s.converged
        ]
        return "duality gap", missed
