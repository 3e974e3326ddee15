"""The house rules, checked on the source: ranks, borders and budgets."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import sparselearn

PACKAGE = Path(sparselearn.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

FLOORS = [
    {"losses", "penalties", "_kernels"},
    {"_solvers"},
    {"_compat", "_parallel"},
    {"_dask"},
    {"_validation", "_callbacks", "_files", "_scoring", "_support"},
    {
        "linear_model",
        "decomposition",
        "cluster",
        "neural_network",
    },
    {"feature_extraction"},
    {"feature_selection", "pruning"},
    {"model_selection"},
    {"inspection", "metrics", "datasets"},
    {"_report", "_warm_up"},
    {"__main__", "__init__"},
]
NUMBA = {
    "_cache.py",
    "_jit.py",
    "_machine.py",
    "_rows.py",
    "_tiles.py",
    "_vectors.py",
}
RANK_OF = {name: rank for rank, names in enumerate(FLOORS) for name in names}


def name_of(source):
    return source.relative_to(PACKAGE).as_posix()


def floor_of(source):
    return source.relative_to(PACKAGE).parts[0].removesuffix(".py")


def tree_of(source):
    return ast.parse(source.read_text(encoding="utf-8"))


def imports_of(tree):
    """All (module, name or None) that a tree imports, at any depth."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from ((node.module, alias.name) for alias in node.names)


def functions_of(tree):
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]


def body_lines(function):
    """Lines of a function without its docstring."""
    body = function.body
    if ast.get_docstring(function) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def is_kernel(function):
    decorators = [
        d.func if isinstance(d, ast.Call) else d for d in function.decorator_list
    ]
    return any(isinstance(d, ast.Name) and d.id == "kernel" for d in decorators)


every_source = pytest.mark.parametrize("source", SOURCES, ids=name_of)


def test_every_file_has_a_floor():
    assert {floor_of(source) for source in SOURCES} <= set(RANK_OF)


@every_source
def test_imports_only_from_lower_floors(source):
    floor = floor_of(source)
    for module, name in imports_of(tree_of(source)):
        parts = module.split(".")
        if parts[0] != "sparselearn":
            continue
        if len(parts) == 1:
            if name == "__version__":
                continue
            parts.append(name)
        target = parts[1]
        rank_0 = RANK_OF[floor] == RANK_OF[target] == 0
        assert target == floor or RANK_OF[target] < RANK_OF[floor] or rank_0, (
            f"{name_of(source)} (floor {RANK_OF[floor]}) imports {module}.{name}"
        )


@every_source
def test_borders(source):
    """numba, private scikit-learn and threads each have one door."""
    where = name_of(source)
    for module, name in imports_of(tree_of(source)):
        root = module.split(".")[0]
        if root in {"numba", "llvmlite"}:
            assert where in {f"_kernels/{name}" for name in NUMBA}
        if root == "sklearn" and not where.startswith("_compat/"):
            private = [p for p in [*module.split("."), name or ""] if p.startswith("_")]
            assert not private, f"{module}.{name} is private to scikit-learn"
        if name in {"validate_data", "check_X_y"} and root == "sklearn":
            # Those of `_validation` refuse what is not in memory; the steps of compact
            # pipelines take whatever the steps did that they stand for.
            assert (
                where == "_validation.py"
                or where.startswith("_compat/")
                or "/_compact/" in where
            )
        if root in {"threading", "concurrent", "multiprocessing", "threadpoolctl"}:
            assert where == "_parallel.py"
        if root == "joblib":
            assert where.startswith(("_parallel.py", "_report/"))


@every_source
def test_optional_packages_are_imported_inside(source):
    """Importing the package needs only its four requirements."""
    optional = {"matplotlib", "pandas", "polars", "jinja2", "skops", "dask"}
    top = ast.Module(body=tree_of(source).body, type_ignores=[])
    for node in top.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for module, _ in imports_of(ast.Module(body=[node], type_ignores=[])):
                assert module.split(".")[0] not in optional


@every_source
def test_prints_only_in_the_main_job(source):
    if floor_of(source) in {"_report", "__main__"}:
        return
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id != "print", f"line {node.lineno}"


@every_source
def test_budgets(source):
    assert len(source.read_text(encoding="utf-8").splitlines()) <= 500
    for function in functions_of(tree_of(source)):
        limit = 120
        if is_kernel(function):
            limit = 80
        elif function.name == "fit":
            limit = 40
        assert body_lines(function) <= limit, function.name


@pytest.mark.parametrize(
    "source", [s for s in SOURCES if floor_of(s) == "_kernels"], ids=name_of
)
def test_kernels_are_pure_loops(source):
    """A kernel raises nothing, and calls only what its cache entry is keyed by."""
    from sparselearn._kernels import _jit

    shared = {
        "sparselearn."
        + name_of(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for path in _jit.SHARED_SOURCES
    }
    tree = tree_of(source)
    if source.name in {*NUMBA, "__init__.py"}:
        return
    for module, name in imports_of(tree):
        if module.split(".")[0] == "sparselearn":
            target = f"{module}.{name}" if f"{module}.{name}" in shared else module
            assert target in {*shared, "sparselearn._kernels._jit"}, (module, name)
        else:
            assert module in {"math", "numpy", "typing"}
    for function in functions_of(tree):
        if is_kernel(function):
            for node in ast.walk(function):
                assert not isinstance(node, ast.Raise | ast.Try | ast.With)


def public_modules():
    yield sparselearn
    for info in pkgutil.walk_packages([str(PACKAGE)], prefix="sparselearn."):
        if not info.name.endswith("__main__"):
            yield importlib.import_module(info.name)


@pytest.mark.parametrize("module", list(public_modules()), ids=lambda m: m.__name__)
def test_all_is_honest(module):
    """What `__all__` names exists, and a public package exports all it imports."""
    names = getattr(module, "__all__", [])
    assert len(set(names)) == len(names)
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing
    if any(part.startswith("_") for part in module.__name__.split(".")):
        return
    for name in names:
        thing = getattr(module, name)
        assert name == "__version__" or getattr(thing, "__doc__", None), name
