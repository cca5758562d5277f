"""Tables for people: plain columns, states in colour, and nothing that a document said taken as markup."""

from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.text import one_line, plain

STYLES = {
    "done": "green", "ready": "green", "RUNNING": "green",
    "running": "cyan", "starting": "cyan", "STARTING": "cyan",
    "queued": "dim", "pending": "dim", "stopped": "dim", "STOPPED": "dim", "EXITED": "dim",
    "waiting": "yellow", "stopping": "yellow", "cancelled": "yellow", "BACKOFF": "yellow", "STOPPING": "yellow",
    "failed": "red", "dead": "bold red", "refused": "red", "FATAL": "bold red", "UNKNOWN": "red",
}  # fmt: skip


def state(name: str) -> Text:
    return Text(plain(name), style=STYLES.get(name, ""))


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table. A column named with a trailing `#` is of numbers; one with a trailing `*` may be folded and takes the room."""
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for column in columns:
        numbers, wide = column.endswith("#"), column.endswith("*")
        made.add_column(
            column.rstrip("#*"),
            justify="right" if numbers else "left",
            overflow="fold",
            no_wrap=not wide,
            ratio=1 if wide else None,
        )
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(plain("" if cell is None else cell)) for cell in row))
    return made


def pairs(values: Iterable[tuple[str, Any]], title: str | None = None) -> Table:
    """Names and their values, one a line."""
    made = Table.grid(padding=(0, 2))
    made.title, made.title_justify, made.title_style = title, "left", "bold"
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in values:
        made.add_row(name, value if isinstance(value, Text) else Text(plain("–" if value is None else value)))
    return made


def reasons(console: Console, failed: Iterable[tuple[str, str | None, str | None]]) -> None:
    """Why things failed and what to do, told once for all that failed alike: `(name, code, detail)` each."""
    alike: dict[tuple[str, str], list[str]] = {}
    for name, code, detail in failed:
        alike.setdefault((plain(code or "failed"), one_line(detail or "", 600)), []).append(one_line(name, 60))
    for (code, detail), names in alike.items():
        line = Text("✗ ", style=STYLES["failed"])
        line.append(code, style="bold")
        line.append(f"  {', '.join(names)}\n")
        console.print(line, end="", soft_wrap=True)
        console.print(Padding(Text(detail, style="dim"), (0, 0, 0, 2)))
