"""`lectern forget`, `forgotten` and `tidy`: documents that have to go, and what killed work left lying."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import count, one_line, segment, size

PANEL = "Operations"


def register(app: typer.Typer) -> None:
    command(app, "forget", panel="Documents")(forget)
    command(app, "forgotten", panel="Documents")(forgotten)
    command(app, "tidy", panel=PANEL)(tidy)


def forget(
    session: Session,
    document: Annotated[str, typer.Argument(help="A document's id, or the beginning of one.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed, and what saw it.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    why: Annotated[str, typer.Option(help="Kept in the receipt.")] = "",
    lift: Annotated[bool, typer.Option("--lift", help="Lift its tombstone instead, so that it may be uploaded again.")] = False,
) -> None:
    """Remove a document and everything that came from it, and list what saw it. Needs a key with the scope admin.

    Models are not changed: one that was tuned on the document may still know what it said, until it is replaced by one
    that was not.
    """
    if lift:
        _lift(session, document)
        return
    planned = session.api.post(f"/v1/documents/{segment(document)}/forget", {"dry_run": True})
    whole = planned["document"]
    if not session.as_json:
        _show_receipt(session, planned, "Would be removed")
    elif dry_run:
        session.emit(planned)
    if dry_run:
        return
    if not yes:
        _confirm(session, whole)
    answer = session.api.post(f"/v1/documents/{whole}/forget", {"confirm": whole, "why": why})
    from cli.waiting import wait_for_job

    wait_for_job(session, answer["job"])
    told = session.api.get(f"/v1/forgotten/{whole}")
    session.emit(told) if session.as_json else _show_receipt(session, told["receipt"], "Removed")


def _confirm(session: Session, document: str) -> None:
    if session.as_json:
        raise Failure("Forgetting cannot be undone: say --yes where nobody can be asked.", Exit.USAGE, "unconfirmed")
    typed = typer.prompt(f"This cannot be undone. Type {document[:6]} to go on", default="", show_default=False)
    if typed.strip() != document[:6]:
        raise Failure("Nothing was removed.", Exit.INTERRUPTED, "declined")


def _lift(session: Session, document: str) -> None:
    matching = [one for one in session.api.items("/v1/forgotten") if one["document"].startswith(document)]
    if len(matching) != 1:
        raise Failure(
            f"{len(matching)} tombstones begin with {document}; see `lectern forgotten`.", Exit.NOT_FOUND, "not-found"
        )
    told = session.api.delete(f"/v1/forgotten/{matching[0]['document']}")
    session.emit(told) if session.as_json else session.say(f"{told['document'][:12]} may be uploaded again. Nothing came back.")


def forgotten(
    session: Session, document: Annotated[str | None, typer.Argument(help="Show the receipt of this one.")] = None
) -> None:
    """List the documents that were forgotten, or show the receipt of one."""
    found = [one for one in session.api.items("/v1/forgotten") if one["document"].startswith(document or "")]
    if document is not None and len(found) != 1:
        raise Failure(f"{len(found)} tombstones begin with {document}.", Exit.NOT_FOUND, "not-found")
    if session.as_json:
        session.emit(found[0] if document else found)
        return
    from cli.render import table

    if document is not None and found[0]["receipt"]:
        _show_receipt(session, found[0]["receipt"], "Removed")
        return
    rows = [
        (one["document"][:12], one["state"], one["at"][:19], *(_number(one, kind) for kind in ("datasets", "models")),
         one_line((one["receipt"] or {}).get("why", ""), 80))
        for one in found
    ]  # fmt: skip
    session.console.print(table(["document", "state", "since", "datasets#", "models#", "why*"], rows))


def _number(tombstone: dict[str, Any], kind: str) -> str:
    return str(len(tombstone["receipt"]["uses"][kind])) if tombstone["receipt"] else ""


def _show_receipt(session: Session, receipt: dict[str, Any], verb: str) -> None:
    from cli.render import pairs, table

    uses = receipt["uses"]
    removed = ", ".join(f"{number} {kind}" for kind, number in receipt["removed"].items()) or "nothing"
    session.console.print(pairs([
        ("document", receipt["document"]), ("file", ", ".join(uses["filenames"])),
        ("collections", ", ".join(uses["collections"])), (f"{verb} (objects)", removed),
    ]))  # fmt: skip
    rows = [("dataset", one["dataset"], one["name"], _held(one)) for one in uses["datasets"]]
    rows += [("preferences", one["set"], one["name"], _paired(one)) for one in uses.get("preferences", ())]
    rows += [
        ("run", one["run"], one["name"], _saw(one) + ("" if one["finished"] else "; not finished")) for one in uses["runs"]
    ]
    rows += [("model", one["model"], "", f"{_saw(one)}; not changed") for one in uses["models"]]
    rows += [("export", one["export"], one["model"], f"{one['variant']}; not changed") for one in uses["exports"]]
    rows += [("deployment", one["deployment"], one["model"], one["state"]) for one in uses["deployments"]]
    rows += [("classifier", one, "", "learned from its labels; not changed") for one in uses["classifiers"]]
    if rows:
        session.console.print(table(["saw it", "id", "name", "how*"], rows))
    if unknown := uses.get("untraced_preferences"):
        session.say(
            f"The pairs of {count(len(unknown), 'preference set')} do not all tell their documents, and may hold text of this "
            f"one: {', '.join(unknown)}."
        )
    if any(one["trained"] for one in uses["models"]):
        session.say(
            "These models were tuned on the document and were not retrained: they may still say what it said. "
            "Build a dataset of what remains, tune on that, deploy the new model, and stop the old one."
        )


def _held(dataset: dict[str, Any]) -> str:
    told = f"{count(dataset['train'], 'training example')}, {dataset['heldout']} held out"
    return told if dataset["inputs"] else f"{told}, by replay"


def _paired(preferences: dict[str, Any]) -> str:
    return f"{count(preferences['train'], 'training pair')}, {preferences['heldout']} held out"


def _saw(one: dict[str, Any]) -> str:
    return "trained on it" if one["trained"] else "measured on it, not trained"


def tidy(
    session: Session,
    older_hours: Annotated[float | None, typer.Option(min=0, help="Leave alone what is younger; 24 without it.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
) -> None:
    """Remove what killed workers and uploads left in the store. Done daily by itself. Needs a key with the scope admin."""
    answer = session.api.post("/v1/tidy", older_hours=older_hours, dry_run=dry_run)
    if not dry_run:
        from cli.waiting import wait_for_job

        answer = wait_for_job(session, answer["id"])
    found = answer["would_remove"] if dry_run else answer["result"]
    if session.as_json:
        session.emit(found)
        return
    from cli.render import pairs

    rows = [(name, size(number) if name == "bytes" else number) for name, number in found.items()]
    session.console.print(pairs(rows, title="Would be removed" if dry_run else "Removed"))
