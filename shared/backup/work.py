"""A backup and a restore as a whole, from settings: the store, the place of backups, the bucket, and the catalog made anew."""

from pathlib import Path

from shared.backup.places import place
from shared.backup.put_back import PutBack, check, put_back, require_empty_catalog
from shared.backup.settings import BackupSettings
from shared.backup.take import Tell, take
from shared.buckets import ensure_bucket
from shared.catalog.database import migrate, open_database
from shared.catalog.sql import SqlCatalog
from shared.contracts.backups import Backup
from shared.errors import NotFound
from shared.objects import open_store
from shared.reindex import reindex
from shared.settings import StoreSettings


def back_up(settings: BackupSettings, given: str, keep: int | None, resume: bool, tell: Tell) -> Backup:
    """Raises InvalidInput, Conflict."""
    target = place(settings, given)
    ensure_bucket(target)
    return take(open_store(settings), open_store(target), keep, resume, tell)


def look_through(settings: BackupSettings, given: str, backup: str | None, tell: Tell) -> Backup:
    """Raises InvalidInput, NotFound, Damaged."""
    return check(open_store(_existing(settings, given)), backup, tell)


def restore(
    settings: BackupSettings, given: str, backup: str | None, resume: bool, tell: Tell
) -> tuple[PutBack, dict[str, int]]:
    """The store filled, and the catalog made of it. Raises InvalidInput, NotFound, Conflict, Damaged; a damaged backup is put
    back as far as it goes, and the catalog is not made."""
    source = _existing(settings, given)
    migrate(settings.catalog_url)
    engine = open_database(settings.catalog_url)
    try:
        if not resume:
            require_empty_catalog(engine)
        ensure_bucket(settings)
        store = open_store(settings)
        done = put_back(store, open_store(source), backup, resume, tell)
        counts = reindex(store, SqlCatalog(engine))
    finally:
        engine.dispose()
    return done, counts


def _existing(settings: BackupSettings, given: str) -> StoreSettings:
    source = place(settings, given)
    if source.store_url.startswith("file://") and not Path(source.store_url.removeprefix("file://")).is_dir():
        raise NotFound(f"There is no directory {given}.")
    return source
