"""What an OCR engine saw → a page like the text layer's: words in points, on level baselines, in few sizes."""

from collections import Counter
from collections.abc import Iterator, Sequence

from services.extraction.stages.glyphs import RawPage, Word
from services.extraction.stages.hocr import OcrLine, OcrWord
from services.extraction.stages.posture import Posture

POINTS_PER_INCH = 72
SAME_SIZE = 0.13
"""Estimates of one font's size differ by so much from line to line, with the letters that happen to be in them."""

ASCENT, DESCENT = 0.75, 0.25
"""Shares of a line's size above and below its baseline."""

SIGNS = frozenset("&•-–—=+*<>%$€£§()")
"""What may stand alone; bars, dots and underscores that do are rules and dust."""

LEAST_CONFIDENCE = 0.25
"""Words that the engine trusts less are grain, rules and pieces of pictures."""

CLEAR_CONFIDENCE, FEWEST_LETTERS = 0.7, 20


def is_clear(lines: Sequence[OcrLine]) -> bool:
    """Whether a page was read the right way up: upside down, letters are recognised with little confidence."""
    return confidence_of(lines) >= CLEAR_CONFIDENCE and letters_of(lines) >= FEWEST_LETTERS


def letters_of(lines: Sequence[OcrLine]) -> int:
    return sum(char.isalpha() for line in lines for word in line.words for char in word.text)


def confidence_of(lines: Sequence[OcrLine]) -> float:
    """Mean confidence of the characters, from 0 to 1."""
    weights = [(word.confidence, len(word.text)) for line in lines for word in line.words]
    total = sum(weight for _, weight in weights)
    return sum(confidence * weight for confidence, weight in weights) / total if total else 0.0


def evidence_of(lines: Sequence[OcrLine]) -> float:
    """How much was read, by confidence: what postures of one page are compared by."""
    return sum(word.confidence**2 * len(word.text) for line in lines for word in line.words)


def raw_page(number: int, lines: Sequence[OcrLine], posture: Posture, dpi: float) -> RawPage:
    """The words of a straightened page, in the engine's own order."""
    kept = [(line, words) for line in lines if (words := [word for word in line.words if _is_text(word)])]
    sizes = snapped([(line.size * POINTS_PER_INCH / dpi, sum(len(word.text) for word in words)) for line, words in kept])
    width, height = posture.upright_size
    found = [word for (line, words), size in zip(kept, sizes, strict=True) for word in _words(line, words, size, dpi)]
    return RawPage(number=number, width=width, height=height, words=tuple(found))


def _is_text(word: OcrWord) -> bool:
    return word.confidence >= LEAST_CONFIDENCE and any(char.isalnum() or char in SIGNS for char in word.text)


def _words(line: OcrLine, words: Sequence[OcrWord], size: float, dpi: float) -> Iterator[Word]:
    scale = POINTS_PER_INCH / dpi
    baseline = line.baseline_at((line.box[0] + line.box[2]) / 2) * scale
    for index, word in enumerate(words):
        yield Word(
            text=word.text, left=word.box[0] * scale, right=word.box[2] * scale,
            top=baseline - ASCENT * size, bottom=baseline + DESCENT * size, baseline=baseline,
            size=size, starts_line=index == 0,
        )  # fmt: skip


def snapped(sizes: Sequence[tuple[float, int]]) -> list[float]:
    """Sizes of lines in points, with how many characters each has → the few sizes that they are estimates of."""
    centres: list[float] = []
    left = list(sizes)
    while left:
        centre = _commonest([(size, weight) for size, weight in left])
        centres.append(centre)
        left = [(size, weight) for size, weight in left if not _near(size, centre)]
    return [_rounded(next(centre for centre in centres if _near(size, centre))) for size, _ in sizes]


def _commonest(sizes: Sequence[tuple[float, int]]) -> float:
    weights: Counter[float] = Counter()
    for size, weight in sizes:
        weights[_rounded(size)] += weight
    best = max(weights, key=lambda at: (sum(weight for size, weight in weights.items() if abs(size - at) <= 0.5), at))
    near = [(size, weight) for size, weight in sizes if _near(size, best)]
    total = sum(weight for _, weight in near)
    return sum(size * weight for size, weight in near) / total if total else best


def _near(size: float, centre: float) -> bool:
    return abs(size - centre) <= SAME_SIZE * centre


def _rounded(size: float) -> float:
    return max(0.5, round(size * 2) / 2)
