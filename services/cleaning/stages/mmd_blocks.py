"""MMD → blocks, for a document whose page map is not at hand: ours, Nougat's, or any Markdown."""

import re
from collections.abc import Iterator

from shared.contracts.documents import Block, BlockKind, Page

_RUNNING = re.compile(r"<!-- (header|footer|page_number): (.*) -->", re.DOTALL)
_HEADING = re.compile(r"(#{1,6})\s+(.*)", re.DOTALL)
_ITEM = re.compile(r"(?:[-*+]|\(?\d{1,3}[.)])\s+\S")
_NEXT_ITEM = re.compile(r"\n(?=(?:[-*+]|\(?\d{1,3}[.)])\s+\S)")
_FENCE = re.compile(r"(`{3,}|~{3,})[^\n]*\n(.*?)\n\1[ \t]*(?:\n|\Z)", re.DOTALL)
_TABLE = re.compile(r"<table\b.*?</table>|\\begin\{(table\*?|tabular)\}.*?\\end\{\1\}", re.DOTALL)
_FORMULA = re.compile(r"\\\[.*\\\]|\$\$.*\$\$", re.DOTALL)
_PARAGRAPH = re.compile(r"\S(?:.|\n(?!\s*\n|#{1,6}\s|```|~~~))*")


def page_of(mmd: str) -> Page:
    """The whole text as one page without boxes."""
    return Page(number=1, engine="mmd", blocks=tuple(_blocks(mmd)))


def _blocks(mmd: str) -> Iterator[Block]:
    position = 0
    while position < len(mmd):
        if mmd[position] in " \t\n\r":
            position += 1
            continue
        if (fence := _FENCE.match(mmd, position)) is not None:
            yield _block("code", fence[2], position, fence.end())
            position = fence.end()
        elif (table := _TABLE.match(mmd, position)) is not None:
            yield _block("table", table[0], position, table.end())
            position = table.end()
        elif (found := _PARAGRAPH.match(mmd, position)) is not None:
            yield from _parted(found[0], position)
            position = found.end()
        else:
            return


def _parted(text: str, start: int) -> Iterator[Block]:
    """One block, but for items of a list that stand close and a heading with text right below."""
    if (running := _RUNNING.fullmatch(text.strip())) is not None:
        kind: BlockKind = "header" if running[1] == "header" else "footer" if running[1] == "footer" else "page_number"
        yield _block(kind, running[2], start, start + len(text))
    elif _HEADING.match(text):
        line, _, rest = text.partition("\n")
        hashes, title = _HEADING.match(line.rstrip() + " ").groups()  # type: ignore[union-attr]
        yield _block("heading", title.strip(), start, start + len(line), level=len(hashes))
        if rest.strip():
            yield from _parted(rest, start + len(line) + 1)
    elif _ITEM.match(text):
        yield from _items(text, start)
    else:
        kind = "table" if text.startswith("|") else "formula" if _FORMULA.fullmatch(text.strip()) else "paragraph"
        yield _block(kind, _unescaped(text), start, start + len(text))


def _items(text: str, start: int) -> Iterator[Block]:
    begins = [0, *(found.end() for found in _NEXT_ITEM.finditer(text))]
    for begin, end in zip(begins, [*begins[1:], len(text)], strict=True):
        yield _block("list", text[begin:end].rstrip(), start + begin, start + end)


def _unescaped(text: str) -> str:
    return re.sub(r"\A\\(?=[#>`~|])", "", text)


def _block(kind: BlockKind, text: str, start: int, end: int, level: int = 0) -> Block:
    return Block(kind=kind, text=text, box=None, start=start, end=end, level=level)
