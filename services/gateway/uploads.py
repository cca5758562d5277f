"""PDFs on their way in: block by block from the network into the store, hashed, checked and counted as they pass."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
from anyio import to_thread
from fastapi import Request

from services.gateway.filenames import UNNAMED, from_disposition, tame
from services.gateway.multipart import file_parts
from shared import layout
from shared.errors import EmptyUpload, NotAPdf, TooLarge
from shared.objects import BLOCK_BYTES, ObjectStore

MAGIC = b"%PDF-"
MAGIC_WITHIN_BYTES = 1024
"""Acrobat takes a header anywhere in the first 1024 bytes (PDF 1.7 reference, appendix H, note 13)."""


@dataclass(frozen=True, slots=True)
class Received:
    """A PDF that came in whole and lies at `path`, for as long as its request lasts."""

    path: str
    filename: str
    sha256: str
    size_bytes: int


class IncomingPdf:
    """One PDF as it passes. `blocks` raises EmptyUpload or NotAPdf before anything of a wrong file is handed on."""

    def __init__(self, source: AsyncIterator[bytes], filename: str) -> None:
        self._source = source
        self._filename = filename
        self._sha = hashlib.sha256()
        self.size_bytes = 0

    @property
    def sha256(self) -> str:
        return self._sha.hexdigest()

    async def blocks(self) -> AsyncIterator[bytes]:
        """The bytes, gathered to about a MiB: each block handed on costs a change of thread."""
        gathered = bytearray()
        known = False
        async for block in self._source:
            self._sha.update(block)
            self.size_bytes += len(block)
            gathered += block
            if not known and len(gathered) >= MAGIC_WITHIN_BYTES:
                known = self._require_pdf(gathered)
            if known and len(gathered) >= BLOCK_BYTES:
                yield bytes(gathered)
                gathered.clear()
        if not known:
            self._require_pdf(gathered)
        if gathered:
            yield bytes(gathered)

    def _require_pdf(self, head: bytearray) -> bool:
        if not head:
            raise EmptyUpload(f"{self._filename} is empty: no bytes arrived.")
        if MAGIC not in head[:MAGIC_WITHIN_BYTES]:
            raise NotAPdf(f"{self._filename} is not a PDF: its first {MAGIC_WITHIN_BYTES} bytes hold no `%PDF-`.")
        return True


@asynccontextmanager
async def received(store: ObjectStore, request: Request, filename: str | None, max_bytes: int) -> AsyncIterator[list[Received]]:
    """The PDFs of a request's body, all of them or none; when the context ends, nothing of them is left under `uploads/`.

    Raises EmptyUpload, NotAPdf, TooLarge, MalformedUpload, and starlette's ClientDisconnect.
    """
    kept: list[Received] = []
    try:
        async for source, name in _sources(request, filename, max_bytes):
            kept.append(await _receive(store, source, tame(name)))
        if not kept:
            raise EmptyUpload("The form holds no file: send each PDF as a part with a file name.")
        yield kept
    finally:
        with anyio.CancelScope(shield=True):
            await to_thread.run_sync(_clear, store, kept)


async def _receive(store: ObjectStore, source: AsyncIterator[bytes], filename: str) -> Received:
    path = layout.upload(secrets.token_hex(16))
    pdf = IncomingPdf(source, filename)
    await store.receive(path, pdf.blocks())
    return Received(path, filename, pdf.sha256, pdf.size_bytes)


def _clear(store: ObjectStore, kept: list[Received]) -> None:
    for one in kept:
        store.delete(one.path)


async def _sources(request: Request, filename: str | None, max_bytes: int) -> AsyncIterator[tuple[AsyncIterator[bytes], str]]:
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    body = capped(request.stream(), max_bytes)
    content_type = request.headers.get("content-type", "")
    if is_form(content_type):
        async for part in file_parts(body, content_type):
            yield part.blocks(), part.filename
    else:
        yield body, filename or from_disposition(request.headers.get("content-disposition")) or UNNAMED


def is_form(content_type: str) -> bool:
    return content_type.split(";", 1)[0].strip().lower() == "multipart/form-data"


async def capped(body: AsyncIterator[bytes], max_bytes: int) -> AsyncIterator[bytes]:
    """The blocks of a body. Raises TooLarge as soon as there are more bytes than may be."""
    taken = 0
    async for block in body:
        taken += len(block)
        if taken > max_bytes:
            raise _too_large(max_bytes)
        if block:
            yield block


def _too_large(max_bytes: int) -> TooLarge:
    return TooLarge(f"An upload may hold at most {max_bytes:,} bytes; LECTERN_MAX_UPLOAD_BYTES sets another limit.")
