"""Cleaning beside datatrove: what the rules of garbage find and miss, how fast, and that memory stays flat.

`make bench-cleaning [CORPUS=DIR]` makes the environments and runs it; see docs/cleaning.md. A corpus is a directory with good
text as Markdown in `gt/*.md`; our examples are always read. Seconds are those of the processor, one process each, so that they
can be compared on a busy machine.

The labelled set is damage done to good text by a seeded hand (`benchmarks/garbage/`). Sources are halved: thresholds were
chosen on one half, and the table is of the other (docs/cleaning.md says how far that was kept to).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.garbage.labelled import LIGHT, Sample, paragraphs, samples  # noqa: E402
from benchmarks.garbage.rules import score, tune  # noqa: E402
from benchmarks.garbage.speed import datatrove, ours  # noqa: E402


def main() -> None:
    options = _options()
    sources = [
        *(ROOT / "examples/sources").glob("*.md"),
        *(options.corpus / "gt" if options.corpus else ROOT / "none").glob("*.md"),
    ]
    print(f"{len(sources)} sources; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n", flush=True)
    told: dict[str, Any] = {"garbage": _garbage(samples(sources, "held-out"))}
    if options.tune:
        told["tune"] = _tuning(samples(sources, "tune"))
    told["speed"] = _speed(sources, options)
    told["growth"] = _growth(sources, options.megabytes)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "cleaning.json").write_text(json.dumps(told, indent=1))
    print(f"\nwritten: {options.out}/cleaning.json")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?", help="directory with gt/*.md (default: our examples alone)")
    parser.add_argument("--peers", type=Path, default=ROOT / ".venv-cleaning-peers/bin/python", help="the Python of datatrove")
    parser.add_argument("--documents", type=int, default=400, help="documents that are timed")
    parser.add_argument("--megabytes", type=int, nargs="*", default=[20, 40], help="sizes of page maps that are cleaned")
    parser.add_argument("--tune", action="store_true", help="try other thresholds on the half that is not reported")
    parser.add_argument("--out", type=Path, default=ROOT / "build/bench")
    return parser.parse_args()


def _garbage(held_out: Sequence[Sample]) -> dict[str, Any]:
    made = score(held_out)
    print("| what it is | texts | set aside | for the reason that fits |\n| --- | --- | --- | --- |")
    for what, (texts, found, fitting) in made.found.items():
        print(f"| {what} | {texts} | {found} | {fitting} |")
    print(
        f"\ngarbage, held out: precision {made.precision:.3f}, recall {made.recall:.3f}, F1 {made.f1:.3f}"
        f" (OCR noise of {LIGHT:.0%} counts as neither)\n", flush=True,
    )  # fmt: skip
    return {"precision": made.precision, "recall": made.recall, "f1": made.f1, "found": dict(made.found)}


def _tuning(tuned_on: Sequence[Sample]) -> dict[str, Any]:
    best = tune(tuned_on)
    print(f"threshold: default → best of those tried (F1); F1 with defaults {score(tuned_on).f1:.3f}")
    for name, (default, value, f1) in best.items():
        print(f"  {name}: {default} → {value} ({f1:.3f})")
    return {name: list(values) for name, values in best.items()}


def _speed(sources: Sequence[Path], options: argparse.Namespace) -> list[dict[str, Any]]:
    if not options.peers.exists():
        print(f"{options.peers} is not there: speed is left out", file=sys.stderr)
        return []
    documents = _documents(sources, options.documents)
    size = sum(len(text.encode()) for one in documents for text in one) / 1e6
    rows = [*ours(documents), *datatrove(documents, options.peers)]
    print(f"{len(documents)} documents, {size:.1f} MB, one process each\n")
    print("| what runs | CPU seconds | MB/CPU s | documents/CPU s | kinds of reasons given |\n| --- | --- | --- | --- | --- |")
    for row in rows:
        speeds = f"{size / row.seconds:.2f} | {len(documents) / row.seconds:.0f}"
        print(f"| {row.name} | {row.seconds:.2f} | {speeds} | {len(row.reasons) or '–'} |")
    filters = sum(row.seconds for row in rows if row.name.startswith("datatrove") and "MinHash" not in row.name)
    print(f"\nrules of garbage: {filters / rows[0].seconds:.1f} times as fast as datatrove's four filters\n", flush=True)
    return [{"name": row.name, "seconds": row.seconds, "megabytes": size, "reasons": row.reasons} for row in rows]


def _documents(sources: Sequence[Path], count: int) -> list[list[str]]:
    """Documents of ten paragraphs each, damaged ones among them, no two alike."""
    found: list[Sample] = [*samples(sources, "tune"), *samples(sources, "held-out")]
    texts = [sample.text for sample in found if sample.block == "paragraph" and len(sample.text) > 60]
    return [[f"{texts[(at * 7 + row * 13) % len(texts)]} {at}" for row in range(10)] for at in range(count)]


def _growth(sources: Sequence[Path], sizes: Sequence[int]) -> list[dict[str, float]]:
    made = []
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch) / "paragraphs.json"
        given.write_text(json.dumps([text for path in sources for text in paragraphs(path)]))
        for wanted in sizes:
            command = [sys.executable, "-m", "benchmarks.garbage.growth", str(wanted), str(given)]
            run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            made.append(json.loads(run.stdout))
            print(
                f"cleaned {made[-1]['megabytes']:.0f} MB: {made[-1]['seconds']:.1f} CPU s, peak {made[-1]['peak MiB']:.0f} MiB"
            )
    return made


if __name__ == "__main__":
    main()
