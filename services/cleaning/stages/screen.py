"""Kept and garbage, looked at once more: by a classifier where one is configured, whose word counts where it is in charge."""

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Protocol

from services.cleaning.stages.chunk import TokenCount, chunks
from shared.contracts.documents import Chunk, ChunkingParameters, DecidedBy, GarbageItem, Piece
from shared.keys import digest

BATCH = 256

CLASSIFIER = "classifier"
"""The reason of what the rules had kept and the classifier set aside."""


class Judge(Protocol):
    """A version of the garbage classifier."""

    @property
    def version(self) -> str: ...

    @property
    def in_charge(self) -> bool:
        """Whether it beat the rules on held-out labels, and so decides in their place."""

    @property
    def threshold(self) -> float:
        """The probability from which on a text is garbage."""

    def probabilities(self, texts: Sequence[str], rules: Sequence[str]) -> Sequence[float]:
        """How likely each text is garbage, given the rule that set it aside (empty: none did)."""


def screen(
    kept: Iterable[Chunk],
    garbage: Iterable[GarbageItem],
    judge: Judge | None,
    parameters: ChunkingParameters,
    count: TokenCount,
) -> Iterator[Chunk | GarbageItem]:
    """All texts of a document in reading order, in their final form. Without a judge they pass as they are."""
    items: Iterator[Chunk | GarbageItem] = merge(kept, garbage, key=first_page)
    if judge is None:
        yield from items
        return
    back = Returning(parameters, count)
    index = 0
    while batch := list(islice(items, BATCH)):
        rules = ["" if isinstance(item, Chunk) else item.reason for item in batch]
        for item, probability in zip(batch, judge.probabilities([item.text for item in batch], rules), strict=True):
            for made in _judged(item, round(float(probability), 4), judge, back):
                if isinstance(made, Chunk):
                    yield made.model_copy(update={"index": index})
                    index += 1
                else:
                    yield made


def _judged(item: Chunk | GarbageItem, probability: float, judge: Judge, back: "Returning") -> Iterator[Chunk | GarbageItem]:
    said: dict[str, object] = {"probability": probability, "classifier": judge.version}
    if judge.in_charge:
        said["decided_by"] = "classifier"
    item = item.model_copy(update=said)
    is_garbage = probability >= judge.threshold
    if isinstance(item, Chunk):
        back.section = item.section
        aside = judge.in_charge and is_garbage
        yield GarbageItem.of_chunk(item, CLASSIFIER, probability, judge.threshold) if aside else item
    elif judge.in_charge and not is_garbage:
        yield from back.chunks(item, "classifier")
    else:
        yield item


class Returning:
    """Makes chunks of garbage that comes back. `section` is that of the text before it, which it stands in, too."""

    def __init__(self, parameters: ChunkingParameters, count: TokenCount) -> None:
        self.section: tuple[str, ...] = ()
        self._parameters = parameters
        self._count = count

    def chunks(self, item: GarbageItem, decided_by: DecidedBy) -> Iterator[Chunk]:
        """The chunk that it was, or its block cut to the budget like any other text."""
        said = {
            "decided_by": decided_by, "reason": item.reason,
            "probability": item.probability, "classifier": item.classifier,
        }  # fmt: skip
        if item.spans:
            yield Chunk(
                id=item.id, document=item.document, index=0, text=item.text, tokens=self._count(item.text),
                section=item.section, spans=item.spans, flags=item.flags,
            ).model_copy(update=said)  # fmt: skip
            return
        # A heading would be no chunk but a section's name, and its text would be lost.
        piece = Piece(
            text=item.text, kind="paragraph" if item.kind == "heading" else item.kind, page=item.page, box=item.box,
            start=0, end=len(item.text), section=self.section, flags=item.flags,
        )  # fmt: skip
        for number, chunk in enumerate(chunks(item.document, [piece], self._parameters, self._count)):
            name = digest([item.document, item.id, number])[:16]
            yield chunk.model_copy(update={**said, "id": name})


def first_page(item: Chunk | GarbageItem) -> int:
    if isinstance(item, GarbageItem):
        return item.page
    return item.spans[0].page if item.spans else 1
