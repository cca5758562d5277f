"""Forgetting a document: everything that came from it leaves the store and the catalog, and a receipt says what saw it.

The order is such that it can be cut short anywhere and gone on with: the tombstone stands before the work begins, the
receipt of what there was stands before anything is removed, and each result loses its files before its manifest, which
says whose they are.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from services.gateway.chores.preferences import redact_preferences
from services.gateway.chores.redaction import redact
from services.gateway.chores.sweep import Tell
from services.gateway.chores.uses import all_datasets, all_memberships, uses
from services.gateway.shelves import keys_of
from shared import layout
from shared.catalog.protocol import Catalog
from shared.clock import now
from shared.contracts.feedback import Feedback
from shared.contracts.forgetting import Forgetting, Receipt
from shared.contracts.learning import DatasetWish
from shared.contracts.views import FINISHED
from shared.contracts.work import ChoreWork, DocumentWork, PreviewWork
from shared.errors import Conflict, LeaseHeld, NotFound
from shared.ids import dataset_job, document_job, export_job, forget_job, run_job, short
from shared.indexing import index_forgotten
from shared.objects import ObjectStore, Series, read_contract
from shared.pipeline import PREVIEW, STAGES
from shared.queue import Leases
from shared.records import Records
from shared.results import committed
from shared.tombstones import latest_receipt, tombstone

DOCUMENT_STAGES = tuple(stage.name for stage in STAGES.values() if stage.work is DocumentWork)


@dataclass(frozen=True, slots=True)
class Removal:
    """Carries a wish to forget out, from wherever it stands."""

    records: Records
    leases: Leases

    @property
    def _store(self) -> ObjectStore:
        return self.records.store

    @property
    def _catalog(self) -> Catalog:
        return self.records.catalog

    def run(self, work: ChoreWork, tell: Tell) -> dict[str, int]:
        """Raises LeaseHeld where a worker is still at the document, or wrote something while this went on."""
        document = work.subject
        standing = tombstone(self._store, document)
        if standing is None:
            return {}
        receipt = self._begun(document, *standing)
        self._leave_shelves(receipt)
        self._call_off(receipt)
        self._require_idle(receipt)
        self._remove(receipt, tell)
        if any(True for _ in paths_of(self._store, self._catalog, document)):
            raise LeaseHeld("A worker wrote something of the document while it was being removed; looking again.")
        done = receipt.model_copy(update={"state": "done", "at": now()})
        Series(self._store, layout.receipts(document)).append(done)
        index_forgotten(self._store, self._catalog, document)
        return {**done.removed, "lines_redacted": sum(done.redacted.values())}

    def _begun(self, document: str, sequence: int, wish: Forgetting) -> Receipt:
        """The receipt of this wish: the one that stands, or a new one of what there is now."""
        standing = latest_receipt(self._store, document)
        if standing is not None and standing.forgetting == sequence:
            return standing
        receipt = survey(self.records, document, sequence, wish)
        Series(self._store, layout.receipts(document)).append(receipt)
        self._catalog.put_forgotten(document, "forgetting", forget_job(document, sequence), receipt, wish.at)
        return receipt

    def _leave_shelves(self, receipt: Receipt) -> None:
        """From here on nothing sets work on the document going again."""
        for collection in receipt.uses.collections:
            self._store.delete(layout.membership(collection, receipt.document))

    def _call_off(self, receipt: Receipt) -> None:
        """Work on it that is not finished, datasets and runs that it is in among it."""
        for job in _jobs(receipt):
            view = self._catalog.job(job)
            if view is not None and view.state not in FINISHED:
                with suppress(Conflict):  # it ended in this very moment
                    self.records.jobs.cancel(job)

    def _require_idle(self, receipt: Receipt) -> None:
        held = [key for key in self._keys(receipt) if self.leases.held(key)]
        if held:
            workers = "A worker is" if len(held) == 1 else f"{len(held)} workers are"
            raise LeaseHeld(f"{workers} still at what the document is in; it goes on when they have let go.")

    def _keys(self, receipt: Receipt) -> Iterator[str]:
        """Everything that a worker may hold: the document's own stages, and the datasets and runs it is in."""
        for collection in receipt.uses.collections:
            yield from _keys_on(self._catalog, collection, receipt.document)
        for dataset in receipt.uses.datasets:
            wish = read_contract(self._store, layout.dataset(dataset.dataset), DatasetWish)
            yield from [wish.key] if wish else []
        for run in receipt.uses.runs:
            found = self._catalog.run(run.run)
            yield from [found.wish.key] if found else []
        for export in receipt.uses.exports:
            wanted = self._catalog.export(export.export)
            yield from [wanted.wish.key] if wanted else []

    def _remove(self, receipt: Receipt, tell: Tell) -> None:
        total = sum(receipt.removed.values())
        for done, (_, path) in enumerate(list(paths_of(self._store, self._catalog, receipt.document)), 1):
            self._store.delete(path)
            tell(done, max(done, total), "object")
        for dataset in receipt.uses.datasets:
            wish = read_contract(self._store, layout.dataset(dataset.dataset), DatasetWish)
            if wish is not None and redact(self._store, wish.key, receipt.document):
                self._restate(dataset.dataset, wish.key)
        for preferences in receipt.uses.preferences:
            redact_preferences(self._store, self._catalog, preferences.set, receipt.document)
        for run in receipt.uses.runs:
            if not run.finished:
                self._drop_checkpoints(run.run)
        self._catalog.erase_document(receipt.document)

    def _restate(self, dataset: str, key: str) -> None:
        manifest = committed(self._store, "dataset", key)
        if manifest is not None:
            self._catalog.restate(dataset_job(dataset), "dataset", manifest.result)

    def _drop_checkpoints(self, run: str) -> None:
        """Of a run that was called off: a model that would learn on from them would have seen the document."""
        found = self._catalog.run(run)
        for path in list(self._store.list(layout.checkpoints(found.wish.key))) if found else ():
            self._store.delete(path)


