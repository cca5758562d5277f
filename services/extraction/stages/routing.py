"""Which engine reads a page: the text layer where it is sound, else the best engine that reads pictures."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from services.extraction.stages.glyphs import Box, RawPage, Word
from shared.contracts.documents import Engine

EngineName = Literal["text-layer", "tesseract", "nougat"]
TEXT_LAYER: Final = "text-layer"
TESSERACT: Final = "tesseract"
NOUGAT: Final = "nougat"

FEW_CHARACTERS = 100
"""A page with less text than that may be a scan with a stamp or a page number on it, so its pictures are looked at."""

SCAN_SHARE = 0.5
"""A scan covers at least so much of its page; a cover's photograph may too, and OCR then finds what is written on it."""

MAX_UNDECODABLE, MAX_UNDECODABLE_IN_FIGURES, ENOUGH_PROSE = 0.1, 0.4, 1_000
"""Shares of a page's characters. A page with so much prose beside them has them in a figure, whose labels are no great loss."""

LABEL_POINTS = 50
"""A chart's labels stand no farther than this from what is drawn in curves."""

LEAST_VOWELS, FEWEST_LETTERS = 0.22, 200
"""Languages in Latin letters have 35 to 48 % vowels; letters shifted along the alphabet, as bad fonts give them, about 14 %."""

MANY_PATHS = 40
MANY_FORMULAS = 0.06

_LETTERS = re.compile(r"[^\W\d_]{2}")
_VOWELS = frozenset("aeiouyàáâãäåæèéêëìíîïòóôõöøùúûüýÿœāăąēĕėęěĩīĭįıōŏőũūŭůűųŷ")
_WRONG = ("Co", "Cn", "Cs", "Cc")
_ALWAYS_MATHS = frozenset("∑∏∫∂∇√∞∈∉⊂⊆∪∩∀∃≤≥≠≈≡∝±×÷→⇒↦⟨⟩‖")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a page shows beside text: the share of it that pictures cover, and how many paths are drawn on it."""

    picture_share: float = 0.0
    pictures: int = 0
    paths: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of a page's text layer. `confidence` is the share of its characters that can be right.

    `labels`: those that cannot are labels of charts, to be left out.
    """

    sound: bool
    why: str
    confidence: float
    formulas: bool = False
    labels: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """Engines to be tried on a page, the best first, and why it is these."""

    engines: tuple[EngineName, ...]
    why: str


def has_little_text(raw: RawPage) -> bool:
    """Whether a page's pictures must be looked at before its text layer can be trusted."""
    return sum(len(word.text) for word in raw.words) < FEW_CHARACTERS


def judge(raw: RawPage, marks: Marks | None) -> Verdict:
    """The text layer of a page; `marks` are needed only where it `has_little_text`."""
    texts = [word.text for word in raw.words]
    total = sum(map(len, texts))
    if marks is not None and (scanned := _scanned(total, marks)):
        return Verdict(False, scanned, 0.0)
    wrong = sum(map(_undecodable, texts))
    right = 1.0 - wrong / total if total else 1.0
    most = MAX_UNDECODABLE if total - wrong < ENOUGH_PROSE else MAX_UNDECODABLE_IN_FIGURES
    labels = wrong > MAX_UNDECODABLE * total and _only_labels(raw)
    if wrong > most * total and not labels:
        return Verdict(False, f"{wrong} of {total} characters of the text layer cannot be decoded", right)
    if total and _is_no_language(texts):
        return Verdict(False, "the text layer spells no words: its fonts do not say which letters they draw", 0.0)
    formulas = sum(map(_maths, texts)) > MANY_FORMULAS * total
    why = "the text layer is sound" if total else "the page is empty"
    return Verdict(True, "the text layer is sound but for labels of charts" if labels else why, right, formulas, labels)


def _scanned(characters: int, marks: Marks) -> str:
    if marks.picture_share >= SCAN_SHARE:
        has = f"{characters} characters" if characters else "no text"
        return f"pictures cover {min(1.0, marks.picture_share):.0%} of the page and its text layer has {has}"
    if characters == 0 and (marks.pictures or marks.paths >= MANY_PATHS):
        return "the page is drawn and has no text layer"
    return ""


def _undecodable(text: str) -> int:
    if text.isascii() and text.isprintable():
        return 0
    return sum(char == "\ufffd" or (unicodedata.category(char) in _WRONG and char != "\x02") for char in text)


def _only_labels(raw: RawPage) -> bool:
    """Whether what cannot be decoded are the labels of charts, on a page whose other text can be: no great loss either."""
    others = [word.text for word in raw.words if not _is_label(word, raw.curves)]
    total, wrong = sum(map(len, others)), sum(map(_undecodable, others))
    return total - wrong >= FEW_CHARACTERS and wrong <= MAX_UNDECODABLE * total


def without_labels(raw: RawPage) -> RawPage:
    """A page without the lines beside its charts that cannot be decoded, or hold no word: ticks in a broken font."""
    lines: list[list[Word]] = []
    for word in raw.words:
        if word.starts_line or not lines:
            lines.append([])
        lines[-1].append(word)
    kept = [word for line in lines if not _is_tick(line, raw.curves) for word in line]
    return replace(raw, words=tuple(kept))


def _is_tick(line: Sequence[Word], curves: Iterable[Box]) -> bool:
    told = not any(_undecodable(word.text) for word in line) and any(_LETTERS.search(word.text) for word in line)
    return not told and all(_is_label(word, curves) for word in line)


def _is_label(word: Word, curves: Iterable[Box]) -> bool:
    x, y, near = (word.left + word.right) / 2, (word.top + word.bottom) / 2, LABEL_POINTS
    return any(left - near <= x <= right + near and top - near <= y <= bottom + near for left, top, right, bottom in curves)


def _is_no_language(texts: Iterable[str]) -> bool:
    """Fonts with codes of their own give Latin letters that spell nothing: `7KLV LV` for `This is`. Words need vowels."""
    letters = [char for text in texts for char in text.lower() if "a" <= char <= "z" or "\u00df" <= char <= "\u017f"]
    return len(letters) >= FEWEST_LETTERS and sum(char in _VOWELS for char in letters) < LEAST_VOWELS * len(letters)


def _maths(text: str) -> int:
    if text.isascii():
        return 0
    return sum(char in _ALWAYS_MATHS or "\u0370" <= char <= "\u03ff" or "\U0001d400" <= char <= "\U0001d7ff" for char in text)


def route(verdict: Verdict, wanted: Engine, there: Sequence[EngineName]) -> Route:
    """The engines for a page, given what the user wants and which engines that read pictures are `there`, the best first.

    The text layer comes last where it is not sound: bad text is better than none, and the page says what it is.
    """
    if wanted == "text-layer":
        return Route((TEXT_LAYER,), "the text layer was asked for")
    readers = tuple(one for one in there if wanted != "ocr" or one == TESSERACT)
    if wanted != "auto":
        return Route((*readers, TEXT_LAYER), f"{wanted} was asked for")
    if not verdict.sound:
        return Route((*readers, TEXT_LAYER), verdict.why)
    if verdict.formulas and NOUGAT in readers:
        return Route((NOUGAT, TEXT_LAYER), "the page is dense in formulas")
    return Route((TEXT_LAYER,), verdict.why)
