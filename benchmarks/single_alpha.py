"""Time one fit of an estimator at one alpha, from nothing, to a common duality gap.

    python benchmarks/single_alpha.py [PROBLEM ...] [--gap 1e-6]

As `run.py` does for paths, at a tenth, a twentieth and a hundredth of alpha_max.
"""

from dataclasses import replace

import measure
import numpy as np
import problems

DIVISORS = (10, 20, 100)


def main():
    parser = measure.arguments(__doc__)
    problems.add_to(parser, "small")
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "fit")
    records = {}
    for name in problems.names(options.problems):
        problem = problems.load(name)
        if problem is None:
            print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
            continue
        with measure.on_disk(problem) as folder:
            for divisor in DIVISORS:
                one = replace(problem, alphas=np.array([problem.alphas[0] / divisor]))
                rows = measure.compare(
                    found, "fit", one, options.gap, options.repeats, folder
                )
                title = f"{name}, alpha_max / {divisor}"
                records[title] = measure.describe(one, rows)
                measure.show(title, records[title])
                measure.save(options, "single alpha", found, records)


if __name__ == "__main__":
    main()
