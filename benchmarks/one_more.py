"""What one more document costs a shelf: `python -m benchmarks.one_more --documents 1000`.

Counts the stage results that are made (each manifest is work done once) when a document is added to a shelf of so many,
and again when a setting of chunking is changed, beside what the estimate had said.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.line import SHELF, Line, opened
from services.gateway.change_costs import estimate
from tests.documents import typeset


def measured(line: Line) -> dict[str, object]:
    """What working off the shelf made: manifests by stage and processor seconds of this process (children not counted)."""
    before, clock, cpu = line.manifests(), time.monotonic(), time.process_time()
    line.work_off()
    made = {stage: count - before.get(stage, 0) for stage, count in line.manifests().items()}
    return {
        "manifests_made": {stage: count for stage, count in made.items() if count},
        "seconds": round(time.monotonic() - clock, 2), "cpu_seconds": round(time.process_time() - cpu, 2),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000)
    count = parser.parse_args().documents
    with opened() as line, tempfile.TemporaryDirectory() as directory:
        for seed in range(count):
            line.add(typeset(Path(directory) / "one.pdf", seed, pages=1).read_bytes(), f"{seed}.pdf")
        told: dict[str, object] = {"documents": count, "first": measured(line)}
        line.add(typeset(Path(directory) / "one.pdf", count, pages=1).read_bytes(), "one-more.pdf")
        told["one_more"] = measured(line)
        found = line.records.catalog.collection(SHELF)
        assert found is not None
        after = found.parameters.model_copy(
            update={"chunking": found.parameters.chunking.model_copy(update={"overlap_sentences": 2})}
        )
        clock = time.monotonic()
        cost = estimate(line.records.store, line.records.catalog, SHELF, found.parameters, after)
        told["estimate"] = {
            "took_seconds": round(time.monotonic() - clock, 2), "documents": cost.documents, "pages": cost.pages,
            "stages": {one.stage: one.documents for one in cost.stages}, "seconds": cost.seconds,
        }  # fmt: skip
        line.records.set_parameters(SHELF, after)
        line.records.reprocess(SHELF)
        told["setting_changed"] = measured(line)
    sys.stdout.write(json.dumps(told, indent=2) + "\n")


if __name__ == "__main__":
    main()
