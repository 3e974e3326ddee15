"""``python -m sparselearn``: the sparsity report of a table, or of the digits."""

import argparse
import importlib.util
import os
import shlex
import sys

__all__ = ["main"]

NEEDED = ("pandas", "matplotlib", "jinja2", "skops")


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        """Say in one line what is wrong, and end with status 2."""
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments=None):
    """Make the report; return the exit status.

    Parameters
    ----------
    arguments : list of str, default=None
        None means those of the command line.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    parser = _make_parser()
    options = parser.parse_args(arguments)
    missing = [
        name
        for name in NEEDED
        if importlib.util.find_spec(name) is None
        and not (name == "skops" and options.joblib)
    ]
    if missing:
        parser.error(
            f'{", ".join(missing)} not installed: pip install "sparselearn[report]"'
        )
    try:
        from sparselearn._report import ReportError, run

        try:
            return run(options, f"{parser.prog} {shlex.join(arguments)}".rstrip())
        except (ReportError, OSError) as error:
            parser.error(str(error))
    except KeyboardInterrupt:
        print("interrupted; nothing was finished", file=sys.stderr)
        return 130


def _make_parser():
    parser = _Parser(
        prog="python -m sparselearn",
        description="How sparse can a model of this data be, by which method, and "
        "what does it cost? Sweeps the sparsity of each model with cross-validation, "
        "prints a table and writes report.html, results.csv and the best pipeline.",
    )
    parser.add_argument(
        "data",
        nargs="?",
        metavar="DATA",
        help=".csv, .csv.gz, .tsv, .parquet, .npz (X and y), .svm or .libsvm; "
        "without it, scikit-learn's digits",
    )
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="what to predict, a column of the table; without it the column named "
        "target, y or label, else the last one",
    )
    parser.add_argument(
        "--task",
        choices=("auto", "classification", "regression"),
        default="auto",
        help="default: auto, by the values of the target",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        metavar="NAME",
        help="which models besides the dense baseline; default: all that apply; "
        "a name that does not exist lists them",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        default=os.environ.get("SPARSELEARN_OUT") or "sparselearn-report",
        help="where to write; default: the environment's SPARSELEARN_OUT, else "
        "./sparselearn-report",
    )
    parser.add_argument(
        "--jobs",
        type=_jobs,
        default=-1,
        metavar="N",
        help="processes that fit; default: -1, one a core",
    )
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--joblib",
        action="store_true",
        help="save the best pipeline with joblib (pickle), not skops",
    )
    return parser


def _jobs(text):
    number = int(text)
    if number < 1 and number != -1:
        raise argparse.ArgumentTypeError(f"{text} is neither -1 nor at least 1")
    return number


def _seed(text):
    number = int(text)
    if not 0 <= number < 2**32:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 2**32 - 1")
    return number


if __name__ == "__main__":
    sys.exit(main())
