"""Provenance looked up: examples and chunks in their datasets' files, and the page map that their boxes point into."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from services.gateway.leaves import Leaves, of_number
from services.gateway.lineage import taught_by
from shared import layout
from shared.catalog.protocol import Catalog, Slice
from shared.containment import stands_on, texts_within
from shared.contracts.documents import Chunk, Page, ProcessingParameters, Span
from shared.contracts.learning import DatasetInput, DatasetWish, Example
from shared.contracts.traces import ChunkTrace, ExampleTrace, Place
from shared.contracts.views import DatasetView
from shared.contracts.work import File, Manifest
from shared.errors import NotFound, NotReady
from shared.jsonl import lines_of
from shared.objects import ObjectStore, read_contract
from shared.pipeline import DATASET, extraction_key
from shared.results import committed

SPLITS = ("train", "heldout")


@dataclass(frozen=True, slots=True)
class Traces:
    """Looks along the way from examples to pages, and back."""

    store: ObjectStore
    catalog: Catalog
    leaves: Leaves

    def example(self, dataset: DatasetView, name: str) -> ExampleTrace:
        """Raises NotFound, NotReady."""
        manifest = self._manifest(dataset)
        split, example = self._find_example(manifest, name)
        if example is None:
            raise NotFound(f"Dataset {dataset.id} has no example {name}; `download` lists them.")
        chunk = self._chunk(manifest, example.chunk)
        parts = _parts(chunk, example.spans) if chunk else ((span, "") for span in example.spans)
        return ExampleTrace(
            example=example, split=split, dataset=dataset.id, dataset_name=dataset.wish.name, chunk=chunk,
            collections=self._shelves(example.document), places=self._places(dataset.wish, example.document, parts),
            models=self._models(dataset.id),
        )  # fmt: skip

    def chunk(self, dataset: DatasetView, name: str) -> ChunkTrace:
        """Raises NotFound, NotReady."""
        manifest = self._manifest(dataset)
        chunk = self._chunk(manifest, name)
        if chunk is None:
            raise NotFound(f"Dataset {dataset.id} has no chunk {name}.")
        examples = [
            str(line["id"]) for split in SPLITS for line in self._lines(manifest, f"{split}.jsonl") if line["chunk"] == name
        ]
        asked = _input(self.store, dataset.wish, chunk.document)
        return ChunkTrace(
            chunk=chunk, dataset=dataset.id, filename=asked.filename if asked else "",
            collections=self._shelves(chunk.document),
            places=self._places(dataset.wish, chunk.document, _parts(chunk, chunk.spans)), examples=tuple(examples),
            models=self._models(dataset.id),
        )  # fmt: skip

    def anywhere(self, name: str) -> ExampleTrace | ChunkTrace | None:
        """An example or chunk of any dataset, the newest first; None where there is none of that id."""
        for dataset in (one for one in all_datasets(self.catalog) if one.state == "done"):
            manifest = self._manifest(dataset)
            if self._find_example(manifest, name)[1] is not None:
                return self.example(dataset, name)
            if self._chunk(manifest, name) is not None:
                return self.chunk(dataset, name)
        return None

    def _manifest(self, dataset: DatasetView) -> Manifest:
        manifest = committed(self.store, DATASET.name, dataset.wish.key)
        if manifest is None or manifest.rejected is not None:
            raise NotReady(f"Dataset {dataset.id} is {dataset.state}; ask again when it is done.")
        return manifest

    def _find_example(self, manifest: Manifest, name: str) -> tuple[str, Example | None]:
        mark = f'"{name}"'.encode()
        for split in SPLITS:
            for line in self._raw(manifest, f"{split}.jsonl"):
                if mark in line and json.loads(line)["id"] == name:
                    return split, Example.model_validate_json(line)
        return "train", None

    def _chunk(self, manifest: Manifest, name: str) -> Chunk | None:
        mark = f'"{name}"'.encode()
        for line in self._raw(manifest, "chunks.jsonl"):
            if mark in line and json.loads(line)["id"] == name:
                return Chunk.model_validate_json(line)
        return None

    def _lines(self, manifest: Manifest, name: str) -> Iterator[dict[str, object]]:
        return (json.loads(line) for line in self._raw(manifest, name))

    def _raw(self, manifest: Manifest, name: str) -> Iterator[bytes]:
        file = manifest.files.get(name)
        return lines_of(self.store, file.path) if file else iter(())

    def _places(self, wish: DatasetWish, document: str, parts: Iterable[tuple[Span, str]]) -> tuple[Place, ...]:
        pages = page_map(self.store, wish, document)
        return tuple(self._place(pages, span, text) for span, text in parts)

    def _place(self, pages: File | None, span: Span, text: str) -> Place:
        found = self.leaves.lines(pages, span.page, of_number) if pages else []
        page = Page.model_validate_json(found[0]) if found else None
        if page is None:
            return Place(page=span.page, box=span.box, text=text)
        held = next(texts_within(page, span.box), None)
        return Place(
            page=span.page, box=span.box, text=text, on_page=held, stands=stands_on(page, span.box, text) if text else None
        )

    def _shelves(self, document: str) -> tuple[str, ...]:
        return tuple(one.collection for one in self.catalog.shelves_of(document) if one.id == document)

    def _models(self, dataset: str) -> tuple[str, ...]:
        return taught_by(self.catalog, dataset)


def all_datasets(catalog: Catalog) -> Iterator[DatasetView]:
    """Newest first."""
    before = None
    while datasets := catalog.datasets(Slice(50, before)):
        yield from datasets
        before = (datasets[-1].wish.created_at, datasets[-1].id)


def page_map(store: ObjectStore, wish: DatasetWish, document: str) -> File | None:
    """The page map that a document's chunks in a dataset were cut from: under the settings of then, not of now."""
    asked = _input(store, wish, document)
    screened = committed(store, "screening", asked.screening_key) if asked else None
    if screened is None:
        return None
    parameters = ProcessingParameters.model_validate(screened.work["parameters"])
    extracted = committed(store, "extraction", extraction_key(document, parameters))
    return extracted.files.get("pages.jsonl") if extracted else None


def _input(store: ObjectStore, wish: DatasetWish, document: str) -> DatasetInput | None:
    """A document as a dataset was wished of it, or as one was that it replays."""
    own = next((one for one in wish.inputs if one.document == document), None)
    earlier = (read_contract(store, layout.dataset(one), DatasetWish) for one in wish.parameters.replay.datasets)
    replayed = (_input(store, one, document) for one in earlier if one is not None)
    return own or next((one for one in replayed if one is not None), None)


def _parts(chunk: Chunk, spans: Iterable[Span]) -> Iterator[tuple[Span, str]]:
    return ((span, chunk.text[span.start : span.end]) for span in spans)