def survey(records: Records, document: str, sequence: int = 0, wish: Forgetting | None = None) -> Receipt:
    """What forgetting a document would remove and what saw it: the receipt before anything is done, and the dry run."""
    store = records.store
    found = uses(store, document, all_memberships(store, document), all_datasets(store))
    removed = Counter(kind for kind, _ in paths_of(store, records.catalog, document))
    return Receipt(
        document=document, forgetting=sequence, state="begun", uses=found, removed=dict(sorted(removed.items())),
        redacted={one.dataset: one.train + one.heldout for one in found.datasets}
        | {one.set: one.train + one.heldout for one in found.preferences},
        why=wish.why if wish else "", by=wish.by if wish else "", asked_at=wish.at if wish else now(), at=now(),
    )  # fmt: skip


def paths_of(store: ObjectStore, catalog: Catalog, document: str) -> Iterator[tuple[str, str]]:
    """Everything in the store that is of this document alone, by what it is; a result's files before its manifest."""
    yield from (("labels", path) for path in store.list(layout.labels(document)))
    yield from (("line-labels", path) for path in store.list(layout.line_labels(document)))
    yield from (("feedback", path) for path in _feedback(store, document))
    for stage in DOCUMENT_STAGES:
        yield from ((stage, path) for path in _results(store, catalog, stage, document))
    yield from (("previews", path) for path in _previews(store, document))
    yield from (("uploads", path) for path in store.list("uploads") if _is(store, path, document))
    for path in store.list("jobs"):
        if path.split("/")[1].startswith("document.") and path.split("/")[1].endswith(f".{short(document)}"):
            yield "job-events", path
    yield from (("shelves", one) for one in _memberships(store, document))
    yield from (("source", path) for path in store.list(f"documents/{document}"))


def _feedback(store: ObjectStore, document: str) -> Iterator[str]:
    """What was said of answers beside which the document was shown: both may hold its text."""
    for path in store.list("feedback"):
        said = read_contract(store, path, Feedback)
        if said is not None and document in said.evidence:
            yield path


def _memberships(store: ObjectStore, document: str) -> Iterator[str]:
    return (layout.membership(one.collection, document) for one in all_memberships(store, document))


def _results(store: ObjectStore, catalog: Catalog, stage: str, document: str) -> Iterator[str]:
    known = {key for one in catalog.shelves_of(document) for key in _keys_on(catalog, one.collection, document)}
    for key, paths in groupby(store.list(f"stages/{stage}"), key=lambda path: path.split("/")[2]):
        files = list(paths)
        if _owned(store, stage, key, files, document, known):
            yield from sorted(files, key=lambda path: path == layout.manifest(stage, key))


def _previews(store: ObjectStore, document: str) -> Iterator[str]:
    """Of datasets that the document would or may have been in, replayed or not: a preview is quickly made again."""
    for key, paths in groupby(sorted(store.list(f"stages/{PREVIEW.name}")), key=lambda path: path.split("/")[2]):
        manifest = committed(store, PREVIEW.name, key)
        if manifest is None or _may_show(manifest.work, document):
            yield from sorted(paths, key=lambda path: path == layout.manifest(PREVIEW.name, key))


def _may_show(preview: dict[str, Any], document: str) -> bool:
    try:
        work = PreviewWork.model_validate(preview)
    except ValidationError:  # of another release
        return True
    return bool(work.parameters.replay.datasets) or any(one.document == document for one in work.inputs)


def _owned(store: ObjectStore, stage: str, key: str, files: list[str], document: str, known: set[str]) -> bool:
    """Attempts are named by their document; where none lies there (a refusal), the manifest says whose it is."""
    if key in known:
        return True
    mark = short(document)
    attempts = {path.split("/")[3] for path in files if path.count("/") > 3}
    if attempts and all("-" in name for name in attempts):
        return any(name.startswith(f"{mark}-") for name in attempts)
    if any(f"/kept/{mark}/" in path for path in files):
        return True
    manifest = committed(store, stage, key)
    return manifest is not None and manifest.work.get("document") == document


def _keys_on(catalog: Catalog, collection: str, document: str) -> Iterable[str]:
    """The names of a document's results under a collection's settings as they are now."""
    found = catalog.collection(collection)
    return keys_of(document, collection, found.parameters).values() if found else ()


def _is(store: ObjectStore, path: str, document: str) -> bool:
    sha = hashlib.sha256()
    with suppress(NotFound):  # an upload's file lasts as long as its request
        for block in store.stream(path):
            sha.update(block)
    return sha.hexdigest() == document


def _jobs(receipt: Receipt) -> Iterator[str]:
    yield from (document_job(collection, receipt.document) for collection in receipt.uses.collections)
    yield from (dataset_job(one.dataset) for one in receipt.uses.datasets)
    yield from (run_job(one.run) for one in receipt.uses.runs)
    yield from (export_job(one.export) for one in receipt.uses.exports)
