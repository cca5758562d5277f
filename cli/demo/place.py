"""The demonstration's own home: fresh each time, but for the base model, which takes a minute to make."""

import shutil
from pathlib import Path

from cli.home import Home
from cli.launcher.down import alone, take_down
from cli.outcome import Exit, Failure

MARK = "demo"
"""A file that says that this home is a demonstration's, to be cleared without asking."""


def prepare(home: Home, keep: bool) -> None:
    """Make the home, and clear what an earlier demonstration left in it. Raises Failure where it is no demonstration's."""
    mark = home.root / MARK
    if home.root.exists() and any(home.root.iterdir()) and not mark.exists():
        raise Failure(
            f"{home.root} is not empty and no home of a demonstration, so it is not cleared. Choose another with --home.",
            Exit.USAGE,
            "not-a-demo-home",
        )
    with alone(home):
        take_down(home)
        mark.touch()
        if not keep:
            _clear(home)
    home.make()


def _clear(home: Home) -> None:
    """Remove everything but the base model: its cache, and the object store's copy of it."""
    for path in home.root.iterdir():
        if path in (home.cache, home.store, home.run, home.root / MARK):
            continue
        _remove(path)
    for path in home.store.iterdir():
        if path.name != "bases":
            _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
