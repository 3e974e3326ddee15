"""Put what more rows and workers would take into the guide's page on scaling.

    python benchmarks/cost_model.py

Of results/scaling.json: the seconds of a row are those of one worker, and with them the
model says what two workers take, beside what they took, and what a billion rows on a
hundred workers would. `tests/test_docs.py` finds out if the page's tables are not those
of the file.
"""

import json
import math
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "guide" / "scaling.rst"
MARKS = "measured", "predicted"

# Assumptions of the prediction, as the page states them.
ROWS, WORKERS = 10**9, 100
CHUNK_BYTES = 100e6
NETWORK = 1.25e9  # bytes a second: ten gigabits
ITEM = 4  # bytes of a number of X
STREAMED = ["SparseAutoencoder"]  # chunks themselves travel


class Costs(NamedTuple):
    """Constants of the model, in seconds and bytes.

    Attributes
    ----------
    row : float
        Seconds a row and round.
    task, byte : float
        Seconds a task that does nothing, and a byte that is carried.
    step : float
        Bytes that one round hands to the client, or an epoch brings a row.
    """

    row: float
    task: float
    byte: float
    step: float


def costs_of(name, results):
    """The constants of one algorithm, of its fit on one worker."""
    constants = results["constants"]["1 workers"]
    task, byte = constants["seconds a task"], constants["seconds a byte"]
    row = results["problems"][name]["rows"]["strong, 1"]
    rounds = max(1, row["rounds"])
    step = row["bytes"] / rounds
    tasks = 2 * row["chunks"] if name not in STREAMED else row["chunks"]
    if name == "MiniBatchDictionaryLearning":  # a round is some of the chunks
        tasks /= rounds
    busy = row["median"] - rounds * (tasks * task + step * byte)
    if name in STREAMED:
        step /= row["rows"]
    return Costs(max(busy, 0.0) / row["rows"] / _passes(name, row), task, byte, step)


def _passes(name, row):
    """How often each row is met."""
    return 1 if name == "MiniBatchDictionaryLearning" else max(1, row["rounds"])


def seconds(name, costs, *, n_rows, n_workers, n_chunks, rounds, passes):
    """What the model says: of all rounds, the slowest worker, tasks, and bytes.

    Rows are shared by the workers, tasks are given out by one scheduler, sums climb a
    tree of the workers. Streamed rows come to one place, where all are trained on.
    """
    if name in STREAMED:
        carried = n_rows * costs.step * costs.byte
        return passes * (n_rows * costs.row + carried + n_chunks * costs.task)
    height = 1 + math.ceil(math.log2(n_workers))
    tasks = 2 * n_chunks * passes * costs.task
    compute = passes * n_rows / n_workers * costs.row
    return compute + tasks + rounds * height * costs.step * costs.byte


def table(header, lines):
    """A table in reStructuredText."""
    text = [".. csv-table::", f"   :header: {', '.join(header)}", ""]
    return "\n".join(text + [f"   {', '.join(line)}" for line in lines])


def short(value):
    """Seconds as a person says them."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.1f} {unit}"
    return f"{value:.2f} s"


def measured(results):
    """What was measured, and what the model says of two workers."""
    lines = []
    for name, problem in results["problems"].items():
        rows, costs = problem["rows"], costs_of(name, results)
        line = [name, short(rows["in memory"]["median"])]
        line.append(short(rows["strong, 1"]["median"]))
        for kind in ("strong, 2", "weak, 2"):
            row = rows[kind]
            said = seconds(
                name,
                costs,
                n_rows=row["rows"],
                n_workers=2,
                n_chunks=row["chunks"],
                rounds=max(1, row["rounds"]),
                passes=_passes(name, row),
            )
            line += [short(row["median"]), short(said)]
        size = rows["weak, 2"]["bytes"] / max(1, rows["weak, 2"]["rounds"])
        lines.append([*line, f"{size / 1e6:.2f}"])
    header = ["fit", "in memory", "1 worker", "2 workers", "the model", "weak: 2"]
    return table([*header, "the model", "MB a round"], lines)


def predicted(results):
    """A billion rows on a hundred workers."""
    lines = []
    for name, problem in results["problems"].items():
        row, costs = problem["rows"]["strong, 1"], costs_of(name, results)
        costs = costs._replace(byte=costs.byte + 1.0 / NETWORK)
        n_features = problem["features"]
        n_chunks = math.ceil(ROWS * n_features * ITEM / CHUNK_BYTES)
        rounds = max(1, row["rounds"])
        if name == "MiniBatchDictionaryLearning":
            rounds = n_chunks // WORKERS  # a chunk a worker and round
        how = {"n_rows": ROWS, "n_chunks": n_chunks, "rounds": rounds}
        how["passes"] = _passes(name, row)
        lines.append(
            [
                name,
                str(n_features),
                f"{ROWS * n_features * ITEM / 1e9:.0f} GB",
                str(rounds),
                f"{1e6 * costs.row:.2f}",
                short(seconds(name, costs, n_workers=WORKERS, **how)),
                short(seconds(name, costs, n_workers=1, **how)),
            ]
        )
    header = ["fit", "features", "data", "rounds", "µs a row and round"]
    return table([*header, f"{WORKERS} workers", "1 worker"], lines)


def tables(file=HERE / "results" / "scaling.json"):
    """The page's tables, by their marks."""
    results = json.loads(file.read_text())
    return dict(zip(MARKS, (measured(results), predicted(results))))


def main():
    text = PAGE.read_text(encoding="utf-8")
    for mark, lines in tables().items():
        begin, end = f".. {mark}\n", f".. end of {mark}\n"
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(end)
        text = f"{before}{begin}\n{lines}\n\n{end}{after}"
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
