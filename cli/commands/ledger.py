"""`lectern ledger`: what became of every page and line of a document, and why."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import one_line, segment

PANEL = "Documents"


def register(app: typer.Typer) -> None:
    command(app, "ledger", panel=PANEL)(ledger)


def ledger(
    session: Session,
    document: Annotated[str | None, typer.Argument(help="A document's id, or the beginning of one.")] = None,
    page: Annotated[int | None, typer.Option(min=1, help="Tell of this page, line by line.")] = None,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Its shelf; without a document, the sum over this collection."),
    ] = None,
) -> None:
    """Account for every page: pages in = kept + set aside + failed, with reasons.

    The sums are checked against each other each time; exit code 1 where they do not add up.
    """
    if document is None:
        found = session.api.get(f"/v1/collections/{segment(collection or 'default')}/ledger")
        session.emit(found) if session.as_json else _show_sums(session, found, found["collection"])
    elif page is not None:
        _page(session, document, page, collection)
        return
    else:
        found = _document(session, document, collection)
    if not found["adds_up"]:
        raise Failure("This ledger does not add up: " + "; ".join(found["faults"]) + ".", Exit.FAILED, "does-not-add-up")


def _document(session: Session, document: str, collection: str | None) -> dict[str, Any]:
    path = f"/v1/documents/{segment(document)}/ledger"
    found: dict[str, Any] = session.api.get(path, collection=collection, limit=1)
    found["items"] = list(session.api.items(path, collection=collection))
    found.pop("next_cursor", None)
    if session.as_json:
        session.emit(found)
        return found
    from cli.render import table

    _show_sums(session, found, f"{one_line(found['filename'], 60)} ({found['document'][:12]}, {found['collection']})")
    rows = [
        (row["page"], row["fate"], *(row["lines"].get(fate, 0) for fate in ("kept", "dropped", "set-aside")), _why(row))
        for row in found["items"]
    ]
    if rows:
        session.console.print(table(["page#", "fate", "kept#", "dropped#", "set aside#", "why*"], rows))
    return found


def _show_sums(session: Session, found: dict[str, Any], name: str) -> None:
    from cli.render import pairs

    pages, said = found["pages"], found["characters"]
    dropped = sum(said["dropped"].values())
    session.console.print(pairs([
        ("ledger of", name),
        ("pages", f"{pages['read']} in = {pages['kept']} kept + {pages['set_aside']} set aside + {pages['failed']} failed"
                  + (f" + {pages['pending']} pending" if pages["pending"] else "")),
        ("characters", f"{said['read']} read = {said['kept']} kept + {dropped} dropped + {said['garbage']} garbage"),
        ("dropped", _counts(said["dropped"])), ("garbage", _counts(found["garbage"])),
        ("chunks", _chunks(found.get("chunks"))),
        ("refused", found["refused"]), ("adds up", "yes" if found["adds_up"] else "NO"),
    ]))  # fmt: skip


def _chunks(chunks: dict[str, Any] | None) -> str | None:
    if chunks is None:
        return None
    made = f"{chunks['cut']} cut + {chunks['returned']} returned"
    return f"{made} = {chunks['kept']} kept + {chunks['set_aside']} set aside"


def _why(row: dict[str, Any]) -> str:
    if row["fate"] == "failed":
        return one_line(row["reason"], 200)
    return _counts(row["reasons"]) if row["reasons"] else one_line(row["reason"], 200)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {one_line(name, 40)}" for name, number in counts.items()) or "none"


def _page(session: Session, document: str, page: int, collection: str | None) -> None:
    path = f"/v1/documents/{segment(document)}/ledger/pages/{page}"
    found = session.api.get(path, collection=collection, limit=1)
    lines = list(session.api.items(path, collection=collection))
    if session.as_json:
        session.emit({**found["account"], "document": found["document"], "items": lines})
        return
    from cli.render import table

    account = found["account"]
    session.say(f"Page {page}: {account['fate']}" + (f", {one_line(account['reason'], 200)}" if account["reason"] else ""))
    rows = [(one["block"], one["line"], one["fate"], one["reason"], one["label"], one_line(one["text"], 160)) for one in lines]
    session.console.print(table(["block#", "line#", "fate", "reason", "label", "text*"], rows))
