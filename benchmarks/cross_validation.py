"""Time the choice of alpha by cross-validation: 5 folds, 100 alphas, default settings.

    python benchmarks/cross_validation.py [PROBLEM ...]

The folds are the same consecutive rows for every library, and all alphas go down to a
thousandth of the largest. Defaults differ in how far they solve: the gap of the final
fit is given beside the time, and scikit-learn is timed at a tighter tolerance too.
Whether libraries agree shows in the alpha each has chosen.
"""

import measure
import problems
from judge import objective_and_gap

SETTINGS = {
    "sparselearn": [{}],
    "scikit-learn": [{}, {"tol": 1e-6, "max_iter": 100_000}],
    "glmnet": [{}],
    "adelie": [{}],
}


def first_answer(library, problem, folder, options):
    """The row of one setting: what it chose, and how good its final fit is.

    This call is outside the clock: it compiles what is to be compiled.
    """
    row = {"options": options, "seconds": [], "note": None, "active": None}
    row |= {"alpha": None, "gap": None}
    try:
        answer = library.call(
            "cross_validate",
            problem,
            folder,
            more_time=measure.COMPILATION,
            **options,
        )
    except (RuntimeError, TimeoutError) as error:
        return row | {"note": str(error), "seconds": None}
    coef = answer.coefs.toarray()[:, 0]
    gap = objective_and_gap(problem, coef, answer.intercepts[0], answer.alpha)[1]
    active = int((coef != 0).sum())
    return row | {"alpha": answer.alpha, "gap": gap, "active": active}


def cross_validate(found, problem, repeats):
    rows, calls = {}, {}
    with measure.on_disk(problem) as folder:
        for name, library in found.items():
            for setting in SETTINGS[name]:
                for n_jobs in (1, 2):
                    title = ", ".join([name, f"n_jobs={n_jobs}"])
                    if "tol" in setting:
                        title += f", tol={setting['tol']:g}"
                    options = {"n_jobs": n_jobs, **setting}
                    rows[title] = first_answer(library, problem, folder, options)
                    calls[title] = lambda library=library, options=options: (
                        library.call("cross_validate", problem, folder, **options)
                    )
        measure.take_turns(calls, rows, repeats)
    return rows


def main():
    parser = measure.arguments(__doc__, libraries=list(SETTINGS))
    parser.add_argument(
        "problems", nargs="*", default=["cv-small-wide", "cv-small-tall"]
    )
    options = parser.parse_args()
    found = measure.start(options.libraries, options.limit, "cross_validate")
    records = {}
    for name in problems.names(options.problems):
        problem = problems.load(name)
        if problem is None:
            print(f"{name}: no data (set SPARSELEARN_DATA): skipped")
            continue
        rows = cross_validate(found, problem, options.repeats)
        records[name] = measure.describe(problem, rows)
        measure.show(name, records[name])
        for title, row in rows.items():
            if row["alpha"] is not None:
                print(f"  {title:38s} chose alpha {row['alpha']:.6g}")
        measure.save(options, "cross-validation", found, records)


if __name__ == "__main__":
    main()
