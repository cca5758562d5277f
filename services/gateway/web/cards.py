"""What lists say of a dataset. A wish names each of its documents and never changes, so it is read once and summed up."""

from collections import OrderedDict
from dataclasses import dataclass

from shared.catalog.protocol import Catalog

KEPT = 500


@dataclass(frozen=True, slots=True)
class Card:
    """A dataset's wish, without its documents."""

    name: str
    collection: str
    base: str
    documents: int


class Cards:
    """The cards of the datasets seen last."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._cards: OrderedDict[str, Card] = OrderedDict()

    def of(self, dataset: str) -> Card | None:
        """None where the dataset is gone."""
        if dataset not in self._cards:
            view = self._catalog.dataset(dataset)
            if view is None:
                return None
            wish = view.wish
            self._cards[dataset] = Card(wish.name, wish.collection, wish.base, len(wish.inputs))
            while len(self._cards) > KEPT:
                self._cards.popitem(last=False)
        return self._cards.get(dataset)
