"""The sweep that keeps the classifier up with its reviewers: a new version after so many labels, or after so long."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.catalog.protocol import Catalog, Slice
from shared.contracts.views import FINISHED, ClassifierView
from shared.reviews import Reviews
from shared.telemetry import log


@dataclass(frozen=True, slots=True)
class Retraining:
    """Asks for versions and puts those that were adopted to use. Running it twice at once changes nothing: the same labels are
    the same version."""

    reviews: Reviews
    every_labels: int
    every_seconds: float = 0.0
    """0: by labels alone."""

    def sweep(self) -> int:
        """Returns how many collections were given another version."""
        if self.is_due():
            wish = self.reviews.wish_classifier()
            log().info("retraining.wished", classifier=wish.id, labels=wish.wish.count)
        moved = self.reviews.put_to_use()
        if moved:
            log().info("retraining.put-to-use", collections=len(moved))
        return len(moved)

    def is_due(self) -> bool:
        """Whether there is enough to learn that the last version did not know."""
        last = next(iter(self.reviews.records.catalog.classifiers(Slice(limit=1))), None)
        fresh = labels_since(self.reviews.records.catalog, last)
        if fresh <= 0 or (last is not None and last.state not in FINISHED):
            return False
        old = last is not None and self.every_seconds > 0 and _age(last.wish.created_at) >= self.every_seconds
        return fresh >= self.every_labels or old


def labels_since(catalog: Catalog, last: ClassifierView | None) -> int:
    """Labels that a version did not know. Documents that were forgotten since took their labels with them."""
    known = {one.document: one.labels for one in last.wish.labels} if last else {}
    return sum(max(0, count - known.get(document, 0)) for document, count in catalog.labelled().items())


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
