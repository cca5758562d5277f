"""Staying with long work until it is finished, live on a terminal, and failing as it fails."""

from typing import Any

from cli.outcome import Exit, Failure
from cli.session import Session


def wait_for_job(session: Session, job: str) -> dict[str, Any]:
    """Watch a job until it ends; returns it. Raises Failure where it did not end well."""
    from cli.board import board, job_shower
    from cli.watching import watch_job

    with board(session.console, quiet=session.as_json) as on:
        found = watch_job(session.api, job, job_shower(on))
    if found["state"] != "done":
        why = f"{found.get('code')}: {found.get('detail')}" if found.get("code") else "see `lectern jobs`"
        raise Failure(
            f"{found['kind']} {found['subject']} ended {found['state']} at {found['stage']} — {why}",
            Exit.FAILED,
            found["state"],
        )
    return found


def wait_for_deployment(session: Session, name: str) -> dict[str, Any]:
    """Watch a deployment until it is ready; returns it. Raises Failure where it does not come to that."""
    from cli.board import board
    from cli.watching import job_of, watch_deployment

    with board(session.console, quiet=session.as_json) as on:

        def show(found: dict[str, Any]) -> None:
            if on is not None:
                line = f"{name} {found['state']}  {found.get('detail') or ''}".rstrip()
                on.show(_spinning(line), line)

        found = watch_deployment(session.api, name, show)
    if found["state"] != "ready":
        detail = found.get("detail") or "it is not ready in time; see `lectern logs serving`"
        raise Failure(f"{name} is {found['state']}: {detail}", Exit.FAILED, "deployment")
    if found["wish"]["canary"] and found["canary"]["state"] != "ready":
        detail = found["canary"]["detail"] or "it is not ready in time; see `lectern logs serving`"
        raise Failure(f"the canary of {name} is {found['canary']['state']}: {detail}", Exit.FAILED, "deployment")
    job = job_of(session.api, found)
    if job["state"] != "done":
        detail = job["detail"] or "not all of its replicas answer in time; see `lectern deployments`"
        raise Failure(f"{name} answers, but not as asked: {detail}", Exit.FAILED, "deployment")
    return found


def _spinning(line: str) -> Any:
    from rich.spinner import Spinner
    from rich.text import Text

    return Spinner("dots", text=Text(line))
