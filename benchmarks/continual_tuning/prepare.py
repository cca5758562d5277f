"""Collections of PDFs as datasets, by the product's own stages, tokenized for one base: what a run needs and no more."""

import json
import tempfile
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from services.cleaning.assemble import Shelf, assemble
from services.cleaning.local import chunk_file, clean_file
from services.cleaning.stages.dataset import Source, Terms
from services.extraction.local import extract_file
from services.training.adapters import pretrained
from services.training.stages.examples import encode
from shared.contracts.documents import ChunkingParameters
from shared.contracts.learning import DatasetParameters, Example
from shared.contracts.work import Rejected
from shared.objects import read_lines
from shared.template import TEMPLATES, PromptTemplate

TEMPLATE = "alpaca"
HELDOUT_SHARE = 0.3


def prepare(collections: Sequence[tuple[str, Sequence[Path]]], base: Path, out: Path) -> None:
    """Writes `collections.json`, and of each collection `NAME.train.jsonl` and `NAME.heldout.jsonl`: token ids and labels."""
    out.mkdir(parents=True, exist_ok=True)
    tokenizer = pretrained.load_tokenizer(base)
    told = []
    for name, pdfs in collections:
        with tempfile.TemporaryDirectory(prefix="lectern-collection-") as scratch:
            made = _dataset(pdfs, tokenizer, Path(scratch))
            counts = {}
            for side in ("train", "heldout"):
                examples = [Example.model_validate(line) for line in read_lines(made / f"{side}.jsonl")]
                encoded = [(one.id, encode(one, TEMPLATE, tokenizer)) for one in examples]
                rows = [{"id": name, "ids": one.ids, "labels": one.labels} for name, one in encoded]
                text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
                (out / f"{name}.{side}.jsonl").write_text(text, encoding="utf-8")
                counts[side] = len(rows)
        told.append({"name": name, "documents": len(pdfs), **counts})
        print(
            f"{name}: {len(pdfs)} documents, {counts['train']} examples to train on, {counts['heldout']} held out", flush=True
        )
    facts = {"collections": told, "eos": int(tokenizer.eos_token_id), "template": TEMPLATE}
    (out / "collections.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")


def _dataset(pdfs: Sequence[Path], tokenizer: Any, scratch: Path) -> Path:
    parameters = DatasetParameters(heldout_share=HELDOUT_SHARE)

    def count(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    shelves = [shelf for at, path in enumerate(sorted(pdfs)) if (shelf := _shelf(path, scratch / f"{at:03d}", count))]
    terms = Terms(parameters, count, PromptTemplate(TEMPLATES[TEMPLATE]))
    out, work = scratch / "out", scratch / "work"
    out.mkdir()
    work.mkdir()
    made = assemble(shelves, out, work, terms, lambda done, total, part: None)
    if isinstance(made, Rejected):
        raise SystemExit(f"no dataset can be made: {made.detail}")
    return out


def _shelf(path: Path, scratch: Path, count: Any) -> Shelf | None:
    """The document's chunks; None for one that cannot be read, as among the corpus there are."""
    extracted = extract_file(path)
    if isinstance(extracted, Rejected):
        print(f"{path.name} is left out: {extracted.detail}")
        return None
    scratch.mkdir()
    mmd = scratch / f"{path.stem}.mmd"
    mmd.write_text(extracted.mmd, encoding="utf-8")
    mmd.with_name(f"{path.stem}.pages.jsonl").write_text(extracted.pages, encoding="utf-8")
    chunks = scratch / "chunks.jsonl"
    with chunks.open("w", encoding="utf-8") as lines:
        lines.writelines(one.model_dump_json() + "\n" for one in chunk_file(mmd, ChunkingParameters(), count))
    document = sha256(path.read_bytes()).hexdigest()
    return Shelf(Source(document, path.name, clean_file(mmd).title or path.stem), chunks)
