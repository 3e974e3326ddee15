"""An online dictionary learns on a cluster what it learns here, and rows stay there."""

import numpy as np


def test_rounds_of_an_online_dictionary(run_script):
    alone, there, held, sent, score = run_script("learners_script.py")["online"]
    for name, value in alone.items():
        np.testing.assert_allclose(value, there[name], 1e-9, 1e-12, err_msg=name)
        np.testing.assert_allclose(value, held[name], 1e-9, 1e-12, err_msg=name)
    assert alone["n_replaced_"] > 0
    np.testing.assert_allclose(score, alone["explained_variance_"], rtol=1e-12)
    # Six times all rows are read, where they lie but for a chunk now and then that goes
    # to a worker without work, and but for those that become atoms.
    assert sent < 2.0
