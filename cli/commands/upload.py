"""`lectern upload`: PDFs onto a collection's shelf."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import command
from cli.commands.documents import Collection
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import count, one_line

if TYPE_CHECKING:
    from cli.shelf import Shelf
    from cli.uploading import Outcome


def register(app: typer.Typer) -> None:
    command(app, "upload", panel="Documents")(upload)


def upload(
    session: Session,
    paths: Annotated[
        list[Path], typer.Argument(help="PDF files, and directories to take every .pdf from.", metavar="FILE|DIR...")
    ],
    collection: Collection = "default",
    wait: Annotated[
        bool, typer.Option("--wait", "-w", help="Stay until every document is extracted, cleaned, chunked and screened.")
    ] = False,
) -> None:
    """Put PDFs on a collection's shelf; they are extracted, cleaned, chunked and screened from there.

    The same bytes twice are the same document. Files that are refused are told with what to do; the others go through.
    Exit code 1 if any was refused or, with --wait, failed.
    """
    from cli.uploading import find_pdfs

    files = find_pdfs(paths)
    outcomes = send(session, collection, files)
    refused = [each for each in outcomes if each.document is None]
    jobs = {each.document["job"] for each in outcomes if each.document is not None}
    shelf = _watched(session, collection, jobs) if wait and jobs else None
    if session.as_json:
        session.emit({"collection": collection, "files": [_told(each, shelf) for each in outcomes]})
    else:
        _show_outcomes(session, outcomes, shelf)
    failed = sum(row.state != "done" for row in shelf.rows.values()) if shelf else 0
    if refused or failed:
        told = [count(len(refused), "file") + " refused"] * bool(refused) + [count(failed, "document") + " failed"] * bool(
            failed
        )
        raise Failure(f"{' and '.join(told)}; the reasons are above.", Exit.FAILED, "refused")


def send(session: Session, collection: str, files: list[Path]) -> list["Outcome"]:
    """Upload files under a progress bar over all bytes; returns the outcomes in the order of the files."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from cli.uploading import upload_all

    columns = (TextColumn("uploading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TextColumn("{task.description}"))
    hidden = session.as_json or not session.console.is_terminal
    with Progress(*columns, console=session.console, transient=True, disable=hidden) as progress:
        total = progress.add_task("", total=sum(file.stat().st_size for file in files))
        outcomes = []
        for outcome in upload_all(session.api, collection, files, lambda sent: progress.advance(total, sent)):
            outcomes.append(outcome)
            progress.update(total, description=f"{len(outcomes)} of {count(len(files), 'file')}")
    order = {file: at for at, file in enumerate(files)}
    return sorted(outcomes, key=lambda outcome: order[outcome.file])


def _watched(session: Session, collection: str, jobs: set[str]) -> "Shelf":
    from cli.board import ShelfBoard, board
    from cli.watching import watch_shelf

    with board(session.console, quiet=session.as_json) as on:
        return watch_shelf(session.api, collection, ShelfBoard(on, tell=False), jobs)


def _told(outcome: "Outcome", shelf: "Shelf | None") -> dict[str, Any]:
    row = shelf.rows.get(outcome.document["job"]) if shelf and outcome.document else None
    return {**outcome.json, **({"state": row.state, "code": row.code, "detail": row.detail} if row else {})}


def _show_outcomes(session: Session, outcomes: list["Outcome"], shelf: "Shelf | None") -> None:
    from cli.render import reasons, state, table

    found = [_told(outcome, shelf) for outcome in outcomes]
    rows = [
        (one_line(outcome.file.name, 40), (told["document"] or {}).get("id", "")[:12], state(_state(told)), told["code"] or "")
        for outcome, told in zip(outcomes, found, strict=True)
    ]
    session.console.print(table(["file", "document", "state", "reason"], rows))
    reasons(
        session.console,
        [
            (outcome.file.name, told["code"], told["detail"])
            for outcome, told in zip(outcomes, found, strict=True)
            if told["code"]
        ],
    )


def _state(told: dict[str, Any]) -> str:
    """A file's state as last seen: watched, else as it was taken in, else refused."""
    return str(told.get("state") or (told["document"] or {}).get("state") or "refused")
