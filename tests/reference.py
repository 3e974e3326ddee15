"""Slow, obvious twins of the kernels and solvers, in plain numpy."""

import itertools
import math
from typing import NamedTuple

import numpy as np
from scipy.linalg import orth
from scipy.optimize import nnls


def centred(X, weights, fit_intercept):
    """The weighted means of X (0 without intercept), and X less these."""
    means = weights @ X if fit_intercept else np.zeros(X.shape[1])
    return means, X - means


def coordinate_descent(X, y, weights, l1, l2, *, positive=False, n_epochs=1000):
    """Cyclic descent on ``sum_i s_i (y_i - x_i' w)^2 / 2 + sum_j h_j(w_j)``.

    `X` and `y` centred, dense; `l1`, `l2` of shape (n_features,).
    """
    coef = np.zeros(X.shape[1])
    for _ in range(n_epochs):
        before = coef.copy()
        for j in range(X.shape[1]):
            curvature = weights @ X[:, j] ** 2
            if curvature == 0.0:
                continue
            others = y - X @ coef + X[:, j] * coef[j]
            pull = weights @ (X[:, j] * others)
            if abs(pull) <= l1[j] or (positive and pull <= 0.0):
                coef[j] = 0.0
            else:
                coef[j] = (pull - np.sign(pull) * l1[j]) / (curvature + l2[j])
        if np.array_equal(coef, before):
            break
    return coef


def best_on_gram(gram, moment, l1, l2, *, positive=False):
    """The minimiser of ``w' (gram + diag(l2)) w / 2 - moment' w + l1' |w|``, w >= 0
    if `positive`: of all supports with all signs the best. `gram` may be larger.
    """
    m = moment.size
    best, least = np.zeros(m), 0.0
    for signs in itertools.product([0, 1] if positive else [-1, 0, 1], repeat=m):
        signs = np.array(signs)
        on = np.flatnonzero(signs)
        if np.any(l1[on] >= 1e100):
            continue
        hessian = gram[np.ix_(on, on)] + np.diag(l2[on])
        w = np.linalg.lstsq(hessian, moment[on] - l1[on] * signs[on])[0]
        if positive and np.any(w < 0.0):
            continue
        value = 0.5 * w @ hessian @ w - moment[on] @ w + l1[on] @ np.abs(w)
        if value < least:
            best, least = np.zeros(m), value
            best[on] = w
    return best


def elastic_net_objective(X, y, weights, coef, intercept, l1, l2):
    """The objective of the elastic net, from its definition."""
    weights = weights / weights.sum()
    residual = y - intercept - X @ coef
    penalty = l1 * np.abs(coef) + 0.5 * l2 * coef**2
    return 0.5 * weights @ residual**2 + np.sum(penalty[coef != 0.0])


def lasso_gap(X, y, weights, coef, alpha):
    """Primal minus dual objective of the Lasso, X and y centred if need be."""
    weights = weights / weights.sum()
    residual = y - X @ coef
    primal = 0.5 * weights @ residual**2 + alpha * np.abs(coef).sum()
    largest = np.max(np.abs(X.T @ (weights * residual)))
    theta = residual * min(1.0, alpha / largest)
    return primal - (weights @ (theta * y) - 0.5 * weights @ theta**2)


def mcp(w, lam, gamma):
    """Zhang's minimax concave penalty, as it is printed."""
    w = np.abs(w)
    return np.where(w <= gamma * lam, lam * w - w**2 / (2 * gamma), gamma * lam**2 / 2)


def scad(w, lam, gamma):
    """Fan and Li's penalty, as it is printed."""
    w = np.abs(w)
    bent = (2 * gamma * lam * w - w**2 - lam**2) / (2 * (gamma - 1))
    flat = lam**2 * (gamma + 1) / 2
    return np.where(w <= lam, lam * w, np.where(w <= gamma * lam, bent, flat))


def folded_descent(
    X, y, weights, lam, gamma, formula, *, coef=None, positive=False, n_epochs=1000
):
    """Cyclic descent on ``sum_i s_i (y_i - x_i' w)^2 / 2 + sum_j h_j(w_j)``.

    `X` and `y` centred, dense. On columns of unit variance h_j is `formula`, `mcp` or
    `scad`, of ``lam[j] / sd_j`` (Breheny and Huang, 2011).
    """
    coef = np.zeros(X.shape[1]) if coef is None else coef.copy()
    sd = np.sqrt(weights @ X**2)
    for _ in range(n_epochs):
        before = coef.copy()
        for j in np.flatnonzero(sd):
            others = y - X @ coef + X[:, j] * coef[j]
            z, lj = weights @ (X[:, j] * others) / sd[j], lam[j] / sd[j]
            size = abs(z)
            if formula is mcp:
                new = max(size - lj, 0) / (1 - 1 / gamma)
            elif size <= 2 * lj:
                new = max(size - lj, 0)
            else:
                new = max(size - gamma * lj / (gamma - 1), 0) / (1 - 1 / (gamma - 1))
            new = np.sign(z) * (size if size > gamma * lj else new)
            coef[j] = max(new, 0.0) / sd[j] if positive else new / sd[j]
        if np.allclose(coef, before, rtol=1e-14, atol=0.0):
            break
    return coef


def folded_objective(X, y, weights, coef, intercept, lam, gamma, formula):
    """The objective of a folded concave penalty, from its definition."""
    s = weights / weights.sum()
    means = 0.0 if intercept is None else s @ X
    sd = np.sqrt(s @ (X - means) ** 2)
    residual = y - X @ coef - (0.0 if intercept is None else intercept)
    on = coef != 0.0
    h = formula(sd[on] * coef[on], lam[on] / sd[on], gamma)
    return 0.5 * s @ residual**2 + np.sum(h)


def folded_penalty(X, weights, coef, lam, gamma, formula, *, fit_intercept=True):
    """The folded concave penalty of a logistic model, in units of its curvature 1/4."""
    s = weights / weights.sum()
    _, Xc = centred(X, s, fit_intercept)
    sd = np.sqrt(s @ Xc**2)
    on = coef != 0.0
    h = formula(sd[on] * coef[on], 4.0 * lam[on] / sd[on], gamma)
    return 0.25 * np.sum(h)


def folded_logistic(
    X,
    y,
    weights,
    lam,
    gamma,
    formula,
    *,
    coef=None,
    intercept=0.0,
    fit_intercept=True,
    positive=False,
    n_steps=20000,
):
    """The logistic loss with `folded_penalty`: coefficients, intercept.

    At every step the loss is replaced by a parabola of curvature 1/4 above it, on which
    an epoch of `folded_descent` follows.
    """
    s = weights / weights.sum()
    means, Xc = centred(X, s, fit_intercept)
    coef = np.zeros(X.shape[1]) if coef is None else coef.copy()
    for _ in range(n_steps):
        before = coef
        target = X @ coef - 4.0 * row_slopes("logistic", y, X @ coef + intercept)
        shift = intercept + s @ target if fit_intercept else 0.0
        centre = s @ target if fit_intercept else 0.0
        coef = folded_descent(
            Xc,
            target - centre,
            s,
            4.0 * lam,
            gamma,
            formula,
            coef=coef,
            positive=positive,
            n_epochs=1,
        )
        intercept = shift - means @ coef
        if np.allclose(coef, before, rtol=1e-13, atol=0.0):
            break
    return coef, intercept


def minimise_on_grid(function, *, lower=-10.0, upper=10.0, n=200001):
    """The minimiser and the minimum of a function of one number, by brute force."""
    grid = np.linspace(lower, upper, n)
    values = function(grid)
    best = np.argmin(values)
    return grid[best], values[best]


