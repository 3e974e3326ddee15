"""Tests with a real cluster, or other processes: apart, and with a time limit.

A cluster is never started by pytest itself: a script beside this file starts it, and
hands back what it found in a file (see `cluster.py`). When a script is through, is too
slow, or its test is interrupted, its whole group of processes is killed.
"""

import contextlib
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import sparselearn

collect_ignore_glob = ["cluster.py", "wire.py", "*_script.py", "*_checks.py"]
HERE = Path(__file__).parent
TIME_LIMIT = 300.0  # seconds: ten times what a script takes that has nothing to compile


class Found(dict):
    """What a script's checks returned, by name; one that failed raises its error."""

    def __getitem__(self, name):
        ok, value = super().__getitem__(name)
        assert ok, f"{name} failed in the script:\n{value}"
        return value


class Script:
    """A running script.

    Parameters
    ----------
    name : str
        Of a file in this folder.
    folder : Path
        An empty one for its results, its output and the scratch of its workers.
    *args : str
        For the script, after the folder.
    time_limit : float
    """

    def __init__(self, name, folder, *args, time_limit=TIME_LIMIT):
        self.folder, self.time_limit = folder, time_limit
        self.log = folder / "output.txt"
        environment = dict(os.environ)
        for variable in ("PYTHONWARNINGS", "PYTHONDEVMODE", "COVERAGE_PROCESS_START"):
            environment.pop(variable, None)
        package = Path(sparselearn.__file__).parents[1]
        old = os.environ.get("PYTHONPATH")
        paths = [str(HERE), str(package), *([old] if old else [])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        # When nobody kills it, because pytest was killed, it ends itself.
        environment["CHECKS_TIME_LIMIT"] = str(time_limit)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / name), str(folder), *args],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=folder,
                start_new_session=True,  # a group of its own, which can be killed
            )

    def output(self):
        """The end of what it and its workers printed."""
        return self.log.read_text(errors="replace")[-5000:]

    def wait(self):
        """Wait for its end; return the exit code. AssertionError if it is too slow."""
        try:
            return self.process.wait(self.time_limit)
        except subprocess.TimeoutExpired:
            self.kill()
            message = f"not through after {self.time_limit} s:\n{self.output()}"
            raise AssertionError(message) from None

    def found(self):
        """Wait for its end, which must be a good one; return what it found."""
        code = self.wait()
        assert code == 0, f"the script ended with {code}:\n{self.output()}"
        return Found(pickle.loads((self.folder / "found.pickle").read_bytes()))

    def group(self):
        """Ids of the processes of its group that run still."""
        running = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                # pid (name) state parent group ...; the name may have spaces
                state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
                if int(group) == self.process.pid and state not in "ZX":
                    running.append(int(stat.parent.name))
        return running

    def kill(self):
        """Kill it and all processes that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def _skip_unless_scripts_run(cluster):
    if cluster:
        pytest.importorskip("distributed")
    if not hasattr(os, "killpg"):
        pytest.skip("processes are not killed in groups here")


@pytest.fixture
def start_script(tmp_path):
    """``start_script(name, *args)``: a `Script` of this test, killed at its end."""
    _skip_unless_scripts_run(cluster=True)
    scripts = []

    def start(name, *args, **options):
        folder = tmp_path / str(len(scripts))
        folder.mkdir()
        scripts.append(Script(name, folder, *args, **options))
        return scripts[-1]

    yield start
    for script in scripts:
        script.kill()


@pytest.fixture(scope="session")
def run_script(tmp_path_factory):
    """``run_script(name)``: what the checks of a script found, which is run once.

    Once for all tests and all processes of pytest-xdist, of which the first to ask runs
    it and the others wait. ``cluster=False`` says that it needs no dask.
    """
    fcntl = pytest.importorskip("fcntl")
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent

    def run(name, *args, cluster=True, **options):
        _skip_unless_scripts_run(cluster)
        folder = base / "-".join([Path(name).stem, *args])
        folder.mkdir(exist_ok=True)
        with (folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            result = folder / "result.pickle"
            if not result.exists():
                script = Script(name, folder, *args, **options)
                try:
                    told = dict.copy(script.found()), None
                except AssertionError as error:
                    told = None, str(error)
                finally:
                    script.kill()
                result.write_bytes(pickle.dumps(told))
        found, error = pickle.loads(result.read_bytes())
        assert error is None, error
        return Found(found)

    return run


@pytest.fixture(scope="session")
def assert_same():
    """``assert_same(one, other)``: what fits found is equal, but for times."""
    return _assert_same


def _assert_same(one, other, *, rtol=0.0):
    """The same bits, unless `rtol` is given."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, dict):
            _assert_same(value, other[name], rtol=rtol)
        elif "time" in name:
            continue
        elif hasattr(value, "toarray"):
            np.testing.assert_array_equal(value.toarray(), other[name].toarray(), name)
        elif rtol and getattr(value, "dtype", None) == np.float64:
            np.testing.assert_allclose(value, other[name], rtol=rtol, err_msg=name)
        else:
            np.testing.assert_equal(value, other[name], name)
