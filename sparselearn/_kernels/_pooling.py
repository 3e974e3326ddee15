"""Codes of rows, summed or their largest taken over the rows of a cell.

Row i of the codes is in the cell `cells[i]`, a row of the output (n_cells, n_codes). A
sparse code is ``data[starts[i]:starts[i + 1]]`` at `indices`.
"""

from sparselearn._kernels._jit import kernel

__all__ = ["add_dense", "add_sparse", "largest_dense", "largest_sparse"]


@kernel
def add_dense(codes, cells, sums):
    """Add the `codes` (n_rows, n_codes) to the `sums` of their cells."""
    for i in range(codes.shape[0]):
        total = sums[cells[i]]
        for j in range(codes.shape[1]):
            total[j] += codes[i, j]


@kernel
def add_sparse(data, indices, starts, cells, sums):
    """The same for sparse codes."""
    for i in range(cells.shape[0]):
        total = sums[cells[i]]
        for k in range(starts[i], starts[i + 1]):
            total[indices[k]] += data[k]


@kernel
def largest_dense(codes, cells, largest):
    """Raise `largest` (-inf at first) to the `codes` of the cells."""
    for i in range(codes.shape[0]):
        top = largest[cells[i]]
        for j in range(codes.shape[1]):
            top[j] = max(top[j], codes[i, j])


@kernel
def largest_sparse(data, indices, starts, cells, largest, counts):
    """The same for sparse codes, of what they store; `counts` counts that.

    Where a cell has more rows than counted, 0 is among its codes too.
    """
    for i in range(cells.shape[0]):
        top, count = largest[cells[i]], counts[cells[i]]
        for k in range(starts[i], starts[i + 1]):
            j = indices[k]
            top[j] = max(top[j], data[k])
            count[j] += 1