def sparse_regression(rng, n, p):
    """Half-empty columns of all scales and some with a mean; 5 of p matter."""
    X = rng.standard_normal((n, p)) * rng.uniform(0.3, 3.0, p)
    X[rng.uniform(size=X.shape) < 0.5] = 0.0
    X += (rng.uniform(size=p) < 0.3) * 1.0
    coef = np.zeros(p)
    coef[:5] = [3.0, -2.0, 1.0, 2.0, -1.0]
    return X, X @ coef + 0.5 * rng.standard_normal(n) + 4.0


def planted_dictionary(rng, *, p=20, K=50, n=1500, k=3, noise=0.1):
    """Sums of k of K random atoms each, with noise; and the atoms."""
    atoms = rng.standard_normal((K, p))
    atoms /= np.sqrt(np.sum(atoms**2, axis=1))[:, None]
    Z = np.zeros((n, K))
    for z in Z:
        z[rng.choice(K, k, replace=False)] = rng.standard_normal(k)
    X, E = Z @ atoms, rng.standard_normal((n, p))
    return X + E * noise * np.linalg.norm(X) / np.linalg.norm(E), atoms


def distances(X, centroids):
    """Of each row of X from each centroid."""
    return np.linalg.norm(X[:, None, :] - centroids[None, :, :], axis=2)


def triangle_codes(X, centroids):
    """By how much each centroid is nearer than the mean one."""
    d = distances(X, centroids)
    return np.maximum(0.0, d.mean(axis=1, keepdims=True) - d)


def soft_threshold_codes(X, centroids, threshold):
    """By how much the projection on each centroid exceeds the threshold."""
    return np.maximum(0.0, X @ unit_rows(centroids).T - threshold)


def hard_codes(X, centroids):
    """1 for the nearest centroid."""
    return np.eye(len(centroids))[np.argmin(distances(X, centroids), axis=1)]


def unit_rows(rows):
    """Rows of length 1, or 0."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0.0, lengths, 1.0)


def topk_codes(X, centroids, n_nonzero, *, signed=False):
    """The largest projections on the directions of the centroids."""
    values = X @ unit_rows(centroids).T
    ranks = np.abs(values) if signed else values
    codes = np.zeros_like(values)
    for i in range(len(X)):
        largest = np.argsort(-ranks[i], kind="stable")[:n_nonzero]
        codes[i, largest] = values[i, largest]
    return codes


def line_distances(X, directions):
    """Of each row of X from the lines through 0 along directions of length 1."""
    apart = X[:, None, :] - (X @ directions.T)[:, :, None] * directions[None, :, :]
    return np.linalg.norm(apart, axis=2)


def signed_triangle_codes(X, directions):
    """By how much each line is nearer than the mean one, with the projection's sign."""
    d = line_distances(X, directions)
    sizes = np.maximum(0.0, d.mean(axis=1, keepdims=True) - d)
    return np.copysign(sizes, X @ directions.T)


def local_codes(X, centroids, n_nonzero, share=1e-4):
    """Weights of the nearest centroids: the best of sum 1, with a small penalty.

    They minimise ``||x - w'B||^2 + share tr(C) ||w||^2``; the constraint is solved for
    the last weight, and what is left is least squares.
    """
    codes = np.zeros((len(X), len(centroids)))
    for i, x in enumerate(X):
        d = np.linalg.norm(x - centroids, axis=1)
        near = np.argsort(d, kind="stable")[:n_nonzero]
        B = centroids[near]
        ridge = np.sqrt(share * np.sum((B - x) ** 2))
        if ridge == 0.0:
            codes[i, near] = 1.0 / len(near)
            continue
        # w = last + map v, with the last of the weights 1 - sum(v).
        free = np.vstack([np.eye(len(near) - 1), -np.ones(len(near) - 1)])
        last = np.eye(len(near))[-1]
        stacked = np.vstack([B.T, ridge * np.eye(len(near))])
        wanted = np.concatenate([x, np.zeros(len(near))])
        v = np.linalg.lstsq(stacked @ free, wanted - stacked @ last)[0]
        codes[i, near] = last + free @ v
    return codes


def shortest_rows(codes, centroids, threshold=0.0):
    """The rows that have, on the directions of a code, the projections it tells of."""
    directions = unit_rows(centroids)
    rows = np.zeros((len(codes), centroids.shape[1]))
    for i, code in enumerate(codes):
        used = np.flatnonzero(code)
        p = code[used] + threshold * np.sign(code[used])
        rows[i] = np.linalg.lstsq(directions[used], p)[0]
    return rows


def keep_largest(codes, n_nonzero):
    """Each row with its `n_nonzero` largest entries alone, the first among equals."""
    kept = np.zeros_like(codes)
    for i, row in enumerate(codes):
        largest = np.argsort(-row, kind="stable")[:n_nonzero]
        kept[i, largest] = row[largest]
    return kept


def first_of_the_largest(score):
    """The first index among those of scores that are equal but for rounding."""
    largest = score.max()
    return int(np.flatnonzero(score >= largest - 1e-10 * abs(largest))[0])


def matching_pursuit(
    X, y, weights, n_nonzero, *, tol=0.0, worth=0.0, positive=False, optimised=False
):
    """Greedy least squares, `X` and `y` centred; coefficients and order of choice.

    It ends at `n_nonzero`, at the share `tol` of the squared length, or where a column
    lowers the squared residual by no more than `worth`.
    """
    A, b = np.sqrt(weights)[:, None] * X, np.sqrt(weights) * y
    lengths = np.linalg.norm(A, axis=0)
    barred = lengths == 0.0
    order, z, residual = [], np.zeros(0), b
    while len(order) < n_nonzero and residual @ residual > tol * (b @ b):
        fresh = A - A[:, order] @ np.linalg.lstsq(A[:, order], A)[0]
        new = np.linalg.norm(fresh, axis=0)
        score = A.T @ residual / np.where(barred, 1.0, lengths)
        if optimised:
            known = new <= 1e-5 * lengths
            score *= np.where(known, 0.0, lengths / np.where(known, 1.0, new))
        score = np.where(barred, 0.0, score if positive else np.abs(score))
        score[order] = 0.0
        j = first_of_the_largest(score)
        if score[j] <= 1e-9 * np.linalg.norm(b):
            break
        if new[j] <= 1e-5 * lengths[j]:
            barred[j] = True
            continue
        if (A[:, j] @ residual / new[j]) ** 2 <= worth:
            break
        order.append(j)
        if positive:
            z, _ = nnls(A[:, order], b)
            order, z = [i for i, value in zip(order, z) if value > 0.0], z[z > 0.0]
        else:
            z = np.linalg.lstsq(A[:, order], b)[0]
        residual = b - A[:, order] @ z
    coef = np.zeros(X.shape[1])
    coef[order] = z
    return coef, order


def hard_thresholding(D, x, n_nonzero, *, positive=False, max_iter=1000):
    """The code of x after thresholded steps, each with least squares; and their number.

    A step of half the length follows one that does not lower the squared error.
    """
    lengths = np.linalg.norm(D, axis=1)
    scale = np.divide(1.0, lengths, out=np.zeros(len(D)), where=lengths > 0.0)
    z, residual, n_steps = np.zeros(len(D)), x, 0
    while n_steps < max_iter:
        slope = D @ residual * scale
        slope[(z == 0.0) & (np.abs(slope) <= 1e-9 * np.linalg.norm(x))] = 0.0
        for halvings in range(40):
            u = z * lengths + 0.5**halvings * slope
            size = u if positive else np.abs(u)
            kept, size = [], np.maximum(size, 0.0)
            while len(kept) < n_nonzero and size.max() > 0.0:
                kept.append(first_of_the_largest(size))
                size[kept[-1]] = 0.0
            if set(kept) <= set(np.flatnonzero(z)):
                return z, n_steps
            fitted, _ = matching_pursuit(
                D[kept].T, x, np.ones(x.size), len(kept), positive=positive
            )
            trial = np.zeros(len(D))
            trial[kept] = fitted
            gain = residual @ residual - np.sum((x - trial @ D) ** 2)
            if gain > 1e-12 * (x @ x):
                break
        else:
            return z, n_steps
        z, residual, n_steps = trial, x - trial @ D, n_steps + 1
    return z, n_steps


