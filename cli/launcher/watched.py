"""A launch that people watch: each step told, the processes shown while they start, and everything taken down on failure."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.text import Text

from cli.launcher.down import alone, take_down
from cli.launcher.plan import Launch
from cli.launcher.supervision import Process, connect
from cli.launcher.up import bring_up
from cli.outcome import Exit, Failure
from cli.text import one_line

if TYPE_CHECKING:
    from rich.console import Console


@contextmanager
def launched(launch: Launch, console: "Console", *, quiet: bool = False, keep: bool = False) -> Iterator[None]:
    """Bring a launch up; take it down at the end, unless it is to be kept, and on any failure before it is ready."""
    with alone(launch.home):
        if connect(launch.home) is not None:
            raise Failure(f"{launch.home.root} is up already.", Exit.CONFLICT, "up")
        try:
            _start(launch, console, quiet)
        except BaseException:
            take_down(launch.home)
            raise
    try:
        yield
    finally:
        if not keep:
            with alone(launch.home):
                take_down(launch.home)


def _start(launch: Launch, console: "Console", quiet: bool) -> None:
    if quiet:
        bring_up(launch, lambda _step: None, lambda _processes, _waiting: None)
        return
    with console.status("Starting", spinner="dots") as status:
        showing = _Steps(console, status.update)
        bring_up(launch, showing.step, showing.processes)


class _Steps:
    """Steps as lines and, where the terminal can, the present one with a spinner."""

    def __init__(self, console: "Console", update: Callable[[Text], None]) -> None:
        self._console = console
        self._update = update
        self._states: dict[str, str] = {}

    def step(self, text: str) -> None:
        self._show(text)
        if not self._console.is_terminal:
            self._console.print(f"{text} …", markup=False)

    def processes(self, processes: list[Process], waiting_for: str) -> None:
        states = {process.name: process.state for process in processes}
        running = sum(state == "RUNNING" for state in states.values())
        others = ", ".join(f"{name} {state.lower()}" for name, state in states.items() if state != "RUNNING")
        line = f"{running} of {len(states)} processes run" + (f" ({others})" if others else "")
        if states != self._states and not self._console.is_terminal:
            self._console.print(f"  {line}", markup=False, soft_wrap=True)
        self._states = states
        self._show(f"{line}; waiting for {one_line(waiting_for, 80)}")

    def _show(self, text: str) -> None:
        self._update(Text(text))
