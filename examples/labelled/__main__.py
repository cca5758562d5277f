"""`python -m examples.labelled --count N --out LABELS.jsonl`: invented pages, extracted, with the label of every line.

Each record is a `LabelledPage`. What extraction made of a page is what the tagger sees in its work, mistakes and all; the
labels come from where the typesetter put things.
"""

import argparse
import tempfile
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path

from examples.labelled.houses import HELD_OUT, TRAINING, House
from examples.labelled.matching import labelled
from examples.labelled.sheets import Sheets
from services.extraction.local import Extracted, extract_file
from shared.contracts.documents import Page
from shared.contracts.taggers import LabelledPage


def document(house: House, seed: int) -> list[LabelledPage]:
    """The pages of one invented document."""
    with tempfile.TemporaryDirectory(prefix="lectern-labelled-") as scratch:
        target = Path(scratch) / "document.pdf"
        marks = Sheets(house, seed).write(target)
        found = extract_file(target)
    if not isinstance(found, Extracted):
        raise RuntimeError(f"{house.name} {seed} was refused: {found.detail}")
    pages = [Page.model_validate_json(line) for line in found.pages.splitlines()]
    return [labelled(f"{house.name}-{seed}", page, [one for one in marks if one.page == page.number]) for page in pages]


def documents(houses: tuple[House, ...], pages: int, seed: int, jobs: int) -> Iterator[list[LabelledPage]]:
    """Documents until there are so many pages, the houses in turn."""
    made = 0
    with Pool(jobs) as workers:
        wanted = ((houses[at % len(houses)], seed + at) for at in range(10**9))
        while made < pages:
            for one in workers.starmap(document, [next(wanted) for _ in range(len(houses))]):
                if made < pages:
                    yield one
                made += len(one)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.labelled", description=__doc__)
    parser.add_argument("--count", type=int, default=1_000, help="Pages, about.")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--held-out", action="store_true", help="In looks that are kept for measuring.")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    houses = HELD_OUT if options.held_out else TRAINING
    pages = 0
    with options.out.open("w", encoding="utf-8") as lines:
        for one in documents(houses, options.count, options.seed, options.jobs):
            for page in one:
                lines.write(page.model_dump_json() + "\n")
                pages += 1
    print(f"{pages} pages")


if __name__ == "__main__":
    main()
