"""The text-layer engine: a page's words → blocks in reading order, each with its kind and the lines it came from."""

import re
from collections.abc import Iterator, Sequence
from functools import partial

from services.extraction.stages.drafts import Draft
from services.extraction.stages.glyphs import RawPage
from services.extraction.stages.grid import table_markup
from services.extraction.stages.headings import front_matter, level_of, may_be_heading, style_of
from services.extraction.stages.hyphens import joined_lines
from services.extraction.stages.layout import laid_out
from services.extraction.stages.lines import Row, Segment
from services.extraction.stages.style import DocumentStyle, draft_text
from services.extraction.stages.turned import level_parts, turned_back
from shared.contracts.documents import Block, BlockKind, Box, Page

ENGINE = "text-layer"
MAX_CODE_COLUMNS = 160

_CAPTION = re.compile(
    r"(?:Figure|Fig\.?|Table|Tab\.|Listing|Algorithm|Scheme|Plate)\s*[A-Z]?\d+(?:\.\d+)*\s*[.:|–—]", re.IGNORECASE
)
_EQUATION = re.compile(r"\(([A-Z]?\.?\d{1,3}(?:\.\d{1,3})?[a-z]?)\)")
_NOTE_MARK = re.compile(r"(?:\d{1,2}|[*†‡§¶])\s*[^\W\d_]")


def read_page(raw: RawPage, style: DocumentStyle) -> Page:
    """A page's blocks in reading order; spans are zero until the page is rendered as MMD. Text turned sideways follows."""
    blocks = [turned_back(block, raw, turn) for turn, level in level_parts(raw) for block in _blocks(level, style)]
    width, height = round(raw.width, 1), round(raw.height, 1)
    return Page(number=raw.number, width=width, height=height, engine=ENGINE, blocks=tuple(blocks), links=raw.links)


def _blocks(raw: RawPage, style: DocumentStyle) -> Iterator[Block]:
    margins, found = laid_out(raw, style.running)
    yield from (_running_block(kind, piece) for kind, piece in margins if piece.top < raw.height / 2)
    yield from _body_blocks(raw, found, style)
    yield from (_running_block(kind, piece) for kind, piece in margins if piece.top >= raw.height / 2)


def _running_block(kind: BlockKind, piece: Segment) -> Block:
    line = Row((piece,)).line()
    return Block(kind=kind, text=piece.text, box=line.box, start=0, end=0, lines=(line,))


def _body_blocks(raw: RawPage, found: Sequence[Draft], style: DocumentStyle) -> Iterator[Block]:
    front = _front_drafts(found, style) if raw.number == 1 else frozenset()
    for index, draft in enumerate(found):
        yield _block(draft, raw, style, heading=index not in front)


def _front_drafts(found: Sequence[Draft], style: DocumentStyle) -> frozenset[int]:
    """Which drafts look like headings and are part of the title block."""
    texts = [draft_text(draft, style.words) for draft in found]
    candidates = [i for i, draft in enumerate(found) if may_be_heading(draft, texts[i], style.body_size)]
    front = front_matter([(style_of(found[i]), texts[i]) for i in candidates])
    return frozenset(candidates[i] for i in front)


def _block(draft: Draft, raw: RawPage, style: DocumentStyle, heading: bool) -> Block:
    if draft.kind == "table":
        return _table(draft, style)
    if draft.kind == "formula":
        return _made("formula", _numbered(draft), draft)
    if draft.kind == "code":
        return _made("code", _code(draft), draft)
    text = draft_text(draft, style.words)
    if heading and may_be_heading(draft, text, style.body_size) and not _CAPTION.match(text):
        return _made("heading", text, draft, level_of(style_of(draft), text, style.headings, style.first_numbered))
    return _made(_prose_kind(draft, text, raw, style), text, draft)


def _table(draft: Draft, style: DocumentStyle) -> Block:
    if draft.table is None:
        return _made("formula", _lines(draft), draft)
    return _made("table", table_markup(draft.table.grid, partial(joined_lines, words=style.words)), draft)


def _numbered(draft: Draft) -> str:
    """A formula on a line of its own, with the number that stands beside it."""
    formula, *beside = (cell.text for row in draft.rows for cell in row.cells)
    number = _EQUATION.fullmatch(" ".join(beside).strip())
    if number is None:
        return " ".join([formula, *beside])
    return f"{formula[:-2]} \\tag{{{number[1]}}}$$"


def _prose_kind(draft: Draft, text: str, raw: RawPage, style: DocumentStyle) -> BlockKind:
    if _CAPTION.match(text):
        return "caption"
    small = draft.size < 0.93 * style.body_size
    if small and draft.rows[0].top > 0.6 * raw.height and _NOTE_MARK.match(text):
        return "footnote"
    return "list" if draft.kind == "list" else "paragraph"


def _lines(draft: Draft) -> str:
    return "\n".join(row.text for row in draft.rows)


def _code(draft: Draft) -> str:
    """Code keeps its lines, and its spaces as far as they can be told from where words begin."""
    words = [word for row in draft.rows for cell in row.cells for word in cell.run]
    widths = sorted((word.right - word.left) / len(word.text) for word in words)
    width = widths[len(widths) // 2] or 0.6 * max(1.0, draft.size)
    left = min(row.left for row in draft.rows)
    return "\n".join(_code_line(row, left, width) for row in draft.rows)


def _code_line(row: Row, left: float, width: float) -> str:
    text = ""
    for index, word in enumerate(word for cell in row.cells for word in sorted(cell.run, key=lambda word: word.left)):
        column = min(MAX_CODE_COLUMNS, round((word.left - left) / width))
        least = 0 if not index or not (word.spaced or word.starts_line) else 1
        text += " " * max(least, column - len(text) if word.spaced or word.starts_line or not index else 0) + word.text
    return text


def _made(kind: BlockKind, text: str, draft: Draft, level: int = 0) -> Block:
    return Block(
        kind=kind, text=text, box=_around(draft.rows), start=0, end=0, level=level,
        lines=tuple(row.line() for row in draft.rows),
    )  # fmt: skip


def _around(rows: tuple[Row, ...]) -> Box:
    return (
        round(min(row.left for row in rows), 1),
        round(min(row.top for row in rows), 1),
        round(max(row.right for row in rows), 1),
        round(max(row.bottom for row in rows), 1),
    )
