"""Newton's model of a multinomial problem for all classes at once, by its matrix.

Where classes in turn and conjugate gradients (``_multinomial_newton.py``) are slow,
that is where columns depend on one another and classes too, and where the working sets
are small enough, the whole matrix is formed,

    H = sum_i s_i (diag(p_i) - p_i p_i') (x) x_i x_i',

the intercepts are eliminated from it, and model and penalty are minimised by what
solves the Lasso: on a support that comes and goes (``_working_set.py``).
"""

from types import SimpleNamespace

import numpy as np

from sparselearn import penalties
from sparselearn._solvers._working_set import GramWorkingSet

__all__ = ["step_on_gram"]

# Up to so many coefficients, and numbers in their columns.
MOST, LARGEST = 1500, 2**25
HALVINGS = 30
ROUNDING = 1e-13
# Eigenvalues below this share of the largest are dependence, not data.
DEPENDENT = 1e-12


class _Model(GramWorkingSet):
    """A working set of which the Gram matrix is given."""

    def __init__(self, gram, features, moment, null_value):
        curvature = np.zeros(moment.size)
        curvature[features] = np.maximum(np.diag(gram), 0.0)
        scales = SimpleNamespace(null_value=null_value, curvature=curvature)
        super().__init__(scales, moment)
        self._given = gram
        self.grow(features)

    def _products(self, new):
        return self._given


class _Columns:
    """Columns of the members of all working sets, with ones for the intercepts."""

    def __init__(self, problem, members):
        n_features = problem.columns.curvature.size
        classes, features = np.divmod(members, n_features)
        self.problem, self.size = problem, members.size
        self.used, places = np.unique(features, return_inverse=True)
        self.X = problem.columns.centred_columns(self.used)
        if problem.fit_intercept:
            self.X = np.column_stack([self.X, np.ones(len(self.X))])
        # For each class the columns that it uses, and the places of its unknowns.
        self.parts, self.n_unknowns = [], members.size
        for k in range(problem.n_classes):
            where = np.flatnonzero(classes == k)
            chosen = places[where]
            if problem.fit_intercept:
                where = np.append(where, self.n_unknowns)
                chosen = np.append(chosen, self.X.shape[1] - 1)
                self.n_unknowns += 1
            self.parts.append((chosen, where))

    def derivatives(self, rows):
        """Minus the gradient of the loss, and its Hessian, of all unknowns."""
        size = self.n_unknowns
        slope, hessian = np.empty(size), np.empty((size, size))
        weights = np.broadcast_to(self.problem.weights, len(self.X))
        p = self.problem.target - rows.residual
        for k, (chosen, where) in enumerate(self.parts):
            columns = self.X[:, chosen]
            slope[where] = columns.T @ (weights * rows.residual[:, k])
            for other, (others, elsewhere) in enumerate(self.parts[: k + 1]):
                bend = -p[:, k] * p[:, other]
                if other == k:
                    bend = rows.curvature[:, k]
                weighted = (weights * bend)[:, None] * columns
                block = weighted.T @ self.X[:, others]
                hessian[np.ix_(where, elsewhere)] = block
                hessian[np.ix_(elsewhere, where)] = block.T
        return slope, hessian

    def moved(self, rows, change):
        """The `Rows` after a `change` of all unknowns."""
        predictor, intercept = rows.predictor.copy(order="F"), rows.intercept.copy()
        means = np.append(self.problem.columns.design.means[self.used], -1.0)
        for k, (chosen, where) in enumerate(self.parts):
            predictor[:, k] += self.X[:, chosen] @ change[where]
            if self.problem.fit_intercept:
                intercept[k] -= means[chosen] @ change[where]
        return self.problem.at(predictor, intercept)


# A step may be as long as what has no curvature lets it: it is tried, and refused.
@np.errstate(over="ignore", invalid="ignore")
def step_on_gram(problem, coef, rows, penalty, members, accuracy, max_epochs):
    """Take one Newton step of all classes and coefficients in the working sets.

    Parameters
    ----------
    problem : MultinomialProblem
    coef : ndarray (n_classes * n_features,)
        Flat; overwritten.
    rows : Rows
        Of `coef`.
    penalty : spec
        An elastic net of the flat coefficients.
    members : ndarray of int
        The working sets, flat.

    Returns
    -------
    n_epochs : int
    rows : Rows
        Of the new `coef`; the same object if nothing was done.
    """
    n_used = np.unique(members % problem.columns.curvature.size).size
    if members.size > MOST or n_used * len(problem.target) > LARGEST:
        return 0, rows
    columns, m = _Columns(problem, members), members.size
    slope, hessian = columns.derivatives(rows)
    # The intercepts follow.
    inverse = np.linalg.pinv(hessian[m:, m:], rcond=DEPENDENT, hermitian=True)
    follow = inverse @ hessian[m:, :m]
    gram = hessian[:m, :m] - hessian[:m, m:] @ follow
    pull = slope[:m] - follow.T @ slope[m:]
    moment, old = np.zeros(coef.size), coef[members]
    moment[members] = pull + gram @ old
    model = _Model(gram, members, moment, problem.null_value)
    n_epochs = model.minimise(penalty, coef, None, pull.copy(), accuracy, max_epochs)
    change = coef[members] - old
    change = np.append(change, inverse @ slope[m:] - follow @ change)
    before = rows.value + np.sum(penalties.value(penalty, old, members))
    # What gains no more than rounding is left to the other steps.
    most = before - ROUNDING * max(abs(before), problem.null_value)
    for halvings in range(HALVINGS):
        tried = coef[members] if halvings == 0 else old + 0.5**halvings * change[:m]
        found = columns.moved(rows, 0.5**halvings * change)
        if found.value + np.sum(penalties.value(penalty, tried, members)) <= most:
            coef[members] = tried
            return n_epochs, found
    coef[members] = old
    return n_epochs, rows
