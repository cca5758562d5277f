"""That nothing is built on a model which learned of a document that had to be forgotten."""

from collections.abc import Iterator

from shared.ancestry import datasets_of, read_run, runs_to
from shared.catalog.protocol import Catalog
from shared.contracts.learning import RunWish
from shared.errors import Conflict
from shared.ids import short
from shared.objects import ObjectStore
from shared.preference_wishes import redacted


class SawForgotten(Conflict):
    """A model that was trained on a document which had to go is not built upon."""

    code = "saw-forgotten"


def require_unforgotten(store: ObjectStore, catalog: Catalog, run: str, called: str) -> None:
    """Raises SawForgotten where what a run made learned of such a document, it or one that it came from, or that scored it."""
    runs = list(_behind(store, run))
    before = datasets_of(store.read, runs)
    if catalog.saw_forgotten("dataset", [short(one.key) for one in before]) or redacted(catalog, runs):
        raise SawForgotten(
            f"{called} was trained on a document that had to be forgotten, and what comes of it would know that "
            "document too. Start from another model, or from the base."
        )


def _behind(store: ObjectStore, run: str) -> Iterator[RunWish]:
    for one in runs_to(store.read, read_run(store.read, run)):
        yield one
        if one.reward is not None:
            yield from _behind(store, one.reward.run)
