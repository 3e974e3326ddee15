"""Pruning in steps: how much is left after each, and which epochs follow it."""

import numpy as np

__all__ = ["SCHEDULES", "counts_of", "rates_of"]

# Share of the steps done -> share of the way done; "geometric" in logarithms.
SCHEDULES = {
    "one-shot": None,
    "geometric": lambda done: done,
    "cubic": lambda done: 1.0 - (1.0 - done) ** 3,
}


def counts_of(schedule, n_steps, n_parts, n_kept):
    r"""How many parts are kept after each step but the last.

    Of n parts m are kept in the end. After the share t of the steps "cubic" keeps

    .. math:: n - (n - m) (1 - (1 - t)^3)

    (Zhu and Gupta, 2017), a callable f of t in [0, 1] ``n - (n - m) f(t)``, and
    "geometric", the same share of what is left at each step, ``n (m / n)^t``.
    """
    if schedule == "one-shot":
        return []
    share = schedule if callable(schedule) else SCHEDULES[schedule]
    done = np.arange(1, n_steps) / n_steps
    if schedule == "geometric":
        counts = n_parts * (max(n_kept, 1) / n_parts) ** done
    else:
        way = np.array([float(share(float(t))) for t in done])
        if not ((way >= 0.0) & (way <= 1.0)).all():
            raise ValueError(
                "schedule gives the share of the way done, from 0 to 1; at "
                f"{done.tolist()} it gave {way.tolist()}."
            )
        counts = n_parts - (n_parts - n_kept) * way
    return [round(count) for count in counts]


def rates_of(n_epochs, n_steps):
    """Factors of the learning rate, one an epoch, of the epochs after each step.

    A third of the epochs, or more, follow the last step: what is lost there is not
    regained elsewhere. In these the rate falls to zero; before it stays.
    """
    last = n_epochs if n_steps == 1 else -(-n_epochs // 3)
    ends = np.round(np.linspace(0, n_epochs - last, n_steps)).astype(int)
    steady = [np.ones(size) for size in np.diff(ends)]
    return [*steady, 1.0 - np.arange(last) / max(last, 1)]
