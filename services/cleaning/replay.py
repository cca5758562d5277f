"""Examples of earlier datasets that are trained on again (rehearsal; Robins 1995), drawn by seed and never out of what is
held out."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.cleaning.stages.dataset import Terms
from shared.contracts.learning import Example
from shared.objects import read_lines
from shared.rehearsal import draw, fingerprint, replayed_beside

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Earlier:
    """A dataset that is done: its training examples and the chunks that they come from."""

    dataset: str
    train: Path
    chunks: Path


@dataclass(frozen=True, slots=True)
class Drawn:
    """Where the drawn examples stand: by dataset, and by the place of their lines in its file."""

    earlier: Sequence[Earlier]
    places: Sequence[list[int]]
    terms: Terms

    def examples(self) -> Iterator[Example]:
        """In the order of their datasets. One that was replayed before keeps the name of the dataset it is from."""
        for one, places in zip(self.earlier, self.places, strict=True):
            with one.train.open("rb") as lines:
                for place in places:
                    lines.seek(place)
                    example = Example.model_validate_json(lines.readline())
                    told = {"replayed_from": example.replayed_from or one.dataset, "tokens": _tokens(example, self.terms)}
                    yield example.model_copy(update=told)

    def chunks(self) -> list[tuple[Path, set[str]]]:
        used: dict[str, set[str]] = {one.dataset: set() for one in self.earlier}
        for one, places in zip(self.earlier, self.places, strict=True):
            with one.train.open("rb") as lines:
                for place in places:
                    lines.seek(place)
                    used[one.dataset].add(Example.model_validate_json(lines.readline()).chunk)
        return [(one.chunks, used[one.dataset]) for one in self.earlier if used[one.dataset]]


def draw_replay(
    earlier: Sequence[Earlier],
    dropped: Sequence[Flags],
    terms: Terms,
    own: int,
    seen: set[bytes],
    heldout: frozenset[str],
) -> Drawn:
    """As many as make up the share, those with the lowest draws. Left out are examples whose chunk says what a chunk of this
    dataset says (so also what is held out), whose document or chunk is held out, those that are in it already, and those that
    are too long for this dataset's base and template."""
    share = terms.parameters.replay.share
    wanted = replayed_beside(own, share) if earlier else 0
    fitting = _fitting(earlier, dropped, terms, set(seen), heldout) if wanted else iter(())
    places: list[list[int]] = [[] for _ in earlier]
    for _, number, place in heapq.nsmallest(wanted, fitting):
        places[number].append(place)
    return Drawn(earlier, [sorted(each) for each in places], terms)


def _fitting(
    earlier: Sequence[Earlier], dropped: Sequence[Flags], terms: Terms, seen: set[bytes], heldout: frozenset[str]
) -> Iterator[tuple[float, int, int]]:
    for number, (one, flags) in enumerate(zip(earlier, dropped, strict=True)):
        said = {str(chunk["id"]) for chunk, out in zip(read_lines(one.chunks), flags, strict=True) if out}
        for place, example in _examples(one.train):
            name = fingerprint(example)
            if name in seen or example.chunk in said or example.document in heldout or example.chunk in heldout:
                continue
            if _tokens(example, terms) > terms.parameters.max_example_tokens:
                continue
            seen.add(name)
            yield draw(terms.parameters.seed, example.id), number, place


def _tokens(example: Example, terms: Terms) -> int:
    return terms.tokens(example.instruction, example.input, example.output)


def _examples(path: Path) -> Iterator[tuple[int, Example]]:
    place = 0
    with path.open("rb") as lines:
        for line in lines:
            yield place, Example.model_validate_json(line)
            place += len(line)
