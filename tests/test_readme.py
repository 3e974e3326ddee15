"""The README's example gives the output below it, and its figures are measured."""

import re
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def test_the_example_prints_what_it_says(tmp_path):
    text = README.read_text(encoding="utf-8")
    code, expected = re.search(
        r"```python\n(.*?)```\n+```\n(.*?)```", text, re.DOTALL
    ).groups()
    script = tmp_path / "example.py"
    script.write_text(code)
    printed = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    ).stdout
    # Of rounding errors only the order of magnitude may vary.
    gap = re.compile(r"at most \S+")
    assert gap.sub("", printed) == gap.sub("", expected)
    assert float(re.search(r"at most (\S+)", printed)[1]) < 1e-9


def test_the_figures_are_those_of_the_results():
    figures = runpy.run_path(str(ROOT / "benchmarks" / "figures.py"))
    text = README.read_text(encoding="utf-8")
    table = text.split(figures["BEGIN"])[1].split(figures["END"])[0]
    assert table.strip() == figures["table"]()
