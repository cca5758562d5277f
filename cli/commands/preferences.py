"""`lectern preferences`: pairs of answers, one of them preferred, that alignment learns from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import segment

app = typer.Typer(help="Preferences: pairs of answers that `lectern tune --align` learns from.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="preferences", rich_help_panel="Learning")


@command(app, "build")
def build(
    session: Session,
    name: Annotated[str, typer.Argument(help="What to call the set.")],
    file: Annotated[
        Path | None, typer.Option(help="A JSON Lines file with prompt, chosen and rejected; people's feedback without it.")
    ] = None,
    model: Annotated[str, typer.Option(help="Only of feedback on answers of this model.")] = "",
    heldout_share: Annotated[float, typer.Option(help="Share of the prompts kept out of training, to measure on.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Decides which prompts are held out.")] = 17,
) -> None:
    """Build a preference set from feedback, or from a file. The same pairs are the same set."""
    if file is None:
        parameters = {"heldout_share": heldout_share, "seed": seed}
        found = session.api.post("/v1/preferences", {"name": name, "model": model, "parameters": parameters})
    else:
        if model:
            raise Failure("--model chooses among feedback; a file is taken whole.", Exit.USAGE, "usage")
        query = {"name": name, "filename": file.name, "heldout_share": heldout_share, "seed": seed}
        try:
            found = session.api.send("/v1/preferences/upload", file, "application/jsonl", **query)
        except OSError as error:
            raise Failure(f"{file} cannot be read: {error.strerror or error}.", Exit.USAGE, "usage") from error
    _show(session, found)


@command(app, "list")
def list_(session: Session) -> None:
    """List the preference sets, newest first."""
    from cli.render import table

    found = list(session.api.items("/v1/preferences"))
    if session.as_json:
        session.emit(found)
        return
    rows = [(one["id"], f"{one['name']} {one['version']}", _origin(one), one["pairs"], one["heldout"]) for one in found]
    session.console.print(table(["set", "name", "made of", "pairs#", "held out#"], rows))


@command(app, "show")
def show(session: Session, preferences: Annotated[str, typer.Argument(help="The set's id.")]) -> None:
    """Show a preference set: its pairs in numbers, where they come from, and what was refused."""
    _show(session, session.api.get(f"/v1/preferences/{segment(preferences)}"))


@command(app, "export")
def export(
    session: Session,
    preferences: Annotated[str, typer.Argument(help="The set's id.")],
    heldout: Annotated[bool, typer.Option("--heldout", help="What is held out instead of what is trained on.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Export a preference set as JSON Lines."""
    from cli.downloading import to_file_or_stdout

    path = f"/v1/preferences/{segment(preferences)}/download"
    to_file_or_stdout(session, path, out, split="heldout" if heldout else "train")


def _origin(found: dict[str, Any]) -> str:
    return str(found["filename"] if found["source"] == "file" else found["model"] or "feedback")


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _show(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs

    session.console.print(pairs([
        ("set", found["id"]), ("name", f"{found['name']}, version {found['version']}"), ("made of", _origin(found)),
        ("pairs", f"{found['pairs']} to train on, {found['heldout']} held out, of {found['prompts']} prompts"),
        ("by source", _counted(found["sources"])), ("refused", _counted(found["refused"]) or "none"),
        ("documents", f"{found['untraced']} pairs tell none" if found["untraced"] else "every pair tells its own"),
        ("forgotten in it", str(len(found["redactions"])) if found["redactions"] else None), ("asked by", found["by"]),
    ]))  # fmt: skip