def block_descent(X, Y, weights, l1, l2, *, n_epochs=1000):
    """Cyclic descent on ``sum_i s_i ||y_i - W' x_i||^2 / 2 + sum_j h_j(||W_j||)``.

    `X` and `Y` centred, dense; `l1`, `l2` of shape (n_features,).
    """
    W = np.zeros((X.shape[1], Y.shape[1]))
    for _ in range(n_epochs):
        for j in range(X.shape[1]):
            curvature = weights @ X[:, j] ** 2
            if curvature == 0.0:
                continue
            others = Y - X @ W + np.outer(X[:, j], W[j])
            pull = (weights * X[:, j]) @ others
            length = np.linalg.norm(pull)
            if length <= l1[j]:
                W[j] = 0.0
            else:
                W[j] = pull * (1.0 - l1[j] / length) / (curvature + l2[j])
    return W


def multi_task_objective(X, Y, weights, W, intercept, l1, l2):
    """The objective of the multi-task elastic net, from its definition."""
    weights = weights / weights.sum()
    residual = Y - intercept - X @ W
    lengths = np.linalg.norm(W, axis=1)
    penalty = l1 * lengths + 0.5 * l2 * lengths**2
    fit = 0.5 * weights @ np.sum(residual**2, axis=1)
    return fit + np.sum(penalty[lengths > 0.0])


def multi_task_lasso_gap(X, Y, weights, W, alpha):
    """Primal minus dual objective of the multi-task Lasso, X and Y centred."""
    weights = (weights / weights.sum())[:, None]
    R = Y - X @ W
    lengths = np.linalg.norm(W, axis=1)
    primal = 0.5 * np.sum(weights * R**2) + alpha * lengths.sum()
    largest = np.max(np.linalg.norm(X.T @ (weights * R), axis=1))
    theta = R * min(1.0, alpha / largest)
    return primal - np.sum(weights * (theta * Y - 0.5 * theta**2))


def softplus(z):
    """``log(1 + exp(z))``, of any size."""
    return np.maximum(z, 0.0) + np.log1p(np.exp(-np.abs(z)))


def row_losses(kind, y, z, delta=1.0):
    """The loss of each row; of "softmax" y and z have a column a class."""
    if kind == "logistic":
        return softplus(z) - y * z
    if kind == "poisson":
        return np.exp(z) - y * z
    if kind == "huber":
        r = np.abs(y - z)
        return np.where(r <= delta, 0.5 * r**2, delta * (r - 0.5 * delta))
    largest = z.max(axis=1)
    total = np.sum(np.exp(z - largest[:, None]), axis=1)
    return np.log(total) + largest - np.sum(y * z, axis=1)


def row_slopes(kind, y, z, delta=1.0):
    """Its derivatives with respect to z."""
    if kind == "logistic":
        return np.exp(-softplus(-z)) - y
    if kind == "poisson":
        return np.exp(z) - y
    if kind == "huber":
        return np.clip(z - y, -delta, delta)
    p = np.exp(z - z.max(axis=1, keepdims=True))
    return p / p.sum(axis=1, keepdims=True) - y


def row_conjugates(kind, y, v, delta=1.0):
    """``sup_z v z - f(y, z)`` of each row, for v in the domain."""

    def entropy(q):
        return q * np.log(np.where(q > 0.0, q, 1.0))

    q = y + v
    if kind == "logistic":
        return entropy(q) + entropy(1.0 - q)
    if kind == "poisson":
        return entropy(q) - q
    if kind == "huber":
        return v * (0.5 * v + y)
    return np.sum(entropy(q), axis=1)


def glm_objective(kind, X, y, weights, coef, intercept, l1, l2, delta=1.0):
    """The penalised loss; of "softmax" `coef` is (n_classes, n_features).

    `l1` and `l2` are of each feature, or of all.
    """
    z = X @ coef.T + intercept
    l1, l2 = np.broadcast_to(l1, X.shape[1]), np.broadcast_to(l2, X.shape[1])
    used = coef != 0.0
    penalty = (l1 * np.abs(coef) + 0.5 * l2 * coef**2)[used]
    return weights @ row_losses(kind, y, z, delta) / weights.sum() + penalty.sum()


def glm_gap(kind, X, y, weights, coef, intercept, alpha, delta=1.0):
    """Primal minus dual objective with the L1 penalty, the intercept the best one."""
    s = weights / weights.sum()
    theta = -row_slopes(kind, y, X @ coef.T + intercept, delta)
    theta *= min(1.0, alpha / np.max(np.abs((s * theta.T) @ X)))
    primal = glm_objective(kind, X, y, s, coef, intercept, alpha, 0.0, delta)
    return primal + s @ row_conjugates(kind, y, -theta, delta)


def proximal_gradient(
    kind,
    X,
    y,
    weights,
    l1,
    l2,
    *,
    fit_intercept=True,
    positive=False,
    delta=1.0,
    n_steps=100000,
):
    """Accelerated proximal gradient on `glm_objective`: the coefficients, intercept.

    Columns are centred and scaled for it, and momentum begins anew where it points
    uphill (O'Donoghue and Candes, 2015).
    """
    s = weights / weights.sum()
    means = s @ X if fit_intercept else np.zeros(X.shape[1])
    scale = np.sqrt(s @ (X - means) ** 2)
    scale[scale <= 1e-12 * np.abs(means)] = 0.0
    scale[scale == 0.0] = np.inf  # a constant column takes no part
    A = np.column_stack([(X - means) / scale, np.full(len(X), float(fit_intercept))])
    l1, l2 = np.broadcast_to(l1, X.shape[1]), np.broadcast_to(l2, X.shape[1])
    l1, l2 = np.append(l1 / scale, 0.0), np.append(l2 / scale**2, 0.0)
    bounded = np.append(np.full(X.shape[1], positive), False)
    targets = y.T if y.ndim == 2 else y[None]
    single = y.ndim == 1

    def loss(W):
        z = A @ W.T
        return s @ row_losses(kind, y, z[:, 0] if single else z, delta)

    def slope(W):
        z = A @ W.T
        return (s * row_slopes(kind, y, z[:, 0] if single else z, delta).T) @ A

    W = V = np.zeros((len(targets), A.shape[1]))
    L, t = 0.1, 1.0
    for _ in range(n_steps):
        g, value = np.atleast_2d(slope(V)), loss(V)
        while True:
            moved = V - g / L
            size = np.maximum(np.abs(moved) - l1 / L, 0.0) / (1.0 + l2 / L)
            new = np.where(bounded & (moved < 0.0), 0.0, np.sign(moved) * size)
            d = new - V
            bound = value + np.sum(g * d) + 0.5 * L * np.sum(d**2)
            if loss(new) <= bound + 1e-14 * (1.0 + abs(value)):
                break
            L *= 2.0
        if np.sum((V - new) * (new - W)) > 0.0:
            t = 1.0
        ahead = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t**2))
        V = new + (t - 1.0) / ahead * (new - W)
        far = np.max(np.abs(new - W)) > 1e-15 * (1.0 + np.max(np.abs(new)))
        W, t = new, ahead
        if not far:
            break
    coef, intercept = W[:, :-1] / scale, W[:, -1] * fit_intercept
    intercept = intercept - coef @ means
    return (coef[0], intercept[0]) if single else (coef, intercept)


