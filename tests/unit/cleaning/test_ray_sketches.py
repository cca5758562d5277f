"""Sketching on Ray Data: the same links as in the worker's own process."""

import os
import subprocess
import sys
from pathlib import Path

from services.cleaning.duplicates import find_duplicates
from shared.contracts.datasets import NearDuplicateParameters
from tests.unit.cleaning.test_near_duplicates import changed, files, prose

_ON_RAY = """
import sys
from functools import partial
from pathlib import Path
from services.cleaning.settings import keep_ray_to_itself
keep_ray_to_itself()
from services.cleaning.adapters.ray_sketches import sketch_on_ray
from services.cleaning.duplicates import ChunkFile, find_duplicates
from shared.contracts.datasets import NearDuplicateParameters
root = Path(sys.argv[1])
files = [ChunkFile(path.stem, path) for path in sorted(root.glob("doc*.jsonl"))]
find_duplicates(files, root / "ray", root / "scratch-ray", NearDuplicateParameters(), partial(sketch_on_ray, address="local"))
"""


def test_ray_finds_what_the_worker_itself_finds(tmp_path: Path) -> None:
    """In a process of its own, as a worker is: Ray's sockets and secrets are the environment's."""
    texts = [prose(seed) for seed in range(1_100)]
    given = files(tmp_path, doc1=texts, doc2=[changed(text, 3, seed) for seed, text in enumerate(texts[::5])], doc3=[])
    here = find_duplicates(given, tmp_path / "here", tmp_path / "scratch-here", NearDuplicateParameters())

    command = [sys.executable, "-c", _ON_RAY, str(tmp_path)]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        command,
        check=False,
        env={**os.environ, "PYTHONPATH": str(root)},
        cwd=root,
        capture_output=True,
        text=True,
        timeout=300,
    )

    assert done.returncode == 0, done.stderr[-2_000:]
    assert here.near == 220
    assert (tmp_path / "ray").read_bytes() == (tmp_path / "here").read_bytes()
