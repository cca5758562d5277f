"""What a model of lines sees of a page: words, sizes, places and kinds, as arrays with a row for each line.

Pure, and bounded: of a line's text only its beginning and its end are looked at, however long it is.
"""

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, get_args
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.cleaning.stages.headers import margin_key
from services.cleaning.stages.page_lines import TextLine
from services.cleaning.stages.references import is_reference_title
from shared.contracts.documents import Block, BlockKind, LineLabel, Page

VERSION = 1
"""Raised with every change of what the rows mean: a model read with another version would say nonsense."""

HEAD, TAIL = 240, 60
"""Characters looked at, at the beginning and at the end of a line."""

WORD_BUCKETS, FIRST_BUCKETS = 1024, 256
BUCKETS = WORD_BUCKETS + FIRST_BUCKETS
MOST_WORDS = 16

PROSE = 30
"""Lines of running text are longer on average, in narrow columns too."""

_MAY_BE_CAPTION: frozenset[BlockKind] = frozenset({"caption", "paragraph", "heading"})

LABELS: tuple[LineLabel, ...] = get_args(LineLabel)
KINDS: tuple[BlockKind, ...] = get_args(BlockKind)

MARGIN = 0.15
"""Share of a page's height where a line that is on other pages too counts as repeated."""

_LEXICONS: dict[str, str] = {
    "publisher": "vol. vol no. pp. pp journal proc. proceedings press ed. eds. edn. in: annals trans. transactions springer "
    "elsevier ieee acm conference arxiv preprint thesis phd letters review",
    "legal": "copyright © (c) licence license licensed creative commons rights reserved permission cc liability confidential "
    "distribution disclaimer",
    "record": "received accepted submitted published revised issn isbn doi doi: issn: isbn: edition keywords keywords:",
    "institute": "university universität université institute institut department faculty laboratory school college academy "
    "centre center ltd gmbh inc inc. orcid corresponding",
    "caption": "figure fig fig. figure: table tab tab. table: scheme plate listing algorithm abbildung tabelle",
    "month": "january february march april may june july august september october november december jan. feb. mar. apr. jun. "
    "jul. aug. sep. sept. oct. nov. dec.",
    "function": "the of and to in a is that for are was with as by we this it on be which not from",
    "et al": "et al. al., al",
}
_LEXICON_OF = {word: name for name, words in _LEXICONS.items() for word in words.split()}

_YEAR = re.compile(r"\b(?:1[89]|20)\d\d[a-z]?\b")
_YEAR_IN_BRACKETS = re.compile(r"\((?:1[89]|20)\d\d[a-z]?\)")
_RANGE = re.compile(r"\d[–-]\d")
_INITIAL = re.compile(r"\b[A-Z]\.")
_SURNAME = re.compile(r"[^\W\d_][\w’'-]+,? (?:[A-Z]{1,2}[,.]|[A-Z]\.)")
_KEY = re.compile(r"\[[\w+]{1,8}\]")
_NUMBERED = re.compile(r"\(?\d{1,3}[.)]\s")
_SECTION = re.compile(r"\d{1,2}(?:\.\d{1,2}){1,3}\.?\s")
_NOTE = re.compile(r"(?:\d{1,2}|[*†‡§¶∗])\s?[^\W\d_]")
_PAGE_NUMBER = re.compile(
    r"(?:page\s*)?[-–—|\s]*(?:\d{1,4}|[ivxl]{1,6}|[a-z]?\d{1,2}-\d{1,3})[-–—|\s]*(?:(?:of|/)\s*\d{1,4})?", re.IGNORECASE
)
_EQUATION_NUMBER = re.compile(r"\([A-Z]?\.?\d{1,3}[a-z]?\)\Z")
_CAPTION = re.compile(r"(?:Figure|Fig\.?|Table|Tab\.?|Scheme|Plate|Listing|Algorithm)\s*[A-Z]?\d", re.IGNORECASE)
_CELL = re.compile(r"[-+−–]?[\d.,/%:±()]*\d[\d.,/%:±()]*%?|[-–—]")
_BULLET = re.compile(r"[•‣◦▪●○■–−∙·*-]\s")
_LETTERS = re.compile(r"[^\W\d_]+")

_LETTER, _UPPER, _DIGIT, _SPACE, _MARK, _MATH, _OTHER = range(7)


