"""Slow, obvious twins of the kernels and solvers, in plain numpy."""
