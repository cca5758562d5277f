"""The labelled set of garbage: sound paragraphs, good but odd text, and damage of each kind, in a part to tune on and a part
held out. Sources are halved, so that no text is in both."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from benchmarks.garbage.damage import contents, interleaved, misread, reference, repeated, scanned, undecodable
from benchmarks.garbage.texts import CODE, FOREIGN, FORMULAS, ODD_PROSE, POEMS, STOCK, TABLES
from shared.contracts.documents import BlockKind

Part = Literal["tune", "held-out"]
OCR_RATES = (0.02, 0.05, 0.1, 0.2)
LIGHT = 0.02
"""Text that OCR read so well can still be read: it is counted for itself, neither as garbage nor as good."""

PEOPLE = [
    "Hadi",
    "Lindqvist",
    "Voss",
    "Moll",
    "Achterberg",
    "Brandt",
    "Tervo",
    "Sorley",
    "Ullen",
    "Nakamura",
    "O’Brien",
    "García",
]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, what it is, whether it is garbage (None: neither), reasons that name it, languages that are wanted."""

    text: str
    block: BlockKind
    what: str
    garbage: bool | None
    expected: tuple[str, ...] = ()
    languages: tuple[str, ...] = ("en",)


def samples(sources: Sequence[Path], part: Part, seed: int = 0) -> list[Sample]:
    """The labelled set of one part, from Markdown files of good text."""
    half = 0 if part == "tune" else 1
    hand = random.Random(seed + half)
    mine = [
        path
        for index, path in enumerate(sorted(sources, key=lambda path: (path.parent.name != "gt", path.name)))
        if index % 2 == half
    ]
    prose = [text for path in mine for text in paragraphs(path)]
    headings = [[line for line in path.read_text().splitlines() if line.startswith("#")] for path in mine]
    return [*_good(prose, mine, half), *_damaged(prose, headings, half, hand)]


def paragraphs(path: Path) -> list[str]:
    """Paragraphs of prose of a Markdown file, but for its references."""
    text = path.read_text(encoding="utf-8").split("\n# References")[0].split("\n## References")[0]
    blocks = (" ".join(block.split()) for block in text.split("\n\n"))
    return [block for block in blocks if len(block.split()) >= 20 and block[0] not in "|#`$\\<-![0123456789:"]


def _good(prose: Sequence[str], sources: Sequence[Path], half: int) -> Iterator[Sample]:
    yield from (Sample(text, "paragraph", "prose", False) for text in prose)
    tables = (block for path in sources for block in path.read_text().split("\n\n") if block.startswith("|"))
    kinds: tuple[tuple[str, BlockKind, Sequence[str]], ...] = (
        ("poem", "paragraph", POEMS), ("code", "code", CODE), ("formula", "formula", FORMULAS), ("table", "table", TABLES),
        ("odd prose", "paragraph", ODD_PROSE),
    )  # fmt: skip
    for what, block, texts in kinds:
        yield from (Sample(text, block, what, False) for text in texts[half::2])
    yield from (Sample(text, "table", "table", False) for text in tables)
    for sentences in FOREIGN.values():
        pairs = list(pairwise(sentences))[half::2]
        yield from (Sample(f"{one} {two}", "paragraph", "wanted language", False, (), ()) for one, two in pairs)


def _damaged(prose: Sequence[str], headings: Sequence[Sequence[str]], half: int, hand: random.Random) -> Iterator[Sample]:
    def bad(text: str, what: str, *expected: str) -> Sample:
        return Sample(text, "paragraph", what, True, expected)

    for rate in OCR_RATES:
        for text in prose[:: 2 if rate > LIGHT else 4]:
            spoilt = scanned(text, rate, hand)
            yield Sample(spoilt, "paragraph", f"OCR noise {rate:.0%}", True if rate > LIGHT else None, ("ocr-noise",))
    for language, sentences in FOREIGN.items():
        for one, other in list(pairwise(sentences))[half::2]:
            text = f"{one} {other}"
            yield bad(text, "foreign language", "language")
            spoilt = misread(text, "cp1251" if language == "ru" else "cp1252", hand)
            yield Sample(spoilt, "paragraph", "mojibake, bytes lost", True, ("mojibake",), ())
    yield from (bad(undecodable(text, hand), "undecodable", "encoding-damage") for text in prose[::6])
    for words in (3, 5, 7, 9):
        for left, right in list(pairwise(prose))[words::6]:
            yield bad(interleaved(left, right, words), f"columns of {words} words read across", "shuffled-columns")
    for _ in range(30):
        yield bad(" ".join(reference(hand, PEOPLE) for _ in range(hand.randint(1, 4))), "references", "references")
    for found in headings:
        titles = [heading for heading in found if 3 <= len(heading) <= 80]
        for leaders in (". . . . . . . . ", "........ ", ""):
            if len(titles) >= 5:
                yield bad(contents(titles, leaders), "table of contents", "table-of-contents")
    yield from (bad(text, "boilerplate", "boilerplate") for text in STOCK[half::2])
    yield from (bad(repeated(text, hand), "repetition", "repetition") for text in prose[::5])