def _classes() -> NDArray[np.uint8]:
    table = np.full(0x10000, _OTHER, dtype=np.uint8)
    for code in range(0x10000):
        char = chr(code)
        if char.isalpha():
            table[code] = _UPPER if char.isupper() else _LETTER
        elif char.isdigit():
            table[code] = _DIGIT
        elif char.isspace():
            table[code] = _SPACE
    table[[ord(char) for char in ".,;:!?'\"()[]-–—’‘“”/&"]] = _MARK
    table[[ord(char) for char in "=+<>^_\\{}|~$*"]] = _MATH
    table[0x2190:0x2300] = _MATH
    table[0x370:0x400] = _MATH
    return table


_CLASSES = _classes()

FLAGS = (
    *_LEXICONS, "year", "year in brackets", "address", "mail", "range", "initial", "initials", "surname", "key", "numbered",
    "section", "note", "page number", "equation number", "caption number", "display", "bullet", "references", "leaders",
    "cells", "most cells", "capitalised", "most capitalised", "recurring", "begins lower", "begins upper", "begins digit",
    "ends stop", "ends comma", "ends hyphen", "ends digit", "ends colon", "no words", "one word", "few words",
    "first of block", "last of block", "alone", "short block", "under table caption", "under figure caption",
    "over table caption", "over figure caption", "before the text",
)  # fmt: skip
_FLAG = {name: index for index, name in enumerate(FLAGS)}

_HEIGHTS = np.array([0.05, 0.08, 0.11, 0.15, 0.3, 0.5, 0.7, 0.85, 0.89, 0.92, 0.95])
_SIZES = np.array([0.7, 0.82, 0.9, 0.96, 1.04, 1.12, 1.3, 1.6])
_LENGTHS = np.array([3, 6, 12, 25, 45, 70, 100])
_GAPS = np.array([-2.0, -0.2, 0.25, 0.6, 1.2, 2.5, 6.0])
_LEFTS = np.array([0.1, 0.2, 0.3, 0.45, 0.55, 0.7])
_WIDTHS = np.array([0.05, 0.15, 0.3, 0.5, 0.7])
_SHARES = np.array([0.02, 0.1, 0.25, 0.5, 0.8])
_PAGES = (1, 2)

_PARTS = (
    len(KINDS), len(LABELS), len(FLAGS), len(_HEIGHTS) + 1, len(_SIZES) + 2, len(_LENGTHS) + 1, 2 * (len(_GAPS) + 1),
    len(_LEFTS) + 1, len(_WIDTHS) + 1, 5 * (len(_SHARES) + 1), len(_PAGES), 4,
)  # fmt: skip
WIDTH = sum(_PARTS)
"""Columns of the dense rows."""

_STARTS = np.cumsum((0, *_PARTS))


@dataclass(frozen=True, slots=True)
class Features:
    """`dense` [lines, WIDTH]; `words` are buckets, those of line i from `offsets[i]` to `offsets[i + 1]`."""

    dense: NDArray[np.float32]
    words: NDArray[np.int64]
    offsets: NDArray[np.int64]


