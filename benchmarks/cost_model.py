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
CHUNK = 100e6  # bytes
NETWORK = 1.25e9  # bytes a second: ten gigabits
ITEM = 4  # bytes of a number of X


class Costs(NamedTuple):
    """Constants of the model, in seconds and bytes.

    Attributes
    ----------
    row : float
        Seconds a row and pass.
    task, byte : float
        Seconds a task that does nothing, and a byte that is carried.
    size : float
        Bytes that come to the client: of a round's sums, or of a row.
    streamed : bool
        Whether rows come to the client, and not sums.
    """

    row: float
    task: float
    byte: float
    size: float
    streamed: bool

    def seconds(self, *, n_rows, n_workers, n_chunks, passes, rounds):
        """Of a fit: its rows on the slowest worker, its tasks, its bytes.

        Rows are shared by the workers, tasks are given out by one scheduler, sums climb
        a tree of the workers and then come to the client. Streamed rows come to it
        alone, and are worked on there.
        """
        if self.streamed:
            row = self.row + self.size * self.byte
            return passes * (n_rows * row + n_chunks * self.task)
        height = 1 + math.ceil(math.log2(n_workers))
        work = passes * (n_rows / n_workers * self.row + 2 * n_chunks * self.task)
        return work + rounds * height * self.size * self.byte


def costs_of(problem, constants):
    """The constants of one algorithm, of its fit on one worker."""
    row, streamed = problem["rows"]["strong, 1"], problem["streamed"]
    size = row["bytes"] / (row["passes"] * row["rows"] if streamed else row["rounds"])
    costs = Costs(
        0.0, constants["seconds a task"], constants["seconds a byte"], size, streamed
    )
    rest = row["median"] - costs.seconds(n_workers=1, **sizes(row))
    return costs._replace(row=max(rest, 0.0) / (row["passes"] * row["rows"]))


def sizes(row):
    return {
        "n_rows": row["rows"],
        "n_chunks": row["chunks"],
        "passes": row["passes"],
        "rounds": row["rounds"],
    }


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
        rows = problem["rows"]
        costs = costs_of(problem, results["constants"]["1 workers"])
        line = [name, short(rows["in memory"]["median"])]
        line.append(short(rows["strong, 1"]["median"]))
        for row in (rows["strong, 2"], rows["weak, 2"]):
            said = costs.seconds(n_workers=2, **sizes(row))
            line += [short(row["median"]), short(said)]
        row = rows["weak, 2"]
        lines.append([*line, f"{row['bytes'] / row['rounds'] / 1e6:.2f}"])
    header = ["fit", "in memory", "1 worker", "2 workers", "the model", "weak: 2"]
    return table([*header, "the model", "MB a round"], lines)


def predicted(results):
    """A billion rows on a hundred workers."""
    lines = []
    for name, problem in results["problems"].items():
        row = problem["rows"]["strong, 1"]
        costs = costs_of(problem, results["constants"]["1 workers"])
        costs = costs._replace(byte=costs.byte + 1.0 / NETWORK)
        n_bytes = ROWS * problem["features"] * ITEM
        how = sizes(row) | {"n_rows": ROWS, "n_chunks": math.ceil(n_bytes / CHUNK)}
        if row["rounds"] > row["passes"]:  # a batch a round: a chunk of each worker
            how["rounds"] = math.ceil(how["n_chunks"] / WORKERS) * row["passes"]
        lines.append(
            [
                name,
                str(problem["features"]),
                f"{n_bytes / 1e9:.0f} GB",
                str(how["rounds"]),
                f"{1e6 * costs.row:.2f}",
                short(costs.seconds(n_workers=WORKERS, **how)),
                short(costs.seconds(n_workers=1, **how)),
            ]
        )
    header = ["fit", "features", "data", "rounds", "µs a row"]
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
