"""What is known of a dataset's chunks while near-duplicates are looked for: arrays in files, mapped as they are needed.

A million chunks of 200 words take about 1.9 GB of disk (most of it shingles, to verify what the bands propose) and a few
hundred bytes a chunk of memory at most.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from services.cleaning.adapters.minhash import Sketched
from services.cleaning.stages.near_duplicates import KEPT_A_BUCKET, Bands, buckets
from services.cleaning.stages.shingles import Hashes

ID_BYTES = 32
_CACHED_SETS = 4_096


class SketchFiles:
    """Written once, in the order of the chunks; then read."""

    def __init__(self, directory: Path, bands: Bands) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._bands = bands
        self._open: dict[str, IO[bytes]] = {}
        self.rows = 0

    def __enter__(self) -> "SketchFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        for file in self._open.values():
            file.close()

    def append(self, ids: Sequence[str], sketched: Sketched) -> None:
        """The next chunks. Raises ValueError for an id that is no chunk's."""
        if any(len(each) > ID_BYTES or not each.isascii() for each in ids):
            raise ValueError(f"a chunk's id has at most {ID_BYTES} ASCII characters")
        shingled = sketched.shingled
        self._write("ids", np.array(ids, f"S{ID_BYTES}"))
        self._write("identity", shingled.identity)
        self._write("words", shingled.words)
        self._write("shingles", shingled.shingles)
        self._write("counts", np.diff(shingled.offsets))
        for band in range(self._bands.keys):
            self._write(f"band-{band}", np.ascontiguousarray(sketched.keys[:, band]))
        self.rows += len(ids)

    def close(self) -> None:
        for file in self._open.values():
            file.close()
        self._open.clear()

    @property
    def identity(self) -> Hashes:
        return self._mapped("identity", np.uint64).reshape(-1, 2)

    @property
    def words(self) -> npt.NDArray[np.uint32]:
        return self._mapped("words", np.uint32)

    def id(self, row: int) -> str:
        return bytes(self._mapped("ids", f"S{ID_BYTES}")[row]).decode()

    def shingles_of(self) -> Any:
        """Row → its set of shingles, sorted; the latest few are kept at hand."""
        stored, ends = self._mapped("shingles", np.uint64), np.cumsum(self._mapped("counts", np.uint64), dtype=np.int64)

        @lru_cache(_CACHED_SETS)
        def of(row: int) -> Hashes:
            return np.unique(stored[(ends[row - 1] if row else 0) : ends[row]])

        return of

    def shared(self, wanted: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """The buckets of each chunk, [n, bands], and room for the kept ones of each bucket, [buckets, KEPT_A_BUCKET]."""
        shared = self._room("shared", (self.rows, self._bands.keys))
        free = 1
        for band in range(self._bands.keys):
            shared[:, band], free = buckets(np.asarray(self._mapped(f"band-{band}", np.uint64)), wanted, free)
        return shared, self._room("kept", (free, KEPT_A_BUCKET))

    def _write(self, name: str, values: npt.NDArray[Any]) -> None:
        if name not in self._open:
            self._open[name] = (self._directory / name).open("wb")
        self._open[name].write(values.tobytes())

    def _mapped(self, name: str, kind: Any) -> npt.NDArray[Any]:
        path = self._directory / name
        if not path.exists() or path.stat().st_size == 0:
            return np.zeros(0, kind)
        return np.memmap(path, kind, "r")

    def _room(self, name: str, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
        if not all(shape):
            return np.zeros(shape, np.int32)
        return np.memmap(self._directory / name, np.int32, "w+", shape=shape)
