"""What optimisers remember, and the rule of their next step."""

import numpy as np

from sparselearn._kernels._adam import ADAM, SGD, Rule

__all__ = ["Adam", "FullBatch", "Momentum"]


class Adam:
    """Adam (Kingma and Ba, 2015) on one array of parameters, which it overwrites."""

    def __init__(self, values, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.values = values
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.first = np.zeros_like(values)
        self.second = np.zeros_like(values)
        self.n_steps = 0

    def next_rule(self, rate):
        """The rule of the next step, which is taken to be made.

        The means of gradients and of squares start at zero; divided by one less their
        factor's power they are unbiased, and these divisors go into rate and epsilon.
        """
        self.n_steps += 1
        number = self.values.dtype.type
        correction = np.sqrt(1.0 - self.beta_2**self.n_steps)
        rate = rate * correction / (1.0 - self.beta_1**self.n_steps)
        epsilon = self.epsilon * correction
        scalars = rate, 1.0 - self.beta_1, 1.0 - self.beta_2, epsilon
        return Rule(ADAM, *map(number, scalars))

    def state(self):
        """Copies of what it remembers."""
        return {
            "first": self.first.copy(),
            "second": self.second.copy(),
            "n_steps": self.n_steps,
        }

    def restore(self, state):
        """Go back to what `state` gave."""
        self.first[:] = state["first"]
        self.second[:] = state["second"]
        self.n_steps = state["n_steps"]


class Momentum:
    """Stochastic gradient descent with momentum, Nesterov's or plain."""

    def __init__(self, values, *, momentum=0.9, nesterov=True):
        self.values = values
        self.momentum, self.nesterov = momentum, nesterov
        self.first = np.zeros_like(values)
        self.second = np.zeros(0, dtype=values.dtype)

    def next_rule(self, rate):
        """The rule of the next step."""
        number = self.values.dtype.type
        scalars = rate, self.momentum, float(self.nesterov), 0.0
        return Rule(SGD, *map(number, scalars))

    def state(self):
        """A copy of what it remembers."""
        return {"first": self.first.copy()}

    def restore(self, state):
        """Go back to what `state` gave."""
        self.first[:] = state["first"]


class FullBatch:
    """No steps of its own: `_lbfgs.minimize` moves the parameters."""

    def __init__(self, values):
        self.values = values
        self.first = self.second = np.zeros(0, dtype=values.dtype)

    def state(self):
        """Nothing."""
        return {}

    def restore(self, state):
        """Nothing."""
