"""What an OCR engine saw → a page like the text layer's: words in points, on level baselines, in few sizes."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from services.extraction.stages.glyphs import RawPage, Word
from services.extraction.stages.hocr import OcrLine, OcrWord
from services.extraction.stages.posture import Posture

POINTS_PER_INCH = 72
SAME_SIZE = 0.075
"""Estimates of one font's size differ by up to so much from their mean, with the letters that happen to be in a line."""

SAME_PARAGRAPH = 0.13
"""Within a paragraph, short lines' estimates may be so far off."""

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
    """The words of a straightened page, in the engine's own order, their sizes as it estimates them."""
    lines = _levelled(lines)
    kept = [(line, words) for line in lines if (words := [word for word in line.words if _is_text(word)])]
    width, height = posture.upright_size
    found = [word for line, words in kept for word in _words(line, words, dpi)]
    return RawPage(number=number, width=width, height=height, words=tuple(found))


def _levelled(lines: Sequence[OcrLine]) -> list[OcrLine]:
    """The lines of one paragraph are of one size, unless they differ so much that they are a heading after all."""
    weights: dict[int, Counter[float]] = defaultdict(Counter)
    for line in lines:
        weights[line.paragraph][line.size] += sum(len(word.text) for word in line.words)
    usual = {paragraph: _weighted_median(sizes) for paragraph, sizes in weights.items()}
    return [
        replace(line, size=usual[line.paragraph]) if abs(line.size / usual[line.paragraph] - 1) <= SAME_PARAGRAPH else line
        for line in lines
    ]


def _weighted_median(weights: Mapping[float, int]) -> float:
    middle, so_far = sum(weights.values()) / 2, 0
    for size in sorted(weights):
        so_far += weights[size]
        if so_far >= middle:
            return max(size, 1.0)
    return 1.0


def _is_text(word: OcrWord) -> bool:
    return word.confidence >= LEAST_CONFIDENCE and any(char.isalnum() or char in SIGNS for char in word.text)


def _words(line: OcrLine, words: Sequence[OcrWord], dpi: float) -> Iterator[Word]:
    scale = POINTS_PER_INCH / dpi
    size = max(0.5, line.size * scale)
    baseline = line.baseline_at((line.box[0] + line.box[2]) / 2) * scale
    for index, word in enumerate(words):
        yield Word(
            text=word.text, left=word.box[0] * scale, right=word.box[2] * scale,
            top=baseline - ASCENT * size, bottom=baseline + DESCENT * size, baseline=baseline,
            size=size, starts_line=index == 0,
        )  # fmt: skip


def sizes_of(pages: Iterable[RawPage]) -> tuple[float, ...]:
    """The few sizes that the estimates on a document's scanned pages are estimates of, the commonest first."""
    weights: Counter[float] = Counter()
    for page in pages:
        for word in page.words:
            weights[word.size] += len(word.text)
    return _centres(weights, ())


def in_few_sizes(raw: RawPage, known: Sequence[float]) -> RawPage:
    """A scanned page whose words have the sizes that are `known` of the document, or where none is near, its own few."""
    weights: Counter[float] = Counter()
    for word in raw.words:
        weights[word.size] += len(word.text)
    centres = _centres(weights, known)
    nearest = {size: _halved(min(centres, key=lambda centre: abs(centre - size))) for size in weights}
    return replace(raw, words=tuple(_resized(word, nearest[word.size]) for word in raw.words))


def _resized(word: Word, size: float) -> Word:
    top, bottom = word.baseline - ASCENT * size, word.baseline + DESCENT * size
    return word._replace(size=size, top=top, bottom=bottom)


def _centres(weights: Mapping[float, int], known: Sequence[float]) -> tuple[float, ...]:
    """Sizes that are near no known one are gathered around their commonest, again and again."""
    centres = list(known)
    left = {size: weight for size, weight in weights.items() if not any(_near(size, centre) for centre in centres)}
    while left:
        centres.append(_commonest(left))
        left = {size: weight for size, weight in left.items() if not _near(size, centres[-1])}
    return tuple(centres)


def _commonest(weights: Mapping[float, int]) -> float:
    """The mean of the sizes around the one that has most text near it."""

    def beside(at: float) -> int:
        return sum(weight for size, weight in weights.items() if _near(size, at))

    best = max(weights, key=lambda at: (beside(at), at))
    near = {size: weight for size, weight in weights.items() if _near(size, best)}
    mean = sum(size * weight for size, weight in near.items()) / max(1, sum(near.values()))
    return mean if _near(best, mean) else best


def _near(size: float, centre: float) -> bool:
    return abs(size - centre) <= SAME_SIZE * centre


def _halved(size: float) -> float:
    return max(0.5, round(size * 2) / 2)
