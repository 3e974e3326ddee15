"""Networks whose codes or weights are sparse."""

__all__ = []
