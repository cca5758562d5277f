"""Changes to the bytes of a PDF as fuzzers make them, from a source of luck that can be repeated."""

import random
import re

WORDS = (
    b"0", b"-1", b"65536", b"2147483647", b"99999999999", b"1e309", b"null", b"[", b"]", b"<<", b">>", b"(", b")", b"obj",
    b"endobj", b"stream", b"endstream", b"xref", b"/Type/Page", b"/Kids", b"/Parent", b"/Length", b"/Filter/FlateDecode",
    b"1 0 R", b"2 0 R", b"3 0 R", b"/ObjStm", b"%%EOF", b"\x00", b"\xff\xff",
)  # fmt: skip
_NUMBER = re.compile(rb"\d+")


def mutated(data: bytes, luck: random.Random) -> bytes:
    """One to twelve changes, each of a kind drawn at random."""
    for _ in range(luck.randint(1, 12)):
        data = luck.choice((_flip, _cut, _drop, _repeat, _insert, _renumber, _swap))(data, luck) if data else b"%PDF-1.4"
    return data


def _place(data: bytes, luck: random.Random, longest: int = 400) -> tuple[int, int]:
    start = luck.randrange(len(data))
    return start, min(len(data), start + luck.randint(1, longest))


def _flip(data: bytes, luck: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(luck.randint(1, 24)):
        changed[luck.randrange(len(changed))] = luck.randrange(256)
    return bytes(changed)


def _cut(data: bytes, luck: random.Random) -> bytes:
    return data[: luck.randint(len(data) // 2, len(data))]


def _drop(data: bytes, luck: random.Random) -> bytes:
    start, end = _place(data, luck)
    return data[:start] + data[end:]


def _repeat(data: bytes, luck: random.Random) -> bytes:
    start, end = _place(data, luck)
    return data[:end] + data[start:end] * luck.randint(1, 4) + data[end:]


def _insert(data: bytes, luck: random.Random) -> bytes:
    at = luck.randrange(len(data))
    return data[:at] + b" " + luck.choice(WORDS) + b" " + data[at:]


def _renumber(data: bytes, luck: random.Random) -> bytes:
    """A number that means something (a length, a reference, a size) becomes another."""
    found = list(_NUMBER.finditer(data))
    if not found:
        return data
    number = luck.choice(found)
    return data[: number.start()] + luck.choice(WORDS[:6]) + data[number.end() :]


def _swap(data: bytes, luck: random.Random) -> bytes:
    """A word of the format in the place of as many bytes."""
    at, word = luck.randrange(len(data)), luck.choice(WORDS)
    return data[:at] + word + data[at + len(word) :]
