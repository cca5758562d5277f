"""`lectern status`, `watch`, `garbage` and `download`: documents, from the shelf to their chunks."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.command import command
from cli.session import Session
from cli.text import count, duration, one_line, segment, size

if TYPE_CHECKING:
    from cli.shelf import Row, Shelf

PANEL = "Documents"
Collection = Annotated[str, typer.Option("--collection", "-c", help="The collection: a named shelf.")]
DETAILED = 200
"""Lists come without stages; for so many documents each is asked for its own, to tell its pages."""

Part = Literal["mmd", "clean", "pages", "chunks", "garbage"]


def register(app: typer.Typer) -> None:
    command(app, "status", panel=PANEL)(status)
    command(app, "watch", panel=PANEL)(watch)
    command(app, "garbage", panel=PANEL)(garbage)
    command(app, "download", panel=PANEL)(download)
    command(app, "remove", panel=PANEL)(remove)


def remove(
    session: Session,
    document: Annotated[str, typer.Argument(help="A document's id, or the beginning of one.")],
    collection: Annotated[str, typer.Option("--collection", "-c", help="The shelf to take it off.")],
) -> None:
    """Take a document off one of its shelves; it stays on the others. `lectern forget` removes it altogether."""
    session.api.delete(f"/v1/collections/{segment(collection)}/documents/{segment(document)}")
    told = {"document": document, "collection": collection}
    session.emit(told) if session.as_json else session.say(f"{document[:16]} is off the shelf {collection}.")


def status(
    session: Session,
    document: Annotated[str | None, typer.Argument(help="A document's id, or the beginning of one.")] = None,
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Documents of this collection; all collections without it.")
    ] = None,
    state: Annotated[
        str | None, typer.Option(help="Only documents in this state: queued, running, waiting, done, failed, dead, cancelled.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many documents.")] = 500,
) -> None:
    """Tell how far documents have come, and why those stopped that did."""
    from cli.lines import with_stages

    if document is not None:
        _show_document(session, session.api.get(f"/v1/documents/{segment(document)}"))
        return
    names = [collection] if collection else [each["name"] for each in session.api.items("/v1/collections")]
    found: list[dict[str, Any]] = []
    for name in names:
        if limit > len(found):
            path = f"/v1/collections/{segment(name)}/documents"
            found += session.api.items(path, limit=limit - len(found), state=state)
    if len(found) <= DETAILED:
        found = with_stages(session.api, found)
    if session.as_json:
        session.emit(found)
    elif not found:
        session.say("No documents. Upload some with `lectern upload FILE.pdf`.")
    else:
        _show_documents(session, found)


def _show_documents(session: Session, found: list[dict[str, Any]]) -> None:
    from cli.render import reasons, state, table

    shelves = len({each["collection"] for each in found}) > 1
    columns = ["document", "file", *(["collection"] if shelves else []), "pages#", "state", "stage", "reason"]
    rows = [
        (each["id"][:12], one_line(each["filename"], 40), *([each["collection"]] if shelves else []), _pages(each),
         state(each["state"]), each["stage"] if each["state"] != "done" else "", each["code"] or "")
        for each in found
    ]  # fmt: skip
    session.console.print(table(columns, rows))
    reasons(session.console, [(each["filename"], each["code"], each["detail"]) for each in found if each["code"]])
    states = Counter(each["state"] for each in found)
    session.say(f"{count(len(found), 'document')}: " + ", ".join(f"{number} {name}" for name, number in states.items()))


def _pages(document: dict[str, Any]) -> str:
    for stage in document.get("stages") or ():
        if stage["stage"] == "extraction" and "pages" in stage.get("result", {}):
            return str(stage["result"]["pages"])
    return ""


def _reason(document: dict[str, Any]) -> str:
    if not document.get("code"):
        return ""
    return f"{document['code']}: {one_line(document.get('detail') or '', 300)}"


def _show_document(session: Session, found: dict[str, Any]) -> None:
    if session.as_json:
        session.emit(found["items"])
        return
    from cli.render import pairs, state, table

    for each in found["items"]:
        session.console.print(pairs([
            ("document", each["id"]), ("file", each["filename"]), ("collection", each["collection"]),
            ("size", size(each["size_bytes"])), ("added", each["added_at"]), ("state", state(each["state"])),
            ("reason", _reason(each) or None), ("job", each["job"]),
        ]))  # fmt: skip
        rows = [
            (stage["stage"], state(stage["state"]), duration(stage.get("seconds")), _result(stage)) for stage in each["stages"]
        ]
        if rows:
            session.console.print(table(["stage", "state", "time#", "result*"], rows))


def _result(stage: dict[str, Any]) -> str:
    """A stage's own figures on a line: `pages 12, blocks 240`."""
    shown = {name: value for name, value in (stage.get("result") or {}).items() if name != "schema_version"}
    return one_line(", ".join(f"{name} {_flat(value)}" for name, value in shown.items() if value not in (None, {}, "")), 400)


