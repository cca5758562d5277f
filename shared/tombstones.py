"""Which documents were forgotten: asked by all that would bring one in, or commit what was made of one."""

from collections.abc import Iterable, Iterator

from shared import layout
from shared.contracts.forgetting import Forgetting, Receipt
from shared.contracts.learning import DatasetWish
from shared.contracts.review import ClassifierWish
from shared.contracts.work import ClassifierWork, DatasetWork, DocumentWork, PreviewWork, Work
from shared.errors import Forgotten
from shared.ids import short
from shared.objects import ObjectStore, Series, read_contract


def tombstone(store: ObjectStore, document: str) -> tuple[int, Forgetting] | None:
    """The wish to forget a document that stands, with its number in the series, or None."""
    latest = Series(store, layout.forgotten(document)).latest(Forgetting)
    return latest if latest is not None and latest[1].kind == "forget" else None


def latest_receipt(store: ObjectStore, document: str) -> Receipt | None:
    latest = Series(store, layout.receipts(document)).latest(Receipt)
    return latest[1] if latest else None


def require_not_forgotten(store: ObjectStore, document: str) -> None:
    """Raises Forgotten, which says how the document may come back."""
    standing = tombstone(store, document)
    if standing is not None:
        raise Forgotten(
            f"Document {short(document)} was forgotten on {standing[1].at[:10]}; its receipt is "
            f"`GET /v1/forgotten/{document}`. To let it in again an admin lifts the tombstone: "
            f"`lectern forget {short(document)} --lift`.",
            document=document,
        )


def any_tombstone(store: ObjectStore, documents: Iterable[str]) -> bool:
    """Whether one of these documents is forgotten: one list where none ever was, or few were."""
    ever = forgotten_once(store)
    return bool(ever) and any(document in ever and tombstone(store, document) for document in documents)


def forgotten_once(store: ObjectStore) -> frozenset[str]:
    """Documents that were forgotten at some time, lifted ones among them."""
    return frozenset(path.split("/")[1] for path in store.list("forgotten"))


def document_of(work: Work) -> str | None:
    """The one document that a piece of work is about."""
    return work.document if isinstance(work, DocumentWork) else None


def documents_of(store: ObjectStore, work: Work) -> tuple[str, ...]:
    """The documents whose text would be in the result of a piece of work."""
    if isinstance(work, DocumentWork):
        return (work.document,)
    if isinstance(work, PreviewWork):
        return tuple(one.document for one in work.inputs)
    if isinstance(work, DatasetWork):
        return tuple(_documents_of_dataset(store, short(work.dataset)))
    if isinstance(work, ClassifierWork):
        learned = read_contract(store, layout.classifier(short(work.classifier)), ClassifierWish)
        return tuple(one.document for one in learned.labels) if learned else ()
    return ()


def _documents_of_dataset(store: ObjectStore, dataset: str) -> Iterator[str]:
    """Its own documents, and those of the datasets that it replays."""
    wish = read_contract(store, layout.dataset(dataset), DatasetWish)
    if wish is not None:
        yield from (one.document for one in wish.inputs)
        for earlier in wish.parameters.replay.datasets:
            yield from _documents_of_dataset(store, earlier)
