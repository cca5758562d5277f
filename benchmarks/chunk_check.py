"""Whether chunks keep their promises, checked without the chunker's own eyes: whole sentences, the budget, and a page box
for every character.

`python -m benchmarks.chunk_check [DIR] [--tokens 256]` extracts, cleans and cuts every PDF of a directory (default: our
examples), prints what it counted, and ends with 1 where a promise was broken. A directory of page maps (`*.pages.jsonl`)
is taken as it is.

A sentence is taken to be cut where a chunk begins behind, or ends with, characters that end no sentence, though the text
goes on within the same block of the page; and where a block that ends so is followed by one that begins with a small letter.
Full stops of common abbreviations end none. The segmenter is not asked.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.cleaning.local import clean_mmd, estimated_tokens
from services.cleaning.stages.chunk import TokenCount, chunks
from services.cleaning.write import read_pages
from shared.contracts.documents import Chunk, ChunkingParameters, Page, Piece

BY_LINE = ("table", "code")

_ENDS = re.compile(r"(?:[.!?…。！？:;]|\.\.\.)[\"'”’»)\]*_$]*\Z|\\\]\Z")
_ABBREVIATION = re.compile(
    r"(?:\b(?:Fig|Figs|Eq|Eqs|Sec|Ref|Refs|Tab|No|Nos|Dr|Prof|Mr|Mrs|Ms|St|vol|pp|cf|ca|approx|resp|bzw|Abb|Nr|usw|Sra?|Mme|vs)"
    r"|\be\.g|\bi\.e|\bz\.B|\bd\.h|\bet al|(?<![\w.°/])[A-Z])\.\Z"
)
_GOES_ON = re.compile(r"\s*[a-zà-ÿ]")
_PLACEHOLDER = re.compile(r"⟨(?:e-mail|phone|card|iban|secret)⟩")
_BLANK = re.compile(r"\s+")


@dataclass(slots=True)
class Count:
    """What was found, and the places of what was wrong."""

    documents: int = 0
    chunks: int = 0
    cut: int = 0
    long_sentences: int = 0
    over_budget: int = 0
    spans: int = 0
    mended: int = 0
    untraced: int = 0
    headings_alone: int = 0
    torn_rows: int = 0
    told: list[str] = field(default_factory=list)

    @property
    def broken(self) -> int:
        return self.cut + self.over_budget + self.untraced + self.headings_alone + self.torn_rows


def check(
    name: str,
    pages: Sequence[Page],
    pieces: Sequence[Piece],
    made: Sequence[Chunk],
    budget: int,
    tokens: TokenCount,
) -> Count:
    """Counts over one document: its page map, what cleaning kept of it, and its chunks."""
    count = Count(documents=1, chunks=len(made))
    places = _Places(pages, pieces)
    for chunk in made:
        if tokens(chunk.text) > budget:
            alone = _inner_ends(chunk.text) == 0
            count.long_sentences += alone
            count.over_budget += not alone
            if not alone:
                count.told.append(f"{name} {chunk.index}: over budget: {chunk.text[:80]!r}")
        for wrong in places.cuts(chunk):
            count.cut += 1
            count.told.append(f"{name} {chunk.index}: {wrong}")
        count.torn_rows += places.tears_a_row(chunk)
        count.headings_alone += chunk.text.strip() in places.headings
        for span in chunk.spans:
            count.spans += 1
            found = places.holds(span.page, span.box, chunk.text[span.start : span.end])
            count.mended += found == "mended"
            if not found:
                count.untraced += 1
                count.told.append(f"{name} {chunk.index}: not on page {span.page}: {chunk.text[span.start : span.end][:80]!r}")
        if not _covered(chunk):
            count.untraced += 1
            count.told.append(f"{name} {chunk.index}: characters that no span names")
    return count


class _Places:
    """A document's text by page and box, and its blocks in order."""

    def __init__(self, pages: Sequence[Page], pieces: Sequence[Piece]) -> None:
        self._boxes: dict[tuple[int, object], str] = {}
        for page in pages:
            for block in page.blocks:
                key = (page.number, block.box)
                self._boxes[key] = self._boxes.get(key, "") + _bare(block.text)
        self._lines = {page.number: [line for block in page.blocks for line in block.lines] for page in pages}
        self._pieces = list(pieces)
        self.headings = {piece.text.strip() for piece in pieces if piece.kind == "heading"}
        self._prose = [piece for piece in pieces if piece.kind not in (*BY_LINE, "heading")]
        self._rows = {line.strip() for piece in pieces if piece.kind in BY_LINE for line in piece.text.split("\n")}

    def holds(self, page: int, box: object, text: str) -> str:
        """Whether the text stands in the box of the page as it was read: `exact`, `mended` where characters were taken out
        (marks of citations, hyphens) or stand behind a placeholder, else nothing."""
        whole = self._boxes.get((page, box)) or self._inside(page, box)
        if _bare(text) in whole:
            return "exact"
        at = 0
        for part in _PLACEHOLDER.split(text):
            if (at := _behind(_bare(part), whole, at)) < 0:
                return ""
        return "mended"

    def _inside(self, page: int, box: object) -> str:
        """The lines of a page within a box, where the box is that of some lines of a block."""
        if not isinstance(box, tuple):
            return ""
        left, top, right, bottom = box
        return "".join(
            _bare(line.text)
            for line in self._lines.get(page, [])
            if left <= line.box[0] and top <= line.box[1] and line.box[2] <= right and line.box[3] <= bottom
        )

    def tears_a_row(self, chunk: Chunk) -> bool:
        """Whether a line of a table stands in it that is only a part of one."""
        rows = (line for line in chunk.text.split("\n") if line.startswith("|"))
        return any(row.strip() not in self._rows for row in rows)

    def cuts(self, chunk: Chunk) -> Iterator[str]:
        """Why a chunk begins or ends inside a sentence."""
        first, last = chunk.spans[0], chunk.spans[-1]
        head, tail = chunk.text[first.start : first.end], chunk.text[last.start : last.end]
        before = self._around(first.page, first.box, head)
        after = self._around(last.page, last.box, tail)
        if before is not None and before[0] and not _ends_sentence(before[0]):
            yield f"begins inside a sentence: {before[0][-40:]!r} ▸ {head[:40]!r}"
        if after is not None and after[1] and not _ends_sentence(tail):
            yield f"ends inside a sentence: {tail[-40:]!r} ▸ {after[1][:40]!r}"
        if after is not None and not after[1] and (on := self._goes_on(after[2], tail)):
            yield f"ends inside a sentence: {tail[-40:]!r} ▸ {on[:40]!r}"

    def _around(self, page: int, box: object, text: str) -> tuple[str, str, int] | None:
        """What stands before and behind a text in its own block, and the place of the block among those of prose."""
        for index, piece in enumerate(self._prose):
            if piece.page == page and piece.box == box and (at := piece.text.find(text)) >= 0:
                return piece.text[:at].rstrip(), piece.text[at + len(text) :].lstrip(), index
        return None

    def _goes_on(self, index: int, tail: str) -> str:
        """The next block of running text where it goes on with the sentence of this one, else nothing."""
        piece = self._prose[index]
        if piece.kind not in ("paragraph", "formula") or _ENDS.search(tail) or index + 1 >= len(self._prose):
            return ""
        following = self._prose[index + 1]
        on = following.kind == "paragraph" and following.section == piece.section and _GOES_ON.match(following.text)
        return following.text if on else ""


