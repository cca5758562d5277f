"""The review queue with 100,000 texts: how long a page takes, the first and the hundredth, with and without many labels.

`python benchmarks/review_queue.py [--texts N] [--url SQLALCHEMY_URL]`; SQLite in a temporary directory where none is given.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from shared.catalog.database import migrate, open_database  # noqa: E402
from shared.catalog.protocol import Placed  # noqa: E402
from shared.catalog.sql import SqlCatalog  # noqa: E402
from shared.contracts.review import Label, Lane  # noqa: E402

DOCUMENTS = 500
LANES: tuple[Lane, ...] = ("uncertain", "doubted", "random")
PAGE = 51


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--url")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        url = options.url or f"sqlite:///{directory}/catalog.db"
        migrate(url)
        catalog = SqlCatalog(open_database(url))
        each = options.texts // DOCUMENTS
        began = time.process_time()
        for number in range(DOCUMENTS):
            catalog.put_reviewables("papers", f"{number:064x}", [_placed(number, at) for at in range(each)])
        print(f"{options.texts:,} texts of {DOCUMENTS} documents indexed: {time.process_time() - began:.1f} CPU s")
        _pages(catalog, "nobody labelled anything")
        found = [one for lane in LANES for one in catalog.reviewables(lane, 4_000)]
        catalog.put_labels((at, _label(one)) for at, one in enumerate(found, 1))
        _pages(catalog, f"the first {len(found):,} labelled")


def _pages(catalog: SqlCatalog, when: str) -> None:
    after: dict[Lane, tuple[float, str]] = dict.fromkeys(LANES, (-1.0, ""))
    times = [_timed(lambda: _page(catalog, after)) for _ in range(100)]
    print(f"{when}: first page {times[0]:.1f} ms, hundredth {times[-1]:.1f} ms, median {median(times):.1f} ms", end="; ")
    print(f"counts {_timed(catalog.count_reviewables):.1f} ms, collection {_timed(lambda: _collection(catalog)):.1f} ms")


def _page(catalog: SqlCatalog, after: dict[Lane, tuple[float, str]]) -> None:
    for lane in LANES:
        found = catalog.reviewables(lane, PAGE, after[lane], reviewer="ada")
        if found:
            after[lane] = (found[-1].rank, found[-1].id)


def _collection(catalog: SqlCatalog) -> None:
    for lane in LANES:
        catalog.reviewables(lane, PAGE, collection="papers", reviewer="ada")


def _timed(work: Callable[[], object]) -> float:
    """Milliseconds of processor time, and of waiting for a database elsewhere not counted."""
    began = time.process_time()
    work()
    return 1_000 * (time.process_time() - began)


def _placed(document: int, at: int) -> Placed:
    lot = random.Random(f"{document} {at}")
    lane = lot.choices(LANES, (7, 1, 2))[0]
    name = f"{lot.getrandbits(64):016x}"
    path = f"stages/screening/{lot.getrandbits(256):064x}/{name}/chunks.jsonl"
    return Placed(
        f"{document:064x}", name, "papers", name, "kept", "", lot.random(), lane, lot.random() / 2, path, 10 * at, 10 * at + 9
    )


def _label(one: Placed) -> Label:
    return Label(
        document=one.document, item=one.id, mark=one.mark, text="", decision="kept", verdict="good", reviewer="ada", at="t"
    )


if __name__ == "__main__":
    main()
