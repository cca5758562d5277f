"""The object store, where every fact lives: a directory on one machine, any S3 elsewhere, behind one Protocol."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

import obstore
from obstore.exceptions import AlreadyExistsError, NotFoundError
from obstore.store import LocalStore, S3Store

from shared import layout
from shared.contracts.base import Contract
from shared.contracts.work import File
from shared.errors import AlreadyExists, NotFound
from shared.keys import canonical_json
from shared.settings import StoreSettings

C = TypeVar("C", bound=Contract)

BLOCK_BYTES = 1 << 20
PART_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class Listed:
    """An object as a list tells of it."""

    path: str
    size_bytes: int
    modified_at: datetime


class ObjectStore(Protocol):
    """What Lectern asks of a store. Paths are relative, with `/`; objects are never changed, only created or deleted."""

    def create(self, path: str, data: bytes) -> None:
        """Write a new object. Raises AlreadyExists, atomically, where one stands."""

    def read(self, path: str) -> bytes:
        """The whole of a small object. Raises NotFound."""

    def read_range(self, path: str, start: int, end: int) -> bytes:
        """Bytes `start` up to, not including, `end`. Raises NotFound."""

    def stream(self, path: str) -> Iterator[bytes]:
        """An object in blocks, never whole in memory. Raises NotFound."""

    def size(self, path: str) -> int | None:
        """Bytes, or None where there is no such object."""

    def list(self, prefix: str) -> Iterator[str]:
        """Paths under `prefix/`, in no certain order."""

    def listed(self, prefix: str) -> Iterator["Listed"]:
        """The same with sizes and ages."""

    def upload(self, path: str, source: Path) -> File:
        """Copy a local file in, streaming; replaces. Returns path, size and SHA-256."""

    def download(self, path: str, target: Path) -> None:
        """Copy an object to a local file, streaming. Raises NotFound."""

    async def receive(self, path: str, blocks: AsyncIterator[bytes]) -> None:
        """Write blocks as they arrive; on an error nothing is left at `path`."""

    def copy(self, source: str, target: str) -> None:
        """Copy within the store; replaces."""

    def delete(self, path: str) -> None:
        """Remove an object; one that is not there is no error."""


class ObstoreObjects:
    """The store of `obstore`: the same code over a local directory and S3."""

    def __init__(self, backend: LocalStore | S3Store) -> None:
        self._backend = backend

    def create(self, path: str, data: bytes) -> None:
        try:
            obstore.put(self._backend, path, data, mode="create", use_multipart=False)
        except AlreadyExistsError as error:
            raise AlreadyExists(f"{path} exists already", path=path) from error

    def read(self, path: str) -> bytes:
        try:
            return bytes(obstore.get(self._backend, path).bytes())
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"no object {path}", path=path) from error

    def read_range(self, path: str, start: int, end: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._backend, path, start=start, end=end))
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"no object {path}", path=path) from error

    def stream(self, path: str) -> Iterator[bytes]:
        try:
            blocks = obstore.get(self._backend, path).stream(min_chunk_size=BLOCK_BYTES)
        except (NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"no object {path}", path=path) from error
        return (bytes(block) for block in blocks)

    def size(self, path: str) -> int | None:
        try:
            return int(obstore.head(self._backend, path)["size"])
        except (NotFoundError, FileNotFoundError):
            return None

    def list(self, prefix: str) -> Iterator[str]:
        for batch in obstore.list(self._backend, prefix=prefix.rstrip("/")):
            for meta in batch:
                yield meta["path"]

    def listed(self, prefix: str) -> Iterator[Listed]:
        for batch in obstore.list(self._backend, prefix=prefix.rstrip("/")):
            for meta in batch:
                yield Listed(meta["path"], int(meta["size"]), meta["last_modified"])

    def upload(self, path: str, source: Path) -> File:
        sha, size = hashlib.sha256(), 0
        with source.open("rb") as reader, obstore.open_writer(self._backend, path, buffer_size=PART_BYTES) as writer:
            while block := reader.read(BLOCK_BYTES):
                sha.update(block)
                size += len(block)
                writer.write(block)
        return File(path=path, size_bytes=size, sha256=sha.hexdigest())

    def download(self, path: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as writer:
            for block in self.stream(path):
                writer.write(block)

    async def receive(self, path: str, blocks: AsyncIterator[bytes]) -> None:
        await obstore.put_async(self._backend, path, blocks, chunk_size=PART_BYTES, max_concurrency=2)

    def copy(self, source: str, target: str) -> None:
        obstore.copy(self._backend, source, target)

    def delete(self, path: str) -> None:
        with suppress(NotFoundError, FileNotFoundError):
            obstore.delete(self._backend, path)


def open_store(settings: StoreSettings) -> ObjectStore:
    """The store that the settings name: `file:///directory` or `s3://bucket/prefix`."""
    if settings.store_url.startswith("file://"):
        return ObstoreObjects(LocalStore(Path(settings.store_url.removeprefix("file://")), mkdir=True))
    bucket, _, prefix = settings.store_url.removeprefix("s3://").partition("/")
    endpoint = settings.s3_endpoint
    return ObstoreObjects(
        S3Store(
            bucket,
            prefix=prefix or None,
            endpoint=endpoint,
            region=settings.s3_region,
            access_key_id=settings.s3_access_key,
            secret_access_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
            virtual_hosted_style_request=False,
            client_options={"allow_http": bool(endpoint and endpoint.startswith("http://"))},
        )
    )


def create_contract(store: ObjectStore, path: str, value: Contract) -> bool:
    """Create an object from a contract; False where one stands already."""
    try:
        store.create(path, canonical_json(value))
    except AlreadyExists:
        return False
    return True


def read_contract(store: ObjectStore, path: str, contract: type[C]) -> C | None:
    """The contract at a path, or None. Raises pydantic's ValidationError where the object is of another kind."""
    try:
        return contract.model_validate_json(store.read(path))
    except NotFound:
        return None


