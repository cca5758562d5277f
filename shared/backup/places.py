"""Where each thing lies in a place of backups, and which store a place is."""

from pathlib import Path

from shared.backup.settings import BackupSettings
from shared.buckets import place_of
from shared.errors import InvalidInput
from shared.settings import StoreSettings

WRITING = "writing.json"
BACKUPS = "backups"
JOURNAL = "journal"


def blob(sha256: str) -> str:
    """An object's bytes, by their digest: what two backups share lies there once."""
    return f"blobs/{sha256[:2]}/{sha256}"


def commit(backup: str) -> str:
    return f"{BACKUPS}/{backup}/backup.json"


def part(backup: str, number: int) -> str:
    return f"{BACKUPS}/{backup}/{number:08d}.jsonl"


def journal(backup: str, number: int) -> str:
    """What an unfinished backup has copied so far."""
    return f"{JOURNAL}/{backup}/{number:08d}.jsonl"


def place(settings: BackupSettings, given: str) -> StoreSettings:
    """The store that a directory or an `s3://` URL names. Raises InvalidInput where it lies in the store, or around it."""
    url = given if given.startswith("s3://") else f"file://{Path(given.removeprefix('file://')).expanduser().absolute()}"
    found = StoreSettings(
        store_url=url.rstrip("/"),
        s3_endpoint=settings.backup_s3_endpoint or settings.s3_endpoint,
        s3_region=settings.backup_s3_region or settings.s3_region,
        s3_access_key=settings.backup_s3_access_key or settings.s3_access_key,
        s3_secret_key=settings.backup_s3_secret_key or settings.s3_secret_key,
    )
    if _overlap(settings, found):
        raise InvalidInput(f"{given} lies in the store that it is to keep, or around it: name another bucket or directory.")
    return found


def _overlap(one: StoreSettings, other: StoreSettings) -> bool:
    if one.store_url.startswith("file://"):
        here, there = Path(one.store_url.removeprefix("file://")), Path(other.store_url.removeprefix("file://"))
        return other.store_url.startswith("file://") and (here.is_relative_to(there) or there.is_relative_to(here))
    if one.s3_endpoint != other.s3_endpoint or not other.store_url.startswith("s3://"):
        return False
    (bucket, prefix), (other_bucket, other_prefix) = place_of(one), place_of(other)
    inside = (prefix + "/").startswith(other_prefix + "/") or (other_prefix + "/").startswith(prefix + "/")
    return bucket == other_bucket and (not prefix or not other_prefix or inside)
