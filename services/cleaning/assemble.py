"""A dataset on disk from the chunks of its documents: near-duplicates out, examples made, split, written and described.

One document is in memory at a time, and a few bytes a chunk of all others.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import nsmallest
from pathlib import Path
from typing import TextIO

from services.cleaning.adapters.dataset_files import digest_of, write_parquet
from services.cleaning.duplicates import DUPLICATES, ChunkFile, Found, Sketches, find_duplicates, sketch_here
from services.cleaning.replay import Drawn, Earlier, draw_replay
from services.cleaning.screening import read_chunks
from services.cleaning.stages.card import CARD, Written
from services.cleaning.stages.dataset import Skipped, Source, Terms, examples
from services.cleaning.stages.lengths import Lengths
from services.cleaning.stages.split import heldout_chunks, heldout_documents, shares_a_page
from shared.contracts.documents import Chunk
from shared.contracts.learning import DatasetParameters, DatasetResult, Example
from shared.contracts.work import Rejected
from shared.rehearsal import draw, fingerprint

TRAIN, HELDOUT, CHUNKS = "train", "heldout", "chunks.jsonl"

Progress = Callable[[int, int, str], None]
"""Told how many documents of how many are done with which part of the work."""
Pairs = Callable[[Source, Sequence[Chunk]], Iterator[Example | Skipped]]
"""A document's question-answer pairs, written by a model."""
Describe = Callable[[Written], str]


@dataclass(frozen=True, slots=True)
class Shelf:
    """A document of the dataset and the file its chunks are in."""

    source: Source
    chunks: Path


@dataclass(frozen=True, slots=True)
class Parts:
    """What assembly leaves to others: how texts are sketched, who writes pairs, how the card is worded."""

    sketches: Sketches = sketch_here
    pairs: Pairs | None = None
    describe: Describe | None = None
    earlier: tuple[Earlier, ...] = ()


@dataclass(slots=True)
class _Made:
    """What one document gave: its examples in a file of their own, and the chunks that they come from, in order."""

    shelf: Shelf
    file: Path
    count: int = 0
    chunks: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Split:
    """What is held out (documents, or chunks of the one document), and what may be on neither side."""

    by: str
    heldout: frozenset[str]
    closed: frozenset[str] = frozenset()

    def side(self, example: Example) -> bool | None:
        """True: held out; None: on neither side."""
        if example.chunk in self.closed:
            return None
        return (example.document if self.by == "document" else example.chunk) in self.heldout


def assemble(
    shelves: Sequence[Shelf], out: Path, scratch: Path, terms: Terms, progress: Progress, parts: Parts | None = None
) -> DatasetResult | Rejected:
    """Writes `train` and `heldout` as JSON lines and Parquet, `chunks.jsonl`, `duplicates.jsonl` and the card. The order of
    `shelves` decides the order of the examples."""
    return _Assembly(shelves, out, scratch, terms, progress, parts or Parts()).run()


