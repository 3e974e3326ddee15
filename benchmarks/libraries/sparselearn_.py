"""sparselearn: tol is the duality gap relative to the objective of w = 0."""

from sparselearn.linear_model import lasso_path

TOLERANCES = [1e-4, 1e-5, 1e-6, 1e-7]


def solve(problem, tol):
    path = lasso_path(
        problem.X,
        problem.y,
        alphas=problem.alphas,
        fit_intercept=problem.fit_intercept,
        tol=tol,
    )
    return path.coefs, path.intercepts
