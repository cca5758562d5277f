"""Lines for people to label: the least certain first, what was said of them, and the pages that taggers learn from."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from services.gateway.parts import Parts
from services.gateway.recent import Recent
from services.gateway.shelves import collection_of, result_file, stage_key
from shared import layout
from shared.clock import now
from shared.contracts.documents import Block, LineFate, LineLabel, Page
from shared.contracts.line_labels import LineWord, LineWordView
from shared.contracts.taggers import LabelledPage
from shared.contracts.views import DocumentView
from shared.contracts.work import File
from shared.errors import NotFound
from shared.jsonl import lines_of, placed_lines
from shared.objects import ObjectStore, Series
from shared.results import committed

Place = tuple[int, int, int]
"""Page, block and line."""

MOST_CHARACTERS = 2_000
RULED = 2.0
"""Lines that rules labelled come after all that a model was asked of."""


@dataclass(frozen=True, slots=True)
class Order:
    """The lines of one file: their places, the least certain first, and in the order they stand; and each one's bytes."""

    unsure: list[Place]
    standing: list[Place]
    numbers: dict[Place, int]
    bytes: list[tuple[int, int]]


class LineOrders:
    """The orders of the files asked for last. The lines themselves stay in the store."""

    def __init__(self, store: ObjectStore, keep: int) -> None:
        self._store = store
        self._orders: Recent[Order] = Recent(keep)

    def of(self, file: File) -> Order:
        return self._orders.of(file.path, lambda: self._made(file))

    def read(self, file: File, place: Place) -> LineFate | None:
        order = self.of(file)
        number = order.numbers.get(place)
        return self.around(file, number, number + 1)[0] if number is not None else None

    def around(self, file: File, first: int, end: int) -> list[LineFate]:
        """Lines from one number to another, as they stand."""
        found = self.of(file).bytes[max(first, 0) : end]
        if not found:
            return []
        start = found[0][0]
        block = self._store.read_range(file.path, start, found[-1][1])
        return [LineFate.model_validate_json(block[one - start : other - start]) for one, other in found]

    def _made(self, file: File) -> Order:
        standing: list[Place] = []
        bounds: list[tuple[int, int]] = []
        sure: dict[Place, float] = {}
        for start, end, line in placed_lines(self._store, file.path):
            if not line:
                continue
            told = json.loads(line)
            place = (int(told["page"]), int(told["block"]), int(told["line"]))
            standing.append(place)
            bounds.append((start, end))
            confidence = told.get("confidence")
            sure[place] = RULED if confidence is None else float(confidence)
        unsure = sorted((place for place in standing), key=lambda place: (sure[place], place))
        return Order(unsure, standing, {place: at for at, place in enumerate(standing)}, bounds)


def extraction_of(parts: Parts, view: DocumentView) -> str:
    """The name of the page map that the document's lines are of."""
    return stage_key("extraction", view.id, collection_of(parts.catalog, view.collection).parameters)


def lines_file(parts: Parts, view: DocumentView) -> File:
    """Raises NotReady."""
    return result_file(parts.store, parts.catalog, view, "cleaning", "lines.jsonl")


def say(
    parts: Parts, orders: LineOrders, reviewer: str, view: DocumentView, said: Sequence[tuple[Place, LineLabel | None]]
) -> list[LineWordView]:
    """Write down what a reviewer says of lines, all or none of unknown places. Raises NotFound, NotReady."""
    file, extraction = lines_file(parts, view), extraction_of(parts, view)
    words = []
    for place, label in said:
        line = orders.read(file, place)
        if line is None:
            page, block, number = place
            raise NotFound(f"{view.filename} has no line {number} in block {block} of page {page}; all count from 0 but pages.")
        words.append(
            LineWord(
                document=view.id, extraction=extraction, page=line.page, block=line.block, line=line.line,
                text=line.text[:MOST_CHARACTERS], guessed=line.label, confidence=line.confidence, label=label,
                reviewer=reviewer, at=now(),
            )
        )  # fmt: skip
    entries = list(zip(Series(parts.store, layout.line_labels(view.id)).extend(words), words, strict=True))
    parts.catalog.put_line_words(entries)
    return [LineWordView(sequence=sequence, word=word) for sequence, word in entries]


def labelled_pages(parts: Parts) -> Iterator[LabelledPage]:
    """Every page that people labelled lines of, as taggers learn from them. What was read anew since in other settings keeps
    the page map that it was labelled on, as long as that stands."""
    for document, extraction in parts.catalog.line_worded():
        settled = settle(word for _, word in parts.catalog.line_words_of(document, extraction))
        manifest = committed(parts.store, "extraction", extraction)
        if not settled or manifest is None or "pages.jsonl" not in manifest.files:
            continue
        numbers = {page for page, _, _ in settled}
        for line in lines_of(parts.store, manifest.files["pages.jsonl"].path):
            page = Page.model_validate_json(line)
            if page.number in numbers:
                yield _labelled(document, page, settled)


def settle(words: Iterator[LineWord]) -> dict[Place, LineLabel]:
    """What holds of each line: what most reviewers say; nothing where they do not agree."""
    said: dict[Place, dict[str, LineLabel]] = {}
    for word in words:
        at = said.setdefault((word.page, word.block, word.line), {})
        if word.label is None:
            at.pop(word.reviewer, None)
        else:
            at[word.reviewer] = word.label
    counted = {place: Counter(labels.values()).most_common(2) for place, labels in said.items() if labels}
    return {place: most[0][0] for place, most in counted.items() if len(most) == 1 or most[0][1] > most[1][1]}


def _labelled(document: str, page: Page, settled: dict[Place, LineLabel]) -> LabelledPage:
    labels = tuple(
        tuple(settled.get((page.number, at, line)) for line in range(_height(block))) for at, block in enumerate(page.blocks)
    )
    return LabelledPage(document=document, page=page, labels=labels)


def _height(block: Block) -> int:
    """How many lines cleaning sees in a block: those of the page map, or of the text where it has none."""
    return len(block.lines) if block.lines else len(block.text.split("\n")) if block.text else 0
