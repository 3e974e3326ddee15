"""PyTorch on the CPU, as its users write networks: eager mode, autograd, Adam.

Batches are slices of one tensor: no DataLoader.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

DISTRIBUTION = "torch"


def _model(problem):
    layers, place = [], 0
    values = torch.from_numpy(problem.values)
    for m, n in zip(problem.sizes, problem.sizes[1:]):
        layer = nn.Linear(m, n)
        with torch.no_grad():
            layer.weight.copy_(values[place : place + m * n].reshape(m, n).T)
            place += m * n
            layer.bias.copy_(values[place : place + n])
            place += n
        layers.append(layer)
    return nn.ModuleList(layers)


def _objective(model, problem, rows, labels):
    code, values = None, rows
    for number, (layer, name) in enumerate(zip(model, problem.activations)):
        values = layer(values)
        if number + 1 < len(model):
            values = getattr(torch, name)(values)
        if number == problem.code:
            code = values
    if problem.activations[-1] == "softmax":
        return functional.cross_entropy(values, labels)
    loss = functional.binary_cross_entropy_with_logits(values, rows, reduction="sum")
    loss = loss / len(rows)
    if code is not None:
        mean, target = code.mean(0).clamp(1e-6, 1.0 - 1e-6), problem.target
        divergence = target * torch.log(target / mean)
        rest = (1.0 - target) * torch.log((1.0 - target) / (1.0 - mean))
        loss = loss + problem.alpha * (divergence + rest).sum()
    return loss


def train(problem, n_epochs, n_threads, fused):
    torch.set_num_threads(n_threads)
    model = _model(problem)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y.astype(np.int64))
    more = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=problem.rate, **more)
    size = problem.batch_size
    for _ in range(n_epochs):
        for start in range(0, len(X), size):
            optimizer.zero_grad()
            part = slice(start, start + size)
            _objective(model, problem, X[part], y[part]).backward()
            optimizer.step()
    parts = []
    for layer in model:
        parts += [layer.weight.detach().T.reshape(-1), layer.bias.detach()]
    return torch.cat(parts).numpy()[:, None]


def topk(problem, n_jobs, variant, n_rows=None):
    """A top-k autoencoder; `variant` names the optimiser, and "bag" the sparse decoder.

    The decoder is a dense product with scattered codes, or an `embedding_bag`.
    """
    torch.set_num_threads(n_jobs)
    k, size = problem.n_nonzero_coefs, problem.batch_size
    rows = torch.from_numpy(problem.X[:n_rows])
    atoms = torch.from_numpy(problem.atoms)
    encoder = torch.nn.Parameter(atoms.clone())
    decoder = torch.nn.Parameter(atoms.clone())
    bias = torch.nn.Parameter(torch.zeros(len(atoms)))
    output_bias = torch.nn.Parameter(torch.zeros(rows.shape[1]))
    parameters = [encoder, decoder, bias, output_bias]
    fused = "fused" in variant
    optimizer = torch.optim.Adam(parameters, lr=problem.rate, fused=fused)
    for start in range(0, len(rows), size):
        batch = rows[start : start + size]
        p = torch.addmm(bias, batch, encoder.T)
        values, places = p.topk(k, dim=1, sorted=False)
        values = torch.relu(values)
        if "bag" in variant:
            found = torch.nn.functional.embedding_bag(
                places, decoder, per_sample_weights=values, mode="sum"
            )
        else:
            found = torch.zeros_like(p).scatter(1, places, values) @ decoder
        loss = 0.5 * (found + output_bias - batch).square().sum(dim=1).mean()
        optimizer.zero_grad()
        loss.backward()
        with torch.no_grad():
            slope = decoder.grad
            slope -= (slope * decoder).sum(dim=1, keepdim=True) * decoder
        optimizer.step()
        with torch.no_grad():
            decoder /= decoder.norm(dim=1, keepdim=True)
    parts = [decoder, encoder, bias[:, None]]
    parts = [part.detach().numpy() for part in parts]
    return np.hstack(parts), output_bias.detach().numpy()