def features(
    page: Page, lines: Sequence[Sequence[TextLine]], ruled: Sequence[LineLabel], body_size: float, repeated: Set[str]
) -> Features:
    """The rows of a page whose blocks have these `lines`. `ruled` is what the rules call each block, `repeated` holds the
    margin lines of other pages too."""
    flags: list[int] = []
    flagged: list[int] = []
    words: list[int] = []
    offsets = [0]
    texts: list[str] = []
    kinds: list[int] = []
    labels: list[int] = []
    boxes: list[tuple[float, float, float, float]] = []
    sizes: list[float] = []
    for block, own, label, around in zip(page.blocks, lines, ruled, _surroundings(page, lines), strict=True):
        kind, rule = KINDS.index(block.kind), LABELS.index(label)
        for at, line in enumerate(own):
            text = _bounded(line.text)
            found = _flags(text, words)
            found += _place_in_block(at, len(own)) + around
            if repeated and _in_margin(line, page) and margin_key(text) in repeated:
                found.append("recurring")
            flags += map(_FLAG.__getitem__, found)
            flagged += [len(texts)] * len(found)
            texts.append(text)
            kinds.append(kind)
            labels.append(rule)
            boxes.append(line.box or (0.0, 0.0, 0.0, 0.0))
            sizes.append(line.size)
            offsets.append(len(words))
    dense = np.zeros((len(texts), WIDTH), dtype=np.float32)
    if texts:
        dense[flagged, np.array(flags, dtype=np.int64) + _STARTS[2]] = 1.0
        _fill(dense, page, body_size, texts, kinds, labels, np.array(boxes), np.array(sizes))
    return Features(dense, np.array(words, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _surroundings(page: Page, lines: Sequence[Sequence[TextLine]]) -> list[list[str]]:
    """For each block, which captions stand over and under it with no running text between, and whether a first page's text
    has not begun yet."""
    captions = [_captioned(block, own) for block, own in zip(page.blocks, lines, strict=True)]
    prose = [_is_prose(block, own) for block, own in zip(page.blocks, lines, strict=True)]
    over, under = _nearest(captions, prose), _nearest(captions[::-1], prose[::-1])[::-1]
    begun = [page.number > 1, *prose]
    return [
        [f"under {above} caption"] * (above != "") + [f"over {below} caption"] * (below != "")
        + ["before the text"] * (True not in begun[: at + 2])
        for at, (above, below) in enumerate(zip(over, under, strict=True))
    ]  # fmt: skip


def _captioned(block: Block, own: Sequence[TextLine]) -> str:
    found = _CAPTION.match(own[0].text[:HEAD]) if own and block.kind in _MAY_BE_CAPTION else None
    return "" if found is None else "table" if found[0][:3].lower() == "tab" else "figure"


def _is_prose(block: Block, own: Sequence[TextLine]) -> bool:
    return block.kind in ("paragraph", "list") and len(own) >= 3 and sum(len(line.text) for line in own) > PROSE * len(own)


def _nearest(captions: list[str], prose: list[bool]) -> list[str]:
    """The last caption before each block, unless running text came since."""
    nearest, last = [], ""
    for caption, is_prose in zip(captions, prose, strict=True):
        nearest.append("" if is_prose else last)
        last = caption or ("" if is_prose else last)
    return nearest


def _in_margin(line: TextLine, page: Page) -> bool:
    return line.box is not None and (line.box[3] < MARGIN * page.height or line.box[1] > (1 - MARGIN) * page.height)


def _bounded(text: str) -> str:
    text = text.strip() if len(text) <= HEAD + TAIL else f"{text[:HEAD]}…{text[-TAIL:]}".strip()
    return text.replace("\n", " ")


class _Word(NamedTuple):
    """What a word counts for; computed once for each of the words that come again and again. No bucket is -1."""

    bucket: int
    lexicon: str
    cell: bool
    capital: bool
    digit: bool


@lru_cache(maxsize=1 << 15)
def _word(token: str) -> _Word:
    lower = token.lower()
    stem = _LETTERS.search(lower)
    return _Word(
        bucket=crc32(stem[0][:7].encode("utf-8", "surrogatepass")) % WORD_BUCKETS if stem is not None else -1,
        lexicon=_LEXICON_OF.get(lower, ""), cell=_CELL.fullmatch(token) is not None, capital=token[0].isupper(),
        digit=any(char in token for char in "0123456789"),
    )  # fmt: skip


@lru_cache(maxsize=1 << 14)
def _first_word(token: str) -> int:
    return WORD_BUCKETS + crc32(token.lower().encode("utf-8", "surrogatepass")) % FIRST_BUCKETS


def _flags(text: str, words: list[int]) -> list[str]:
    """Names of what a line shows; the buckets of its words are added to `words`."""
    tokens = text.split()
    if not tokens:
        return ["no words"]
    buckets, lexicons, cells, capitals, digits = zip(*map(_word, tokens[:MOST_WORDS]), strict=True)
    words += [bucket for bucket in buckets if bucket >= 0]
    words.append(_first_word(tokens[0][:12]))
    found = [*filter(None, lexicons), *_word_flags(cells.count(True), capitals.count(True), len(tokens)), *_end_flags(text)]
    if True in digits:
        found += _numeric_flags(text)
    if "." in text:
        found += _dotted_flags(text)
    if len(tokens) <= 5:
        if _PAGE_NUMBER.fullmatch(text):
            found.append("page number")
        elif is_reference_title(text):
            found.append("references")
    if _SURNAME.match(text):
        found.append("surname")
    if "@" in text:
        found.append("mail")
    if "$$" in text:
        found.append("display")
    return found


def _dotted_flags(text: str) -> list[str]:
    found = []
    if initials := len(_INITIAL.findall(text)):
        found.append("initial" if initials == 1 else "initials")
    if ". . ." in text or "....." in text:
        found.append("leaders")
    if "http" in text or "www." in text or "doi.org" in text:
        found.append("address")
    return found


def _numeric_flags(text: str) -> list[str]:
    found = []
    if _YEAR.search(text):
        found.append("year")
        if _YEAR_IN_BRACKETS.search(text):
            found.append("year in brackets")
    if _RANGE.search(text):
        found.append("range")
    if _KEY.match(text):
        found.append("key")
    if _NUMBERED.match(text):
        found.append("numbered")
    elif _SECTION.match(text):
        found.append("section")
    if _CAPTION.match(text):
        found.append("caption number")
    if text[-1:] == ")" and _EQUATION_NUMBER.search(text):
        found.append("equation number")
    return found


def _word_flags(cells: int, capitals: int, count: int) -> list[str]:
    found = ["one word" if count == 1 else "few words"] if count <= 4 else []
    looked_at = min(count, MOST_WORDS)
    if cells >= 2:
        found.append("cells")
    if cells > 0.5 * looked_at:
        found.append("most cells")
    if capitals >= 3:
        found.append("capitalised")
    if capitals > 0.6 * looked_at:
        found.append("most capitalised")
    return found


def _end_flags(text: str) -> list[str]:
    if not text:
        return []
    found = []
    first, last = text[0], text[-1]
    if first.isalpha():
        found.append("begins upper" if first.isupper() else "begins lower")
    elif first.isdigit() or first in "*†‡§¶∗":
        found.append("begins digit")
        if _NOTE.match(text):
            found.append("note")
    elif _BULLET.match(text):
        found.append("bullet")
    if last in ".!?":
        found.append("ends stop")
    elif last in ",;":
        found.append("ends comma")
    elif last in "-\u2010\u00ad":
        found.append("ends hyphen")
    elif last.isdigit():
        found.append("ends digit")
    elif last == ":":
        found.append("ends colon")
    return found


def _place_in_block(at: int, count: int) -> list[str]:
    found = ["alone"] if count == 1 else ["first of block"] if at == 0 else ["last of block"] if at == count - 1 else []
    return [*found, "short block"] if count <= 3 else found


def _fill(
    dense: NDArray[np.float32], page: Page, body_size: float, texts: list[str],
    kinds: list[int], labels: list[int], boxes: NDArray[np.float64], sizes: NDArray[np.float64],
) -> None:  # fmt: skip
    """All columns but the flags: one of each part is 1."""
    width, height = max(page.width, 1.0), max(page.height, 1.0)
    left, top, right, bottom = boxes.T
    middle = (top + bottom) / 2 / height
    tall = np.maximum(np.where(sizes > 0, sizes, bottom - top), 1.0)
    gaps = _GAPS.searchsorted(np.concatenate(([9.0], (top[1:] - bottom[:-1]) / tall[1:], [9.0])), "right")
    known = (sizes > 0) & (body_size > 0)
    lengths = np.array([len(text) for text in texts])
    columns = np.stack([
        np.array(kinds) + _STARTS[0],
        np.array(labels) + _STARTS[1],
        _HEIGHTS.searchsorted(middle, "right") + _STARTS[3],
        np.where(known, _SIZES.searchsorted(sizes / max(body_size, 1e-6), "right"), len(_SIZES) + 1) + _STARTS[4],
        _LENGTHS.searchsorted(lengths, "right") + _STARTS[5],
        gaps[:-1] + _STARTS[6],
        gaps[1:] + _STARTS[6] + len(_GAPS) + 1,
        _LEFTS.searchsorted(left / width, "right") + _STARTS[7],
        _WIDTHS.searchsorted((right - left) / width, "right") + _STARTS[8],
        *(_SHARES.searchsorted(_shares(texts, lengths), "right") + _STARTS[9] + (len(_SHARES) + 1) * np.arange(5)[:, None]),
    ])  # fmt: skip
    dense[np.arange(len(texts)), columns] = 1.0
    for at, number in enumerate(_PAGES):
        dense[:, _STARTS[10] + at] = page.number == number
    _rank(dense, int(_STARTS[11]), middle)


def _rank(dense: NDArray[np.float32], column: int, middle: NDArray[np.float64]) -> None:
    """The lines that stand highest and lowest on the page, and those next to them."""
    order = np.argsort(middle, kind="stable")
    for shift, row in enumerate((order[0], order[-1], order[min(1, len(order) - 1)], order[max(-2, -len(order))])):
        dense[row, column + shift] = 1.0


def _shares(texts: list[str], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares [5, lines] of capitals, digits, marks, mathematics and other signs among the characters of each line."""
    joined = "\n".join(texts) + "\n"
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    places = np.repeat(np.arange(0, 7 * len(texts), 7), lengths + 1)
    places += _CLASSES[np.minimum(codes, 0xFFFF)]
    counts = np.bincount(places, minlength=7 * len(texts)).reshape(-1, 7).T
    return counts[[_UPPER, _DIGIT, _MARK, _MATH, _OTHER]] / np.maximum(1, lengths)
