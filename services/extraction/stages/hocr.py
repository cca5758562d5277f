"""Tesseract's hOCR → lines of words, in pixels of the picture that was read."""

import re
from dataclasses import dataclass
from html.parser import HTMLParser

LINES = ("ocr_line", "ocr_header", "ocr_textfloat", "ocr_caption")

_BOX = re.compile(r"\bbbox (-?\d+) (-?\d+) (-?\d+) (-?\d+)")
_BASELINE = re.compile(r"\bbaseline (-?[\d.]+(?:e-?\d+)?) (-?[\d.]+)")
_SIZE = re.compile(r"\bx_size (-?[\d.]+)")
_CONFIDENCE = re.compile(r"\bx_wconf (\d+)")

PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class OcrWord:
    """A word, its box (left, top, right, bottom) and how sure the engine is of it, from 0 to 1."""

    text: str
    box: PixelBox
    confidence: float


@dataclass(frozen=True, slots=True)
class OcrLine:
    """Words along one line. `size`: from the top of ascenders to the bottom of descenders, as the engine estimates it.

    `paragraph` is the same for lines that the engine takes for one paragraph.
    """

    words: tuple[OcrWord, ...]
    box: PixelBox
    slope: float
    offset: float
    size: float
    paragraph: int = 0

    def baseline_at(self, x: float) -> float:
        """The y of the baseline at an x; `offset` is measured from the box's lower left corner."""
        return self.box[3] + self.offset + self.slope * (x - self.box[0])


def parse_hocr(text: str) -> tuple[OcrLine, ...]:
    """Lines in the engine's own reading order; those without a word are left out."""
    reader = _HocrReader()
    reader.feed(text)
    reader.close()
    return tuple(reader.lines())


class _HocrReader(HTMLParser):
    """hOCR nests words (`ocrx_word`) in lines; nothing else of it is wanted."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._lines: list[tuple[int, str, list[tuple[str, list[str]]]]] = []
        self._paragraph = 0
        self._in_word = False

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        kind, title = given.get("class"), given.get("title") or ""
        self._paragraph += kind == "ocr_par"
        if kind in LINES:
            self._lines.append((self._paragraph, title, []))
        elif kind == "ocrx_word" and self._lines:
            self._lines[-1][2].append((title, []))
            self._in_word = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            self._in_word = False

    def handle_data(self, data: str) -> None:
        if self._in_word:
            self._lines[-1][2][-1][1].append(data)

    def lines(self) -> list[OcrLine]:
        made = [_line(*one) for one in self._lines]
        return [line for line in made if line is not None]


def _line(paragraph: int, title: str, words: list[tuple[str, list[str]]]) -> OcrLine | None:
    made = [word for word in (_word(given, "".join(parts).strip()) for given, parts in words) if word is not None]
    box, baseline, size = _box(title), _BASELINE.search(title), _SIZE.search(title)
    if not made or box is None:
        return None
    slope, offset = (float(baseline.group(1)), float(baseline.group(2))) if baseline else (0.0, 0.0)
    height = float(size.group(1)) if size else float(box[3] - box[1])
    return OcrLine(tuple(made), box, slope, offset, height, paragraph)


def _word(title: str, text: str) -> OcrWord | None:
    box, confidence = _box(title), _CONFIDENCE.search(title)
    if box is None or not text or any(char.isspace() for char in text):
        return None
    return OcrWord(text, box, min(1.0, int(confidence.group(1)) / 100) if confidence else 0.0)


def _box(title: str) -> PixelBox | None:
    found = _BOX.search(title)
    if found is None:
        return None
    left, top, right, bottom = map(int, found.groups())
    return (left, top, right, bottom) if left < right and top < bottom else None
