"""Extraction beside other tools: text, reading order, headings, tables, formulas, pages a second, memory. One run, one table.

`make bench-extraction [CORPUS=DIR]` makes the environments and runs it; see docs/measurements.md. A corpus is a directory
with `pdf/*.pdf` and truths in `gt/`: STEM.md (Markdown), STEM.txt, or STEM.tables.html (tables alone). Without one, our
examples are read.

Pages a second are those of one process, imports and a first document left out; the median of the repeats. Pages a second of
processor time say the same on a busy machine, and count all threads. A document that a tool cannot read scores nothing. Peak
memory is that of the largest process. opendataloader is one Java program for all documents: its start is counted.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.comparison.picture import draw  # noqa: E402
from benchmarks.comparison.scores import COLUMNS, quality, scores  # noqa: E402
from benchmarks.comparison.tools import TOOLS, interpreter, is_there  # noqa: E402
from benchmarks.comparison.truths import Truth, corpus_truths, example_truths  # noqa: E402


@dataclass(frozen=True, slots=True)
class Run:
    """What one tool made of the documents."""

    tool: str
    texts: dict[Path, str]
    seconds: float
    busy: float
    failed: int
    peak_mib: float


def main() -> None:
    options = _options()
    truths = corpus_truths(options.corpus) if options.corpus else example_truths(ROOT / "examples")
    if not truths:
        sys.exit(f"There is no PDF in {options.corpus}/pdf.")
    pages = {path: _pages(path) for path in truths}
    name = options.corpus.resolve().name if options.corpus else "the examples"
    where = f"{name}: {len(truths)} PDFs, {sum(pages.values())} pages"
    print(f"{where}, {sum(truth is not None for truth in truths.values())} with truth; {_machine()}\n", flush=True)
    rows = {}
    for tool in options.tools.split(",") if options.tools else TOOLS:
        python = interpreter(tool, options.python)
        if not is_there(tool, python, ROOT):
            print(f"{tool}: not installed here, left out", file=sys.stderr)
            continue
        run = _run(tool, python, list(truths), options.repeats)
        rows[tool] = _row(run, truths, pages)
        print(_line(tool, rows[tool]) if len(rows) > 1 else f"{_head()}\n{_line(tool, rows[tool])}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "extraction.json").write_text(json.dumps(rows, indent=1))
    for suffix in ("svg", "png"):
        draw(
            {tool: (row["pages/CPU s"], row["quality"]) for tool, row in rows.items()},
            where,
            options.out / f"extraction.{suffix}",
        )
    print(f"\nwritten: {options.out}/extraction.json, .svg, .png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", help="directory with pdf/ and gt/ (default: our examples)")
    parser.add_argument("--python", type=Path, default=ROOT / ".venv/bin/python", help="the Python that has Lectern")
    parser.add_argument("--tools", default="", help=f"a comma between them; default: {','.join(TOOLS)}")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    return parser.parse_args()


def _run(tool: str, python: Path, paths: Sequence[Path], repeats: int) -> Run:
    """A tool over all documents; after a crash, a new process goes on behind the document that caused it."""
    found: dict[str, dict[str, object]] = {}
    peak, left = 0.0, [str(path) for path in paths]
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "run.json"
        while left:
            out.unlink(missing_ok=True)
            command = [str(python), "-m", "benchmarks.comparison.worker", tool, str(out), str(repeats), *left]
            subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
            told = json.loads(out.read_text()) if out.is_file() else {"peak_mib": 0.0, "documents": {}}
            found |= told["documents"]
            peak = max(peak, told["peak_mib"])
            left = [path for path in left if path not in found]
            if left:
                found[left[0]] = {"seconds": 0.0, "busy": 0.0, "text": "", "error": "crashed"}
                left = left[1:]
    return Run(
        tool=tool,
        texts={path: str(found[str(path)]["text"]) for path in paths},
        seconds=sum(float(str(one["seconds"])) for one in found.values()),
        busy=sum(float(str(one["busy"])) for one in found.values()),
        failed=sum(one["error"] is not None for one in found.values()),
        peak_mib=peak,
    )


def _row(run: Run, truths: Mapping[Path, Truth | None], pages: Mapping[Path, int]) -> dict[str, float]:
    scored = [scores(run.texts[path], truth.text, truth.tables_only) for path, truth in truths.items() if truth is not None]
    row = {name: mean(values) for name in COLUMNS if (values := [one[name] for one in scored if name in one])}
    row["quality"] = mean(map(quality, scored)) if scored else 0.0
    row["pages/s"] = sum(pages.values()) / run.seconds if run.seconds else 0.0
    row["pages/CPU s"] = sum(pages.values()) / run.busy if run.busy else 0.0
    row["peak MiB"] = run.peak_mib
    row["failed"] = run.failed
    return row


def _head() -> str:
    names = (*COLUMNS, "quality", "pages/s", "pages/CPU s", "peak MiB", "failed")
    return "| tool | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 1)


def _line(tool: str, row: Mapping[str, float]) -> str:
    shares = [f"{row[name]:.3f}" if name in row else "–" for name in (*COLUMNS, "quality")]
    speeds = [f"{row[name]:.1f}" for name in ("pages/s", "pages/CPU s")]
    counts = [f"{row[name]:.0f}" for name in ("peak MiB", "failed")]
    return "| " + " | ".join([tool, *shares, *speeds, *counts]) + " |"


def _pages(path: Path) -> int:
    import pypdfium2

    try:
        return len(pypdfium2.PdfDocument(path))
    except pypdfium2.PdfiumError:
        return 0


def _machine() -> str:
    model = next((line.split(":")[1].strip() for line in _cpu_lines() if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores, {model}, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"


def _cpu_lines() -> list[str]:
    file = Path("/proc/cpuinfo")
    return file.read_text().splitlines() if file.is_file() else []


if __name__ == "__main__":
    main()
