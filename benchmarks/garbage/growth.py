"""Cleaning page maps of growing size through `clean_to`, each in a process of its own: seconds and peak memory."""

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from services.cleaning.local import bundled_model
from services.cleaning.write import clean_to
from shared.contracts.documents import Block, CleaningParameters, Page

PARAGRAPHS_A_PAGE = 8


def write_map(path: Path, paragraphs: list[str], size: int, seed: int = 0) -> int:
    """A page map of about `size` bytes of text: paragraphs whose words are drawn anew, so that none comes twice."""
    hand = random.Random(seed)
    words = [text.split() for text in paragraphs]
    written = number = 0
    with path.open("w", encoding="utf-8") as lines:
        while written < size:
            number += 1
            blocks = []
            for row in range(PARAGRAPHS_A_PAGE):
                own = hand.choice(words)
                cut = hand.randrange(len(own))
                text = " ".join([*own[cut:], str(hand.randrange(10**6)), *own[:cut]])
                top = 100.0 + 80 * row
                blocks.append(Block(kind="paragraph", text=text, box=(60, top, 500, top + 70), start=0, end=len(text)))
                written += len(text)
            page = Page(number=number, width=595, height=842, engine="text-layer", blocks=tuple(blocks))
            lines.write(page.model_dump_json() + "\n")
    return written


def main() -> None:
    """`python -m benchmarks.garbage.growth MEGABYTES PARAGRAPHS.json`: prints what it took, as JSON."""
    size, paragraphs = int(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    with tempfile.TemporaryDirectory() as scratch:
        pages = Path(scratch) / "pages.jsonl"
        written = write_map(pages, paragraphs, size * 1_000_000)
        begin = time.process_time()
        parameters = CleaningParameters()
        clean_to(pages, Path(scratch), "0" * 64, parameters, bundled_model(parameters.tagger), lambda page: None)
        seconds = time.process_time() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"megabytes": written / 1e6, "seconds": seconds, "peak MiB": peak}))


if __name__ == "__main__":
    main()
