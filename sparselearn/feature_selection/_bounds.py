r"""The expected number of features that are stable by chance: bounds on it.

A fit to half of the rows selects q of p features on average; `n_pairs` = B times two
fits are made, to both halves of a split. Of a feature that such a fit selects with a
probability of at most :math:`\theta = q / p`, the share of the 2 B fits that select it
has a mean of at most :math:`\theta`, and the share of the B pairs of which *both*
select it, by independence, one of at most :math:`\theta^2`. The first share reaches
:math:`\tau` only if the second reaches :math:`2 \tau - 1`, so each bound here is one
of the tail of a distribution on a grid whose mean is known, p times.
"""

from numbers import Integral, Real

import numpy as np

from sparselearn._compat import Interval, StrOptions, validate_params

__all__ = [
    "ASSUMPTIONS",
    "false_positive_bound",
    "largest_number",
    "lowest_threshold",
    "rounded_up",
]

ASSUMPTIONS = ("none", "unimodal", "r-concave")
# Exponents r that Shah and Samworth recommend for the share of pairs and of fits.
R_PAIRS, R_FITS = -0.5, -0.25
# What a search over a in `_tail` begins with: nearly a point mass, nearly uniform.
LEAST_A, LARGEST_A = 1e-9, 1e9


@validate_params(
    {
        "n_selected": [Interval(Real, 0, None, closed="left")],
        "n_features": [Interval(Integral, 1, None, closed="left")],
        "threshold": [Interval(Real, 0.5, 1, closed="right")],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "assumption": [StrOptions(set(ASSUMPTIONS))],
    },
    prefer_skip_nested_validation=True,
)
def false_positive_bound(
    n_selected, n_features, *, threshold=0.75, n_pairs=50, assumption="none"
):
    r"""The most features that stability selection is expected to find by chance.

    That is, features which one fit to half of the rows selects no more often than one
    picked at random, with probability :math:`\theta = q / p` at most. With
    :math:`\tau` the threshold, rounded up to a multiple of :math:`1 / (2 B)` as shares
    of 2 B fits are, their expected number is at most

    .. math::
        \frac{q \theta}{2 \tau - 1}, \quad
        \frac{q \theta}{2 (2 \tau - 1 - 1 / (2 B))}, \quad
        \frac{4 (1 - \tau + 1 / (2 B))}{1 + 1 / B} q \theta:

    the first always; the second up to :math:`\tau = 3 / 4` and the third above, if the
    share of the pairs both of whose fits select a feature has a unimodal distribution
    (for :math:`\theta \le 1 / \sqrt 3`, and :math:`\tau` above
    :math:`1/2 + \min(\theta^2, 1 / (2 B) + 3 \theta^2 / 4)`). If that distribution f
    is r-concave, :math:`f^r` convex, with r = -1/2, and that of the share of all fits
    with r = -1/4, the bound is p times the smaller of the largest tails that such
    distributions have, found numerically. Each assumption implies the one before.

    Parameters
    ----------
    n_selected : float
        q, the number of features that a fit selects, on average.
    n_features : int
        p.
    threshold : float in (0.5, 1], default=0.75
        :math:`\tau`.
    n_pairs : int, default=50
        B.
    assumption : {"none", "unimodal", "r-concave"}, default="none"
        What is taken for granted of the distributions of a chance feature's shares.

    Returns
    -------
    bound : float
        At most `n_features`.

    References
    ----------
    R. D. Shah, R. J. Samworth, "Variable selection with error control: another look at
    stability selection", JRSS B 75, 2013, Theorems 1 and 2, Section 3.3 and Appendix A.

    Examples
    --------
    >>> from sparselearn.feature_selection import false_positive_bound
    >>> [round(false_positive_bound(10, 100, threshold=0.6, assumption=a), 2)
    ...  for a in ("none", "unimodal", "r-concave")]
    [5.0, 2.63, 1.14]
    """
    return _bound(n_selected, n_features, threshold, n_pairs, assumption)


def _bound(q, p, threshold, n_pairs, assumption):
    theta = min(q / p, 1.0)
    n_hits = _hits(threshold, n_pairs)
    tau = n_hits / (2 * n_pairs)
    bound = min(q * theta / (2.0 * tau - 1.0), p)
    if assumption != "none":
        bound = min(bound, q * theta * _unimodal(theta, tau, n_pairs))
    if assumption == "r-concave" and theta > 0.0:
        both = _tail(theta**2, n_hits - n_pairs, n_pairs, R_PAIRS)
        any_ = _tail(theta, n_hits, 2 * n_pairs, R_FITS)
        bound = min(bound, p * both, p * any_)
    return float(bound)


