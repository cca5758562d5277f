"""`lectern feedback`: what people said of answers, and the preferences that follow from it."""

from pathlib import Path
from typing import Annotated

import typer

from cli.command import command
from cli.session import Session
from cli.text import one_line

app = typer.Typer(help="Feedback: thumbs and corrections on models' answers.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="feedback", rich_help_panel="Learning")


@command(app, "list")
def list_(
    session: Session,
    model: Annotated[str | None, typer.Option(help="Only on answers of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
) -> None:
    """List the latest word of each person on each answer, newest first."""
    from cli.render import table

    found = list(session.api.items("/v1/feedback", limit=limit, model=model))
    if session.as_json:
        session.emit(found)
        return
    rows = [
        (one["at"], one["model"], one["rating"], one_line(one["prompt"], 60), one_line(one["correction"] or one["answer"], 80))
        for one in found
    ]
    session.console.print(table(["at", "model", "rating", "prompt*", "correction or answer*"], rows))


@command(app, "export")
def export(
    session: Session,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Export preferences as JSON Lines: prompt, chosen, rejected. Corrections against what they correct, and answers rated up
    against those rated down."""
    from cli.downloading import to_file_or_stdout

    to_file_or_stdout(session, "/v1/feedback/pairs", out)
