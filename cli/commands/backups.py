"""`lectern backup` and `lectern restore`: the object store kept elsewhere, and a Lectern made of what was kept."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from cli.command import LOCAL, command
from cli.outcome import Exit, Failure
from cli.session import Session
from cli.text import count, size

if TYPE_CHECKING:
    from shared.backup.settings import BackupSettings
    from shared.errors import LecternError

PANEL = "Operations"
Place = Annotated[str, typer.Argument(metavar="PLACE", help="A directory, or s3://bucket/prefix (see docs/operate.md).")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier one was cut short.")]
EXITS = {"not-found": Exit.NOT_FOUND, "conflict": Exit.CONFLICT, "invalid-input": Exit.USAGE}


def register(app: typer.Typer) -> None:
    command(app, "backup", options=LOCAL, panel=PANEL)(backup)
    command(app, "restore", options=LOCAL, panel=PANEL)(restore)


def backup(
    session: Session,
    place: Place,
    keep: Annotated[int | None, typer.Option(min=1, help="Remove all backups there but so many of the latest.")] = None,
    resume: Resume = False,
) -> None:
    """Copy every fact to another place, while Lectern works; what an earlier backup there holds is not copied again.

    Of the local home, or of the store that LECTERN_STORE_URL names. The local API key's file is no part of it.
    """
    from shared.backup.work import back_up

    with _told(session, "backed up") as tell, _failures():
        made = back_up(_settings(session), place, keep, resume, tell)
    if session.as_json:
        session.emit(made.model_dump(exclude={"parts", "schema_version"}))
        return
    session.say(f"Backup {made.id}: {count(made.objects, 'object')}, {size(made.size_bytes)}, in {place}.")
    session.say(f"To see that it can be read back: `lectern restore {place} --check`.")


def restore(
    session: Session,
    place: Place,
    at: Annotated[str | None, typer.Option("--at", help="The backup's id; without it, the latest.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Read it all and check every digest; write nothing.")] = False,
    resume: Resume = False,
) -> None:
    """Fill an empty store from a backup, every object checked by its digest, and make the catalog of it.

    Into the local home, which must be down, or the store and catalog that LECTERN_STORE_URL and LECTERN_CATALOG_URL name.
    """
    from shared.backup.work import look_through
    from shared.backup.work import restore as fill

    if check:
        with _told(session, "checked") as tell, _failures():
            found = look_through(_settings(session), place, at, tell)
        if session.as_json:
            session.emit(found.model_dump(exclude={"parts", "schema_version"}))
        else:
            session.say(f"Backup {found.id} is whole: {count(found.objects, 'object')}, {size(found.size_bytes)}.")
        return
    settings = _settings(session)
    _require_down(session, settings)
    with _told(session, "restored") as tell, _failures():
        done, counts = fill(settings, place, at, resume, tell)
    if session.as_json:
        session.emit({"id": done.backup.id, "written": done.written, "stood": done.stood, "indexed": counts})
        return
    stood = f" ({count(done.stood, 'object')} stood already)" if done.stood else ""
    session.say(f"Restored backup {done.backup.id}: {count(done.written, 'object')} written{stood}. In the catalog:")
    from cli.render import pairs

    session.console.print(pairs(list(counts.items())))


def _settings(session: Session) -> "BackupSettings":
    """The environment's where it names a store, else the local home's."""
    from shared.backup.settings import BackupSettings

    given = BackupSettings()
    if "store_url" in given.model_fields_set:
        return given
    home = session.home
    return BackupSettings(store_url=f"file://{home.store}", catalog_url=f"sqlite:///{home.catalog}")


def _require_down(session: Session, settings: "BackupSettings") -> None:
    from cli.launcher.supervision import connect

    if settings.store_url == f"file://{session.home.store}" and connect(session.home) is not None:
        raise Failure(
            f"Lectern is up under {session.home.root}: `lectern down` first, and restore into a home that holds nothing.",
            Exit.CONFLICT,
            "conflict",
        )


@contextmanager
def _told(session: Session, done: str) -> Iterator[Callable[[int, int], None]]:
    from cli.board import board

    with board(session.console, quiet=session.as_json) as on:

        def tell(objects: int, size_bytes: int) -> None:
            if on is not None:
                line = f"{count(objects, 'object')} {done}, {size(size_bytes)}"
                on.show(line, line)

        yield tell


@contextmanager
def _failures() -> Iterator[None]:
    from shared.errors import LecternError

    try:
        yield
    except LecternError as error:
        raise _failure(error) from error


def _failure(error: "LecternError") -> Failure:
    return Failure(error.message, EXITS.get(error.code, Exit.FAILED), error.code)