class _Assembly:
    def __init__(
        self, shelves: Sequence[Shelf], out: Path, scratch: Path, terms: Terms, progress: Progress, parts: Parts
    ) -> None:
        self._shelves = shelves
        self._out, self._scratch = out, scratch
        self._terms, self._parts, self._progress = terms, parts, progress
        self._skipped: Counter[str] = Counter()
        self._seen: set[bytes] = set()
        self._asked: frozenset[str] = frozenset()

    @property
    def _parameters(self) -> DatasetParameters:
        return self._terms.parameters

    def run(self) -> DatasetResult | Rejected:
        found = self._without_duplicates()
        self._asked = self._drawn(found)
        made = []
        for number, shelf in enumerate(self._shelves):
            one = self._make(number, shelf, found)
            if one.count:
                made.append(one)
            self._progress(number + 1, len(self._shelves), "examples")
        split = self._split(made) if made else None
        return self._write(made, split, found) if split else _empty(sum(self._skipped.values()))

    def _without_duplicates(self) -> Found:
        files = [ChunkFile(shelf.source.document, shelf.chunks) for shelf in self._shelves]
        files += [ChunkFile(one.dataset, one.chunks, replayed=True) for one in self._parts.earlier]
        return find_duplicates(
            files, self._out / DUPLICATES, self._scratch / "sketches", self._parameters.near_duplicates, self._parts.sketches,
            lambda done: self._progress(done, len(files), "near-duplicates"),
        )  # fmt: skip

    def _make(self, number: int, shelf: Shelf, found: Found) -> _Made:
        made = _Made(shelf, self._scratch / f"examples-{number:06d}.jsonl")
        with made.file.open("w", encoding="utf-8") as lines:
            for one in self._examples(shelf, lambda: self._kept(number, shelf, found)):
                if isinstance(one, Skipped):
                    self._skipped[one.reason] += 1
                elif (name := fingerprint(one)) in self._seen:
                    self._skipped["duplicate"] += 1
                else:
                    self._seen.add(name)
                    lines.write(one.model_dump_json() + "\n")
                    made.count += 1
                    if not made.chunks or made.chunks[-1] != one.chunk:
                        made.chunks.append(one.chunk)
        made.chunks = list(dict.fromkeys(made.chunks))
        return made

    def _examples(self, shelf: Shelf, kept: Callable[[], Iterator[Chunk]]) -> Iterator[Example | Skipped]:
        yield from examples(shelf.source, kept(), self._terms)
        if self._parts.pairs is not None:
            yield from self._parts.pairs(shelf.source, [chunk for chunk in kept() if chunk.id in self._asked])

    def _drawn(self, found: Found) -> frozenset[str]:
        """The chunks that a model is asked about: those with the lowest draws, as many as the wish allows."""
        qa = self._parameters.qa
        if self._parts.pairs is None or qa is None:
            return frozenset()
        kept = (
            (draw(self._parameters.seed, chunk.id), chunk.id)
            for number, shelf in enumerate(self._shelves)
            for chunk in self._kept(number, shelf, found)
        )
        return frozenset(name for _, name in nsmallest(qa.max_chunks, kept))

    def _kept(self, number: int, shelf: Shelf, found: Found) -> Iterator[Chunk]:
        return (chunk for chunk, out in zip(read_chunks(shelf.chunks), found.of(number), strict=True) if not out)

    def _split(self, made: list[_Made]) -> _Split | None:
        if len(made) > 1:
            return _Split("document", heldout_documents([one.shelf.source.document for one in made], self._parameters))
        (one,) = made
        heldout = heldout_chunks(one.shelf.source.document, one.chunks, self._parameters)
        if not heldout:
            return None
        used = set(one.chunks)
        pages = {c.id: frozenset(span.page for span in c.spans) for c in read_chunks(one.shelf.chunks) if c.id in used}
        closed = shares_a_page(pages, heldout)
        apart = len(closed) + len(heldout) < len(one.chunks)
        return _Split("page", heldout, closed) if apart else _Split("chunk", heldout)

    def _write(self, made: list[_Made], split: _Split, found: Found) -> DatasetResult:
        train, heldout = self._out / f"{TRAIN}.jsonl", self._out / f"{HELDOUT}.jsonl"
        tally = Tally()
        with train.open("w", encoding="utf-8") as to_train, heldout.open("w", encoding="utf-8") as to_heldout:
            self._part(made, split, (to_train, to_heldout), tally)
            drawn = self._replay(split, found, tally.sides[False])
            for one in drawn.examples():
                tally.add(one, heldout=False)
                to_train.write(one.model_dump_json() + "\n")
        self._copy_chunks(made, drawn)
        for path in (train, heldout):
            write_parquet(path, path.with_suffix(".parquet"))
        result = self._result(made, split, found, tally, digest_of(train, heldout))
        if self._parts.describe is not None:
            (self._out / CARD).write_text(
                self._parts.describe(Written(result, tally.documents, tally.samples)), encoding="utf-8"
            )
        return result

    def _part(self, made: list[_Made], split: _Split, targets: tuple[TextIO, TextIO], tally: "Tally") -> None:
        for one in made:
            with one.file.open(encoding="utf-8") as lines:
                for line in lines:
                    example = Example.model_validate_json(line)
                    side = split.side(example)
                    if side is None:
                        self._skipped["page-held-out"] += 1
                        continue
                    targets[side].write(line)
                    tally.add(example, side)

    def _replay(self, split: _Split, found: Found, own: int) -> Drawn:
        first = len(self._shelves)
        dropped = [found.of(first + number) for number in range(len(self._parts.earlier))]
        return draw_replay(self._parts.earlier, dropped, self._terms, own, self._seen, split.heldout)

    def _copy_chunks(self, made: list[_Made], drawn: Drawn) -> None:
        """The chunks that examples come from, whole, so that an answer's evidence can be looked up."""
        files = [(one.shelf.chunks, set(one.chunks)) for one in made] + drawn.chunks()
        with (self._out / CHUNKS).open("w", encoding="utf-8") as writer:
            for path, used in files:
                for chunk in read_chunks(path):
                    if chunk.id in used:
                        writer.write(chunk.model_dump_json() + "\n")

    def _result(self, made: list[_Made], split: _Split, found: Found, tally: "Tally", digest: str) -> DatasetResult:
        own_duplicates = {"exact": found.exact, "near": found.near}
        return DatasetResult(
            digest=digest, documents=len(made), chunks=sum(len(one.chunks) for one in made), train=tally.sides[False],
            heldout=tally.sides[True], heldout_documents=len(split.heldout) if split.by == "document" else 0,
            split=split.by, replayed=tally.replayed, recipes=dict(sorted(tally.recipes.items())),
            duplicates={how: number for how, number in own_duplicates.items() if number},
            skipped=dict(sorted(self._skipped.items())), lengths=tally.lengths.bins(),
        )  # fmt: skip


SAMPLES = 5


class Tally:
    """What is counted while examples are written."""

    def __init__(self) -> None:
        self.sides: Counter[bool] = Counter()
        self.recipes: Counter[str] = Counter()
        self.documents: dict[str, list[int]] = {}
        self.lengths = Lengths()
        self.replayed = 0
        self._samples: dict[str, Example] = {}

    @property
    def samples(self) -> list[Example]:
        return [self._samples[name] for name in sorted(self._samples)]

    def add(self, example: Example, heldout: bool) -> None:
        self.sides[heldout] += 1
        self.recipes[example.recipe] += 1
        self.lengths.add(example.tokens, heldout)
        if example.replayed_from:
            self.replayed += 1
        else:
            self.documents.setdefault(example.filename, [0, 0])[heldout] += 1
        self._sample(example)

    def _sample(self, example: Example) -> None:
        """Those with the lowest ids, which are hashes: the same few of the same dataset."""
        self._samples[example.id] = example
        if len(self._samples) > SAMPLES:
            del self._samples[max(self._samples)]


def _empty(skipped: int) -> Rejected:
    return Rejected(
        reason="empty-dataset",
        detail="The documents hold too little text for examples to train on and to hold out "
        f"({skipped} passages were skipped). Add documents, look into the garbage for text that was set aside, "
        "or allow longer answers.",
    )
