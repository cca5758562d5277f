"""Which text a reviewer should see next: where a label teaches most, and a share by lot, for blind spots."""

from shared.contracts.documents import Chunk, GarbageItem
from shared.contracts.review import Lane
from shared.rehearsal import draw

AUDIT_SHARE = 0.2
"""Share of all texts that only the lot shows. Their labels are held out: no version is trained on them, and all are measured
by them, since how they were chosen has nothing to do with what any version thinks."""

AUDIT_SEED = 17
EVEN = 0.5


def is_audit(mark: str) -> bool:
    """Whether a text, named by what it says, belongs to the share that is held out: so its copies do, too."""
    return draw(AUDIT_SEED, mark) < AUDIT_SHARE


def place(item: Chunk | GarbageItem, mark: str) -> tuple[Lane, float]:
    """The lane that an item is shown in, and its rank there, from 0 for the first."""
    lot = draw(AUDIT_SEED, mark)
    if lot < AUDIT_SHARE:
        return "random", lot
    set_aside = isinstance(item, GarbageItem)
    if item.probability is None:
        return "uncertain", _margin(item) if isinstance(item, GarbageItem) else EVEN
    distance = abs(item.probability - EVEN)
    if (item.probability >= EVEN) != set_aside:
        return "doubted", EVEN - distance
    return "uncertain", distance


def _margin(item: GarbageItem) -> float:
    """How far beyond its threshold a rule's score lies: 0 for just so, one half for the whole of the threshold and more."""
    return min(EVEN, EVEN * abs(item.score - item.threshold) / max(abs(item.threshold), 1e-9))
