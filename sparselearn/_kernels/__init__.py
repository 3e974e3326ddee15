"""Compiled loops on arrays, scalars and specs; nothing here knows an estimator."""
