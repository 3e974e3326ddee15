"""Searches in processes and threads of joblib: no room for data, and Ctrl-C."""

import time


def test_searches_that_are_stopped(start_script):
    script = start_script("jobs_script.py")
    found = script.found()
    kind, said, searched = found["no folder"]
    assert (kind, searched) == ("NotADirectoryError", False)
    assert (
        f"JOBLIB_TEMP_FOLDER, a folder with room for them, is {script.folder}" in said
    )
    kind, said, searched = found["full"]
    assert (kind, searched) == ("OSError", False)
    assert "File too large" in said
    assert f"is {script.folder / 'small'}" in said
    # Of 6 fits 2 had begun, and of 12 items 2; BLAS has its threads again.
    assert found["processes"] == (2, True, False)
    assert found["threads"] == (2, True)
    deadline = time.monotonic() + 30
    while script.group() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert script.group() == []
