"""The stages of this service, tied to where their inputs lie and to the files they write."""

from collections.abc import Iterator
from pathlib import Path

from services.cleaning.adapters.published_models import line_model
from services.cleaning.adapters.tokenizer import base_token_counter, counter_at_need
from services.cleaning.assemble import Shelf, assemble
from services.cleaning.screening import screen_to
from services.cleaning.stages.dataset import Source
from services.cleaning.write import chunk_to, clean_to
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.documents import CleaningResult, Piece
from shared.contracts.learning import DatasetInput, DatasetWish
from shared.contracts.work import DatasetWork, DocumentWork, Rejected
from shared.ids import short
from shared.objects import read_lines
from shared.pipeline import chunking_key, cleaning_key, extraction_key
from shared.stage import Handler, StageContext


def handlers() -> dict[str, Handler]:
    """Stage name → handler."""
    return {"cleaning": cleaning, "chunking": chunking, "screening": screening, "dataset": dataset}


def cleaning(context: StageContext[DocumentWork]) -> Contract | Rejected:
    """The page map of a document → `clean.mmd`, `pieces.jsonl`, `garbage.jsonl`, `lines.jsonl`."""
    work = context.work
    key = extraction_key(work.document, work.parameters)
    total = int(str(context.result("extraction", key)["pages"]))
    pages = context.fetch("extraction", key, "pages.jsonl")
    model = line_model(work.parameters.cleaning.tagger, context.fetch_object, context.scratch)
    return clean_to(
        pages, context.out, work.document, work.parameters.cleaning, model, lambda done: context.progress(done, total, "page")
    )


def chunking(context: StageContext[DocumentWork]) -> Contract | Rejected:
    """The pieces of a document → `chunks.jsonl`."""
    work = context.work
    key = cleaning_key(work.document, work.parameters)
    known = context.result("cleaning", key)
    pieces = context.fetch("cleaning", key, "pieces.jsonl")
    count = base_token_counter(work.parameters.chunking.tokenizer, context.fetch_object)
    total = int(str(known["pieces"]))
    result = chunk_to(_told(pieces, total, context), context.out, work.document, work.parameters.chunking, count)
    title = known.get("title")
    return result.model_copy(update={"title": title if isinstance(title, str) else None})


def _told(pieces: Path, total: int, context: StageContext[DocumentWork]) -> Iterator[Piece]:
    for number, line in enumerate(read_lines(pieces), 1):
        context.progress(number, total, "piece")
        yield Piece.model_validate(line)


def screening(context: StageContext[DocumentWork]) -> Contract | Rejected:
    """The chunks and the garbage of a document → both in their final form, and `review.jsonl`."""
    work, parameters = context.work, context.work.parameters
    chunks_key, clean_key = chunking_key(work.document, parameters), cleaning_key(work.document, parameters)
    chunked, cleaned = context.result("chunking", chunks_key), context.result("cleaning", clean_key)
    total = int(str(chunked["chunks"])) + sum(CleaningResult.model_validate(cleaned).garbage.values())
    result = screen_to(
        context.fetch("chunking", chunks_key, "chunks.jsonl"), context.fetch("cleaning", clean_key, "garbage.jsonl"),
        context.out, None, parameters.chunking, counter_at_need(parameters.chunking.tokenizer, context.fetch_object),
        lambda done: context.progress(done, total, "text"),
    )  # fmt: skip
    return result.model_copy(update={"title": chunked.get("title")})


def dataset(context: StageContext[DatasetWork]) -> Contract | Rejected:
    """The chunks of a wish's documents → examples to train on and to hold out."""
    path = context.fetch_object(layout.dataset(short(context.work.dataset)))
    wish = DatasetWish.model_validate_json(path.read_bytes())
    count = base_token_counter(wish.base, context.fetch_object)
    inputs = sorted(wish.inputs, key=lambda one: (one.document, one.filename))
    return assemble(
        (_shelf(one, context) for one in inputs), len(inputs), context.out, context.scratch, wish.parameters, count,
        lambda done, total: context.progress(done, total, "document"),
    )  # fmt: skip


def _shelf(one: DatasetInput, context: StageContext[DatasetWork]) -> Shelf:
    title = context.result("screening", one.screening_key).get("title")
    source = Source(one.document, one.filename, title if isinstance(title, str) and title else Path(one.filename).stem)
    return Shelf(source, context.fetch("screening", one.screening_key, "chunks.jsonl"))
