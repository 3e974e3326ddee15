"""Newton steps on the support of a multinomial problem, for all classes at once.

Where no coefficient comes or goes, the objective is smooth. Its Hessian couples the
classes,

    (H D)_k = X_k' S (p_k * (Z_k - sum_l p_l * Z_l)) + l2 D_k,    Z_k = X_k D_k + d_k,

with X_k the columns of the support of class k, centred as in the class's own model so
that its intercept is apart from them, d the change of the intercepts, and l2 what the
penalty bends by, less than 0 where it is concave.
Conjugate gradients solve ``H D = -gradient``; what they need of H are products, two
passes over the columns of the support, and the factors that each class's own steps
left behind make a good preconditioner: they overlook the coupling only.
"""

import itertools

import numpy as np

from sparselearn import penalties
from sparselearn._kernels._coordinate_descent import add_product
from sparselearn._kernels._glm import chosen_products

__all__ = ["step_on_support"]

# Conjugate gradients end at this share of the gradient, or after so many products.
RESIDUAL, PRODUCTS = 1e-3, 200
HALVINGS = 20
# Less curvature than this share of that without the coupling is none.
FLAT = 1e-12
ROUNDING = 1e-13


class _Support:
    """The non-zero coefficients of every class, and products with their Hessian."""

    def __init__(self, problem, coefs, rows, penalty, working):
        self.problem, self.weights = problem, problem.weights
        self.features = [np.flatnonzero(coef) for coef in coefs]
        self.n_classes = len(coefs)
        self.designs = [one.design for one in working]
        self.P = problem.target - rows.residual
        self.scale = max(abs(rows.value), problem.null_value)
        ends = np.cumsum([0, *(features.size for features in self.features)])
        self.parts = [slice(a, b) for a, b in itertools.pairwise(ends)]
        # Past the coefficients, the intercepts.
        self.n_coefs = ends[-1]
        self.size = self.n_coefs + self.n_classes * problem.fit_intercept
        self.coef = np.concatenate([c[f] for c, f in zip(coefs, self.features)])
        joined = np.concatenate(self.features)
        shrinking, self.l2 = _derivatives(penalty, self.coef, joined)
        self.descent = self.correlations(rows.residual)
        self.descent[: self.n_coefs] -= shrinking
        curvature = rows.curvature
        if self.weights.size == 1:
            self.totals = self.weights[0] * np.sum(curvature, axis=0)
        else:
            self.totals = self.weights @ curvature
        self._factors = [one.factor(coef) for one, coef in zip(working, coefs)]

    def correlations(self, residual):
        """``X' S R``, columns centred, and ``sum_i s_i R_i``."""
        out = np.empty(self.size)

        def of_class(k):
            u = self.weights * residual[:, k]
            total = np.sum(u)
            data = self.designs[k], self.features[k]
            chosen_products(*data, u, total, out[self.parts[k]])
            if self.problem.fit_intercept:
                out[self.n_coefs + k] = total

        self.problem.columns.run(of_class, range(self.n_classes))
        return out

    def predictor(self, step):
        """``Z``, of centred columns."""
        Z = np.zeros(self.P.shape, order="F")

        def of_class(k):
            design, features = self.designs[k], self.features[k]
            part = step[self.parts[k]]
            add_product(design, features, part, Z[:, k])
            Z[:, k] -= design.means[features] @ part

        self.problem.columns.run(of_class, range(self.n_classes))
        if self.problem.fit_intercept:
            Z += step[self.n_coefs :]
        return Z

    def product(self, step):
        """``H step``, and the predictor of `step`."""
        Z = self.predictor(step)
        mean = np.einsum("ik,ik->i", self.P, Z)
        out = self.correlations(self.P * (Z - mean[:, None]))
        out[: self.n_coefs] += self.l2 * step[: self.n_coefs]
        return out, Z

    def precondition(self, residual):
        """An approximate solution of ``H x = residual``, class by class."""
        out = residual.copy()
        for k, part in enumerate(self.parts):
            if self.features[k].size:
                out[part] = self._factors[k](residual[part], self.totals[k])
        if self.problem.fit_intercept:
            out[self.n_coefs :] /= np.maximum(self.totals, 1e-300)
            # All of them alike change nothing, and may go anywhere.
            out[self.n_coefs :] -= np.mean(out[self.n_coefs :])
        return out

    def solve(self):
        """The Newton step and its predictor, by conjugate gradients."""
        step, residual = np.zeros(self.size), self.descent.copy()
        Z = np.zeros(self.P.shape, order="F")
        z = self.precondition(residual)
        direction, slope = z.copy(), residual @ z
        enough, uncoupled = RESIDUAL**2 * slope, slope
        for _ in range(PRODUCTS):
            if not slope > enough:
                break
            product, along = self.product(direction)
            bend = direction @ product
            if not bend > FLAT * uncoupled:
                # Nothing but the penalty changes, and that in a straight line.
                reach = self.reach(direction)
                if reach * (self.descent @ direction) > ROUNDING * self.scale:
                    step, Z = reach * direction, reach * along
                break
            share = slope / bend
            step += share * direction
            Z += share * along
            residual -= share * product
            z = self.precondition(residual)
            before, slope = slope, residual @ z
            direction = z + (slope / before) * direction
            uncoupled = slope + (slope / before) ** 2 * uncoupled
        return step, Z

    def reach(self, direction):
        """How far along `direction` the first coefficient is 0; 0 if none ever is."""
        direction = direction[: self.n_coefs]
        falling = self.coef * direction < 0.0
        ratios = -self.coef[falling] / direction[falling]
        # A little more, so that it is not left at rounding.
        return np.min(ratios) * (1.0 + 1e-14) if ratios.size else 0.0


