"""Units → chunks: whole sentences to a token budget, along the document's structure."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

from services.cleaning.stages.units import Unit, units
from shared.contracts.documents import Chunk, ChunkingParameters, Piece, Span
from shared.keys import digest

TokenCount = Callable[[str], int]

TINY_SHARE = 0.125
"""A section's text below this share of the budget does not get a chunk of its own: it goes on with the next section."""


def chunks(document: str, pieces: Iterable[Piece], parameters: ChunkingParameters, count: TokenCount) -> Iterator[Chunk]:
    """Chunks in reading order. A sentence is never cut: one longer than the budget is a chunk by itself."""
    for index, (group, text, tokens) in enumerate(_packed(units(pieces), parameters, count)):
        yield Chunk(
            id=digest([document, index, text])[:16], document=document, index=index, text=text, tokens=tokens,
            section=_section(group), spans=_spans(group), flags=tuple(sorted({flag for unit in group for flag in unit.flags})),
        )  # fmt: skip


def _packed(stream: Iterable[Unit], parameters: ChunkingParameters, count: TokenCount) -> Iterator[tuple[list[Unit], str, int]]:
    """Groups of units with their text and its tokens."""
    group: list[Unit] = []
    shared = 0
    tokens = 0
    for unit in stream:
        if (
            group
            and unit.section != group[-1].section
            and (tokens >= TINY_SHARE * parameters.max_tokens or len(group) == shared)
        ):
            if len(group) > shared:
                yield group, _text(group), tokens
            group, shared = [], 0
        grown = count(_text([*group, unit]))
        if group and grown > parameters.max_tokens:
            if len(group) > shared:
                yield group, _text(group), tokens
            group = _overlap(group, unit, parameters, count)
            shared = len(group)
            grown = count(_text([*group, unit]))
        group, tokens = [*group, unit], grown
    if len(group) > shared:
        yield group, _text(group), tokens


def _overlap(group: Sequence[Unit], unit: Unit, parameters: ChunkingParameters, count: TokenCount) -> list[Unit]:
    """What a chunk begins with before its first new unit: the head of a table that goes on, or the last sentences of the chunk
    before, none of another section; each as far as the next unit fits behind them."""
    if unit.head is not None:
        return [unit.head] if count(_text([unit.head, unit])) <= parameters.max_tokens else []
    wanted = parameters.overlap_sentences
    last = [one for one in group[-wanted:] if one.section == unit.section] if wanted else []
    while last and count(_text([*last, unit])) > parameters.max_tokens:
        last.pop(0)
    return last


def _text(group: Sequence[Unit]) -> str:
    return group[0].text + "".join(unit.before + unit.text for unit in group[1:])


def _section(group: Sequence[Unit]) -> tuple[str, ...]:
    """The section that most of a chunk's characters stand in: but for tiny sections there is only one."""
    weights: Counter[tuple[str, ...]] = Counter()
    for unit in group:
        weights[unit.section] += len(unit.text)
    return weights.most_common(1)[0][0]


def _spans(group: Sequence[Unit]) -> tuple[Span, ...]:
    spans: list[Span] = []
    position = 0
    for index, unit in enumerate(group):
        position += len(unit.before) if index else 0
        for part in unit.parts:
            span = Span(page=part.page, box=part.box, start=position + part.start, end=position + part.end)
            last = spans[-1] if spans else None
            goes_on = index == 0 or group[index - 1] is not unit.head
            if goes_on and last is not None and last.page == span.page and last.box == span.box and last.box is not None:
                spans[-1] = last.model_copy(update={"end": span.end})
            else:
                spans.append(span)
        position += len(unit.text)
    return tuple(spans)
