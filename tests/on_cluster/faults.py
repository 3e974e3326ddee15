"""For the scripts of this folder: rows that wait where they are read, and a killer.

What happens in another process is known by files: none is guessed from a time.
"""

import contextlib
import itertools
import os
import signal
import threading
import time

import psutil

__all__ = [
    "Gate",
    "hear_interrupts",
    "idle",
    "interrupting",
    "killing",
    "meanwhile",
    "soon",
]

LIMIT = 60.0  # seconds


def soon(condition, what):
    """Wait for `condition()`, and return what it gives; TimeoutError if it is slow."""
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {LIMIT} s: {what}")
        time.sleep(0.02)
    return found


class Gate:
    """Holds up some of the tasks that come to it, until they are let through.

    Parameters
    ----------
    folder : Path
        A new one, where each task that comes leaves a file.
    n_held : int
        How many tasks are held up; later ones pass.
    n_free : int
        How many pass before these.
    """

    def __init__(self, folder, n_held, n_free=0):
        self.folder, self.n_held, self.n_free = folder, n_held, n_free
        folder.mkdir()

    def __call__(self, block):
        """The block; called by tasks."""
        number = self._arrive()
        if self.n_free <= number < self.n_free + self.n_held:
            soon(self._opened.exists, "the gate was opened")
        return block

    def _arrive(self):
        """The number of a task that comes."""
        for number in itertools.count():
            try:
                file = os.open(
                    self._arrival(number), os.O_CREAT | os.O_EXCL | os.O_RDWR
                )
            except FileExistsError:
                continue
            os.write(file, f"{os.getpid()}\n".encode())
            os.close(file)
            return number

    def wait(self, held=0):
        """Wait for a task to be held up; return the id of its process."""
        file = self._arrival(self.n_free + held)
        soon(lambda: file.exists() and file.read_text().endswith("\n"), file)
        return int(file.read_text())

    def open(self):
        """Let all tasks through."""
        self._opened.touch()

    def n_arrived(self):
        """How many tasks have come."""
        return len(list(self.folder.glob("arrival-*")))

    def _arrival(self, number):
        return self.folder / f"arrival-{number}"

    @property
    def _opened(self):
        return self.folder / "opened"


@contextlib.contextmanager
def meanwhile(function, *args):
    """Call a function in a thread; its error is raised at the end."""
    errors = []

    def call():
        try:
            function(*args)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if errors:
        raise errors[0]


def kill(pid):
    """End a process that this script started, and wait for its end."""
    victim = psutil.Process(pid)
    assert psutil.Process() in victim.parents()
    victim.kill()
    # Not `victim.wait()`: how it ended is for its nanny to hear.
    soon(lambda: not _runs(victim), "the process is gone")


def _runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def killing(gate, victim=None):
    """Kill, meanwhile, each worker that is held up at a gate; or instead `victim`."""

    def killer():
        for held in range(gate.n_held):
            pid = gate.wait(held)
            kill(pid if victim is None else victim)
        gate.open()

    return meanwhile(killer)


def hear_interrupts():
    """Let Ctrl-C reach this script where the tests are a job in the background.

    A shell that has no job control starts these with SIGINT ignored, and so their
    children.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupting(gate):
    """Press Ctrl-C, meanwhile, when all that a gate holds up are there."""

    def interrupt():
        for held in range(gate.n_held):
            gate.wait(held)
        os.kill(os.getpid(), signal.SIGINT)

    return meanwhile(interrupt)


def idle(client):
    """Wait until there is nothing to do, but for tasks that are held up."""
    soon(lambda: client.run_on_scheduler(_n_tasks) == 0, "the scheduler is idle")
    # It has told the workers before it answers; what comes now is heard after that.
    soon(lambda: not any(client.run(_n_ready).values()), "workers are idle")


def _n_tasks(dask_scheduler):
    states = [task.state for task in dask_scheduler.tasks.values()]
    return len(states) - states.count("memory") - states.count("released")


def _n_ready(dask_worker):
    return len(dask_worker.state.ready)
