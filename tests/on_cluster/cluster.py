"""For the scripts of this folder: a cluster of two processes, and checks that use it.

A script is ``python NAME_script.py FOLDER ...``::

    from cluster import run_checks

    def some_check(client):
        return ...  # anything that pickles

    if __name__ == "__main__":  # workers import the script too
        run_checks(some_check)
"""

import contextlib
import faulthandler
import logging
import os
import pickle
import sys
import traceback
from pathlib import Path

__all__ = ["local_cluster", "run_checks", "write_found"]


@contextlib.contextmanager
def local_cluster(n_workers=2):
    """Give a client of `n_workers` processes of one thread on the loopback interface.

    ``client.cluster`` is the cluster. Nothing listens but the scheduler and the workers
    on ports of the system's choice; scratch is in the folder of the results.
    """
    import dask
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    options = {
        "distributed.comm.timeouts.connect": "60s",
        "distributed.comm.timeouts.tcp": "60s",
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.scheduler.allowed-failures": 3,
        # A nanny whose worker is not back by then is closed: with both gone, tasks
        # wait for ever, and a worker takes longer to start than one thinks.
        "distributed.deploy.lost-worker-timeout": "10m",
        "distributed.logging.distributed": "critical",  # in workers as well
    }
    with (
        dask.config.set(options),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            worker_dashboard_address=None,
            memory_limit=None,  # no worker is paused or killed for what others use
            silence_logs=logging.CRITICAL,
            local_directory=str(Path(sys.argv[1], "scratch")),
        ) as cluster,
        Client(cluster, timeout="60s") as client,
    ):
        client.wait_for_workers(n_workers, timeout=60)
        yield client


def write_found(found):
    """Hand `found` back; a file that is there is complete."""
    path = Path(sys.argv[1], "found.pickle")
    draft = path.with_suffix(".draft")
    draft.write_bytes(pickle.dumps(found))
    draft.replace(path)


def run_checks(*checks, cluster=True):
    """Call each of `checks` with the client of one cluster, and hand back the results.

    Of one that raises, the traceback; the others are called all the same. Without a
    cluster, None stands for the client.
    """
    # Shows where it hangs, and ends it before the test has to.
    limit = float(os.environ.get("CHECKS_TIME_LIMIT", "300"))
    faulthandler.dump_traceback_later(0.9 * limit, exit=True)
    found = {}
    with local_cluster() if cluster else contextlib.nullcontext() as client:
        for check in checks:
            try:
                found[check.__name__] = True, check(client)
            except Exception:
                found[check.__name__] = False, traceback.format_exc()
        write_found(found)
    faulthandler.cancel_dump_traceback_later()