def prox_of_group(z, lam, mu, *, positive=False):
    """The minimiser of ``||w - z||^2 / 2 + lam ||w||_2 + mu ||w||_1``, w >= 0 if so."""
    kept = np.maximum(z if positive else np.abs(z), mu) - mu
    length = np.linalg.norm(kept)
    share = 1.0 - lam / length if length > lam else 0.0
    return share * kept * np.sign(z)


def group_descent(X, y, weights, groups, lam, mu, *, positive=False, n_steps=20000):
    """Accelerated proximal gradient steps for groups, `X` and `y` centred.

    `groups` is a list of index arrays, with strengths `lam` of the norms of their
    coefficients, and `mu` of these themselves.
    """
    G, c = X.T @ (weights[:, None] * X), X.T @ (weights * y)
    step = 1.0 / max(np.linalg.eigvalsh(G)[-1], 1e-300)
    coef, ahead, t = np.zeros(c.size), np.zeros(c.size), 1.0
    for _ in range(n_steps):
        before = coef.copy()
        z = ahead + step * (c - G @ ahead)
        for group, l2, l1 in zip(groups, lam, mu):
            coef[group] = prox_of_group(
                z[group], step * l2, step * l1, positive=positive
            )
        if (ahead - coef) @ (coef - before) > 0.0:
            t = 1.0  # it has overshot
        before_t, t = t, 0.5 + np.sqrt(0.25 + t * t)
        ahead = coef + (before_t - 1.0) / t * (coef - before)
        if np.array_equal(coef, before):
            break
    return coef


def group_objective(X, y, weights, coef, groups, lam, mu):
    """The objective of the sparse group Lasso, from its definition; centred data."""
    penalty = sum(
        l2 * np.linalg.norm(coef[group]) + l1 * np.abs(coef[group]).sum()
        for group, l2, l1 in zip(groups, lam, mu)
        if coef[group].any()
    )
    return 0.5 * weights @ (y - X @ coef) ** 2 + penalty


def ksvd_sweep(X, weights, Z, D, *, exact=False, positive=False, positive_atoms=False):
    """K-SVD of dense codes Z (n_samples, K): atoms in order, E_j formed each time.

    With `exact` each pair is the best one, by a singular value decomposition.
    """
    Z, D = Z.copy(), D.copy()
    for j in range(D.shape[0]):
        on = np.flatnonzero(Z[:, j])
        if not on.size:
            continue
        others = np.delete(np.arange(D.shape[0]), j)
        E = X[on] - Z[np.ix_(on, others)] @ D[others]
        if exact:
            right = np.linalg.svd(np.sqrt(weights[on])[:, None] * E)[2]
            D[j], Z[on, j] = right[0], E @ right[0]
            continue
        d = E.T @ (weights[on] * Z[on, j])
        if positive_atoms:
            d = np.maximum(d, 0.0)
        if not d.any():
            continue
        D[j] = d / np.linalg.norm(d)
        z = E @ D[j]
        Z[on, j] = np.maximum(z, 0.0) if positive else z
    return Z, D


def optimal_directions(X, weights, Z, D):
    """The atoms that fit X best by codes Z, of length 1, and Z scaled accordingly.

    Atoms that Z does not use stay those of D.
    """
    used = Z.any(axis=0)
    root = np.sqrt(weights)[:, None]
    best = np.linalg.lstsq(root * Z[:, used], root * X)[0]
    lengths = np.linalg.norm(best, axis=1)
    Z, D = Z.copy(), D.copy()
    D[used] = best / lengths[:, None]
    Z[:, used] *= lengths
    return Z, D


def code_errors(X, Z, D):
    """Squared errors of dense codes over what is not NaN."""
    return np.nansum((X - Z @ D) ** 2, axis=1)


# -- dictionaries learned online -----------------------------------------------


def elastic_net_gauge(atom, rho):
    return (1.0 - rho) * np.sum(atom**2) + rho * np.sum(np.abs(atom))


def nearest_on_elastic_net_ball(v, rho, *, positive=False):
    """The point of the ball that is nearest to v, by bisection on the multiplier."""
    size = np.maximum(v, 0.0) if positive else np.abs(v)

    def at(m):
        return np.maximum(size - m * rho, 0.0) / (1.0 + 2.0 * m * (1.0 - rho))

    low, high = 0.0, 1.0
    while elastic_net_gauge(at(high), rho) > 1.0:
        high *= 2.0
    if elastic_net_gauge(size, rho) > 1.0:
        for _ in range(200):
            middle = 0.5 * (low + high)
            inside = elastic_net_gauge(at(middle), rho) <= 1.0
            low, high = (low, middle) if inside else (middle, high)
    else:
        high = 0.0
    return np.copysign(at(high), v)


def update_atoms_one_by_one(atoms, A, B, project):
    """d_j <- project(d_j + (B_j - A_j D) / A_jj), one atom after the other."""
    atoms = atoms.copy()
    for j in range(atoms.shape[0]):
        if A[j, j] > 0.0:
            moved = project(atoms[j] + (B[j] - A[j] @ atoms) / A[j, j])
            atoms[j] = atoms[j] if moved is None else moved
    return atoms


def online_dictionary(X, weights, atoms, code, batch_size):
    """Atoms after one pass: every sum over the window anew, nothing replaced."""
    K, p = atoms.shape
    older, newer, n_seen = [], [], 0
    for start in range(0, X.shape[0], batch_size):
        rows = range(start, min(start + batch_size, X.shape[0]))
        codes = [code(X[i], atoms) for i in rows]
        newer += [(weights[i], z, X[i]) for i, z in zip(rows, codes)]
        A = sum(w * np.outer(z, z) for w, z, _ in older + newer)
        B = sum(w * np.outer(z, x) for w, z, x in older + newer)
        atoms = update_atoms_one_by_one(
            atoms, A, B, lambda v: v / np.sqrt(np.sum(v**2))
        )
        n_seen += len(rows)
        uses = np.mean([np.count_nonzero(z) for z in codes])
        half = max(min(n_seen, 2 * K * p / uses), n_seen / 8, 4 * batch_size)
        if len(newer) >= half:
            older, newer = newer, []
    return atoms


# -- codes under penalties of size ----------------------------------------------


def code_objective(x, D, z, l1, l2):
    """``||x - D'z||^2 / 2 + sum_j l1_j |z_j| + l2 ||z||^2 / 2``."""
    on = z != 0.0
    penalty = l1[on] @ np.abs(z[on]) + 0.5 * l2 * z @ z
    return 0.5 * np.sum((x - z @ D) ** 2) + penalty


def code_gap(x, D, z, l1, l2, *, positive=False):
    """Primal minus dual objective, from x, D and z: D is extended by sqrt(l2) I.

    Atoms without a penalty ask of a dual point to be orthogonal to them (not for
    codes >= 0): the residual is projected.
    """
    D = np.column_stack([D, np.sqrt(l2) * np.eye(len(D))])
    x = np.append(x, np.zeros(len(D)))
    theta = x - z @ D
    free = l1 == 0.0
    if free.any():
        basis = orth(D[free].T)
        theta = theta - basis @ (basis.T @ theta)
    pull = D @ theta
    pull = np.where(free, 0.0, np.maximum(pull, 0.0) if positive else np.abs(pull))
    pull, allowed = pull[pull > 0.0], l1[pull > 0.0]
    theta = theta * np.min(allowed / pull, initial=1.0)
    on = z != 0.0
    primal = 0.5 * np.sum((x - z @ D) ** 2) + l1[on] @ np.abs(z[on])
    return primal - (theta @ x - 0.5 * theta @ theta)


def group_code_gap(x, D, z, groups, lam, *, positive=False):
    """Primal minus dual objective with ``sum_g lam_g ||z_g||``."""
    theta = x - z @ D
    pull = D @ theta
    if positive:
        pull = np.maximum(pull, 0.0)
    lengths = np.array([np.linalg.norm(pull[group]) for group in groups])
    scale = np.min(lam[lengths > 0.0] / lengths[lengths > 0.0], initial=1.0)
    penalty = sum(lam_g * np.linalg.norm(z[group]) for group, lam_g in zip(groups, lam))
    primal = 0.5 * theta @ theta + penalty
    theta = scale * theta
    return primal - (theta @ x - 0.5 * theta @ theta)


