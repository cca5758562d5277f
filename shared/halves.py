"""Halves of objects: what a writer that was killed left behind, and what no list of a store shows."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from minio.error import S3Error

from shared.buckets import open_client, place_of
from shared.errors import Unavailable
from shared.settings import StoreSettings

_STAGED = re.compile(r".+#\d+")
"""How obstore names the file that an object grows in, beside where it will stand."""


@dataclass(frozen=True, slots=True)
class Half:
    """An object that was begun: where it was to stand, when it was last written to, and the store's own name for it."""

    path: str
    touched_at: datetime
    token: str


class Halves(Protocol):
    """The halves in a store."""

    def found(self) -> Iterator[Half]:
        """All of them, those that are being written this moment too. Raises Unavailable."""

    def drop(self, half: Half) -> None:
        """Remove one; its writer fails."""


class DirectoryHalves:
    """Files that grow beside the objects they are to become."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def found(self) -> Iterator[Half]:
        for path in self._root.rglob("*#*"):
            if _STAGED.fullmatch(path.name) and path.is_file():
                name = path.relative_to(self._root).as_posix()
                touched = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                yield Half(name.rpartition("#")[0], touched, name)

    def drop(self, half: Half) -> None:
        (self._root / half.token).unlink(missing_ok=True)


class MultipartHalves:
    """Multipart uploads that were neither completed nor aborted. S3 keeps, and bills, their parts until somebody does."""

    def __init__(self, settings: StoreSettings) -> None:
        self._client: Any = open_client(settings)
        self._bucket, self._prefix = place_of(settings)

    def found(self) -> Iterator[Half]:
        after: dict[str, str | None] = {"key_marker": None, "upload_id_marker": None}
        while True:
            try:
                # MinIO's SDK has the call, but no public name for it.
                answer = self._client._list_multipart_uploads(self._bucket, prefix=self._prefix or None, **after)
            except S3Error as error:
                raise Unavailable(f"The object store does not list unfinished uploads ({error.code}).") from error
            for upload in answer.uploads:
                path = upload.object_name.removeprefix(f"{self._prefix}/" if self._prefix else "")
                yield Half(path, upload.initiated_time or datetime.now(UTC), upload.upload_id)
            if not answer.is_truncated:
                return
            after = {"key_marker": answer.next_key_marker, "upload_id_marker": answer.next_upload_id_marker}

    def drop(self, half: Half) -> None:
        name = f"{self._prefix}/{half.path}" if self._prefix else half.path
        self._client._abort_multipart_upload(self._bucket, name, half.token)


def open_halves(settings: StoreSettings) -> Halves:
    if settings.store_url.startswith("file://"):
        return DirectoryHalves(Path(settings.store_url.removeprefix("file://")))
    return MultipartHalves(settings)
