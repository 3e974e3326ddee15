"""What learns from rows that workers make, one after the other on one cluster.

See `test_dictionary.py`, `test_kmeans.py`, `test_networks.py` and, for the harness by
which they are told apart, `test_harness.py`.
"""

from cluster import run_checks
from dictionary_checks import online
from harness_script import fails, processes
from kmeans_checks import kmeans
from networks_checks import networks

if __name__ == "__main__":
    run_checks(processes, fails, online, kmeans, networks)
