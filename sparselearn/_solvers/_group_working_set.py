"""The working set of groups, and two ways of descent on it.

On the Gram matrix of its m features an epoch takes O(m^2), and on the support, where
the objective is smooth, Newton steps finish. Where that takes more than O(n m), descent
is on the columns. There, and where the support is singular, every few epochs the best
combination of the last iterates is tried (Anderson; Bertrand and Massias, 2021).
"""

from abc import ABC, abstractmethod

import numpy as np
import scipy.sparse as sp
from scipy.linalg.lapack import dpotrs

from sparselearn import penalties
from sparselearn._kernels._blocks import Blocks, descend_groups
from sparselearn._kernels._groups import correlate, descend_columns
from sparselearn._solvers._blocks import SmoothSupport, cholesky
from sparselearn._solvers._certificates import Fit, bound_of_groups
from sparselearn._solvers._moments import MomentProblem
from sparselearn._solvers._squared_loss import LOOKUP
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["GroupWorkingSet"]

# A Gram matrix of so many columns takes half a gigabyte.
LARGEST_GRAM = 8192
# Newton steps on so many are no matter.
SMALL_GRAM = 512
# Epochs at a stretch.
EPOCHS = 4
# Epochs before Newton steps, and after how many of them on m coefficients, m / A_STEP,
# these are worth their factorisation.
EPOCHS_TO_SETTLE, A_STEP = 12, 10
# Stretches of which the best combination is tried.
ITERATES = 5
# Looks without a smaller gap: what is left is rounding.
IDLE_LOOKS = 5
# Eigenvalues of a group below this share of the largest are rounding.
RANK = 1e-13


