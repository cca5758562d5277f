"""Live pictures of work: redrawn in place on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from cli.render import STYLES, state
from cli.shelf import STAGES, Row, Shelf
from cli.sparkline import sparkline
from cli.text import count, duration, one_line, plain, reach, size

LINE_SECONDS = 5.0
WORKING_ROWS = 6
PAST = {"extraction": "extracted", "cleaning": "cleaned", "chunking": "chunked", "screening": "screened"}


class Board:
    """Shows a picture that changes, and lines that stay. Off a terminal the picture becomes a line now and then."""

    def __init__(self, console: Console, live: Live | None) -> None:
        self.console = console
        self._live = live
        self._began = time.monotonic()
        self._told_at = 0.0
        self._told = ""

    def show(self, picture: Any, line: str) -> None:
        """The present state: as a picture, and as a line for where pictures cannot be."""
        if self._live is not None:
            self._live.update(picture)
        elif line != self._told and time.monotonic() - self._told_at >= LINE_SECONDS:
            self._told, self._told_at = line, time.monotonic()
            self.say(f"  {duration(time.monotonic() - self._began)}: {line}")

    def say(self, line: str | Text) -> None:
        self.console.print(line if isinstance(line, Text) else Text(plain(line)), soft_wrap=True)

    def clear(self) -> None:
        """Leave nothing of the picture behind."""
        if self._live is not None:
            self._live.update(Text(""))


@contextmanager
def board(console: Console, quiet: bool = False) -> Iterator[Board | None]:
    """A board on the console; none where nothing is to be shown."""
    if quiet:
        yield None
    elif not console.is_terminal:
        yield Board(console, None)
    else:
        with Live(console=console, refresh_per_second=8, transient=True) as live:
            yield Board(console, live)


class ShelfBoard:
    """A `ShelfView` on a board: a bar per stage, the documents being worked on, a line per finished document."""

    def __init__(self, on: Board | None, tell: bool = True) -> None:
        self._board = on
        self._tell = tell
        self._started = time.monotonic()

    def show(self, shelf: Shelf) -> None:
        if self._board is not None:
            self._board.show(shelf_picture(shelf, time.monotonic() - self._started), shelf_line(shelf))

    def finished(self, row: Row) -> None:
        if self._board is not None and self._tell:
            self._board.say(finished_line(row))


def finished_line(row: Row) -> Text:
    line = Text()
    mark = "✓" if row.state == "done" else "✗"
    line.append(f"{mark} {row.state:9} ", style=STYLES.get(row.state, ""))
    line.append(one_line(row.filename, 48))
    if row.code:
        line.append(f"  {plain(row.code)}: {one_line(row.detail or '', 160)}", style="dim")
    return line


def shelf_line(shelf: Shelf) -> str:
    passed = ", ".join(f"{shelf.passed(stage)} {past}" for stage, past in PAST.items())
    return f"{states_line(shelf)} — {passed} of {count(len(shelf.rows), 'document')}"


def states_line(shelf: Shelf) -> str:
    """`9 done, 1 failed`."""
    return ", ".join(f"{number} {name}" for name, number in sorted(shelf.by_state().items()))


def shelf_picture(shelf: Shelf, elapsed: float) -> Group:
    total = len(shelf.rows) - sum(row.finished and row.state != "done" for row in shelf.rows.values())
    bars = Table.grid(padding=(0, 1))
    for stage in STAGES:
        passed = shelf.passed(stage)
        bars.add_row(Text(f"{stage:11}"), _bar(passed, total), Text(f"{passed} of {total}", style="dim"))
    summary = Text().append(f"{duration(elapsed)}   ", style="dim")
    for name, number in sorted(shelf.by_state().items()):
        summary.append_text(state(name)).append(f" {number}   ")
    return Group(bars, *_working(shelf), summary)


def _bar(done: int, total: int) -> ProgressBar:
    return ProgressBar(total=max(1, total), completed=done, width=32, complete_style="cyan", finished_style="green")


def _working(shelf: Shelf) -> list[Text]:
    rows = [row for stage in STAGES for row in shelf.at(stage)][:WORKING_ROWS]
    return [
        Text(f"  {row.stage:11} {one_line(row.filename, 40):40} ").append(
            reach(row.done, row.total, row.unit or "step") if row.total else "", style="dim"
        )
        for row in rows
    ]


def job_picture(job: dict[str, Any], losses: list[float]) -> Group:
    """A job on its way: stage, bar, and the figures that the stage tells of itself."""
    progress = job.get("progress") or {}
    line = Table.grid(padding=(0, 1))
    bar = _bar(progress["done"], progress["total"]) if progress.get("total") else Spinner("dots")
    line.add_row(Text(f"{plain(job['stage']):11}"), bar, Text(_reach(job)))
    figures = Text(f"{'':12}{fields_line(job)}", style="dim")
    return Group(line, figures, sparkline(losses)) if losses else Group(line, figures)


def job_line(job: dict[str, Any]) -> str:
    return f"{job['stage']} {_reach(job)}  {fields_line(job)}".rstrip()


def _reach(job: dict[str, Any]) -> str:
    progress = job.get("progress") or {}
    return reach(progress["done"], progress["total"], progress["unit"]) if progress.get("total") else str(job["state"])


LABELS = {
    "learning_rate": "lr", "tokens_per_second": "tokens/s", "seconds_left": "ETA", "eta_seconds": "ETA",
    "memory_bytes": "memory", "heldout_loss": "held-out loss",
}  # fmt: skip
HIDDEN = {"tokens", "step", "seconds", "kl_k3", "moved", "gradient", "value_loss", "explained_variance", "answer_tokens"}
"""What a line has no room for: a run's curve tells it."""


def fields_line(job: dict[str, Any]) -> str:
    """`loss 1.203  lr 2.4e-04  tokens/s 118  ETA 41.0 s`, as far as the stage says."""
    progress = job.get("progress") or {}
    fields = dict(progress.get("fields") or {})
    parts = [f"{LABELS.get(name, name)} {_figure(name, value)}" for name, value in fields.items() if name not in HIDDEN]
    return "  ".join(parts)


def _figure(name: str, value: Any) -> str:
    if name in ("eta_seconds", "seconds_left", "seconds"):
        return duration(float(value))
    if name == "memory_bytes":
        return size(float(value))
    if name == "learning_rate":
        return f"{float(value):.1e}"
    if isinstance(value, float):
        return f"{value:.4g}"
    return one_line(value, 40)


def job_shower(on: Board | None) -> Callable[[dict[str, Any]], None]:
    """A function that shows a job on a board each time it is given it."""
    losses: dict[int, float] = {}

    def show(job: dict[str, Any]) -> None:
        progress = job.get("progress") or {}
        if "loss" in progress.get("fields", {}):
            losses[progress["done"]] = float(progress["fields"]["loss"])
        if on is not None:
            on.show(job_picture(job, list(losses.values())), job_line(job))

    return show
