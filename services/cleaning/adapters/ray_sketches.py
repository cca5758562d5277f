"""Sketches on Ray Data, for corpora that would keep one process busy for hours. The same sketches, in the same order.

Ray's workers do the reading, hashing and signing; the arrays are written, and pairs decided, where the stage runs.
"""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import ray

from services.cleaning.adapters.minhash import Sketched, Sketcher
from services.cleaning.duplicates import BATCH, Batch, ChunkFile
from services.cleaning.stages.near_duplicates import bands
from services.cleaning.stages.shingles import Shingled
from shared.contracts.datasets import NearDuplicateParameters
from shared.objects import read_lines

_OBJECT_STORE_BYTES = 256 << 20
_TASK_BATCHES = 64
"""Batches of texts that are handed to Ray at a time, so that neither side holds a corpus."""


def sketch_on_ray(
    files: Sequence[ChunkFile], parameters: NearDuplicateParameters, address: str = "local"
) -> Iterator[tuple[int, Batch]]:
    """As `sketch_here`. `local` starts a Ray on this machine that ends with the work; else a cluster's address."""
    with _ray(address):
        batches = _texts(files)
        while some := list(islice(batches, _TASK_BATCHES)):
            for row in _sketched(some, parameters):
                yield int(row["file"]), _batch(row, bands(parameters.threshold, parameters.permutations).keys)


def _texts(files: Sequence[ChunkFile]) -> Iterator[dict[str, Any]]:
    for number, file in enumerate(files):
        lines = read_lines(file.path)
        while some := list(islice(lines, BATCH)):
            yield {"file": number, "ids": [str(one["id"]) for one in some], "texts": [str(one["text"]) for one in some]}


def _sketched(batches: list[dict[str, Any]], parameters: NearDuplicateParameters) -> Iterator[dict[str, Any]]:
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    told = parameters.model_dump(mode="json")
    data = ray.data.from_items(batches, override_num_blocks=len(batches))
    return iter(data.map(_sketch, fn_kwargs={"told": told}).iter_rows())


def _sketch(row: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """One batch, in a worker of Ray's. Arrays travel as bytes, so that Arrow keeps them as they are."""
    sketched = Sketcher(NearDuplicateParameters.model_validate(told))([str(text) for text in row["texts"]])
    shingled = sketched.shingled
    arrays: dict[str, Any] = {
        "identity": shingled.identity, "words": shingled.words, "shingles": shingled.shingles, "offsets": shingled.offsets,
        "keys": sketched.keys,
    }  # fmt: skip
    return {"file": row["file"], "ids": list(row["ids"]), **{name: array.tobytes() for name, array in arrays.items()}}


def _batch(row: dict[str, Any], keys: int) -> Batch:
    shingled = Shingled(
        np.frombuffer(row["identity"], np.uint64).reshape(-1, 2), np.frombuffer(row["words"], np.uint32),
        np.frombuffer(row["shingles"], np.uint64), np.frombuffer(row["offsets"], np.uint64),
    )  # fmt: skip
    ids = [str(one) for one in row["ids"]]
    return Batch(ids, Sketched(shingled, np.frombuffer(row["keys"], np.uint64).reshape(len(ids), keys)))


@contextmanager
def _ray(address: str) -> Iterator[None]:
    # Ray's sockets lie below this directory, and a socket's path may have 107 bytes.
    directory = tempfile.mkdtemp(prefix="lectern-ray-")
    own = {"include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES, "_temp_dir": directory}
    try:
        ray.init(address=address, configure_logging=False, log_to_driver=False, **(own if address == "local" else {}))
        yield
    finally:
        ray.shutdown()
        shutil.rmtree(directory, ignore_errors=True)
