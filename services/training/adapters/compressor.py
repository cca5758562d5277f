"""llm-compressor, asked in its own environment: a process that is told by a file and leaves two directories."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from services.training.spec import ExportSpec
from shared.confinement import end_with_parent

SCRIPT = Path(__file__).parents[1] / "compress.py"


def compress(spec: ExportSpec, merged: Path, ids: Sequence[Sequence[int]], threads: int) -> Path:
    """4-bit or 8-bit weights in `spec.out`; returns a directory with what was written there, read back as bf16. Raises
    CalledProcessError; the process's log is this one's."""
    unpacked = spec.work / "unpacked"
    told = spec.work / "compress.json"
    asked = {
        "algorithm": spec.parameters.variant, "model": str(merged), "out": str(spec.out), "unpacked": str(unpacked),
        "ids": [list(one) for one in ids], "threads": threads,
    }  # fmt: skip
    told.write_text(json.dumps(asked), encoding="utf-8")
    command = [str(spec.compressor), str(SCRIPT), str(told)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr, preexec_fn=end_with_parent)
    return unpacked