def _hits(threshold, n_pairs):
    """In how many of the fits a feature has to be selected to reach `threshold`."""
    # A threshold such as 0.30000000000000004 is not to ask for one more.
    return max(int(np.ceil(2 * n_pairs * threshold - 1e-9)), n_pairs + 1)


def rounded_up(threshold, n_pairs):
    """The smallest share of 2 `n_pairs` fits that is not below `threshold`."""
    return _hits(threshold, n_pairs) / (2 * n_pairs)


def _unimodal(theta, tau, n_pairs):
    """What q theta is multiplied by if the share of pairs is unimodal; or inf."""
    step = 0.5 / n_pairs
    least = 0.5 + min(theta**2, step + 0.75 * theta**2)
    if theta > 1.0 / np.sqrt(3.0) or not tau > max(least, 0.5 + step):
        return np.inf
    if tau <= 0.75:
        return 0.5 / (2.0 * tau - 1.0 - step)
    return 4.0 * (1.0 - tau + step) / (1.0 + 2.0 * step)


def _tail(mean, t, n, r):
    r"""The largest P(X >= t / n) over r-concave X on 0, 1/n, ..., 1 with E X <= `mean`.

    With r < 0, g = f^r is convex in i = n X, and so it is linear at the optimum: f(i)
    is proportional to (a + i)^s, s = 1 / r, for i = 0, ..., k, and what is left, which
    is at most what the formula says, is at k + 1. Let c be the factor. That all is 1,
    and the mean m = n `mean`, gives

        c sum_{i <= k} (k + 1 - i) (a + i)^s = k + 1 - m,

    and the tail is 1 - c sum_{i < t} (a + i)^s. Where the formula says just what is at
    k + 1, all is the family of k + 1 with nothing beyond; so for each k, a goes from
    the a that gives 0, ..., k + 1 the mean m up to the one that gives it to 0, ..., k,
    and the tail's maximum over k and a is sought in all of these intervals at once.
    """
    m = n * mean
    first = int(np.floor(2.0 * m)) + 1  # a uniform distribution on 0, ..., k reaches m
    if t < first or first > n:
        return 1.0
    ks = np.arange(first, n + 1)
    i = np.arange(n + 1)
    inside = i <= ks[:, None]

    def masses(a):
        # Relative to that at 0, lest powers of small numbers overflow.
        return np.where(inside, (1.0 + i / a[:, None]) ** (1.0 / r), 0.0)

    low, high = np.full(ks.size, np.log(LEAST_A)), np.full(ks.size, np.log(LARGEST_A))
    for _ in range(60):
        middle = 0.5 * (low + high)
        f = masses(np.exp(middle))
        less = f @ i < m * f.sum(axis=1)
        low, high = np.where(less, middle, low), np.where(less, high, middle)
    ends = 0.5 * (low + high)

    def tails(log_a, k):
        f = (1.0 + i / np.exp(log_a)[..., None]) ** (1.0 / r)
        c = (k + 1.0 - m) / (f * np.maximum(k[:, None] + 1.0 - i, 0.0)).sum(axis=-1)
        return 1.0 - c * f[..., :t].sum(axis=-1)

    # k + 1 <= n; the family of k = n has nothing beyond.
    best = tails(ends, ks)[ks >= t].max(initial=0.0)
    low, high, k = ends[1:].copy(), ends[:-1].copy(), ks[:-1]
    chosen = k + 1 >= t
    low, high, k = low[chosen], high[chosen], k[chosen]
    if not k.size:
        return float(best)
    shares = np.linspace(0.0, 1.0, 17)[:, None]
    for _ in range(6):
        places = low + shares * (high - low)
        found = tails(places, k)
        at = found.argmax(axis=0)
        best = max(best, found.max())
        columns = np.arange(k.size)
        low = places[np.maximum(at - 1, 0), columns]
        high = places[np.minimum(at + 1, 16), columns]
    return float(min(max(best, 0.0), 1.0))


def largest_number(bound, n_features, threshold, n_pairs, assumption):
    """The largest n_selected whose bound is at most `bound`, or 1 if none is."""
    low, high = 1, n_features
    while low < high:
        middle = (low + high + 1) // 2
        fits = _bound(middle, n_features, threshold, n_pairs, assumption) <= bound
        low, high = (middle, high) if fits else (low, middle - 1)
    return low


def lowest_threshold(bound, n_selected, n_features, n_pairs, assumption):
    """The lowest threshold at which the bound is at most `bound`, or None."""
    low, high = n_pairs + 1, 2 * n_pairs + 1
    while low < high:
        middle = (low + high) // 2
        tau = middle / (2 * n_pairs)
        fits = _bound(n_selected, n_features, tau, n_pairs, assumption) <= bound
        low, high = (low, middle) if fits else (middle + 1, high)
    return None if low > 2 * n_pairs else low / (2 * n_pairs)
