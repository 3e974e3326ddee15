"""The documentation is true: its snippets run, and it names what there is."""

import doctest
import importlib
import pkgutil
import re
import runpy
from pathlib import Path

import matplotlib
import numba
import numpy as np
import pytest

import sparselearn
from sparselearn import __main__ as main_job
from sparselearn import penalties

DOCS = Path(__file__).parent.parent / "docs"
PAGES = sorted([*DOCS.glob("*.rst"), *DOCS.glob("guide/*.rst")])
NUMBER = re.compile(r"(?<![\w.])-?\d+\.(\d+)(?![\w.])")


class CloseNumbers(doctest.OutputChecker):
    """Lets a number with decimals differ by three units of the last one written.

    Scores and gaps differ a little between versions of BLAS and scikit-learn.
    """

    def check_output(self, want, got, optionflags):
        """Compare with the numbers of `want` where those of `got` are close."""
        expected = iter(NUMBER.finditer(want))

        def as_wanted(match):
            number = next(expected, None)
            if number is None:
                return match[0]
            close = abs(float(number[0]) - float(match[0])) < 3.5 * 0.1 ** len(
                number[1]
            )
            return number[0] if close else match[0]

        return super().check_output(want, NUMBER.sub(as_wanted, got), optionflags)


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        ("R2 0.48\n", "R2  0.46\n", True),
        ("R2 0.48\n", "R2 0.44\n", False),
        ("R2 0.48\n", "R2 -0.48\n", False),
        ("[1.5, 2.0]\n", "[1.5, 2.0, 2.0]\n", False),
        ("6 of 10\n", "7 of 10\n", False),
        ("'s1'\n", "'s2'\n", False),
    ],
)
def test_the_checker_of_numbers(want, got, same):
    flags = doctest.NORMALIZE_WHITESPACE
    assert CloseNumbers().check_output(want, got, flags) == same


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_snippets_run(page):
    text = page.read_text(encoding="utf-8")
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    runner = doctest.DocTestRunner(CloseNumbers(), verbose=False, optionflags=flags)
    said = []
    assert runner.run(test, out=said.append).failed == 0, "".join(said)


def public_modules():
    for info in pkgutil.iter_modules(sparselearn.__path__, "sparselearn."):
        if not info.name.rpartition(".")[2].startswith("_"):
            yield importlib.import_module(info.name)


@pytest.mark.parametrize("module", list(public_modules()), ids=lambda m: m.__name__)
def test_api_lists_every_public_name(module):
    name = module.__name__.rpartition(".")[2]
    page = (DOCS / "api" / f"{name}.rst").read_text(encoding="utf-8")
    listed = re.findall(r"^   (\w+)$", page, re.MULTILINE)
    assert sorted(listed) == sorted(module.__all__)
    index = (DOCS / "api" / "index.rst").read_text(encoding="utf-8")
    assert f"\n   {name}\n" in index


def test_report_page_names_every_option_and_model():
    from sparselearn._report._models import MODELS
    from sparselearn._report._read import _READERS

    page = (DOCS / "guide" / "report.rst").read_text(encoding="utf-8")
    parser = main_job._make_parser()
    options = {o for action in parser._actions for o in action.option_strings}
    for name in options - {"-h", "--help"}:
        assert f"\n``{name}" in page, name
    for name in [*MODELS, *_READERS]:
        assert f"``{name}``" in page, name


def test_the_tables_of_costs_are_those_of_the_results():
    model = runpy.run_path(str(DOCS.parent / "benchmarks" / "cost_model.py"))
    text = model["PAGE"].read_text(encoding="utf-8")
    for mark, table in model["tables"]().items():
        found = text.split(f".. {mark}\n")[1].split(f".. end of {mark}\n")[0]
        assert found.strip() == table


def test_the_penalty_of_the_example(capsys):
    """Its prox minimises what it says, in numpy and in a compiled loop."""
    matplotlib.use("agg")
    example = runpy.run_path(str(DOCS / "examples" / "plot_own_penalty.py"))
    matplotlib.pyplot.close("all")
    penalty = example["TwoSided"](0.5, 2.0)
    assert "TwoSided" in capsys.readouterr().out

    z = np.linspace(-3.0, 3.0, 25)
    w = np.linspace(-4.0, 4.0, 8001)
    costs = (w - z[:, None]) ** 2 / 2 + 0.7 * penalties.value(penalty, w, slice(None))
    found = penalties.prox(penalty, z, 0.7, slice(None))
    np.testing.assert_allclose(found, w[np.argmin(costs, axis=1)], atol=1e-3)

    @numba.njit
    def one_by_one(penalty, z):
        out = np.empty_like(z)
        for j in range(z.size):
            out[j] = penalties.prox(penalty, z[j], 0.7, j)
        return out

    np.testing.assert_array_equal(one_by_one(penalty, z), found)
