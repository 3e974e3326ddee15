r"""Feed-forward networks: layers, their gradient, and the learner of dense steps.

With a_0 = x, layer l gives, for weights W_l (n_in, n_out) and biases b_l,

.. math:: p_l = a_{l-1} W_l + b_l, \quad a_l = g_l(p_l),

and the last one the output. Back-propagation carries the derivative of the loss with
respect to p_l, here called delta_l, from the last layer to the first:

.. math:: \nabla_{W_l} = a_{l-1}^T \delta_l, \quad
          \delta_{l-1} = (\delta_l W_l^T) \odot g_{l-1}'(p_{l-1}).

All g here are such that their derivative is known from their value. The parameters
of a network lie in one array, so that an optimiser passes over them once.
"""

from typing import NamedTuple

import numpy as np

from sparselearn._solvers._training import Learner

__all__ = [
    "ACTIVATIONS",
    "Adam",
    "CodeLayer",
    "DenseLearner",
    "Network",
    "NetworkSpec",
    "glorot",
]


def _sigmoid(p):
    return 0.5 * (1.0 + np.tanh(0.5 * p))


# Name -> (value of p, derivative by value).
ACTIVATIONS = {
    "identity": (lambda p: p, lambda a: np.ones_like(a)),
    "relu": (lambda p: np.maximum(p, 0.0), lambda a: (a > 0.0).astype(a.dtype)),
    "sigmoid": (_sigmoid, lambda a: a * (1.0 - a)),
    "tanh": (np.tanh, lambda a: 1.0 - a * a),
}


class CodeLayer(NamedTuple):
    """Which layer is the code of an autoencoder, and what keeps it sparse.

    Attributes
    ----------
    index : int
        Of `NetworkSpec.activations`.
    penalty : {None, "kl", "l1"}
    alpha : float
        Weight of the penalty.
    target : float
        Mean activation that "kl" asks for.
    """

    index: int
    penalty: str | None = None
    alpha: float = 0.0
    target: float = 0.05


class NetworkSpec(NamedTuple):
    """What a network computes.

    Attributes
    ----------
    sizes : tuple of int
        Of the input and of every layer.
    activations : tuple of str
        Of every layer. The last: "identity", "sigmoid" or "softmax".
    loss : {"squared_error", "cross_entropy"}
        Of a row: half the sum of squared errors, or minus the log-likelihood of the
        targets under the last layer's sigmoids or softmax, from its logits.
    code : CodeLayer or None
    """

    sizes: tuple
    activations: tuple
    loss: str
    code: CodeLayer | None = None


class Network:
    """The parameters of a network, views of the one array `values`."""

    def __init__(self, sizes, dtype):
        self.sizes = tuple(sizes)
        pairs = list(zip(self.sizes, self.sizes[1:]))
        self.values = np.zeros(sum((m + 1) * n for m, n in pairs), dtype=dtype)
        self.weights, self.biases, place = [], [], 0
        for m, n in pairs:
            self.weights.append(self.values[place : place + m * n].reshape(m, n))
            self.biases.append(self.values[place + m * n : place + m * n + n])
            place += (m + 1) * n


def glorot(network, activations, random_state):
    """Random weights by Glorot and Bengio (2010); biases are zero."""
    for weights, name in zip(network.weights, activations):
        gain = 2.0 if name == "sigmoid" else 6.0
        bound = np.sqrt(gain / sum(weights.shape))
        weights[:] = random_state.uniform(-bound, bound, weights.shape)


