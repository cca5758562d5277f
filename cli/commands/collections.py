"""`lectern collection`: named shelves and their settings."""

import sys
from typing import Annotated, Any

import typer

from cli.assignments import parse_assignments
from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import segment

app = typer.Typer(help="Collections: named shelves of documents, each with its own settings.", no_args_is_help=True)


def register(main: typer.Typer) -> None:
    main.add_typer(app, name="collection", rich_help_panel="Documents")


@command(app, "list")
def list_(session: Session) -> None:
    """List the collections."""
    from cli.render import table

    found = list(session.api.items("/v1/collections"))
    if session.as_json:
        session.emit(found)
        return
    rows = [
        (each["name"], each["documents"], each["parameters"]["chunking"]["max_tokens"], each["created_at"][:19])
        for each in found
    ]
    session.console.print(table(["collection", "documents#", "tokens a chunk#", "made"], rows))


@command(app, "show")
def show(session: Session, collection: Annotated[str, typer.Argument(help="The collection.")] = "default") -> None:
    """Show a collection: how its documents stand, and its settings."""
    _show(session, session.api.get(f"/v1/collections/{segment(collection)}"))


@command(app, "set")
def set_(
    session: Session,
    collection: Annotated[str, typer.Argument(help="The collection; made where there is none.")],
    settings: Annotated[list[str], typer.Argument(help="Settings, such as chunking.max_tokens=128.", metavar="NAME=VALUE...")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done again, and for how long.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask, however much there is to do again.")] = False,
) -> None:
    """Change settings of a collection. Its documents go again through the stages that depend on them, and no others.

    What would be done again, and for how long, is told first; a terminal is asked before it begins.
    """
    from cli.costs import show_cost

    path, changes = f"/v1/collections/{segment(collection)}", parse_assignments(settings)
    cost = _cost(session, path, changes)
    if dry_run:
        if cost is None:
            session.say(f"There is no collection {collection} yet, so nothing would be done again.")
        show_cost(session, cost)
        return
    if cost is not None and cost["documents"] and not session.as_json:
        show_cost(session, cost)
        if not yes and sys.stdin.isatty() and not typer.confirm("Go on?"):
            raise Failure("Nothing was changed.", Exit.INTERRUPTED, "declined")
    found = session.api.patch(path, changes)
    if cost is not None and cost["documents_in_all"]:
        _await_settings(session, collection)
    _show(session, found)


def _cost(session: Session, path: str, changes: dict[str, Any]) -> dict[str, Any] | None:
    """None for a collection that is yet to be made."""
    try:
        found: dict[str, Any] = session.api.post(f"{path}/estimate", changes)
    except Failure as failure:
        if failure.exit_code == Exit.NOT_FOUND:
            return None
        raise
    return found


def _await_settings(session: Session, collection: str) -> None:
    """Until every document is queued for what it needs, so that whoever watches the collection next sees it at work."""
    from cli.waiting import wait_for_job

    for job in list(session.api.items("/v1/jobs", kind="settings", limit=200)):
        if job["collection"] == collection and job["state"] not in ("done", "dead"):
            wait_for_job(session, job["id"])


def _show(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs

    parameters = found.get("parameters", found)
    facts = [(name, _flat(value)) for name, value in found.items() if name not in ("parameters", "schema_version")]
    settings = [
        (f"{stage}.{name}", value)
        for stage, values in parameters.items() if isinstance(values, dict)
        for name, value in values.items() if name != "schema_version"
    ]  # fmt: skip
    session.console.print(pairs([*facts, *settings]))


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{number} {name}" for name, number in value.items()) or "none"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
