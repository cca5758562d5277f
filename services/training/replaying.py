"""Replay: the examples of a model's earlier datasets that a run which starts from it trains on beside its own."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.training.spec import Earlier
from services.training.stages.examples import Encoded
from services.training.stages.replay import Barred, lot, quality
from shared.contracts.documents import Chunk
from shared.contracts.learning import Example
from shared.contracts.recipes import Continual
from shared.objects import read_lines
from shared.rehearsal import replayed_beside

Encode = Callable[[Example], Encoded]


@dataclass(frozen=True, slots=True)
class Replayed:
    """The examples that were drawn to be trained on, how many from which dataset, and those by which weights are held."""

    encoded: tuple[Encoded, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    mattering: tuple[Encoded, ...] = ()


def replay(
    earlier: Sequence[Earlier], own: Sequence[Example], heldout: Path, how: Continual, seed: int, limit: int, encode: Encode
) -> Replayed:
    """As many as make up the share beside the run's `own` examples, in the order of their lots; those longer than `limit`
    tokens are passed over. Raises ValueError for a line that is no example."""
    wanted, mattering = replayed_beside(len(own), how.replay_share), how.fisher_examples if how.ewc else 0
    if not earlier or not max(wanted, mattering):
        return Replayed()
    encoded: list[Encoded] = []
    counts: Counter[str] = Counter()
    for _, number, place in sorted(_lots(earlier, _barred(earlier, own, heldout), how, seed)):
        one = encode(_example_at(earlier[number].train, place))
        if len(one.ids) > limit:
            continue
        if len(encoded) < wanted:
            counts[earlier[number].dataset] += 1
        encoded.append(one)
        if len(encoded) == max(wanted, mattering):
            break
    return Replayed(tuple(encoded[:wanted]), tuple(sorted(counts.items())), tuple(encoded[:mattering]))


def _barred(earlier: Sequence[Earlier], own: Sequence[Example], heldout: Path) -> Barred:
    barred = Barred.none()
    barred.hold_out(own, _examples(heldout))
    for one in earlier:
        barred.hold_out(_examples(one.train), _examples(one.heldout))
    for example in own:
        barred.admits(example)  # what is trained on anyway is not replayed
    return barred


def _lots(earlier: Sequence[Earlier], barred: Barred, how: Continual, seed: int) -> Iterator[tuple[float, int, int]]:
    """Lot, number of the dataset, and place of the line in its file: examples' texts are not all held at once."""
    for number, one in enumerate(earlier):
        weights = _qualities(one.chunks) if how.replay == "quality" and one.chunks else {}
        for place, example in _placed(one.train):
            if barred.admits(example):
                yield lot(seed, example.id, weights.get(example.chunk, 1.0)), number, place


def _qualities(chunks: Path) -> dict[str, float]:
    return {chunk.id: quality(chunk) for chunk in map(Chunk.model_validate, read_lines(chunks))}


def _examples(path: Path) -> Iterator[Example]:
    return map(Example.model_validate, read_lines(path))


def _placed(path: Path) -> Iterator[tuple[int, Example]]:
    place = 0
    with path.open("rb") as lines:
        for line in lines:
            yield place, Example.model_validate_json(line)
            place += len(line)


def _example_at(path: Path, place: int) -> Example:
    with path.open("rb") as lines:
        lines.seek(place)
        return Example.model_validate_json(lines.readline())
