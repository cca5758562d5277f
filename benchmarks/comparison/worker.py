"""Runs one tool over documents in a process of its own, and says how long each took and how much memory it had.

`python -m benchmarks.comparison.worker TOOL OUT.json REPEATS PDF...`: JSON after each document, so that a crash or a
document that takes too long costs no more than itself.
"""

import json
import os
import resource
import signal
import statistics
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

from benchmarks.comparison.tools import TOOLS, opendataloader_together

SECONDS_PER_DOCUMENT = 120


class TooSlow(Exception):
    """A document took longer than its limit."""


def _stop(_: int, __: FrameType | None) -> None:
    raise TooSlow


def main() -> None:
    tool, out, repeats, *paths = sys.argv[1:]
    files = [Path(path) for path in paths]
    signal.signal(signal.SIGALRM, _stop)
    found = _together(files, int(repeats)) if tool == "opendataloader" else {}
    if not found:
        read = TOOLS[tool]()
        _timed(lambda: read(files[0]))
        for path in files:
            found[str(path)] = _best_of(lambda path=path: read(path), int(repeats))  # type: ignore[misc]
            _write(Path(out), found)
    _write(Path(out), found)
    os._exit(0)


def _together(files: list[Path], repeats: int) -> dict[str, dict[str, Any]]:
    """A program that is started once for all documents: its seconds are shared out evenly."""
    runs, texts = [], {}
    for _ in range(repeats):
        start, busy = time.perf_counter(), _processor_seconds()
        texts = opendataloader_together(files)
        runs.append({"seconds": time.perf_counter() - start, "busy": _processor_seconds() - busy})
    share = {key: statistics.median(run[key] for run in runs) / len(files) for key in ("seconds", "busy")}
    return {str(path): {**share, "text": texts.get(path, ""), "error": None} for path in files}


def _best_of(call: Any, repeats: int) -> dict[str, Any]:
    runs = [_timed(call) for _ in range(repeats)]
    return {**runs[-1], **{key: statistics.median(run[key] for run in runs) for key in ("seconds", "busy")}}


def _timed(call: Any) -> dict[str, Any]:
    text, error = "", None
    start, busy = time.perf_counter(), _processor_seconds()
    try:
        signal.alarm(SECONDS_PER_DOCUMENT)
        text = call() or ""
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"[:200]
    finally:
        signal.alarm(0)
    spent = {"seconds": time.perf_counter() - start, "busy": _processor_seconds() - busy}
    return {**spent, "text": text, "error": error}


def _processor_seconds() -> float:
    """Of this process, all its threads, and the programs that it waited for."""
    return sum(os.times()[:4])


def _write(out: Path, found: dict[str, dict[str, Any]]) -> None:
    out.write_text(json.dumps({"peak_mib": _peak_kib() / 1024, "documents": found}))


def _peak_kib() -> float:
    """Of this process or the largest that it started. A process's own maximum in getrusage counts what it was forked from."""
    status = Path("/proc/self/status")
    own = next((int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")), 0)
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


if __name__ == "__main__":
    main()
