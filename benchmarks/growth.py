"""How the time of a path grows with samples, features, alphas and active features.

    python benchmarks/growth.py [--libraries NAME ...] [--small]

One of the four is doubled three times while the others stay. Paths are brought to the
same gap and timed as `run.py` does; `report.py` draws the figure.
"""

import measure
import problems

BASE = {"samples": 1000, "features": 5000, "alphas": 100, "active": 50}
FACTORS = (0.5, 1, 2, 4)


def make(sizes):
    # So little noise that the features active at the path's end are about those of
    # the signal; the count that was found is what the figure shows.
    return problems.dense(
        sizes["samples"],
        sizes["features"],
        0.5,
        sizes["active"],
        signal_to_noise=30.0,
        n_alphas=sizes["alphas"],
    )


def main():
    parser = measure.arguments(__doc__, repeats=3)
    parser.add_argument("--small", action="store_true", help="a tenth of the sizes")
    options = parser.parse_args()
    base = {k: v // 10 if options.small else v for k, v in BASE.items()}
    found = measure.start(options.libraries, options.limit, "path")
    records, known = {}, {}
    for axis in base:
        for factor in FACTORS:
            sizes = base | {axis: int(base[axis] * factor)}
            key = tuple(sizes.values())
            if key not in known:  # the base itself is on all four axes
                problem = make(sizes)
                rows = measure.compare(
                    found, "path", problem, options.gap, options.repeats
                )
                known[key] = measure.describe(problem, rows)
            record = known[key]
            value = record["active"] if axis == "active" else sizes[axis]
            records[f"{axis} {sizes[axis]}"] = record | {"axis": axis, "value": value}
            measure.show(f"{axis} {sizes[axis]}", record)
            measure.save(options, "growth", found, records)


if __name__ == "__main__":
    main()
