"""What is left of a damaged PDF → a PDF with an index of its own.

Parsers rebuild a lost index from objects that stand open in a file, but leave those alone that are packed in object streams,
as most typesetters pack the pages: a file of that kind that is cut off loses everything. Here the streams are unpacked.
"""

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_UNPACKED_BYTES = 256 << 20
MAX_STREAM_BYTES = 64 << 20
MAX_OBJECTS = 2_000_000

_OBJECT = re.compile(rb"(?:^|[\r\n\s])(\d{1,9})\s+(\d{1,5})\s+obj\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED = re.compile(rb"/Type\s*/ObjStm\b")
_COUNT, _FIRST = re.compile(rb"/N\s+(\d{1,7})\b"), re.compile(rb"/First\s+(\d{1,9})\b")
_STREAM = re.compile(rb"\bstream\r?\n")
_ENCRYPTED = re.compile(rb"/Encrypt\s+\d+\s+\d+\s+R|/Encrypt\s*<<")


@dataclass(frozen=True, slots=True)
class Rescued:
    """An object: its number and its body, without `obj` and `endobj`."""

    number: int
    body: bytes


def salvage(data: bytes) -> bytes | None:
    """A whole PDF of the pages that are left, in the order in which the file has them; None where there are none.

    What is encrypted stays lost, since its key lies with the index.
    """
    if _ENCRYPTED.search(data):
        return None
    objects: dict[int, bytes] = {}
    pages: dict[int, None] = {}
    for rescued in _rescued(data):
        objects[rescued.number] = rescued.body
        if len(objects) > MAX_OBJECTS:
            return None
        if _PAGE.search(rescued.body[:4096]):
            pages[rescued.number] = None
    return _written(objects, [number for number in pages if _PAGE.search(objects[number][:4096])]) if pages else None


def _rescued(data: bytes) -> Iterator[Rescued]:
    budget = MAX_UNPACKED_BYTES
    starts = list(_OBJECT.finditer(data))
    ends = [*(found.start() for found in starts[1:]), len(data)]
    for found, end in zip(starts, ends, strict=False):
        body = _body(data[found.end() : end])
        if _PACKED.search(body[:1024]):
            unpacked = _unpacked(body)
            budget -= sum(len(one.body) for one in unpacked)
            if budget < 0:
                return
            yield from unpacked
        else:
            yield Rescued(int(found.group(1)), body)


def _body(text: bytes) -> bytes:
    """Up to `endobj`; what was cut off is closed."""
    whole, end, _ = text.rpartition(b"endobj")
    if end:
        return whole.strip()
    return text.strip() + (b"\nendstream" if _STREAM.search(text[:4096]) else b"")


def _unpacked(body: bytes) -> list[Rescued]:
    count, first, stream = _COUNT.search(body), _FIRST.search(body), _STREAM.search(body)
    if count is None or first is None or stream is None:
        return []
    text = _inflated(body[stream.end() :]) if b"/FlateDecode" in body[: stream.start()] else body[stream.end() :]
    index = [int(one) for one in text[: int(first.group(1))].split() if one.isdigit()][: 2 * int(count.group(1))]
    numbers, offsets = index[::2], [int(first.group(1)) + offset for offset in index[1::2]]
    ends = [*offsets[1:], len(text)]
    return [
        Rescued(number, text[start:end].strip())
        for number, start, end in zip(numbers, offsets, ends, strict=False)
        if start < end <= len(text)
    ]


def _inflated(data: bytes) -> bytes:
    """As much as can be had of a deflated stream."""
    stream = zlib.decompressobj()
    parts: list[bytes] = []
    size = 0
    try:
        for start in range(0, len(data), 4096):
            parts.append(stream.decompress(data[start : start + 4096], MAX_STREAM_BYTES - size + 1))
            size += len(parts[-1])
            if stream.eof or size > MAX_STREAM_BYTES:
                break
    except zlib.error:
        pass
    return b"".join(parts)


def _written(objects: dict[int, bytes], pages: list[int]) -> bytes:
    catalog, tree = max(objects) + 1, max(objects) + 2
    kids = b" ".join(b"%d 0 R" % number for number in pages)
    made = {
        **objects,
        catalog: b"<</Type/Catalog/Pages %d 0 R>>" % tree,
        tree: b"<</Type/Pages/Count %d/Kids[%b]>>" % (len(pages), kids),
    }
    parts, offsets, at = [b"%PDF-1.7\n"], {}, 9
    for number, body in sorted(made.items()):
        offsets[number] = at
        parts.append(b"%d 0 obj\n%b\nendobj\n" % (number, body))
        at += len(parts[-1])
    parts.append(_index(offsets))
    parts.append(b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (tree + 1, catalog, at))
    return b"".join(parts)


def _index(offsets: dict[int, int]) -> bytes:
    """One section for each object, since their numbers have gaps."""
    lines = [b"xref\n0 1\n0000000000 65535 f \n"]
    lines += [b"%d 1\n%010d 00000 n \n" % (number, offset) for number, offset in sorted(offsets.items())]
    return b"".join(lines)
