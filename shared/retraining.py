"""The sweep that keeps the classifier up with its reviewers: a new version after so many labels, or after so long."""

from dataclasses import dataclass
from datetime import UTC, datetime

from shared.catalog.protocol import Slice
from shared.contracts.views import FINISHED
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
        fresh = self.labels_since(last.wish.count if last else 0)
        if fresh <= 0 or (last is not None and last.state not in FINISHED):
            return False
        old = last is not None and self.every_seconds > 0 and _age(last.wish.created_at) >= self.every_seconds
        return fresh >= self.every_labels or old

    def labels_since(self, known: int) -> int:
        return sum(self.reviews.records.catalog.labelled().values()) - known


def _age(at: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(at)).total_seconds()
