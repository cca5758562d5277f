"""What a reviewer sees first."""

from services.cleaning.stages.review_order import AUDIT_SHARE, is_audit, place
from shared.contracts.documents import Chunk, GarbageItem
from shared.keys import text_mark

MARKS = [f"{number:016x}" for number in range(5_000)]
SEEN = next(mark for mark in MARKS if not is_audit(mark))


def chunk(probability: float | None) -> Chunk:
    return Chunk(id="c", document="d", index=0, text="Text.", tokens=2, probability=probability)


def item(probability: float | None, score: float = 0.4) -> GarbageItem:
    return GarbageItem(
        id="g", document="d", text="~~", reason="symbol-noise", score=score, threshold=0.5, page=1, box=None,
        probability=probability,
    )  # fmt: skip


def test_the_lot_takes_its_share_and_does_not_look_at_the_item() -> None:
    drawn = [mark for mark in MARKS if is_audit(mark)]
    assert abs(len(drawn) / len(MARKS) - AUDIT_SHARE) < 0.02
    assert {place(one, drawn[0]) for one in (chunk(0.5), chunk(None), item(0.99))} == {place(chunk(0.0), drawn[0])}


def test_the_nearest_to_one_half_comes_first() -> None:
    ranked = sorted([0.1, 0.45, 0.3, 0.49], key=lambda probability: place(chunk(probability), SEEN)[1])
    assert ranked == [0.49, 0.45, 0.3, 0.1]
    assert place(chunk(0.3), SEEN)[0] == "uncertain"


def test_kept_text_that_the_classifier_doubts_has_a_lane_of_its_own_the_surest_contradiction_first() -> None:
    assert place(chunk(0.9), SEEN)[0] == place(item(0.1), SEEN)[0] == "doubted"
    assert place(chunk(0.95), SEEN)[1] < place(chunk(0.6), SEEN)[1]


def test_before_there_is_a_classifier_the_rules_closest_calls_come_first() -> None:
    assert place(item(None, score=0.49), SEEN)[1] < place(item(None, score=0.1), SEEN)[1] <= place(chunk(None), SEEN)[1]


def test_a_text_is_known_again_whatever_its_spaces() -> None:
    assert text_mark("The  Gauge\nis read.") == text_mark("the gauge is read. ") != text_mark("The gauge is red.")
