"""What a backup says of itself: the objects it holds with their digests, and the commit that makes it whole."""

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.work import File


class Held(Contract):
    """An object in a backup. `modified_at` is when the store it was taken from says that it was written."""

    path: str
    size_bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    modified_at: str


class Backup(Contract):
    """The commit of a backup, created last: without it there is none. `parts` are JSONL files of `Held`, an object after the
    objects that name it."""

    id: str
    started_at: str
    finished_at: str
    objects: int = Field(ge=0)
    size_bytes: int = Field(ge=0)
    parts: tuple[File, ...]


class Writing(Contract):
    """Who is writing to a place of backups. It is gone when the backup stands."""

    id: str
    started_at: str