class GroupWorkingSet:
    """The groups that may be non-zero, and descent on them.

    Parameters
    ----------
    problem : Problem or MomentProblem
    moment : ndarray (n_features,)
        ``X' S y``.
    groups : Groups
    exact : bool
        Whether blocks are solved in closed form, by the eigenvectors of their Gram
        matrices.

    Attributes
    ----------
    members : ndarray of int
        The groups, in order of arrival.
    features : ndarray of int
        Their features, one group after another.
    """

    def __init__(self, problem, moment, groups, exact):
        self.problem, self.moment, self.groups = problem, moment, groups
        self.members = np.empty(0, dtype=np.int64)
        self.features = np.empty(0, dtype=np.int64)
        self.columns = GramWorkingSet(problem, moment)
        self._exact = exact
        self._values, self._matrices = [], []
        self._pace = 0

    @property
    def by_columns(self):
        """Whether descent is on the columns."""
        return self.columns is None

    def features_of(self, new):
        """The features of the groups `new`, one group after another."""
        features, starts = self.groups
        parts = [features[starts[g] : starts[g + 1]] for g in new]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def grow(self, new):
        """Take in the groups `new`, none of them in yet."""
        features, known = self.features_of(new), self.features.size
        self.members = np.concatenate([self.members, new])
        self.features = np.concatenate([self.features, features])
        if self.columns is not None and self._gram_is_costly():
            self.columns = None
        if self.columns is not None:
            self.columns.grow(features)
        for g in new:
            size = self.groups.starts[g + 1] - self.groups.starts[g]
            block = slice(known, known + size)
            if self.columns is None:
                of_block = GramWorkingSet(self.problem, self.moment)
                of_block.grow(self.features[block])
                self._add_block(of_block.gram, self.features[block])
            else:
                self._add_block(self.columns.gram[block, block], self.features[block])
            known += size

    def _add_block(self, gram, features):
        gram = gram.copy()
        # Of a constant column only rounding is left: it takes no part.
        constant = self.problem.curvature[features] == 0.0
        gram[constant], gram[:, constant] = 0.0, 0.0
        if gram.shape == (1, 1):
            values, vectors = gram[0].copy(), np.ones((1, 1))
        elif self._exact:
            values, vectors = np.linalg.eigh(gram)
            vectors[constant] = 0.0
        else:
            values, vectors = np.linalg.eigvalsh(gram), None
        values = np.where(values > RANK * max(values[-1], 0.0), values, 0.0)
        self._values.append(values)
        self._matrices.append(np.ravel(vectors if self._exact else gram))

    def _gram_is_costly(self):
        """Whether an epoch on the columns costs less."""
        if isinstance(self.problem, MomentProblem):
            return False
        size = self.features.size
        if size > LARGEST_GRAM:
            return True
        X = self.problem.matrix
        if sp.issparse(X):
            return size > max(LOOKUP * 2 * X.nnz / X.shape[1], SMALL_GRAM)
        return size > max(X.shape[0], SMALL_GRAM)

    def blocks(self, penalty):
        """The groups as kernels take them, and `penalty` of the working set alone."""
        all_starts = self.groups.starts
        sizes = all_starts[self.members + 1] - all_starts[self.members]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        lam, mu = penalties.group_strengths(penalty, self.members)
        blocks = Blocks(
            starts=starts,
            lam=lam,
            mu=mu,
            values=np.concatenate(self._values),
            matrices=np.concatenate(self._matrices),
            places=np.concatenate([[0], np.cumsum(sizes**2)]),
            exact=self._exact,
            positive=bool(penalty.positive),
        )
        # Made as a spec is, not replaced: of the types that kernels are compiled for.
        parts = penalty._asdict()
        parts["groups"] = penalties.Groups(np.arange(self.features.size), starts)
        parts["weights"] = penalty.weights[self.members]
        return blocks, type(penalty)(**parts)

    def minimise(self, penalty, coef, fit, guess, accuracy, max_epochs):
        """Improve `coef`, an ndarray (n_features,), in place.

        Parameters
        ----------
        fit : Fit
            Of `coef`.
        guess : ndarray (n_features,) or None
            Coefficients to start from if they are better.
        accuracy : float
            What may be left to gain, in units of the objective.
        max_epochs : int

        Returns
        -------
        n_epochs : int
        """
        kind = _ByColumns if self.by_columns else _ByGram
        state = None
        if guess is not None:
            state = kind(self, penalty, guess[self.features])
            state.start(None)
            here = 0.5 * fit.square + state.penalty_value(coef[self.features])
            if not state.objective() < here:
                state = None
        if state is None:
            state = kind(self, penalty, coef[self.features])
            state.start(fit.residual)
        n_epochs = self._descend(state, accuracy, max_epochs)
        coef[self.features] = state.coef
        return n_epochs

    def _descend(self, state, accuracy, max_epochs):
        """Improve `state` until little is left to gain; return the epochs spent."""
        n_epochs, newton, past = 0, state.has_newton, [state.snapshot()]
        # On a path it takes about as long as it took before.
        next_look = max(self._pace - EPOCHS, EPOCHS)
        least, idle = np.inf, 0
        state.look()
        while n_epochs < max_epochs and idle < IDLE_LOOKS:
            settled = max(EPOCHS_TO_SETTLE, np.count_nonzero(state.coef) // A_STEP)
            if newton and n_epochs >= settled:
                newton, past = state.solve_on_support(0.1 * accuracy), []
                if newton and state.look() <= accuracy:
                    break
            n_epochs += state.descend(min(EPOCHS, max_epochs - n_epochs))
            past.append(state.snapshot())
            if len(past) > ITERATES:
                state.combine(past)
                past = [state.snapshot()]
            if n_epochs >= next_look:
                left = state.look()
                if left <= accuracy:
                    break
                next_look = n_epochs + max(EPOCHS, n_epochs // 8)
                idle = 0 if left < 0.9 * least else idle + 1
                least = min(least, left)
        self._pace = n_epochs
        return n_epochs


class _State(ABC):
    """Coefficients of a working set under one penalty, with their correlations."""

    has_newton = False

    def __init__(self, working, penalty, coef):
        self.working, self.coef = working, coef
        self.blocks, self.penalty = working.blocks(penalty)
        self.moment = working.moment[working.features]
        starts = self.blocks.starts
        self._sizes = np.diff(starts)
        strengths = self.blocks.lam + self.blocks.mu
        self._free = np.repeat(strengths == 0.0, self._sizes)
        self._curvature = working.problem.curvature[working.features]

    def lengths(self, coef):
        """Of the blocks."""
        return np.sqrt(np.add.reduceat(coef**2, self.blocks.starts[:-1]))

    def penalty_value(self, coef):
        """The penalty of `coef`."""
        lam, mu = self.blocks.lam, self.blocks.mu
        lengths = self.lengths(coef)
        on = lengths > 0.0
        total = np.sum(lam[on] * lengths[on])
        if np.any(mu):
            sums = np.add.reduceat(np.abs(coef), self.blocks.starts[:-1])
            total += np.sum(mu[on] * sums[on])
        return total

    @abstractmethod
    def square(self):
        """The squared residual."""

    def objective(self):
        return 0.5 * self.square() + self.penalty_value(self.coef)

    def refresh(self):  # noqa: B027 - where they always are, there is nothing to do
        """Bring the correlations up to date."""

    def look(self):
        """What is left to gain over the working set: its gap, about."""
        self.refresh()
        v, free = self.correlation, self._free
        left = 0.0
        if free.any():
            pull = v[free]
            if self.blocks.positive:
                pull = np.where(self.coef[free] > 0.0, pull, np.maximum(pull, 0.0))
            curvature = self._curvature[free]
            left = np.sum(pull**2 / np.where(curvature > 0.0, curvature, np.inf))
            v = np.where(free, 0.0, v)
        fit = Fit(v, self.square(), None, v, 0.0)
        return left + bound_of_groups(self.penalty, self.coef, fit).gap


class _ByGram(_State, SmoothSupport):
    """By the Gram matrix of the working set."""

    has_newton = True

    def start(self, residual):
        self.gram = self.working.columns.gram
        self.correlation = self.moment - self.gram @ self.coef

    def square(self):
        square = 2.0 * self.working.problem.null_value
        return max(square - np.sum(self.coef * (self.moment + self.correlation)), 0.0)

    def value(self, coef, correlation):
        """The objective, less that of coefficients of 0."""
        return self.penalty_value(coef) - 0.5 * np.sum(
            coef * (self.moment + correlation)
        )

    def descend(self, max_epochs):
        everyone = np.arange(self.blocks.lam.size)
        return descend_groups(
            self.working.columns.storage,
            self.blocks,
            everyone,
            self.coef,
            self.correlation,
            max_epochs,
            0.0,
            False,
        )

    def snapshot(self):
        return self.coef.copy(), self.correlation.copy()

    def combine(self, past):
        """Go to the best combination of the iterates `past`, if it is better."""
        z = _combination(past)
        if z is None:
            return
        coef = _admissible(z @ np.stack([p[0] for p in past[1:]]), self.blocks)
        correlation = self.moment - self.gram @ coef
        before = self.value(self.coef, self.correlation)
        if self.value(coef, correlation) < before:
            self.coef, self.correlation = coef, correlation

    def _inside(self):
        return np.flatnonzero(self.coef)

    def _newton_step(self, inside):
        lam, mu, starts = self.blocks.lam, self.blocks.mu, self.blocks.starts
        lengths = self.lengths(self.coef)
        block = np.repeat(np.arange(lam.size), self._sizes)[inside]
        w = self.coef[inside]
        u, k = w / lengths[block], lam[block] / lengths[block]
        descent = self.correlation[inside] - lam[block] * u - mu[block] * np.sign(w)
        H = self.gram[np.ix_(inside, inside)]
        H[np.diag_indices_from(H)] += k
        ends = np.searchsorted(inside, starts)
        for b in np.unique(block):
            own = slice(ends[b], ends[b + 1])
            H[own, own] -= k[ends[b]] * np.outer(u[own], u[own])
        factor = cholesky(H)
        if factor is None:
            return None, 0.0
        step, _ = dpotrs(factor, descent)
        return step, np.sum(descent * step)

    def _landed(self, inside, start, step):
        """Groups that would turn around become zero, and signs do not change.

        The latter where there is an L1 part, or a sign constraint.
        """
        there = start + step
        whole = np.zeros(self.coef.size)
        whole[inside] = start * there
        turned = np.add.reduceat(whole, self.blocks.starts[:-1]) <= 0.0
        turned &= self.blocks.lam > 0.0
        gone = np.repeat(turned, self._sizes)[inside]
        signed = np.repeat(self.blocks.mu > 0.0, self._sizes)[inside]
        if self.blocks.positive:
            signed[:] = True
        gone |= signed & (start * there <= 0.0)
        there[gone] = 0.0
        return there, gone.any()


class _ByColumns(_State):
    """By the columns of the design, the residual at hand."""

    def start(self, residual):
        problem, features = self.working.problem, self.working.features
        if residual is None:
            whole = np.zeros(problem.curvature.size)
            whole[features] = self.coef
            residual = problem.residual(whole)
        self._u, self._total = problem.weights * residual, 0.0
        self.correlation = np.empty(features.size)

    def square(self):
        return _square(self.working.problem.weights, self._u, self._total)

    def refresh(self):
        features, design = self.working.features, self.working.problem.design
        correlate(design, features, self._u, self._total, self.correlation)

    def descend(self, max_epochs):
        """One epoch visits all groups, the others those that are not zero."""
        n_epochs = self._epochs(np.arange(self.blocks.lam.size), 1)
        if max_epochs > 1:
            active = np.flatnonzero(self.lengths(self.coef) > 0.0)
            n_epochs += self._epochs(active, max_epochs - 1)
        return n_epochs

    def _epochs(self, visits, max_epochs):
        n_epochs, self._total = descend_columns(
            self.working.problem.design,
            self.working.features,
            self.blocks,
            visits,
            self.coef,
            self._u,
            self._total,
            max_epochs,
            0.0,
            self.correlation,
        )
        return n_epochs

    def snapshot(self):
        return self.coef.copy(), self._u.copy(), self._total

    def combine(self, past):
        """Go to the best combination of the iterates `past`, if it is better."""
        z = _combination(past)
        if z is None:
            return
        coefs, us, totals = zip(*past[1:])
        coef = z @ np.stack(coefs)
        if self.blocks.positive and np.any(coef < 0.0):
            return
        u, total = z @ np.stack(us), float(z @ np.array(totals))
        square = _square(self.working.problem.weights, u, total)
        if 0.5 * square + self.penalty_value(coef) < self.objective():
            self.coef, self._u, self._total = coef, u, total


def _square(weights, u, total):
    """``sum_i s_i r_i^2`` of the centred residual, from ``u = s r``."""
    if weights.size == 1:
        return u @ u / weights[0] - total**2
    on = weights > 0.0
    return np.sum(u[on] ** 2 / weights[on]) - total**2


def _combination(past):
    """Weights, of sum 1, of the iterates after the first, to where they are going."""
    steps = np.diff(np.stack([p[0] for p in past]), axis=0)
    products = steps @ steps.T
    size = np.trace(products)
    if not size > 0.0:
        return None
    products[np.diag_indices_from(products)] += 1e-12 * size
    z = np.linalg.solve(products, np.ones(len(steps)))
    return z / np.sum(z) if np.sum(z) > 0.0 else None


def _admissible(coef, blocks):
    return np.maximum(coef, 0.0) if blocks.positive else coef
