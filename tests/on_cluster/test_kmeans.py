"""K-means learns on a cluster what it learns here, and rows stay there."""

import numpy as np


def test_rounds_of_kmeans(run_script):
    found = run_script("learners_script.py")["kmeans"]
    alone, there, held, sent, score, labels = found
    for mine, theirs in zip(alone, there):
        for name, value in mine.items():
            np.testing.assert_allclose(value, theirs[name], 1e-9, 1e-12, err_msg=name)
    for name, value in alone[0].items():
        np.testing.assert_allclose(value, held[name], 1e-9, 1e-12, err_msg=name)
    np.testing.assert_allclose(score, -alone[0]["inertia_"], rtol=1e-9)
    np.testing.assert_array_equal(np.bincount(labels), alone[0]["counts_"])
    # What passes send does not grow with the rows; the start draws half of these.
    assert sent < 1.0
