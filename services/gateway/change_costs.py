"""Cost before work: which results a change of settings leaves standing, and what making the others took so far."""

from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from services.gateway.shelves import keys_of
from shared import layout
from shared.catalog.protocol import Catalog
from shared.contracts.costs import ChangeCost, StageCost
from shared.contracts.documents import ExtractionResult, ProcessingParameters
from shared.contracts.views import StageView
from shared.objects import ObjectStore

LOOKS_AT_ONCE = 16

_MEASURED = (
    "Seconds a page, averaged over what this collection's documents took in each stage, times the pages to do again. "
    "It is one worker's time: two workers halve the wait. "
    "Settings that change how a page is read, such as another engine, may take longer or shorter than what was measured."
)
_UNMEASURED = "Nothing of this collection was measured in {stages} yet, so nobody can say how long it takes."


@dataclass(slots=True)
class _Tally:
    """What is known of one stage over a shelf."""

    seconds: float = 0.0
    pages: int = 0
    measured: int = 0
    again: dict[str, str] = field(default_factory=dict)
    """Document → key of the result that the new settings ask for."""


def estimate(
    store: ObjectStore, catalog: Catalog, collection: str, before: ProcessingParameters, after: ProcessingParameters
) -> ChangeCost:
    """What going from one set of settings to the other would do again."""
    tallies: defaultdict[str, _Tally] = defaultdict(_Tally)
    counts: dict[str, int] = {}
    documents = 0
    for document, stages in catalog.stages_on(collection):
        documents += 1
        pages = _pages(stages)
        if pages is not None:
            counts[document] = pages
        old, new = keys_of(document, collection, before), keys_of(document, collection, after)
        for view in stages:
            _measure(tallies[view.stage], view, pages)
        for stage, key in new.items():
            if key != old[stage]:
                tallies[stage].again[document] = key
    costs = tuple(
        _cost(store, stage, tallies[stage], counts) for stage in keys_of("", collection, after) if tallies[stage].again
    )
    return _summed(collection, tuple(_differing(before, after)), documents, costs, tallies, counts)


def _measure(tally: _Tally, view: StageView, pages: int | None) -> None:
    if view.state == "done" and view.seconds is not None and pages:
        tally.seconds += view.seconds
        tally.pages += pages
        tally.measured += 1


def _pages(stages: tuple[StageView, ...]) -> int | None:
    """As extraction counted them, whatever the settings were: a document's pages do not depend on them."""
    done = next((one for one in stages if one.stage == "extraction" and one.state == "done"), None)
    return ExtractionResult.model_validate(done.result).pages if done else None


def _cost(store: ObjectStore, stage: str, tally: _Tally, counts: dict[str, int]) -> StageCost:
    asked, missing = len(tally.again), _missing(store, stage, tally.again)
    pages = sum(counts.get(document, 0) for document in missing)
    rate = tally.seconds / tally.pages if tally.pages else None
    tally.again = {document: tally.again[document] for document in missing}
    return StageCost(
        stage=stage, documents=len(missing), standing=asked - len(missing), pages=pages,
        pages_unknown=sum(document not in counts for document in missing),
        seconds=round(rate * pages, 3) if rate is not None else None,
        seconds_per_page=round(rate, 6) if rate is not None else None, measured=tally.measured,
    )  # fmt: skip


def _missing(store: ObjectStore, stage: str, wanted: dict[str, str]) -> list[str]:
    """Documents whose result does not stand: settings that were in force before cost nothing to go back to."""
    with ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="estimate") as pool:
        sizes = pool.map(lambda key: store.size(layout.manifest(stage, key)), wanted.values())
        return [document for document, size in zip(wanted, sizes, strict=True) if size is None]


def _summed(
    collection: str, changed: tuple[str, ...], documents: int, costs: tuple[StageCost, ...],
    tallies: dict[str, _Tally], counts: dict[str, int],
) -> ChangeCost:  # fmt: skip
    touched = {document for tally in tallies.values() for document in tally.again}
    unmeasured = [one.stage for one in costs if one.documents and one.seconds is None]
    return ChangeCost(
        collection=collection, changed=changed, documents=len(touched), documents_in_all=documents,
        pages=sum(counts.get(document, 0) for document in touched), stages=costs,
        seconds=None if unmeasured else round(sum(one.seconds or 0.0 for one in costs), 3),
        basis=_UNMEASURED.format(stages=" and ".join(unmeasured)) if unmeasured else _MEASURED,
    )  # fmt: skip


def _differing(before: ProcessingParameters, after: ProcessingParameters) -> Iterator[str]:
    one, other = before.model_dump(mode="json"), after.model_dump(mode="json")
    for stage, values in other.items():
        if isinstance(values, dict):
            yield from (f"{stage}.{name}" for name, value in values.items() if one[stage].get(name) != value)
