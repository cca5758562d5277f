"""`lectern jobs`, `cancel`, `retry` and `reindex`: long work, and what to do about it."""

from typing import Annotated, Any

import typer

from cli.command import command
from cli.session import Session
from cli.text import one_line, reach, segment

PANEL = "Operations"


def register(app: typer.Typer) -> None:
    command(app, "jobs", panel=PANEL)(jobs)
    command(app, "cancel", panel=PANEL)(cancel)
    command(app, "retry", panel=PANEL)(retry)
    command(app, "reindex", panel=PANEL)(reindex)


def jobs(
    session: Session,
    job: Annotated[str | None, typer.Argument(help="Show this one.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only jobs of this kind: document, dataset, run, forget, …")] = None,
    state: Annotated[str | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, newest first.")] = 50,
) -> None:
    """List long work, newest first: what it is at, how far, and why it stopped."""
    if job is not None:
        found: list[dict[str, Any]] = [session.api.get(f"/v1/jobs/{segment(job)}")]
    else:
        found = list(session.api.items("/v1/jobs", limit=limit, kind=kind, state=state))
    if session.as_json:
        session.emit(found[0] if job else found)
        return
    from cli.render import state as coloured
    from cli.render import table

    rows = [(each["id"], coloured(each["state"]), each["stage"], _reach(each), _reason(each)) for each in found]
    session.console.print(table(["job", "state", "stage", "progress", "reason*"], rows))


def _reach(job: dict[str, Any]) -> str:
    progress = job.get("progress")
    return reach(progress["done"], progress["total"], progress["unit"]) if progress else ""


def _reason(job: dict[str, Any]) -> str:
    return f"{job['code']}: {one_line(job.get('detail') or '', 300)}" if job.get("code") else ""


def cancel(session: Session, job: Annotated[str, typer.Argument(help="The job's id.")]) -> None:
    """Call a job off: at once where no worker is at it, at its next sign of life where one is."""
    answer = session.api.delete(f"/v1/jobs/{segment(job)}")
    session.emit(answer) if session.as_json else session.say(f"{job} is being called off.")


def retry(session: Session, job: Annotated[str, typer.Argument(help="The job's id.")]) -> None:
    """Start a dead or cancelled job again, from the stage where it stopped."""
    answer = session.api.post(f"/v1/jobs/{segment(job)}/retry")
    session.emit(answer) if session.as_json else session.say(f"{job} is queued again; watch it with `lectern watch {job}`.")


def reindex(session: Session) -> None:
    """Rebuild the catalog from the object store."""
    from cli.waiting import wait_for_job

    counts = wait_for_job(session, session.api.post("/v1/reindex")["id"])["result"]
    if session.as_json:
        session.emit(counts)
        return
    from cli.render import pairs

    session.console.print(pairs(list(counts.items())))