def awkward_atoms(rng, K, p):
    """Atoms of all lengths; that at 7 is that at 0, and that at 9 is zero."""
    D = rng.standard_normal((K, p)) * rng.uniform(0.1, 5.0, (K, 1))
    D[7], D[9] = D[0], 0.0
    return D


def contrast(x, constant):
    """A patch less its mean, over the root of its variance plus `constant`."""
    x = x.astype(float)
    if np.ptp(x) == 0.0:
        return np.zeros(x.size)
    return (x.ravel() - x.mean()) / np.sqrt(x.var() + constant)


def patches_of(image, size, stride):
    """All (line, column, patch) of an image, the steps from one to the next counted."""
    for i, top in enumerate(range(0, image.shape[0] - size[0] + 1, stride[0])):
        for j, left in enumerate(range(0, image.shape[1] - size[1] + 1, stride[1])):
            yield i, j, image[top : top + size[0], left : left + size[1]]


def pooled_codes(codes, cells, n_cells, pooling):
    """The sum, mean or maximum of the codes in each cell, one cell after another."""
    rows = []
    for cell in range(n_cells):
        inside = codes[np.asarray(cells) == cell]
        if not len(inside):
            rows.append(np.zeros(codes.shape[1]))
        else:
            rows.append(getattr(np, pooling)(inside, axis=0))
    return np.array(rows)


