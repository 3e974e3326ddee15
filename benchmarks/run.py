"""Time Lasso paths to a common duality gap, all libraries in one run.

    python benchmarks/run.py [PROBLEM ...] [--libraries NAME ...] [--gap 1e-6]

Each library is taken through its tolerances until the judge finds every gap on the
path at most `--gap`; the loosest such setting is then timed. The first call, which
compiles, is outside the clock. Libraries take turns, so that a change of the machine's
speed meets all; the median of the repeats is quoted. `PROBLEM` may be the name of a
group: small, made or real.
"""

import measure
import problems


def main():
    parser = measure.arguments(__doc__)
    problems.add_to(parser, "small")
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "path")
    records = {}
    for name in problems.names(options.problems):
        problem = problems.load(name)
        if problem is None:
            print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
            continue
        rows = measure.compare(found, "path", problem, options.gap, options.repeats)
        records[name] = measure.describe(problem, rows)
        measure.show(name, records[name])
        measure.save(options, "path", found, records)


if __name__ == "__main__":
    main()
