"""Benchmarks are run by people, now and then: what they import of ours has to be there, without running them."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
OURS = ("benchmarks", "cli", "services", "shared", "tests")


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_benchmark_imports_of_ours_is_there(path: Path) -> None:
    missing = [f"{module}.{name}" for module, name in imported(path) if not has(module, name)]
    assert missing == []


def test_what_is_not_there_is_seen(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text("def work():\n    from shared.clock import now, never\n    from shared.gone import it\n")
    assert [name for module, name in imported(tmp_path / "one.py") if not has(module, name)] == ["never", "it"]


def imported(path: Path) -> Iterator[tuple[str, str]]:
    """Modules of ours and the names taken from them, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").partition(".")[0] in OURS:
            yield from ((node.module or "", one.name) for one in node.names)


def has(module: str, name: str) -> bool:
    place = ROOT.joinpath(*module.split("."))
    if place.is_dir() and ((place / name).is_dir() or (place / f"{name}.py").is_file()):
        return True
    file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
    return file.is_file() and name in defined(file)


@cache
def defined(file: Path) -> frozenset[str]:
    """The names that a module has at its top."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(one.asname or one.name for one in node.names)
        else:
            found.update(one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store))
    return frozenset(found)
