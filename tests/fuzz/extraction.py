"""`make fuzz-extraction`: mutated PDFs through extraction for some minutes. Whatever is neither read nor refused with a
reason within its limits, or fails in our own code, is kept and ends the run with an error.

    python -m tests.fuzz.extraction [--seconds 600] [--seed 0] [--keep DIR] [PDF ...]
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from services.extraction.adapters.isolated import IsolatedExtractor
from shared.contracts.documents import ExtractionParameters, Page
from shared.contracts.work import Rejected
from tests.unit.extraction.hostile import hostile
from tests.unit.extraction.mutations import mutated

LIMITS = ExtractionParameters(
    seconds_per_page=15, seconds_per_document=40, memory_bytes=1 << 30, max_pages=500, ocr_dpi=72, max_pixels_per_page=1_000_000
)
SLACK_SECONDS = 10
LARGEST_SEED_BYTES = 400_000


def verdict(extractor: IsolatedExtractor, path: Path, out: Path) -> str:
    """What became of a file; what begins with `FOUND` is a bug."""
    started = time.monotonic()
    try:
        outcome = extractor.extract(path, out, LIMITS, lambda done, total: None)
    except Exception as error:
        return f"FOUND {type(error).__name__}: {error}"
    if time.monotonic() - started > LIMITS.seconds_per_document + SLACK_SECONDS:
        return "FOUND a run past its limits"
    if isinstance(outcome, Rejected):
        return f"FOUND {outcome.detail}" if "please report" in outcome.detail else f"refused: {outcome.reason}"
    pages = [Page.model_validate_json(line) for line in (out / "pages.jsonl").read_text(encoding="utf-8").splitlines()]
    bugs = [page.failure for page in pages if page.failure and "please report" in page.failure]
    return f"FOUND {bugs[0]}" if bugs else f"read, {'all' if outcome.pages_failed == 0 else 'some'} pages"


def fuzz(seeds: list[bytes], seconds: float, seed: int, keep: Path, jobs: int) -> Counter[str]:
    extractor, counts = IsolatedExtractor(), Counter[str]()
    until = time.monotonic() + seconds

    def work(worker: int) -> None:
        number = worker
        with tempfile.TemporaryDirectory() as folder:
            path, out = Path(folder) / "fuzzed.pdf", Path(folder)
            while time.monotonic() < until:
                luck = random.Random(f"{seed}-{number}")
                data = mutated(luck.choice(seeds), luck)
                path.write_bytes(data)
                what = verdict(extractor, path, out)
                counts[what.split(":")[0] if what.startswith("FOUND") else what] += 1
                if what.startswith("FOUND"):
                    (keep / f"{seed}-{number}.pdf").write_bytes(data)
                    print(f"{seed}-{number}: {what}", flush=True)
                number += jobs

    with ThreadPoolExecutor(jobs) as threads:
        list(threads.map(work, range(jobs)))
    return counts


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("pdfs", nargs="*", type=Path, help="what is mutated, beside the hostile PDFs of the tests")
    options.add_argument("--seconds", type=float, default=600)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()) / "lectern-fuzz")
    given = options.parse_args()
    given.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        sources = [*hostile(Path(folder)), *given.pdfs]
        seeds = [path.read_bytes() for path in sources if path.stat().st_size <= LARGEST_SEED_BYTES]
    counts = fuzz([seed for seed in seeds if seed], given.seconds, given.seed, given.keep, given.jobs)
    for what, count in counts.most_common():
        print(f"{count:7d}  {what}")
    sys.exit(any(what.startswith("FOUND") for what in counts))


if __name__ == "__main__":
    main()
