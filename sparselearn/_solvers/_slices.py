"""Slices of rows, or of whatever else is worked on a part at a time."""

__all__ = ["slices"]


def slices(start, stop, size):
    """Slices of `size` that cover ``range(start, stop)``, the last one shorter."""
    return [slice(at, min(at + size, stop)) for at in range(start, stop, size)]
