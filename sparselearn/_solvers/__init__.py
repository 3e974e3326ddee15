"""Arrays in, results out: stopping, working sets, certificates; no estimators."""