def _flat(value: Any) -> str:
    return (
        "(" + ", ".join(f"{name} {_flat(each)}" for name, each in value.items()) + ")"
        if isinstance(value, dict)
        else str(value)
    )


def watch(
    session: Session,
    job: Annotated[
        str | None, typer.Argument(help="A job's id (see `lectern jobs`); without one, a collection is watched.")
    ] = None,
    collection: Collection = "default",
) -> None:
    """Watch work live until it is finished: a job, or all documents of a collection.

    With --json, a collection's documents are printed as they finish, one JSON value a line; a job as it ended. Exit code 1 if
    the job did not end well.
    """
    if job is None:
        _watch_collection(session, collection)
    else:
        from cli.waiting import wait_for_job

        found = wait_for_job(session, job)
        session.emit(found) if session.as_json else session.say(f"{found['id']}: {found['state']}")


def _watch_collection(session: Session, collection: str) -> None:
    from cli.board import ShelfBoard, board, states_line
    from cli.watching import watch_shelf

    if session.as_json:
        shelf = watch_shelf(session.api, collection, _JsonView(session))
    else:
        with board(session.console) as on:
            shelf = watch_shelf(session.api, collection, ShelfBoard(on))
        session.say(f"{collection}: {states_line(shelf) or 'no documents'}")


class _JsonView:
    """A `ShelfView` that prints a line of JSON per finished document."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def show(self, shelf: "Shelf") -> None:
        return

    def finished(self, row: "Row") -> None:
        told = {"document": row.document, "filename": row.filename, "state": row.state, "code": row.code, "detail": row.detail}
        self._session.emit_line(told)


def garbage(
    session: Session,
    collection: Collection = "default",
    limit: Annotated[int, typer.Option(min=0, help="Show so many of the items; the counts are over all.")] = 20,
    reason: Annotated[str | None, typer.Option(help="Only items set aside for this reason.")] = None,
) -> None:
    """Show what was set aside as garbage, and why."""
    items = [item for item in session.api.items("/v1/garbage", collection=collection) if reason in (None, item["reason"])]
    if session.as_json:
        session.emit(items)
        return
    from cli.render import table

    names = {each["id"]: each["filename"] for each in session.api.items(f"/v1/collections/{segment(collection)}/documents")}
    reasons = Counter(item["reason"] for item in items)
    session.say(f"{count(len(items), 'item')} set aside in {collection}")
    session.console.print(table(["reason", "items#"], reasons.most_common()))
    rows = [
        (item["reason"], one_line(names.get(item["document"], ""), 28), item["page"], one_line(item["text"], 200))
        for item in items[:limit]
    ]
    if rows:
        session.console.print(table(["reason", "file", "page#", "text*"], rows))


def download(
    session: Session,
    document: Annotated[str, typer.Argument(help="A document's id, or the beginning of one.")],
    part: Annotated[
        Part, typer.Option(help="What of it: the MMD as read or as cleaned, the page map, the chunks, or the garbage.")
    ] = "mmd",
    collection: Annotated[
        str | None, typer.Option("--collection", "-c", help="Where it stands in several collections: which.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write to this file instead of stdout.")] = None,
) -> None:
    """Download what was made of a document."""
    from cli.downloading import to_file_or_stdout
    from cli.lines import shelf_of

    shelf, identity = shelf_of(session.api, document, collection)
    name, query = ("mmd", {"clean": "true"}) if part == "clean" else (part, {})
    path = f"/v1/collections/{segment(shelf)}/documents/{segment(identity)}/{name}"
    to_file_or_stdout(session, path, out, **query)