class Series:
    """What changes over time: small objects `<prefix>/<sequence>.json`, each created once. The last one counts."""

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix.rstrip("/")

    def append(self, value: Contract) -> int:
        """Add a value after the last; returns its sequence number. Concurrent appends get numbers of their own."""
        return self.extend([value])[0]

    def extend(self, values: Iterable[Contract]) -> list[int]:
        """Add values one after the other; returns their sequence numbers."""
        numbers = []
        sequence = self._last()
        for value in values:
            sequence += 1
            while not create_contract(self._store, self._path(sequence), value):
                sequence += 1
            numbers.append(sequence)
        return numbers

    def after(self, sequence: int, contract: type[C]) -> Iterator[tuple[int, C]]:
        """The values behind a sequence number, with their own."""
        while (value := read_contract(self._store, self._path(sequence := sequence + 1), contract)) is not None:
            yield sequence, value

    def first(self, contract: type[C]) -> tuple[int, C] | None:
        """The first sequence number and its value, or None where nothing was appended."""
        value = read_contract(self._store, self._path(1), contract)
        return (1, value) if value is not None else None

    def latest(self, contract: type[C]) -> tuple[int, C] | None:
        """The last sequence number and its value, or None where nothing was appended."""
        sequence = self._last()
        value = read_contract(self._store, self._path(sequence), contract) if sequence else None
        return (sequence, value) if value is not None else None

    def _path(self, sequence: int) -> str:
        return layout.entry(self._prefix, sequence)

    def _last(self) -> int:
        names = (path.rsplit("/", 1)[1] for path in self._store.list(self._prefix))
        return max((int(name.removesuffix(".json")) for name in names if name.endswith(".json")), default=0)


def read_lines(path: Path) -> Iterator[dict[str, object]]:
    """A JSONL file, a value at a time."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)