class Adam:
    """Adam (Kingma and Ba, 2015) on one array of parameters, which it overwrites."""

    def __init__(self, values, *, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
        self.values = values
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon
        self.first = np.zeros_like(values)
        self.second = np.zeros_like(values)
        self.n_steps = 0

    def step(self, gradient, rate):
        self.n_steps += 1
        self.first += (1.0 - self.beta_1) * (gradient - self.first)
        self.second += (1.0 - self.beta_2) * (gradient * gradient - self.second)
        correction = np.sqrt(1.0 - self.beta_2**self.n_steps)
        rate = rate * correction / (1.0 - self.beta_1**self.n_steps)
        scale = np.sqrt(self.second) + self.epsilon * correction
        self.values -= rate * self.first / scale


class DenseLearner(Learner):
    """Adam on the gradient of a `NetworkSpec`, by back-propagation with dense codes."""

    def __init__(self, spec, network, optimizer, *, l2=0.0):
        self.spec = spec
        self.network = network
        self.optimizer = optimizer
        self.gradient = Network(network.sizes, network.values.dtype)
        self.l2 = l2

    def forward(self, rows):
        """The values of all layers; of the last one, before its activation."""
        layers = zip(self.network.weights, self.network.biases, self.spec.activations)
        found = []
        for weights, bias, name in layers:
            rows = rows @ weights + bias
            if len(found) + 1 < len(self.spec.activations):
                rows = ACTIVATIONS[name][0](rows)
            found.append(rows)
        return found

    def step(self, batch, rate, run):
        loss = self.loss_and_gradient(batch)
        self.optimizer.step(self.gradient.values, rate)
        return loss

    def loss_and_gradient(self, batch):
        """The loss of `batch`, summed; `gradient` becomes that of its mean."""
        values = self.forward(batch.rows)
        share = np.ones(len(batch.rows)) if batch.weights is None else batch.weights
        mass = share.sum()
        output = self._output(values[-1])
        delta = output - batch.targets
        losses = self._losses(values[-1], output, batch.targets)
        if self.spec.loss == "squared_error":
            delta = delta * ACTIVATIONS[self.spec.activations[-1]][1](output)
        delta = delta * (share / mass)[:, None].astype(delta.dtype)
        for layer in reversed(range(len(values))):
            below = batch.rows if layer == 0 else values[layer - 1]
            weights = self.network.weights[layer]
            np.matmul(below.T, delta, out=self.gradient.weights[layer])
            self.gradient.weights[layer] += self.l2 / mass * weights
            self.gradient.biases[layer][:] = delta.sum(axis=0)
            if layer:
                delta = delta @ weights.T
                if self.spec.code is not None and self.spec.code.index == layer - 1:
                    delta += self._penalty_slope(below, share / mass)
                delta *= ACTIVATIONS[self.spec.activations[layer - 1]][1](below)
        return float(share @ losses)

    def _output(self, logits):
        name = self.spec.activations[-1]
        if name == "softmax":
            shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
            return shifted / shifted.sum(axis=1, keepdims=True)
        return ACTIVATIONS[name][0](logits)

    def _losses(self, logits, output, targets):
        if self.spec.loss == "squared_error":
            return 0.5 * ((output - targets) ** 2).sum(axis=1)
        if self.spec.activations[-1] == "softmax":
            top = logits.max(axis=1, keepdims=True)
            logs = logits - top - np.log(np.exp(logits - top).sum(1, keepdims=True))
            return -(targets * logs).sum(axis=1)
        # Minus the log-likelihood, without the logarithm of a rounded sigmoid.
        high = np.maximum(logits, 0.0) + np.log1p(np.exp(-np.abs(logits)))
        return (high - logits * targets).sum(axis=1)

    def _penalty_slope(self, codes, share):
        """The derivative of the penalty of the batch with respect to its codes."""
        code = self.spec.code
        if code.penalty is None:
            return 0.0
        if code.penalty == "l1":
            slope = code.alpha * np.sign(codes)
        else:
            mean = np.clip(share @ codes, 1e-6, 1.0 - 1e-6)
            target = code.target
            slope = code.alpha * ((1.0 - target) / (1.0 - mean) - target / mean)
        return (slope * share[:, None]).astype(codes.dtype)

    def state(self):
        """All that training goes on from."""
        optimizer = self.optimizer
        return {
            "values": self.network.values.copy(),
            "first": optimizer.first.copy(),
            "second": optimizer.second.copy(),
            "n_steps": optimizer.n_steps,
        }

    def restore(self, state):
        """Go back to what `state` gave."""
        self.network.values[:] = state["values"]
        self.optimizer.first[:] = state["first"]
        self.optimizer.second[:] = state["second"]
        self.optimizer.n_steps = state["n_steps"]
