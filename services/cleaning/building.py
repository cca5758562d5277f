"""The stages `dataset` and `preview`: a wish's documents, its base model and its earlier datasets, brought to assembly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from services.cleaning.adapters.tokenizer import base_token_counter
from services.cleaning.assemble import Parts, Shelf, assemble
from services.cleaning.duplicates import Sketches, sketch_here
from services.cleaning.label_series import labels_of
from services.cleaning.preview import preview
from services.cleaning.questions import Asker, PairWriter
from services.cleaning.replay import Earlier
from services.cleaning.screening import read_chunks, read_garbage
from services.cleaning.stages.card import card
from services.cleaning.stages.chunk import TokenCount
from services.cleaning.stages.dataset import Source, Terms
from services.cleaning.stages.labelled import reviewed
from shared import layout
from shared.bases import base_object
from shared.contracts.base import Contract
from shared.contracts.datasets import PreviewResult, QaParameters
from shared.contracts.documents import ScreeningResult
from shared.contracts.learning import BaseModelManifest, DatasetInput, DatasetWish
from shared.contracts.review import LabelSource
from shared.contracts.work import DatasetWork, PreviewWork, Rejected
from shared.errors import InvalidInput
from shared.ids import short
from shared.stage import StageContext
from shared.template import CONFIG, OWN, PromptTemplate, template_of
from shared.verdicts import settle

OpenAsker = Callable[[QaParameters, int], Asker]


def no_asker(parameters: QaParameters, seed: int) -> Asker:
    """Of a worker that was given no way to ask anybody."""
    raise InvalidInput("This worker asks no models, so it cannot make datasets with the recipe qa.")


class Datasets:
    """Makes datasets and previews. `open_asker` opens the endpoint that writes pairs; `sketches`: where texts are sketched."""

    def __init__(self, open_asker: OpenAsker = no_asker, sketches: Sketches = sketch_here) -> None:
        self._open_asker = open_asker
        self._sketches = sketches

    def dataset(self, context: StageContext[DatasetWork]) -> Contract | Rejected:
        """The chunks of a wish's documents → examples to train on and to hold out."""
        wish = _wish(context, context.work.dataset)
        base = _Base(context, wish.base)
        template = base.template(wish.parameters.template)
        if template is None:
            return _no_template(wish.base)
        terms = Terms(wish.parameters, base_token_counter(wish.base, context.fetch_object), template)
        shelves = [shelf(one, context, terms.count) for one in _ordered(wish)]

        def progress(done: int, total: int, part: str) -> None:
            context.progress(done, total, "document", part=part)

        parts = Parts(
            sketches=self._sketches, pairs=self._pairs(context, terms),
            describe=lambda written: card(wish, base.manifest.licence, template, base.manifest.eos_token, written),
            earlier=tuple(_earlier(one, context) for one in wish.parameters.replay.datasets),
        )  # fmt: skip
        return assemble(shelves, context.out, context.scratch, terms, progress, parts)

    def preview(self, context: StageContext[PreviewWork]) -> Contract | Rejected:
        """A few of a wish's documents → a few examples as the model will see them, kept nowhere else."""
        work = context.work
        base = _Base(context, work.base)
        template = base.template(work.parameters.template)
        if template is None:
            return _no_template(work.base)
        terms = Terms(work.parameters, base_token_counter(work.base, context.fetch_object), template)
        shelves = (shelf(one, context, terms.count) for one in work.inputs)
        made = preview(shelves, terms, base.manifest.eos_token, work)
        if isinstance(made, Rejected):
            return made
        (context.out / "preview.json").write_text(made.model_dump_json(), encoding="utf-8")
        return PreviewResult(documents=made.documents, examples=made.made)

    def _pairs(self, context: StageContext[DatasetWork], terms: Terms) -> PairWriter | None:
        parameters = terms.parameters
        if "qa" not in parameters.recipes or parameters.qa is None:
            return None
        asked = 0

        def told() -> None:
            nonlocal asked
            asked += 1
            context.progress(asked, max(asked + 1, parameters.qa.max_chunks if parameters.qa else 0), "chunk", part="pairs")

        return PairWriter(self._open_asker(parameters.qa, parameters.seed), context, context.scratch, terms, told)


class _Base:
    """What a base model's published files say of prompts."""

    def __init__(self, context: StageContext[Any], name: str) -> None:
        self._context = context
        self.manifest = BaseModelManifest.model_validate_json(context.fetch_object(layout.base_manifest(name)).read_bytes())

    def template(self, name: str) -> PromptTemplate | None:
        return template_of(name, self._file(CONFIG), self._file(OWN))

    def _file(self, name: str) -> bytes | None:
        if name not in self.manifest.files:
            return None
        return self._context.fetch_object(base_object(self.manifest, name)).read_bytes()


def shelf(one: DatasetInput, context: StageContext[Any], count: TokenCount) -> Shelf:
    """A document's chunks, as people's labels leave them."""
    result = ScreeningResult.model_validate(context.result("screening", one.screening_key))
    source = Source(one.document, one.filename, result.title or Path(one.filename).stem)
    chunks = context.fetch("screening", one.screening_key, "chunks.jsonl")
    if one.labels:
        garbage = context.fetch("screening", one.screening_key, "garbage.jsonl")
        verdicts = settle(labels_of(LabelSource(document=one.document, labels=one.labels), context))
        kept = reviewed(read_chunks(chunks), read_garbage(garbage), verdicts, result.chunking, count)
        chunks = context.scratch / f"reviewed-{one.screening_key}.jsonl"
        with chunks.open("w", encoding="utf-8") as lines:
            lines.writelines(chunk.model_dump_json() + "\n" for chunk in kept)
    return Shelf(source, chunks)


def _ordered(wish: DatasetWish) -> list[DatasetInput]:
    return sorted(wish.inputs, key=lambda one: (one.document, one.filename))


def _wish(context: StageContext[Any], key: str) -> DatasetWish:
    return DatasetWish.model_validate_json(context.fetch_object(layout.dataset(short(key))).read_bytes())


def _earlier(dataset: str, context: StageContext[Any]) -> Earlier:
    key = _wish(context, dataset).key
    return Earlier(dataset, context.fetch("dataset", key, "train.jsonl"), context.fetch("dataset", key, "chunks.jsonl"))


def _no_template(base: str) -> Rejected:
    return Rejected(
        reason="no-chat-template",
        detail=f"The base model {base} has no chat template of its own. Use the template alpaca, or another base.",
    )
