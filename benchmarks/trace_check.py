"""Every example of a dataset traced back to page boxes whose text holds it: `python -m benchmarks.trace_check FOLDER`.

For each span of each example: the page of that number is taken from the page map that extraction wrote, and what was read
within the span's box has to hold the span's text by `shared.containment`: all its letters and digits, in order, with
nothing skipped on the page but whole citation markers. An answer (and what is given before it) must be all covered by
its spans. Text whose encoding was mended is compared with the page's text mended alike, and counted apart.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ftfy import fix_encoding

from benchmarks.line import BASE, SHELF, Line, opened, pdfs_of
from services.gateway.traces import page_map
from shared.containment import contains, texts_within
from shared.contracts.documents import Chunk, Page
from shared.contracts.learning import DatasetParameters, DatasetWish, Example
from shared.jsonl import lines_of
from shared.results import committed


def check(line: Line, wish: DatasetWish) -> tuple[Counter[str], list[str]]:
    """Counts, and a word on each failure: ids and pages, no text."""
    store = line.records.store
    manifest = committed(store, "dataset", wish.key)
    assert manifest is not None, "the dataset is made"
    chunks = {
        chunk.id: chunk
        for raw in lines_of(store, manifest.files["chunks.jsonl"].path)
        for chunk in [Chunk.model_validate_json(raw)]
    }
    pages: dict[str, dict[int, Page]] = {}
    counts: Counter[str] = Counter()
    failures: list[str] = []
    for split in ("train", "heldout"):
        for raw in lines_of(store, manifest.files[f"{split}.jsonl"].path):
            example = Example.model_validate_json(raw)
            if example.document not in pages:
                pages[example.document] = _pages(line, wish, example.document)
            counts["examples"] += 1
            faults = list(_faults(example, chunks[example.chunk], pages[example.document], counts))
            counts["examples that fail"] += bool(faults)
            failures += [f"{example.filename} {example.id}: {fault}" for fault in faults]
    return counts, failures


def _pages(line: Line, wish: DatasetWish, document: str) -> dict[int, Page]:
    file = page_map(line.records.store, wish, document)
    assert file is not None, "the page map stands"
    found = (Page.model_validate_json(raw) for raw in lines_of(line.records.store, file.path))
    return {page.number: page for page in found}


def _faults(example: Example, chunk: Chunk, pages: dict[int, Page], counts: Counter[str]) -> Iterator[str]:
    if not example.spans:
        yield "no spans"
    covered = "".join(chunk.text[span.start : span.end] for span in example.spans)
    for part in (example.input, example.output):
        if not contains(covered, part):
            yield "its text is not covered by its spans"
    for span in example.spans:
        counts["spans"] += 1
        page, text = pages.get(span.page), chunk.text[span.start : span.end]
        held = list(texts_within(page, span.box)) if page else []
        if any(contains(one, text) for one in held):
            continue
        if any(contains(fix_encoding(one), text) for one in held):
            counts["spans whose encoding was mended"] += 1
            continue
        yield f"page {span.page}: its text is not in the box {span.box}" if page else f"no page {span.page}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="folders of PDFs; each becomes a dataset")
    failed = False
    for folder in parser.parse_args().folders:
        with opened() as line:
            documents = [line.add(pdf.read_bytes(), pdf.name) for pdf in pdfs_of(folder)]
            line.work_off()
            wish = line.records.wish_dataset("traced", SHELF, BASE, DatasetParameters()).wish
            line.work_off()
            counts, failures = check(line, wish)
        told = {
            "folder": folder.name,
            "pdfs": len(documents),
            "documents": len(wish.inputs),
            **counts,
            "failures": len(failures),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.writelines(f"  {one}\n" for one in failures[:40])
        failed = failed or bool(failures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
