"""The stages of this service, tied to where their inputs lie and to the files they write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.cleaning.adapters.classifier_files import Version, load_version
from services.cleaning.adapters.published_models import line_model
from services.cleaning.adapters.tokenizer import base_files, base_token_counter, counter_at_need
from services.cleaning.building import Datasets
from services.cleaning.label_series import labels_of
from services.cleaning.screening import screen_to
from services.cleaning.stages.held_out import parted
from services.cleaning.write import chunk_to, clean_to
from shared import layout
from shared.contracts.base import Contract
from shared.contracts.documents import CleaningResult, Piece
from shared.contracts.review import ClassifierResult, ClassifierWish
from shared.contracts.work import ClassifierWork, DocumentWork, Rejected
from shared.ids import short
from shared.pipeline import chunking_key, cleaning_key, extraction_key
from shared.stage import Handler, StageContext
from shared.verdicts import Settled, settle


def handlers(datasets: Datasets | None = None) -> dict[str, Handler]:
    """Stage name → handler."""
    made = datasets or Datasets()
    return {
        "cleaning": cleaning, "chunking": chunking, "screening": screening, "classifier": classifier,
        "dataset": made.dataset, "preview": made.preview,
    }  # fmt: skip


def cleaning(context: StageContext[DocumentWork]) -> Contract | Rejected:
    """The page map of a document → `clean.mmd`, `pieces.jsonl`, `garbage.jsonl`, `lines.jsonl`, `ledger.jsonl`."""
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
    with pieces.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            context.progress(number, total, "piece")
            yield Piece.model_validate_json(line)


def screening(context: StageContext[DocumentWork]) -> Contract | Rejected:
    """The chunks and the garbage of a document → both in their final form, and `review.jsonl`."""
    work, parameters = context.work, context.work.parameters
    chunks_key, clean_key = chunking_key(work.document, parameters), cleaning_key(work.document, parameters)
    chunked, cleaned = context.result("chunking", chunks_key), context.result("cleaning", clean_key)
    total = int(str(chunked["chunks"])) + sum(CleaningResult.model_validate(cleaned).garbage.values())
    judge = load_judge(context, parameters.screening.classifier)
    result = screen_to(
        context.fetch("chunking", chunks_key, "chunks.jsonl"), context.fetch("cleaning", clean_key, "garbage.jsonl"),
        context.out, judge, parameters.chunking, counter_at_need(parameters.chunking.tokenizer, context.fetch_object),
        lambda done: context.progress(done, total, "text"),
    )  # fmt: skip
    return result.model_copy(update={"title": chunked.get("title")})


def classifier(context: StageContext[ClassifierWork]) -> Contract | Rejected:
    """The labels of a wish → a version of the garbage classifier, and how it compares."""
    from services.cleaning.classify import train_to  # noqa: PLC0415 - seconds of libraries that no other stage needs

    path = context.fetch_object(layout.classifier(short(context.work.classifier)))
    wish = ClassifierWish.model_validate_json(path.read_bytes())
    settled: list[tuple[str, Settled]] = []
    for number, source in enumerate(wish.labels, 1):
        settled += settle(labels_of(source, context)).items()
        context.progress(number, len(wish.labels), "document")
    return train_to(
        context.out, parted(settled), load_judge(context, wish.previous), (wish.kept, wish.set_aside), wish.parameters,
        lambda: base_files(wish.parameters.encoder or "", context.fetch_object, context.scratch / "base"),
    )  # fmt: skip


def load_judge(context: StageContext[Any], version: str | None) -> Version | None:
    """A version of the garbage classifier by its id. Raises NotFound where there is none, or none that was finished."""
    if version is None:
        return None
    wish = ClassifierWish.model_validate_json(context.fetch_object(layout.classifier(version)).read_bytes())
    result = ClassifierResult.model_validate(context.result("classifier", wish.key))
    return load_version(version, result.takes_over, lambda name: context.fetch("classifier", wish.key, name), context.scratch)