def _ends_sentence(text: str) -> bool:
    return _ENDS.search(text) is not None and _ABBREVIATION.search(text) is None


def _inner_ends(text: str) -> int:
    """Sentence ends within a text after which it goes on with a capital: more than one sentence, then."""
    ends = re.finditer(r"(?<=[a-zà-ÿ]{3})[.!?] (?=[A-ZÀ-Þ][a-zà-ÿ]+ [a-zà-ÿ])", re.sub(r"\$[^$]*\$", "x", text))
    return sum(1 for _ in ends)


def _covered(chunk: Chunk) -> bool:
    """Whether spans name all characters but the spaces between them."""
    named = sum(len(_bare(chunk.text[span.start : span.end])) for span in chunk.spans)
    return named == len(_bare(chunk.text))


def _bare(text: str) -> str:
    return _BLANK.sub("", text)


def _behind(part: str, whole: str, at: int) -> int:
    """The place behind a part in a whole, from `at` on; marks may have been taken out of it, one character in five. Or -1."""
    if (exact := whole.find(part, at)) >= 0:
        return exact + len(part)
    begin = whole.find(part[:4], at)
    while begin >= 0:
        end = _subsequence(part, whole[begin : begin + len(part) + len(part) // 4 + 40])
        if end >= 0:
            return begin + end
        begin = whole.find(part[:4], begin + 1)
    return -1


def _subsequence(part: str, window: str) -> int:
    at = 0
    for c in part:
        if (at := window.find(c, at) + 1) == 0:
            return -1
    return at


def documents(folder: Path) -> Iterator[tuple[str, tuple[Page, ...]]]:
    """The page map of each document of a directory; PDFs that are refused are left out."""
    maps = sorted(folder.glob("*.pages.jsonl"))
    if maps:
        yield from ((path.name.removesuffix(".pages.jsonl"), tuple(read_pages(path))) for path in maps)
        return
    from services.extraction.local import Extracted, extract_file

    for path in sorted(folder.glob("*.pdf")):
        found = extract_file(path)
        if isinstance(found, Extracted):
            yield path.stem, tuple(Page.model_validate_json(line) for line in found.pages.splitlines())


def over(folder: Path, parameters: ChunkingParameters, tokens: TokenCount) -> Count:
    """Counts over all documents of a directory."""
    total = Count()
    for name, pages in documents(folder):
        cleaned = clean_mmd("", pages)
        made = list(chunks(name, cleaned.pieces, parameters, tokens))
        one = check(name, pages, cleaned.pieces, made, parameters.max_tokens, tokens)
        for what in Count.__dataclass_fields__:
            setattr(total, what, getattr(total, what) + getattr(one, what))
    return total


def main() -> None:
    root = Path(__file__).resolve().parents[1]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=root / "examples/pdf", help="PDFs or page maps")
    parser.add_argument("--tokens", type=int, default=256, help="budget of a chunk")
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json (default: tokens are estimated)")
    options = parser.parse_args()
    count = over(options.folder, ChunkingParameters(max_tokens=options.tokens), counter(options.tokenizer))
    print(*count.told, sep="\n")
    numbers = {what: getattr(count, what) for what in Count.__dataclass_fields__ if what != "told"}
    print(json.dumps(Counter(numbers)))
    sys.exit(1 if count.broken else 0)


def counter(tokenizer: Path | None) -> TokenCount:
    from services.cleaning.adapters.tokenizer import token_counter

    return token_counter(tokenizer) if tokenizer else estimated_tokens


if __name__ == "__main__":
    main()
