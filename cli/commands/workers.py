"""`lectern workers`: which processes are there, what each is at, and the GPUs that they see."""

from typing import Any

import typer

from cli.command import command
from cli.session import Session

GIB = 1 << 30


def register(app: typer.Typer) -> None:
    command(app, "workers", panel="Operations")(workers)


def workers(session: Session) -> None:
    """See who works: each process with its host, its queues, what it is at, its version; and the GPUs."""
    found: list[dict[str, Any]] = session.api.get("/v1/workers")["items"]
    if session.as_json:
        session.emit(found)
        return
    from cli.render import state, table

    columns = ["worker", "state", "heard", "queues", "at*", "version"]
    rows = [
        (one["id"], state(one["state"]), _ago(one["heard_seconds"]), " ".join(one["queues"]), _doing(one), one["version"])
        for one in found
    ]
    session.console.print(table(columns, rows))
    gpus = {(one["host"], gpu["uuid"]): gpu for one in found if one["state"] == "live" for gpu in one["gpus"]}
    if not gpus:
        session.say("No worker sees a GPU.")
        return
    shown = [(host, gpu["index"], gpu["name"], _memory(gpu)) for (host, _), gpu in sorted(gpus.items())]
    session.console.print(table(["host", "gpu#", "name*", "memory"], shown))


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


def _doing(worker: dict[str, Any]) -> str:
    at = worker.get("at")
    return f"{at['stage']}: {at['job']}" if at else ""


def _memory(gpu: dict[str, Any]) -> str:
    used, total = gpu["memory_used_bytes"], gpu["memory_total_bytes"]
    if used is None or total is None:
        return "not told by the driver"
    return f"{used / GIB:.1f} of {total / GIB:.1f} GiB"
