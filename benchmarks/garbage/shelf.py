"""A shelf of any size through `clean_to`, document by document as a worker does: seconds and memory as it goes.

`python -m benchmarks.garbage.shelf MAPS MEGABYTES` reads the page maps of a directory (`lectern extract` writes them) and makes
documents of them that are all different: one word in ten gives way to a name that was never read before, so that no line comes
twice and what is remembered of words is no better than in a real corpus. With `--pages N` it is one document
of so many pages, and with `--line` one of a single line; those are chunked too.
"""

import argparse
import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from services.cleaning.adapters.line_models import bundled_model
from services.cleaning.local import estimated_tokens
from services.cleaning.write import MMD, PIECES, chunk_to, clean_to
from shared.contracts.documents import ChunkingParameters, CleaningParameters, Piece

NEW = 0.1
POINTS = 10
LINE = 10_000_000
LETTERS = "bcdfghklmnprstvwz", "aeiou"

Shape = dict[str, Any]


def varied(page: Shape, number: int, hand: random.Random) -> Shape:
    """A page with other words at the same places."""
    return {**page, "number": number, "blocks": [_block(block, hand) for block in page["blocks"]]}


def _block(block: Shape, hand: random.Random) -> Shape:
    if not block["lines"]:
        return {**block, "text": f"{block['text']} {_name(hand)}"}
    lines = [{**line, "text": _text(line["text"], hand)} for line in block["lines"]]
    return {**block, "lines": lines, "text": " ".join(line["text"] for line in lines)}


def _text(text: str, hand: random.Random) -> str:
    return " ".join(_name(hand) if hand.random() < NEW and word.isalpha() else word for word in text.split(" "))


def _name(hand: random.Random) -> str:
    return "".join(hand.choice(LETTERS[at % 2]) for at in range(hand.randrange(5, 10))).capitalize()


def documents(maps: Sequence[Path], hand: random.Random) -> Iterator[list[Shape]]:
    """Documents without end, each varied from the next of the page maps."""
    known = [[json.loads(line) for line in path.read_text().splitlines()] for path in maps]
    while True:
        for pages in known:
            yield [varied(page, number, hand) for number, page in enumerate(pages, 1)]


def _clean(pages: Iterable[Shape], scratch: Path) -> tuple[int, int, float]:
    """Bytes of a page map, characters of text in it, and processor seconds that cleaning took."""
    path, parameters = scratch / "pages.jsonl", CleaningParameters()
    with path.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(page, ensure_ascii=False) + "\n" for page in pages)
    begin = time.process_time()
    result = clean_to(path, scratch, "0" * 64, parameters, bundled_model(parameters.tagger), lambda page: None)
    return path.stat().st_size, result.characters_in, time.process_time() - begin


def shelf(maps: Sequence[Path], size: int, seed: int) -> None:
    """Prints where it stands ten times, and in the end what twice the documents took."""
    read = characters = pages = made = 0
    seconds = 0.0
    told: list[float] = []
    with tempfile.TemporaryDirectory() as scratch:
        for document in documents(maps, random.Random(seed)):
            one = _clean(document, Path(scratch))
            read, characters, seconds = read + one[0], characters + one[1], seconds + one[2]
            pages, made = pages + len(document), made + 1
            if read >= size * (len(told) + 1) / POINTS:
                told.append(seconds)
                _say(documents=made, pages=pages, map_mb=read / 1e6, text_mb=characters / 1e6, seconds=seconds)
            if len(told) == POINTS:
                break
    _say(twice_the_documents_take=told[-1] / told[POINTS // 2 - 1])


def document(pages: Iterable[Shape]) -> None:
    """One document, cleaned and chunked; tokens are estimated."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        read, characters, seconds = _clean(pages, out)
        _say(map_mb=read / 1e6, text_mb=characters / 1e6, cleaning=seconds, kept=(out / MMD).stat().st_size)
        begin = time.process_time()
        with (out / PIECES).open("rb") as lines:
            pieces = (Piece.model_validate_json(line) for line in lines)
            result = chunk_to(pieces, out, "0" * 64, ChunkingParameters(), estimated_tokens)
        _say(chunking=time.process_time() - begin, chunks=result.chunks, over_budget=result.over_budget)


def _say(**what: float) -> None:
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    told = {name: round(value, 2) for name, value in what.items()}
    print(json.dumps({**told, "resident_mib": round(resident), "peak_mib": round(peak)}), flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("maps", type=Path, help="a directory with page maps, *.pages.jsonl")
    parser.add_argument("megabytes", type=int, nargs="?", default=100, help="of page maps that are cleaned")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--pages", type=int, help="clean and chunk one document of so many pages instead")
    parser.add_argument("--line", action="store_true", help="clean and chunk one line of 10 MB instead")
    wanted = parser.parse_args()
    maps = sorted(wanted.maps.glob("*.pages.jsonl"))
    every = documents(maps, random.Random(wanted.seed))
    if wanted.pages:
        pages = islice((page for one in every for page in one), wanted.pages)
        document({**page, "number": number} for number, page in enumerate(pages, 1))
    elif wanted.line:
        document([_line(every)])
    else:
        shelf(maps, wanted.megabytes * 1_000_000, wanted.seed)
    return 0


def _line(every: Iterator[list[Shape]]) -> Shape:
    """A page whose one line is all the paragraphs of many documents."""
    texts: list[str] = []
    while sum(map(len, texts)) < LINE:
        texts.append(
            " ".join(block["text"] for page in next(every) for block in page["blocks"] if block["kind"] == "paragraph")
        )
    text = " ".join(texts)[:LINE]
    box = (60.0, 100.0, 500.0, 700.0)
    line = {"text": text, "box": box, "font_size": 10.0}
    block = {"kind": "paragraph", "text": text, "box": box, "start": 0, "end": len(text), "lines": [line]}
    return {"number": 1, "width": 595.0, "height": 842.0, "engine": "text-layer", "blocks": [block]}


if __name__ == "__main__":
    sys.exit(main())
