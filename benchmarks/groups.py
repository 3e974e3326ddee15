"""Time group Lasso paths to a common duality gap.

    python benchmarks/groups.py [PROBLEM ...] [--gap 1e-6]

As `run.py` does for the Lasso, with groups of neighbouring columns, each weighted by
the root of its size: 50 alphas, down to a twentieth of alpha_max, no intercept.
"""

import measure
import problems


def main():
    parser = measure.arguments(__doc__, libraries=["sparselearn", "celer", "adelie"])
    parser.add_argument(
        "problems", nargs="*", default=["groups-small"], metavar="PROBLEM"
    )
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "group_path")
    records = {}
    for name in problems.names(options.problems):
        problem = problems.load(name)
        rows = measure.compare(
            found, "group_path", problem, options.gap, options.repeats
        )
        records[name] = measure.describe(problem, rows)
        measure.show(name, records[name])
        measure.save(options, "groups", found, records)


if __name__ == "__main__":
    main()
