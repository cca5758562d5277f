"""Garbage items a page at a time, over the documents' own files: a place in the list is a document and a byte of its file."""

from collections.abc import Iterator
from dataclasses import dataclass

from services.gateway.shelves import stage_key
from shared.catalog.protocol import Catalog, Slice
from shared.contracts.documents import GarbageItem, ProcessingParameters
from shared.contracts.views import DocumentView
from shared.contracts.work import File
from shared.jsonl import lines_from
from shared.objects import ObjectStore
from shared.results import committed

DOCUMENTS_A_PAGE = 200
"""A page is given up, short or empty, after so many documents: one request never looks through a whole shelf."""


@dataclass(frozen=True, slots=True)
class Place:
    """Behind the document `(added_at, id)` in the list; `byte` of its own garbage where it is not all read yet."""

    added_at: str
    document: str
    byte: int


class GarbageReader:
    """Reads on from a place."""

    def __init__(self, store: ObjectStore, catalog: Catalog, collection: str | None) -> None:
        self._store = store
        self._catalog = catalog
        self._collection = collection
        self._parameters: dict[str, ProcessingParameters] = {}

    def of_document(self, view: DocumentView, limit: int, byte: int) -> tuple[list[GarbageItem], int | None]:
        """Up to `limit` items from a byte on, and the byte to go on from, or None at the end."""
        file = self._file(view)
        if file is None:
            return [], None
        items: list[GarbageItem] = []
        for line, end in lines_from(self._store, file, byte):
            items.append(GarbageItem.model_validate_json(line))
            if len(items) == limit:
                return items, end if end < file.size_bytes else None
        return items, None

    def page(self, limit: int, place: Place | None) -> tuple[list[GarbageItem], Place | None]:
        """Up to `limit` items of all documents, newest document first, and the place to go on from, or None at the end."""
        items: list[GarbageItem] = []
        for seen, (view, byte) in enumerate(self._from(place), start=1):
            found, rest = self.of_document(view, limit - len(items), byte)
            items += found
            if rest is not None:
                return items, Place(view.added_at, view.id, rest)
            if len(items) == limit or seen == DOCUMENTS_A_PAGE:
                return items, Place(view.added_at, view.id, -1)
        return items, None

    def _from(self, place: Place | None) -> Iterator[tuple[DocumentView, int]]:
        before = None
        if place is not None:
            before = (place.added_at, place.document)
            if place.byte >= 0:
                yield from ((view, place.byte) for view in self._at(place))
        while views := self._catalog.documents(Slice(50, before), self._collection):
            yield from ((view, 0) for view in views)
            before = (views[-1].added_at, views[-1].id)

    def _at(self, place: Place) -> list[DocumentView]:
        shelves = self._catalog.shelves_of(place.document)
        return [view for view in shelves if view.added_at == place.added_at and self._collection in (None, view.collection)][:1]

    def _file(self, view: DocumentView) -> File | None:
        if view.collection not in self._parameters:
            found = self._catalog.collection(view.collection)
            self._parameters[view.collection] = found.parameters if found else ProcessingParameters()
        manifest = committed(self._store, "screening", stage_key("screening", view.id, self._parameters[view.collection]))
        return manifest.files.get("garbage.jsonl") if manifest else None
