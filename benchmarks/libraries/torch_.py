"""PyTorch on the CPU, as its users write networks: eager mode, autograd, Adam."""

import numpy as np
import torch

DISTRIBUTION = "torch"


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
