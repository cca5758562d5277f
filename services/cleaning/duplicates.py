"""Near-duplicates over all chunks of a dataset: sketch them, propose pairs, verify them, write down what became of each."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt

from services.cleaning.adapters.minhash import Sketched, Sketcher
from services.cleaning.adapters.sketch_files import SketchFiles
from services.cleaning.stages.near_duplicates import Link, Standing, bands, best_first, first_copies, near_links
from shared.contracts.datasets import DuplicateLink, NearDuplicateParameters
from shared.objects import read_lines

BATCH = 1_024
DUPLICATES = "duplicates.jsonl"


@dataclass(frozen=True, slots=True)
class ChunkFile:
    """The chunks of a document. Those of a replayed dataset come after the dataset's own: they never displace one."""

    document: str
    path: Path
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Batch:
    """Some chunks of one file, sketched."""

    ids: Sequence[str]
    sketched: Sketched


Sketches = Callable[[Sequence[ChunkFile], NearDuplicateParameters], Iterable[tuple[int, Batch]]]
"""The batches of each file with the file's number, in order."""


@dataclass(frozen=True, slots=True)
class Found:
    """`dropped` says of each chunk whether another stands for it; `begins[i]:begins[i + 1]` are those of file i. Counted are
    the dataset's own."""

    dropped: npt.NDArray[np.bool_]
    begins: npt.NDArray[np.int64]
    exact: int
    near: int

    def of(self, file: int) -> npt.NDArray[np.bool_]:
        return self.dropped[self.begins[file] : self.begins[file + 1]]


def sketch_here(files: Sequence[ChunkFile], parameters: NearDuplicateParameters) -> Iterator[tuple[int, Batch]]:
    """Sketches in this process."""
    sketcher = Sketcher(parameters)
    for number, file in enumerate(files):
        yield from ((number, batch) for batch in sketch_lines(read_lines(file.path), sketcher))


def sketch_lines(lines: Iterator[dict[str, object]], sketcher: Sketcher) -> Iterator[Batch]:
    while some := list(islice(lines, BATCH)):
        yield Batch([str(one["id"]) for one in some], sketcher([str(one["text"]) for one in some]))


def find_duplicates(
    files: Sequence[ChunkFile],
    target: Path,
    scratch: Path,
    parameters: NearDuplicateParameters,
    sketches: Sketches = sketch_here,
    progress: Callable[[int], None] = lambda done: None,
) -> Found:
    """Writes `target`: a line for each dropped chunk with the one that is kept for it."""
    with SketchFiles(scratch, bands(parameters.threshold, parameters.permutations)) as sketched:
        begins = _gather(files, sketched, parameters, sketches, progress)
        standing = _standing(files, begins, sketched)
        order = best_first(standing)
        kept_for, similarity = _decide(sketched, order, parameters.threshold)
        dropped = kept_for != np.arange(sketched.rows)
        counts = _write(target, files, begins, sketched, kept_for, similarity)
    return Found(dropped, begins, counts["exact"], counts["near"])


def _gather(
    files: Sequence[ChunkFile],
    sketched: SketchFiles,
    parameters: NearDuplicateParameters,
    sketches: Sketches,
    progress: Callable[[int], None],
) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(files) + 1, np.int64)
    told = 0
    for number, batch in sketches(files, parameters):
        sketched.append(batch.ids, batch.sketched)
        counts[number + 1] += len(batch.ids)
        if number != told:
            told = number
            progress(number)
    sketched.close()
    progress(len(files))
    return np.cumsum(counts)


def _standing(files: Sequence[ChunkFile], begins: npt.NDArray[np.int64], sketched: SketchFiles) -> Standing:
    sizes = np.diff(begins)
    replayed = np.array([file.replayed for file in files], np.uint8)
    return Standing(np.repeat(replayed, sizes), np.array(sketched.words), np.repeat(sizes, sizes).astype(np.uint32))


def _decide(
    sketched: SketchFiles, order: npt.NDArray[np.int64], threshold: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """For each chunk the one that is kept for it (itself, where it is kept) and their similarity."""
    copies = first_copies(np.array(sketched.identity), order)
    own = np.arange(sketched.rows)
    first = copies == own
    kept_for, similarity = own.copy(), np.ones(sketched.rows, np.float32)
    for link in _near(sketched, order, first, threshold):
        kept_for[link.duplicate], similarity[link.duplicate] = link.kept, link.similarity
    return kept_for[copies], similarity[copies]


def _near(
    sketched: SketchFiles, order: npt.NDArray[np.int64], first: npt.NDArray[np.bool_], threshold: float
) -> Iterator[Link]:
    shared, kept = sketched.shared(first & (np.array(sketched.words) > 0))
    paired = np.zeros(sketched.rows, bool)
    for band in range(shared.shape[1]):
        paired |= shared[:, band] > 0
    yield from near_links(order[paired[order]], shared, kept, sketched.shingles_of(), threshold)


def _write(
    target: Path,
    files: Sequence[ChunkFile],
    begins: npt.NDArray[np.int64],
    sketched: SketchFiles,
    kept_for: npt.NDArray[np.int64],
    similarity: npt.NDArray[np.float32],
) -> Counter[str]:
    """Returns how many chunks of the dataset's own are left out as what."""
    counts: Counter[str] = Counter()
    rows = np.flatnonzero(kept_for != np.arange(sketched.rows))
    identity = sketched.identity
    with target.open("w", encoding="utf-8") as lines:
        for row in rows.tolist():
            kept = int(kept_for[row])
            same = bool((identity[row] == identity[kept]).all())
            file, other = _file(files, begins, row), _file(files, begins, kept)
            link = DuplicateLink(
                duplicate=sketched.id(row), duplicate_document=file.document, kept=sketched.id(kept),
                kept_document=other.document, similarity=round(float(similarity[row]), 4), how="exact" if same else "near",
            )  # fmt: skip
            counts[link.how] += not file.replayed
            lines.write(link.model_dump_json() + "\n")
    return counts


def _file(files: Sequence[ChunkFile], begins: npt.NDArray[np.int64], row: int) -> ChunkFile:
    return files[int(np.searchsorted(begins, row, "right")) - 1]
