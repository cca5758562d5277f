"""What people say of a document's texts, applied to its chunks: good text comes back, and garbage leaves."""

from collections.abc import Iterable, Iterator, Mapping
from heapq import merge

from services.cleaning.stages.chunk import TokenCount
from services.cleaning.stages.screen import Returning, first_page
from shared.contracts.documents import Chunk, ChunkingParameters, GarbageItem
from shared.keys import text_mark
from shared.verdicts import Settled


def reviewed(
    kept: Iterable[Chunk],
    garbage: Iterable[GarbageItem],
    verdicts: Mapping[str, Settled],
    parameters: ChunkingParameters,
    count: TokenCount,
) -> Iterator[Chunk]:
    """The chunks in reading order. Where nobody said anything, or reviewers do not agree, what stood stands."""
    back = Returning(parameters, count)
    index = 0
    items: Iterator[Chunk | GarbageItem] = merge(kept, garbage, key=first_page)
    for item in items:
        settled = verdicts.get(text_mark(item.text))
        said = settled.garbage if settled else None
        for chunk in _chunks(item, said, back):
            yield chunk.model_copy(update={"index": index})
            index += 1


def _chunks(item: Chunk | GarbageItem, garbage: bool | None, back: Returning) -> Iterator[Chunk]:
    if isinstance(item, GarbageItem):
        if garbage is False:
            yield from back.chunks(item, "people")
        return
    back.section = item.section
    if garbage is None:
        yield item
    elif not garbage:
        yield item.model_copy(update={"decided_by": "people"})