def patch_features(image, encode, size, stride, grid, pooling, constant=None):
    """Features of an image (height, width, n_channels) by ``encode(patches)``."""
    found = list(patches_of(image, size, stride))
    n_lines, n_columns = found[-1][0] + 1, found[-1][1] + 1
    grid = min(grid[0], n_lines), min(grid[1], n_columns)
    rows, cells = [], []
    for i, j, patch in found:
        rows.append(patch.ravel() if constant is None else contrast(patch, constant))
        cells.append((i * grid[0] // n_lines) * grid[1] + j * grid[1] // n_columns)
    return pooled_codes(
        encode(np.array(rows)), cells, grid[0] * grid[1], pooling
    ).ravel()


def vlad(rows, centroids):
    """Sums of residuals of a bag, signed roots of them, to length 1."""
    sums = np.zeros(centroids.shape)
    for x in rows:
        j = np.argmin(((x - centroids) ** 2).sum(axis=1))
        sums[j] += x - centroids[j]
    roots = np.sign(sums) * np.sqrt(np.abs(sums))
    length = np.sqrt((roots**2).sum())
    return (roots / length if length else roots).ravel()


def centroid_errors(X, centroids, *, spherical=False):
    """The squared error of each row of X by each centroid alone."""
    X, centroids = X.astype(float), centroids.astype(float)
    if not spherical:
        return distances(X, centroids) ** 2
    sizes = X @ centroids.T
    return np.sum((X[:, None] - sizes[:, :, None] * centroids) ** 2, axis=2)


def lloyd_step(X, weights, centroids, *, spherical=False, damping=0.0):
    """Centroids after a step, those without rows where they were."""
    labels = centroid_errors(X, centroids, spherical=spherical).argmin(axis=1)
    moved = centroids.astype(float).copy()
    for j, c in enumerate(centroids):
        rows, w = X[labels == j].astype(float), weights[labels == j]
        if w.sum() > 0.0 and not spherical:
            moved[j] = (w @ rows) / w.sum()
        elif w.sum() > 0.0:
            v = (w * (rows @ c)) @ rows + damping * c
            moved[j] = v / np.linalg.norm(v)
    return moved


def shrunk_units(U, metric, strength):
    """argmin_W of sum metric (W - U)² / 2 + strength sum_j ||W_j||, columns j."""
    found = np.zeros(U.shape)
    for j in range(U.shape[1]):
        pulled = metric[:, j] * U[:, j]
        if np.linalg.norm(pulled) <= strength:
            continue
        low, high = 0.0, np.linalg.norm(U[:, j])
        for _ in range(200):  # its norm t: what the optimum would be for a smaller one
            t = 0.5 * (low + high)
            longer = np.linalg.norm(pulled * t / (metric[:, j] * t + strength)) > t
            low, high = (t, high) if longer else (low, t)
        found[:, j] = pulled * t / (metric[:, j] * t + strength)
    return found


def units_kept(p, selection, k=None, theta=0.0):
    """Which pre-activations p (n, m) of a sparse autoencoder stay, as a mask."""
    positive = p > 0.0
    if selection == "topk":
        ranks = np.argsort(np.argsort(-p, axis=1, kind="stable"), axis=1)
        return positive & (ranks < k)
    if selection == "batchtopk":
        order = np.argsort(-p, axis=None, kind="stable")
        mask = np.zeros(p.size, dtype=bool)
        mask[order[: round(k * len(p))]] = True
        return positive & mask.reshape(p.shape)
    return p > theta


def dead_kept(p, dead, most):
    """The largest p of the units `dead`, up to `most` a row, whatever their sign."""
    mask = np.zeros(p.shape, dtype=bool)
    for i in range(len(p)):
        mask[i, dead[np.argsort(-p[i, dead], kind="stable")[:most]]] = True
    return mask


def output_loss(output, targets, loss):
    """Half the squared error of each row, or minus the log-likelihood of logits."""
    if loss == "squared_error":
        return 0.5 * np.sum((output - targets) ** 2, axis=1)
    return np.sum(np.logaddexp(0.0, output) - output * targets, axis=1)


def output_slope(output, targets, loss):
    if loss == "squared_error":
        return output - targets
    return 1.0 / (1.0 + np.exp(-output)) - targets


def sparse_autoencoder_objective(
    weights, X, T, shares, base, *, loss, alpha=0.0, width=0.0, second=None
):
    """What a batch is to make small, of ``weights = (W_e, W_d, b_e, theta, b_d)``.

    `base` is (p, mask) where the derivative is wanted: of the mask there is none. With
    `width`, thresholds have the derivative of a ramp about them. `second` is (weight,
    rows, mask, remainder) of the loss by which dead units learn.
    """
    W_e, W_d, b_e, theta, b_d = weights
    p0, mask, theta0 = base
    p = X @ W_e.T + b_e
    z = np.where(mask, p, 0.0)
    penalty = alpha * z.sum(axis=1)
    if width:
        now, then = [np.clip((p0 - t) / width + 0.5, 0.0, 1.0) for t in (theta, theta0)]
        z = z + theta0 * (now - then)
        penalty = alpha * now.sum(axis=1)
    value = shares @ (output_loss(z @ W_d + b_d, T, loss) + penalty)
    if second is not None:
        weight, rows, dead_mask, remainder = second
        q = np.where(dead_mask[rows], p[rows], 0.0)
        errors = np.sum((remainder[rows] - q @ W_d) ** 2, axis=1)
        value += weight * shares[rows] @ (0.5 * errors)
    return value


def sparse_autoencoder_gradient(
    weights, X, T, shares, base, *, loss, alpha=0.0, width=0.0, second=None
):
    """The derivatives of `sparse_autoencoder_objective`, by matrix products."""
    _, W_d, _, theta, b_d = weights
    p, mask, _ = base
    z = np.where(mask, p, 0.0)
    e = shares[:, None] * output_slope(z @ W_d + b_d, T, loss)
    s = np.where(mask, e @ W_d.T, 0.0)
    by_theta = np.zeros_like(theta)
    if width:
        inside = np.abs(p - theta) < width / 2
        pull = theta * (e @ W_d.T) + alpha * shares[:, None]
        by_theta = -np.sum(inside * pull, axis=0) / width
    else:
        s = s + alpha * shares[:, None] * mask
    by_decoder = z.T @ e
    if second is not None:
        weight, rows, dead_mask, remainder = second
        q = np.where(dead_mask[rows], p[rows], 0.0)
        e2 = weight * shares[rows, None] * (q @ W_d - remainder[rows])
        by_decoder += q.T @ e2
        s[rows] += np.where(dead_mask[rows], e2 @ W_d.T, 0.0)
    return s.T @ X, by_decoder, s.sum(axis=0), by_theta, e.sum(axis=0)


def adam_by_rows(values, gradient, moments, number, rate, beta_1=0.9, beta_2=0.999):
    """One step of Adam, the `number`-th, with one mean of squares for each row."""
    first, second = moments
    first[:] = beta_1 * first + (1.0 - beta_1) * gradient
    squares = np.mean(gradient**2, axis=1, keepdims=True)
    second[:] = beta_2 * second + (1.0 - beta_2) * squares
    mean = first / (1.0 - beta_1**number)
    square = second / (1.0 - beta_2**number)
    return values - rate * mean / (np.sqrt(square) + 1e-8)


# -- the optimal brain surgeon ----------------------------------------------------


def restricted(curvature, weights, kept):
    """The best weights that are zero but where `kept`, of (n_outputs, n)."""
    H, w = curvature, weights.T
    inside, across = H[np.ix_(kept, kept)], H[np.ix_(kept, ~kept)]
    best = np.zeros_like(w)
    best[kept] = w[kept] + np.linalg.solve(inside, across @ w[~kept])
    return best.T


def eliminate(curvature, weights):
    """Backward elimination, every loss and every refit from scratch."""

    def loss(v):
        return 0.5 * sum((a - b) @ curvature @ (a - b) for a, b in zip(v, weights))

    kept = np.ones(weights.shape[1], dtype=bool)
    order, losses, path = [], [0.0], [weights]
    while kept.any():
        tries = {}
        for j in np.flatnonzero(kept):
            without = kept.copy()
            without[j] = False
            tries[j] = restricted(curvature, weights, without)
        order.append(min(tries, key=lambda j: loss(tries[j])))
        kept[order[-1]] = False
        path.append(tries[order[-1]])
        losses.append(loss(path[-1]))
    return np.array(order), np.diff(losses), np.array(path)


# -- trees ----------------------------------------------------------------------


def weakest_links(left, right, errors):
    """The level at which each inner node goes, all of g computed anew each time."""
    is_leaf = left < 0
    levels, level = np.full(left.size, np.nan), -np.inf

    def leaves(node):
        if is_leaf[node]:
            return [node]
        return leaves(left[node]) + leaves(right[node])

    def below(node):
        if is_leaf[node]:
            return []
        return [node, *below(left[node]), *below(right[node])]

    while not is_leaf[0]:
        g = {}
        for node in below(0):
            ends = leaves(node)
            g[node] = (errors[node] - errors[ends].sum()) / (len(ends) - 1)
        weakest = min(g, key=g.get)
        level = max(level, g[weakest])
        gone = below(weakest)
        levels[gone] = level
        is_leaf = is_leaf.copy()
        is_leaf[gone] = True
    return levels[left >= 0]


# -- networks ---------------------------------------------------------------

NETWORK_ACTIVATIONS = {
    "identity": lambda p: p,
    "relu": lambda p: np.maximum(p, 0.0),
    "sigmoid": lambda p: 1.0 / (1.0 + np.exp(-p)),
    "tanh": np.tanh,
}


def network_layers(rows, weights, biases, activations, select=None):
    """Values of all layers, of the last before its activation.

    ``select(layer, values)`` may drop some of a layer's.
    """
    found = []
    for layer, (w, b) in enumerate(zip(weights, biases)):
        rows = rows @ w + b
        if layer < len(weights) - 1:
            rows = NETWORK_ACTIVATIONS.get(activations[layer], lambda p: p)(rows)
        if select is not None:
            rows = select(layer, rows)
        found.append(rows)
    return found


def network_losses(logits, targets, activation, loss):
    """The loss of each row, as its definition has it."""
    if loss == "squared_error":
        output = NETWORK_ACTIVATIONS[activation](logits)
        return 0.5 * np.square(output - targets).sum(axis=1)
    if activation == "softmax":
        shifted = logits - logits.max(axis=1, keepdims=True)
        logs = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -(targets * logs).sum(axis=1)
    return (np.logaddexp(0.0, logits) - targets * logits).sum(axis=1)


def network_objective(
    rows,
    targets,
    row_weights,
    weights,
    biases,
    activations,
    loss,
    *,
    l2=0.0,
    n_own=None,
    code=None,
    select=None,
):
    """Mean loss, penalty of the code and of the weights, term by term.

    ``code`` is (layer, penalty, alpha, target); the first ``n_own`` layers have weights
    of their own.
    """
    values = network_layers(rows, weights, biases, activations, select)
    mass = row_weights.sum()
    losses = network_losses(values[-1], targets, activations[-1], loss)
    total = row_weights @ losses / mass
    if code is not None:
        layer, penalty, alpha, target = code
        sizes = row_weights @ np.abs(values[layer]) / mass
        if penalty == "kl":
            rest = (1.0 - target) * np.log((1.0 - target) / (1.0 - sizes))
            total += alpha * (target * np.log(target / sizes) + rest).sum()
        elif penalty == "l1":
            total += alpha * (sizes * np.linalg.norm(weights[layer + 1], axis=1)).sum()
    own = weights[:n_own]
    return total + 0.5 * l2 / mass * sum(np.square(w).sum() for w in own)


def adam_steps(values, gradients, rate, beta_1, beta_2, epsilon):
    """Values after a step of Adam for each of `gradients`, as Kingma and Ba have it."""
    first = second = np.zeros_like(values)
    for t, g in enumerate(gradients, start=1):
        first = beta_1 * first + (1.0 - beta_1) * g
        second = beta_2 * second + (1.0 - beta_2) * g * g
        unbiased = first / (1.0 - beta_1**t), second / (1.0 - beta_2**t)
        values = values - rate * unbiased[0] / (np.sqrt(unbiased[1]) + epsilon)
    return values


class Twin(NamedTuple):
    """A perceptron by its arrays, and weighted rows, for slow twins of criteria."""

    weights: list
    biases: list
    activations: list
    X: np.ndarray
    y: np.ndarray
    row_weights: np.ndarray

    def layers(self):
        """What each layer reads, the outputs last."""
        found = [self.X]
        for w, b, act in zip(self.weights, self.biases, self.activations):
            found.append(TWIN_ACTIVATIONS[act](found[-1] @ w + b))
        return found

    def hidden_activations(self):
        """By the names of `NETWORK_ACTIVATIONS`."""
        return ["sigmoid" if a == "logistic" else a for a in self.activations]

    def mean(self, values):
        return np.average(values, axis=0, weights=self.row_weights)

    def outgoing(self):
        return [np.sqrt((w**2).sum(axis=1)) for w in self.weights[1:]]


TWIN_ACTIVATIONS = {
    **NETWORK_ACTIVATIONS,
    "logistic": NETWORK_ACTIVATIONS["sigmoid"],
    "softmax": lambda p: np.exp(p) / np.exp(p).sum(axis=1, keepdims=True),
}


def lamp_scores(w):
    """Lee et al. 2021, one weight at a time."""
    score = np.zeros(w.shape)
    for index in np.ndindex(w.shape):
        m = abs(w[index])
        # Of equals, those that are stored first count as larger.
        larger = [
            abs(w[other])
            for other in np.ndindex(w.shape)
            if abs(w[other]) > m or (abs(w[other]) == m and other <= index)
        ]
        score[index] = m**2 / sum(v**2 for v in larger) if m else 0.0
    return score


def over_mean(values):
    return values / (sum(values) / len(values))


def spread(twin, values):
    return np.sqrt(twin.mean((values - twin.mean(values)) ** 2))


def letters_of(a, activation, layer_values, weights):
    """Which letter a unit gives each row: OFF is 0, bins are 1 to 32."""
    if activation == "relu":
        positive = np.sort(np.repeat(layer_values, weights, axis=0).ravel())
        positive = positive[positive > 0]
        if not positive.size:
            return [0 for value in a]
        top = positive[int(np.ceil(0.999 * positive.size - 1e-6)) - 1]
        edges = np.linspace(0.0, top, 33)
    else:
        edges = np.linspace({"tanh": -1.0, "logistic": 0.0}[activation], 1.0, 33)
    found = []
    for value in a:
        if activation == "relu" and value == 0.0:
            found.append(0)
        else:
            found.append(1 + min(int((value - edges[0]) // (edges[1] - edges[0])), 31))
    return found


def entropies(twin):
    """Bits of the letters of each unit."""
    found = []
    for act, layer in zip(twin.activations, twin.layers()[1:-1]):
        bits = []
        for a in layer.T:
            letters = np.array(letters_of(a, act, layer, twin.row_weights))
            mass = [twin.row_weights[letters == x].sum() for x in set(letters)]
            p = np.array(mass) / sum(mass)
            bits.append(-(p[p > 0] * np.log2(p[p > 0])).sum())
        found.append(np.array(bits))
    return found


def weight_slopes(twin, function, step=1e-6):
    """Central differences of ``function(logits)`` in each weight: a list of arrays."""
    found = []
    for layer, w in enumerate(twin.weights):
        slopes = []
        for index in np.ndindex(w.shape):
            ends = []
            for sign in (1.0, -1.0):
                moved = [v.copy() for v in twin.weights]
                moved[layer][index] += sign * step
                logits = network_layers(
                    twin.X, moved, twin.biases, twin.hidden_activations()
                )[-1]
                ends.append(function(logits))
            slopes.append((ends[0] - ends[1]) / (2.0 * step))
        found.append(np.reshape(slopes, w.shape + np.shape(slopes[0])))
    return found


def loss_of(twin, logits):
    kind = "squared_error" if twin.activations[-1] == "identity" else "log"
    return network_losses(logits, twin.y, twin.activations[-1], kind)


def gauss_newton_losses(twin):
    """``G w² / 2`` by the Jacobian of every output of every row in every weight."""
    p = twin.layers()[-1]
    if twin.activations[-1] == "softmax":
        H = np.array([np.diag(row) - np.outer(row, row) for row in p])
    elif twin.activations[-1] == "logistic":
        H = np.array([np.diag(row * (1.0 - row)) for row in p])
    else:
        H = np.array([np.eye(p.shape[1]) for row in p])
    found = []
    for w, J in zip(twin.weights, weight_slopes(twin, lambda logits: logits)):
        curvature = np.einsum("ijnc,ncd,ijnd->nij", J, H, J)
        found.append(0.5 * twin.mean(curvature) * w**2)
    return found


def taylor_weights(twin):
    slopes = weight_slopes(twin, lambda logits: twin.mean(loss_of(twin, logits)))
    return [abs(w * g) for w, g in zip(twin.weights, slopes)]


def taylor_inputs(twin, step=1e-6):
    """``mean |a dL/da|`` of what each layer reads."""
    found = []
    for layer, a in enumerate(twin.layers()[:-1]):
        above = twin._replace(
            weights=twin.weights[layer:],
            biases=twin.biases[layer:],
            activations=twin.activations[layer:],
        )
        changes = []
        for unit in range(a.shape[1]):
            ends = []
            for sign in (1.0, -1.0):
                moved = a.copy()
                moved[:, unit] += sign * step
                logits = network_layers(
                    moved, above.weights, above.biases, above.hidden_activations()
                )[-1]
                ends.append(loss_of(twin, logits))
            slope = (ends[0] - ends[1]) / (2.0 * step)
            changes.append(twin.mean(abs(a[:, unit] * slope)))
        found.append(np.array(changes))
    return found


def sums_over_units(scores):
    pairs = itertools.pairwise(scores)
    return [w.sum(axis=0) + v.sum(axis=1) for w, v in pairs]


def surgeon_losses(twin):
    """``w_i² / (2 [H⁻¹]_ii)``, H of the inputs and an undamped constant."""
    found = []
    for w, a in zip(twin.weights, twin.layers()):
        one = np.column_stack([a, np.ones(len(a))])
        H = np.cov(one.T, aweights=twin.row_weights, ddof=0)
        damping = 0.01 * np.diag(H)[:-1].mean()
        H = twin.mean(one[:, :, None] * one[:, None, :])
        H[:-1, :-1] += damping * np.eye(len(w))
        inverse = np.linalg.inv(H)
        found.append(w**2 / (2.0 * np.diag(inverse)[:-1, None]))
    return found


def unit_surgeon_rises(twin):
    """What is lost as units go one by one, by the least squares of all that are left.

    The curvature in a pre-activation is half the second difference of the loss,
    averaged over the labels that the network itself gives.
    """
    found = []
    layers = twin.layers()
    for layer in range(1, len(twin.weights)):
        a, V = layers[layer], twin.weights[layer]
        H = np.cov(a.T, aweights=twin.row_weights, ddof=0)
        alive = np.flatnonzero(np.diag(H) > 0.0)
        H = H[np.ix_(alive, alive)] + 0.01 * np.diag(H)[alive].mean() * np.eye(
            alive.size
        )
        V = V[alive] * np.sqrt(pre_activation_curvature(twin, layer))
        rises, left, before, most = (
            np.zeros(len(a.T)),
            list(range(alive.size)),
            0.0,
            0.0,
        )
        while left:
            costs = []
            for unit in left:
                gone = [u for u in range(alive.size) if u == unit or u not in left]
                rest = [u for u in left if u != unit]
                # min over v, zero on `gone`, of (v - V)' H (v - V) / 2
                schur = H[np.ix_(gone, gone)]
                if rest:
                    cross = H[np.ix_(gone, rest)]
                    inner = np.linalg.solve(H[np.ix_(rest, rest)], cross.T)
                    schur = schur - cross @ inner
                costs.append(0.5 * np.sum(V[gone] * (schur @ V[gone])))
            best = int(np.argmin(costs))
            most = max(most, costs[best] - before)
            before = costs[best]
            rises[alive[left.pop(best)]] = most
        found.append(rises)
    return found


def pre_activation_curvature(twin, layer):
    """Mean diagonal of the Gauss-Newton matrix in the pre-activations of a layer."""
    z = twin.layers()[layer] @ twin.weights[layer] + twin.biases[layer]

    def logits(z):
        for w, b, act in zip(
            twin.weights[layer + 1 :],
            twin.biases[layer + 1 :],
            twin.activations[layer:],
        ):
            z = TWIN_ACTIVATIONS[act](z) @ w + b
        return z

    p = TWIN_ACTIVATIONS[twin.activations[-1]](logits(z))
    total = np.zeros(z.shape[1])
    for unit in range(z.shape[1]):
        step = np.zeros(z.shape[1])
        step[unit] = 1e-6
        J = (logits(z + step) - logits(z - step)) / 2e-6
        if twin.activations[-1] == "softmax":
            squares = (p * J**2).sum(axis=1) - (p * J).sum(axis=1) ** 2
        elif twin.activations[-1] == "logistic":
            squares = (p * (1.0 - p) * J**2).sum(axis=1)
        else:
            squares = (J**2).sum(axis=1)
        total[unit] = twin.mean(squares)
    return total


def covariances(twin, a, z):
    """Of each column of `a` with each of `z`."""
    return np.array(
        [
            [twin.mean((x - twin.mean(x)) * (out - twin.mean(out))) for out in z.T]
            for x in a.T
        ]
    )


# (criterion, granularity) -> importances, each as its definition has it.
SCORES = {
    ("entropy", "neuron"): lambda t: [
        h * v for h, v in zip(entropies(t), t.outgoing())
    ],
    ("raw-entropy", "neuron"): entropies,
    ("obd", "element"): gauss_newton_losses,
    ("obd", "neuron"): lambda t: sums_over_units(gauss_newton_losses(t)),
    ("obd", "feature"): lambda t: [gauss_newton_losses(t)[0].sum(axis=1)],
    ("obs", "element"): lambda t: [
        lamp_scores(np.sqrt(loss)) for loss in surgeon_losses(t)
    ],
    ("obs", "neuron"): unit_surgeon_rises,
    ("obs", "feature"): lambda t: [surgeon_losses(t)[0].sum(axis=1)],
    ("taylor", "element"): taylor_weights,
    ("taylor", "neuron"): lambda t: taylor_inputs(t)[1:],
    ("taylor", "feature"): lambda t: taylor_inputs(t)[:1],
    ("magnitude", "element"): lambda t: [abs(w) for w in t.weights],
    ("magnitude", "neuron"): lambda t: [
        over_mean(np.sqrt((w**2).sum(axis=0)) * v)
        for w, v in zip(t.weights, t.outgoing())
    ],
    ("lamp", "element"): lambda t: [lamp_scores(w) for w in t.weights],
    ("wanda", "element"): lambda t: [
        abs(w) * np.sqrt(t.mean(a**2))[:, None] for w, a in zip(t.weights, t.layers())
    ],
    ("pratt", "element"): lambda t: [
        abs(w * covariances(t, a, a @ w)) for w, a in zip(t.weights, t.layers())
    ],
    ("signal", "neuron"): lambda t: [
        spread(t, a) * v for a, v in zip(t.layers()[1:-1], t.outgoing())
    ],
    ("signal", "feature"): lambda t: [
        spread(t, t.X) * np.sqrt((t.weights[0] ** 2).sum(axis=1))
    ],
    ("apoz", "neuron"): lambda t: [
        t.mean(np.where(a > 0, 1.0, 0.0)) for a in t.layers()[1:-1]
    ],
}


# -- least squares on masks --------------------------------------------------


def masked_ridge(a, residuals, masks, ridge, weights):
    """Weighted ridge regressions, an output at a time, each on inputs of its own.

    As ordinary least squares of rows times the roots of their weights, with a row
    more for each input.
    """
    delta = np.zeros(masks.shape)
    root = np.sqrt(weights)[:, None]
    for output, mask in enumerate(masks.T):
        rows = np.vstack([root * a[:, mask], np.diag(np.sqrt(ridge[mask]))])
        right = np.concatenate([root[:, 0] * residuals[:, output], 0 * ridge[mask]])
        delta[mask, output] = np.linalg.lstsq(rows, right, rcond=None)[0]
    return delta


def cross_validated_ridge(a, r, ridge, strengths, weights, *, centred, cost=1.4):
    """The ridge regression of the least generalized cross-validation error; its t.

    By the matrix that gives the fit to the rows.
    """
    root = np.sqrt(weights)
    b = root[:, None] * a
    n = np.count_nonzero(weights)
    best = np.inf, None, np.inf
    for t in sorted(strengths, reverse=True):
        solve = np.linalg.solve(b.T @ b + t * np.diag(ridge), b.T)
        degrees = np.trace(b @ solve) + centred
        if cost * degrees >= n:
            continue
        delta = solve @ (root * r)
        error = weights @ (r - a @ delta) ** 2 / (1.0 - cost * degrees / n) ** 2
        if error < best[0]:
            best = error, delta, t
    return best[1:]


# -- pruning: scores -----------------------------------------------------------


def naive_jackknife(statistic, n_rows, n_groups=10):
    """Standard error of a statistic of rows, from leaving out every tenth row."""
    without = [
        statistic(np.array([i for i in range(n_rows) if i % n_groups != left_out]))
        for left_out in range(n_groups)
    ]
    mean = sum(without) / n_groups
    return ((n_groups - 1) / n_groups * sum((r - mean) ** 2 for r in without)) ** 0.5


def largest_tails(mean, n, r, n_a=50000):
    """The largest P(X >= t), t = 0, ..., n, over r-concave X of mean n `mean`.

    Over the distributions f(i) ~ (a + i)^(1 / r), i <= k, with what makes the mean
    right at k + 1, if that is no more than the formula has there; all k, a grid of a.
    """
    best = np.zeros(n + 2)
    a = np.geomspace(1e-4, 1e6, n_a)[:, None]
    for k in range(n + 1):
        i = np.arange(k + 1)
        f = (1.0 + np.arange(k + 2) / a) ** (1.0 / r)
        f, more = f[:, :-1], f[:, -1]
        c = (k + 1.0 - n * mean) / np.sum((k + 1.0 - i) * f, axis=1)
        left = 1.0 - c * np.sum(f, axis=1)
        f = np.column_stack([c[:, None] * f, left])
        f = f[(left >= 0.0) & (left <= c * more)] if k < n else f[:0]
        tails = np.cumsum(f[:, ::-1], axis=1)[:, ::-1].max(axis=0, initial=0.0)
        best[: tails.size] = np.maximum(best[: tails.size], tails)
    return best[:-1]


def selections_on_path(coefs, spreads, q):
    """Which features are selected at each alpha of a path that ends with the first q.

    `coefs` (n_features, n_alphas); of those that enter at the same alpha, the largest
    in units of their `spreads` come first.
    """
    order, masks = [], np.zeros(coefs.shape, dtype=bool)
    for k, coef in enumerate(coefs.T):
        if len(order) == q < coef.size:
            masks[order, k] = True
            continue
        sizes = np.abs(coef) * spreads
        for j in sorted(np.flatnonzero(coef), key=lambda j: -sizes[j]):
            if j not in order and len(order) < q:
                order.append(j)
        if len(order) == q < coef.size:
            masks[order, k] = True
        else:
            masks[coef != 0.0, k] = True
    return masks


def information(criterion, deviance, degrees, n, most=0, m=0, gamma=1.0):
    """AIC, BIC or EBIC of a model, as textbooks have them; m of `most` are not zero."""
    if criterion == "aic":
        return deviance + 2 * degrees
    value = deviance + np.log(n) * degrees
    if criterion == "ebic":
        value += 2 * gamma * math.log(math.comb(most, min(m, most // 2)))
    return value


def gaussian_deviance(y, predicted, weights, noise_variance=None):
    """-2 log likelihood, at the noise variance or at the best for these residuals."""
    n = weights.sum()
    rss = weights @ (y - predicted) ** 2
    variance = rss / n if noise_variance is None else noise_variance
    return n * np.log(2 * np.pi * variance) + rss / variance


def slopes_of_means(means_of, y, step=1e-5):
    """Degrees of freedom by their definition: the sum of d mean_i / d y_i."""
    total = 0.0
    for i in range(y.size):
        ends = []
        for sign in (1, -1):
            moved = y.copy()
            moved[i] += sign * step
            ends.append(means_of(moved)[i])
        total += (ends[0] - ends[1]) / (2 * step)
    return total


# -- pruning: compact pipelines ------------------------------------------------


def columns_read(predict, X):
    """Numbers of the columns of X in which some other value changes a prediction."""
    wanted = predict(X)
    found = []
    for j in range(X.shape[1]):
        other = X.copy()
        other[:, j] = np.random.default_rng(j).permutation(X[:, j]) * 3.0 + 1.0
        if not np.array_equal(predict(other), wanted):
            found.append(j)
    return found
