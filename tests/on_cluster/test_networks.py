"""Networks learn on a cluster what they learn of the same chunks without one."""

import numpy as np


def test_a_cluster_learns_the_same(run_script):
    for here, there, kept, sent in run_script("learners_script.py")["networks"]:
        for one, two, three in zip(here, there, kept, strict=True):
            np.testing.assert_allclose(one, two, 1e-6, 1e-9)
            np.testing.assert_allclose(one, three, 1e-6, 1e-9)
        # Three epochs bring X here, each through the scheduler, so twice. Six other
        # rounds read it where it lies, but for chunks that go to a worker without work.
        assert 5.9 < sent < 10.0
