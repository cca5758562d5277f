"""`lectern demo`: the whole of Lectern, shown."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.assignments import parse_assignments
from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session

if TYPE_CHECKING:
    from cli.demo.facts import Facts
    from cli.home import Home

RECIPE: dict[str, Any] = {"learning_rate": 1e-3, "batch_size": 4, "gradient_accumulation": 1, "max_steps": 64}
"""Enough to show that it learns, in a few minutes on two cores: many small and bold steps. A real run takes its time."""


def register(app: typer.Typer) -> None:
    command(app, "demo", options=LOCAL, panel="This machine")(demo)


def demo(
    session: Session,
    pdfs: Annotated[Path | None, typer.Option(help="A directory of PDFs; the examples of this repository without it.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the API; a free one without it.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="A setting of the run, such as max_steps=60; may be repeated.", metavar="NAME=VALUE"),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Keep what an earlier demonstration stored, instead of beginning afresh.")
    ] = False,
    keep_running: Annotated[bool, typer.Option("--keep-running", help="Leave everything running at the end.")] = False,
) -> None:
    """Show all of Lectern on this machine: PDFs in, a tuned model that answers.

    Starts the services under a home of its own (--home, else ~/.lectern-demo), uploads PDFs, shows how they become a dataset,
    tunes and evaluates a small model, serves it, asks it, and writes a report. Then everything is taken down. Documents
    that fail are shown with their reasons and are no error; exit code 0 only if the tuned model is better than its base on
    held-out examples, was deployed, and answered.
    """
    from cli.demo.clock import Stopwatch
    from cli.demo.place import prepare
    from cli.home import Home
    from cli.launcher.plan import plan, source_root, workers_by_default
    from cli.launcher.ports import free_port
    from cli.launcher.watched import launched

    home = Home.at(session.home_option or Path("~/.lectern-demo"))
    shelf = pdfs or source_root() / "examples" / "pdf"
    _require_pdfs(shelf)
    recipe = {**RECIPE, **parse_assignments(settings or [])}
    prepare(home, keep)
    launch = plan(home, port or free_port(), workers_by_default(), True, free_port)
    if "vllm_command" not in launch.extra:
        raise Failure(
            "vLLM is not installed, so nothing can be served: `make engine`, or set LECTERN_VLLM_COMMAND.",
            Exit.FAILED,
            "no-engine",
        )
    watch = Stopwatch()
    with _interruptible(), ExitStack() as running:
        with watch.step("start"):
            running.enter_context(launched(launch, session.console, quiet=session.as_json, keep=keep_running))
        here = Session(as_json=session.as_json, server_option=launch.server, home_option=home.root)
        try:
            _show(here, home, shelf, recipe, watch)
        finally:
            here.close()
    if keep_running:
        session.say(f"Still running: `lectern chat --home {home.root}`; to stop: `lectern down --home {home.root}`.")


def _require_pdfs(shelf: Path) -> None:
    from cli.uploading import find_pdfs

    if not shelf.is_dir():
        raise Failure(f"There is no directory {shelf}; name one with --pdfs.", Exit.USAGE, "usage")
    find_pdfs([shelf])


@contextmanager
def _interruptible() -> Iterator[None]:
    """A polite end of this process is an interrupt: everything is taken down."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _show(session: Session, home: "Home", shelf: Path, recipe: dict[str, Any], watch: Any) -> None:
    from cli.demo import show
    from cli.demo.report import write_report
    from cli.demo.story import Story, verdict

    facts = Story(session, shelf, recipe, watch).tell()
    report = home.root / "report.html"
    write_report(facts, report, watch.total)
    wrong = verdict(facts)
    if session.as_json:
        session.emit({"report": str(report), "ok": not wrong, **told(facts)})
    else:
        session.console.print()
        session.console.rule(style="dim")
        show.summary(session.console, facts, watch.total)
        session.say(f"\nReport: {report}")
    if wrong:
        raise Failure(f"It did not all work: {'; '.join(wrong)}.", Exit.FAILED, "demo")


def told(facts: "Facts") -> dict[str, Any]:
    """The facts as JSON."""
    from dataclasses import asdict

    return {**asdict(facts), "pages": facts.pages, "chunks": facts.chunks, "garbage": dict(facts.garbage)}
