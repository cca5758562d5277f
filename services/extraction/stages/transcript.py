"""MMD of one page, as Nougat writes it → blocks. It says nothing of where on the page they stand."""

import re
from collections.abc import Iterator

from shared.contracts.documents import Block, BlockKind, Page

MISSING = re.compile(r"\[MISSING_PAGE[A-Z_:0-9]*\]")

_HEADING = re.compile(r"(#{1,6})\s+(.+)", re.DOTALL)
_ITEM = re.compile(r"(?:[*+-]|\d{1,3}[.)])\s+\S")
_TABLE = re.compile(r"\\begin\{(table\*?|tabular)\}.*?\\end\{\1\}|(?:^\|.*\|[ \t]*\n?){2,}", re.DOTALL | re.MULTILINE)
_DISPLAY = re.compile(r"\\\[.*?\\\]|\$\$.*?\$\$", re.DOTALL)
_CAPTION = re.compile(r"(?:Figure|Fig\.|Table)\s+\S+?[.:]", re.IGNORECASE)
_CODE = re.compile(r"^```.*?^```[ \t]*$", re.DOTALL | re.MULTILINE)


def page_of(number: int, text: str, width: float, height: float, engine: str, confidence: float, why: str) -> Page:
    """A page from its MMD; boxes are None, since the model gives none."""
    return Page(
        number=number, width=round(width, 1), height=round(height, 1), engine=engine,
        confidence=round(min(1.0, max(0.0, confidence)), 3), why=why, blocks=tuple(blocks_of(text)),
    )  # fmt: skip


def blocks_of(text: str) -> Iterator[Block]:
    """Tables, display formulas and code whole; the rest parted at blank lines."""
    rest = 0
    for kind, start, end in _whole(text):
        yield from _prose(text[rest:start])
        yield _made(kind, _unfenced(text[start:end]) if kind == "code" else text[start:end].strip())
        rest = end
    yield from _prose(text[rest:])


def _whole(text: str) -> list[tuple[BlockKind, int, int]]:
    kinds: tuple[tuple[BlockKind, re.Pattern[str]], ...] = (("code", _CODE), ("table", _TABLE), ("formula", _DISPLAY))
    found = sorted((match.start(), match.end(), kind) for kind, pattern in kinds for match in pattern.finditer(text))
    kept: list[tuple[BlockKind, int, int]] = []
    for start, end, kind in found:
        if not kept or start >= kept[-1][2]:
            kept.append((kind, start, end))
    return kept


def _prose(text: str) -> Iterator[Block]:
    for part in re.split(r"\n\s*\n", text):
        part = part.strip()  # noqa: PLW2901
        if not part:
            continue
        heading = _HEADING.fullmatch(part)
        if heading is not None and "\n" not in part:
            yield _made("heading", heading.group(2).strip(), level=len(heading.group(1)))
        elif _ITEM.match(part):
            yield from (_made("list", item) for item in _items(part))
        else:
            yield _made("caption" if _CAPTION.match(part) else "paragraph", " ".join(part.split()))


def _items(part: str) -> Iterator[str]:
    for item in re.split(r"\n(?=\s*(?:[*+-]|\d{1,3}[.)])\s+\S)", part):
        yield " ".join(item.split())


def _unfenced(text: str) -> str:
    return "\n".join(text.strip().splitlines()[1:-1])


def _made(kind: BlockKind, text: str, level: int = 0) -> Block:
    return Block(kind=kind, text=text, box=None, start=0, end=0, level=level)
