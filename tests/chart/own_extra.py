"""Run in a process of its own: import every module of a service as its image would, with what its extra brings alone.

`python -m tests.chart.own_extra SERVICE [MODULE...]`; the modules named are left out. Prints what could not be imported.
"""

import importlib
import pkgutil
import re
import sys
import tomllib
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
OURS = {"services", "shared", "cli", "tests"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def extras(service: str) -> list[str]:
    """What the service's Dockerfile installs of ours."""
    text = (ROOT / "docker" / f"{service}.Dockerfile").read_text()
    return re.findall(r'"\.\[([\w,]+)\]"', text)[0].split(",")


def brought(named: list[str]) -> set[str]:
    """The distributions that `pip install .[EXTRA,...]` brings, by what those that are installed here say they require."""
    wanted_too = [one for extra in named for one in PROJECT["optional-dependencies"][extra]]
    waiting = [(Requirement(one), "") for one in [*PROJECT["dependencies"], *wanted_too]]
    found: set[tuple[str, str]] = set()
    while waiting:
        wanted, _ = waiting.pop()
        for own in ("", *sorted(wanted.extras)):
            if (plain(wanted.name), own) in found:
                continue
            found.add((plain(wanted.name), own))
            try:
                told = [Requirement(one) for one in requires(wanted.name) or []]
            except PackageNotFoundError:
                continue  # for another platform or Python
            waiting += [(one, own) for one in told if one.marker is None or one.marker.evaluate({"extra": own})]
    return {name for name, _ in found}


class OnlyWhatIsBrought(PathFinder):
    """Finds modules as Python does, but none of a distribution that the image has not."""

    absent: set[str] = set()

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        return None if name.partition(".")[0] in cls.absent else super().find_spec(name, path, target)


def keep_to(names: set[str]) -> None:
    """From now on only the modules of these distributions, and ours, can be imported."""
    owners = packages_distributions()
    OnlyWhatIsBrought.absent = {top for top, dists in owners.items() if not names & {plain(one) for one in dists}} - OURS
    sys.meta_path = [OnlyWhatIsBrought if one is PathFinder else one for one in sys.meta_path]
    for module in [one for one in sys.modules if one.partition(".")[0] in OnlyWhatIsBrought.absent]:
        del sys.modules[module]


def main(service: str, left_out: set[str]) -> int:
    keep_to(brought(extras(service)))
    importlib.import_module("kombu.transport.redis")  # which Celery loads when it connects
    failed = 0
    for package in ("shared", f"services.{service}"):
        root = importlib.import_module(package)
        for found in pkgutil.walk_packages(root.__path__, f"{package}."):
            if found.name in left_out or ".migrations." in found.name:
                continue
            try:
                importlib.import_module(found.name)
            except ImportError as error:
                print(f"{found.name}: {error}")
                failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], set(sys.argv[2:])))
