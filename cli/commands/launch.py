"""`lectern up`, `down`, `ps` and `logs`: Lectern on one machine."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import duration, plain, size

if TYPE_CHECKING:
    from cli.launcher.supervision import Process

PANEL = "This machine"


def register(app: typer.Typer) -> None:
    command(app, "up", options=LOCAL, panel=PANEL)(up)
    command(app, "down", options=LOCAL, panel=PANEL)(down)
    command(app, "ps", options=LOCAL, panel=PANEL)(ps)
    command(app, "logs", options=LOCAL, panel=PANEL)(logs)


def up(
    session: Session,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API on 127.0.0.1.")] = 8080,
    extraction_workers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Extraction processes; without it, a core less than there are, at most 4.")
    ] = None,
    serving: Annotated[bool, typer.Option("--serving/--no-serving", help="Whether models are served too (vLLM).")] = True,
    detach: Annotated[bool, typer.Option("--detach/--foreground", help="Return when ready, or stay until Ctrl-C.")] = True,
) -> None:
    """Start Lectern on this machine and wait until it is ready.

    The services run as supervised processes under one home directory, and come back by themselves when they die.
    The first time, the base model is prepared and an API key for this machine is made.
    """
    from cli.launcher.plan import plan, workers_by_default
    from cli.launcher.ports import free_port

    standing = _standing(session)
    if standing is not None:
        _tell_standing(session, standing, port)
        return
    launch = plan(session.home, port, extraction_workers or workers_by_default(), serving, free_port)
    from cli.launcher.watched import launched

    if serving and "vllm_command" not in launch.extra:
        served = "GGUFs alone can be served" if "llama_python" in launch.extra else "models cannot be served"
        session.say(f"vLLM is not installed, so {served}: `make engine`, or set LECTERN_VLLM_COMMAND.")
    with launched(launch, session.console, quiet=session.as_json, keep=detach):
        _tell_up(session, launch.server)
        if not detach:
            _stay(session)


def _standing(session: Session) -> str | None:
    """The server's URL where this home is up already."""
    from cli.launcher.supervision import connect

    return (session.home.server() or "") if connect(session.home) is not None else None


def _tell_standing(session: Session, server: str, port: int) -> None:
    if session.as_json:
        session.emit({"server": server, "home": str(session.home.root), "started": False})
        return
    session.say(f"Lectern is up already at {server or 'an address yet to come'} (home {session.home.root}).")
    if server and not server.endswith(f":{port}") and port != 8080:
        session.say("To move it to another port: `lectern down`, then `lectern up --port` again.")


def _tell_up(session: Session, server: str) -> None:
    if session.as_json:
        session.emit({"server": server, "home": str(session.home.root), "started": True})
        return
    session.say(f"Lectern is up at {server} — API documentation at {server}/docs")
    session.say(f"Home {session.home.root}; the local API key is in {session.home.key_file}")
    session.say("Next: `lectern upload FILE.pdf`. To stop: `lectern down`.")


def _stay(session: Session) -> None:
    from cli.launcher.supervision import connect

    session.say("Running in the foreground; Ctrl-C stops everything.")
    while connect(session.home) is not None:
        time.sleep(1.0)
    raise Failure("The supervisor is gone.", Exit.FAILED, "launch")


def down(session: Session) -> None:
    """Stop everything that `lectern up` started, and whatever it left behind. What is stored stays."""
    from cli.launcher.down import alone, take_down

    if not session.home.root.exists():
        session.emit({"was_up": False, "programs": [], "leftovers": 0}) if session.as_json else session.say("Nothing to stop.")
        return
    started = time.monotonic()
    with alone(session.home):
        stopped = take_down(session.home)
    if session.as_json:
        session.emit({"was_up": stopped.was_up, "programs": list(stopped.programs), "leftovers": stopped.leftovers})
    elif not stopped.was_up:
        session.say(f"It was not up; ended {stopped.leftovers} leftover processes." if stopped.leftovers else "It was not up.")
    else:
        session.say(f"Stopped {', '.join(stopped.programs)} in {duration(time.monotonic() - started)}.")


def ps(session: Session) -> None:
    """The processes of this machine's Lectern: state, uptime, memory with all below them."""
    from cli.launcher.supervision import connect

    supervisor = connect(session.home)
    if supervisor is None:
        raise Failure(f"Nothing is up under {session.home.root}. Start it with `lectern up`.", Exit.UNREACHABLE, "down")
    rows = [_row(process) for process in supervisor.processes()]
    if session.as_json:
        session.emit(rows)
        return
    from cli.render import state, table

    session.console.print(
        table(
            ["process", "state", "pid#", "uptime#", "memory#", "below#", "note*"],
            [
                (row["name"], state(row["state"]), row["pid"] or "", duration(row["uptime_seconds"]) if row["pid"] else "",
                 size(row["memory_bytes"]) if row["pid"] else "", row["children"] or "", plain(row["detail"]))
                for row in rows
            ],
        )
    )  # fmt: skip


def _row(process: "Process") -> dict[str, Any]:
    from cli.launcher.leftovers import descendants

    family = descendants(process.pid) if process.pid else []
    return {
        "name": process.name,
        "service": process.group,
        "state": process.state,
        "pid": process.pid,
        "uptime_seconds": round(time.time() - process.started_at, 1) if process.started_at else None,
        "memory_bytes": sum(_resident(each) for each in family),
        "children": max(0, len(family) - 1),
        "detail": process.detail,
        "log": str(process.log),
    }


def _resident(process: Any) -> int:
    import psutil

    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def logs(
    session: Session,
    service: Annotated[str | None, typer.Argument(help="A process (see `lectern ps`) or a service; all without it.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as lines are added, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many of the last lines of each log.")] = 20,
) -> None:
    """Show the logs of this machine's processes."""
    from cli.launcher.logs import chosen, follow_logs, last_lines

    files = chosen(session.home.log, service)
    if not files:
        known = ", ".join(sorted(path.stem for path in session.home.log.glob("*.log"))) or "none yet"
        raise Failure(f"There is no log of {service or 'any process'}. Logs: {known}.", Exit.NOT_FOUND, "not-found")

    def show(path: Path, line: str) -> None:
        if session.as_json:
            session.emit_line({"process": path.stem, "line": line})
        else:
            session.say(plain(f"{path.stem}: {line}" if len(files) > 1 else line))

    for path in files:
        for line in last_lines(path, lines):
            show(path, line)
    if follow:
        follow_logs(files, show)