def _derivatives(penalty, w, j):
    """The first and the second derivative of the penalty, where no w is 0."""
    if isinstance(penalty, penalties.FoldedConcave):
        l1, straight, bend = penalties.pieces(penalty, j)
        slope = l1 - bend * np.maximum(np.abs(w) - straight, 0.0)
        bent = (np.abs(w) >= straight) & (slope > 0.0)
        return np.copysign(np.maximum(slope, 0.0), w), np.where(bent, -bend, 0.0)
    l1, l2 = penalties.strengths(penalty, j)
    l2 = np.broadcast_to(l2, w.shape)
    return np.copysign(l1, w) + l2 * w, l2


# A step may be as long as what has no curvature lets it: it is tried, and refused.
@np.errstate(over="ignore", invalid="ignore")
def step_on_support(problem, coefs, rows, penalty, working):
    """Take one Newton step on the support of all classes; coefficients stop at 0.

    Parameters
    ----------
    problem : MultinomialProblem
    coefs : ndarray (n_classes, n_features)
        Overwritten.
    rows : Rows
        Of `coefs`.
    penalty : spec
        An elastic net or a folded concave penalty, of one class.
    working : list of n_classes NewtonWorkingSet

    Returns
    -------
    rows : Rows
        Of the new `coefs`; the same object if no step descends.
    """
    support = _Support(problem, coefs, rows, penalty, working)
    if not support.n_coefs:
        return rows
    step, Z = support.solve()
    old = support.coef
    features = np.concatenate(support.features)

    def penalised(coef):
        return np.sum(penalties.value(penalty, coef, features))

    start = rows.value + penalised(old)
    most = start + ROUNDING * max(abs(start), problem.null_value)
    share = 1.0
    for _ in range(HALVINGS):
        new = old + share * step[: support.n_coefs]
        turned = new * old <= 0.0
        new[turned] = 0.0
        predictor = rows.predictor + share * Z
        intercept = rows.intercept.copy()
        if problem.fit_intercept:
            intercept += share * step[support.n_coefs :]
        change = new - old
        for k, part in enumerate(support.parts):
            design = support.designs[k]
            if np.any(turned[part]):
                # These go less far.
                back = change[part] - share * step[part]
                held = np.flatnonzero(turned[part])
                columns = support.features[k][held]
                add_product(design, columns, back[held], predictor[:, k])
                predictor[:, k] -= design.means[columns] @ back[held]
            intercept[k] -= design.means[support.features[k]] @ change[part]
        found = problem.at(predictor, intercept)
        if found.value + penalised(new) <= most:
            for k, part in enumerate(support.parts):
                coefs[k, support.features[k]] = new[part]
            return found
        share *= 0.5
    return rows
