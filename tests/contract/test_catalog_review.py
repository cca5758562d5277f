"""What every catalog must do for reviewers, run against SQLite and a real PostgreSQL."""

from dataclasses import replace

import pytest

from shared.catalog.protocol import Catalog, Placed, Slice
from shared.contracts.review import ClassifierParameters, ClassifierWish, Label, LabelSource, Lane, Verdict

AT = "2026-01-01T00:00:0{}Z"


def placed(number: int, lane: Lane = "uncertain", rank: float | None = None, rule: str = "", collection: str = "c") -> Placed:
    return Placed(
        document="d", id=f"i{number:03d}", collection=collection, mark=f"m{number}", decision="set-aside" if rule else "kept",
        rule=rule, probability=0.25, lane=lane, rank=number / 1_000 if rank is None else rank, path="p", start=1, end=2,
    )  # fmt: skip


def label(number: int, verdict: Verdict = "garbage", reviewer: str = "ada", at: int = 0) -> Label:
    return Label(
        document="d", item=f"i{number:03d}", mark=f"m{number}", text="Text.", decision="kept", verdict=verdict,
        reviewer=reviewer, at=AT.format(at),
    )  # fmt: skip


@pytest.fixture
def desk(any_catalog: Catalog) -> Catalog:
    any_catalog.put_reviewables("c", "d", [placed(number) for number in range(7)])
    return any_catalog


def ids(found: list[Placed]) -> list[str]:
    return [one.id for one in found]


def test_a_lane_is_read_page_by_page_lowest_rank_first_and_ties_are_not_lost(desk: Catalog) -> None:
    desk.put_reviewables("c", "e", [placed(number, rank=0.003) for number in range(10, 14)])
    seen: list[str] = []
    after = None
    while found := desk.reviewables("uncertain", 3, after):
        seen += ids(found)
        after = (found[-1].rank, found[-1].id)
    assert seen == ["i000", "i001", "i002", "i003", "i010", "i011", "i012", "i013", "i004", "i005", "i006"]


def test_a_document_screened_anew_takes_the_place_of_what_was_known(desk: Catalog) -> None:
    desk.put_reviewables("other", "d", [placed(0, collection="other")])
    desk.put_reviewables("c", "d", [placed(1, rule="symbol-noise")])
    assert ids(desk.reviewables("uncertain", 9, collection="c")) == ["i001"]
    assert ids(desk.reviewables("uncertain", 9, collection="other")) == ["i000"]
    assert desk.count_reviewables() == (1, 1)
    assert desk.reviewable("d", "i001") == placed(1, rule="symbol-noise")
    assert desk.reviewable("d", "i002") is None
    desk.put_reviewables("c", "abc", [replace(placed(8), document="abc")])
    desk.put_reviewables("c", "abd", [replace(placed(8), document="abd")])
    assert [desk.reviewable(name, "i008") is not None for name in ("ab", "abc", "a", "x")] == [False, True, False, False]


def test_what_was_labelled_is_not_shown_and_a_word_taken_back_brings_it_back(desk: Catalog) -> None:
    desk.put_labels([(1, label(0)), (2, label(2))])
    assert ids(desk.reviewables("uncertain", 9))[:2] == ["i001", "i003"]
    desk.put_labels([(3, label(0, "withdrawn"))])
    assert ids(desk.reviewables("uncertain", 9))[:2] == ["i000", "i001"]


def test_what_is_drawn_by_lot_comes_to_two_reviewers(any_catalog: Catalog) -> None:
    any_catalog.put_reviewables("c", "d", [placed(0, "random"), placed(1, "random")])
    any_catalog.put_labels([(1, label(0, reviewer="ada"))])
    assert ids(any_catalog.reviewables("random", 9, reviewer="ada")) == ["i001"]
    assert ids(any_catalog.reviewables("random", 9, reviewer="ben")) == ["i000", "i001"]
    any_catalog.put_labels([(2, label(0, reviewer="ben"))])
    assert ids(any_catalog.reviewables("random", 9, reviewer="cleo")) == ["i001"]


def test_labels_are_counted_listed_and_compared(desk: Catalog) -> None:
    desk.put_labels([(1, label(0, at=1)), (2, label(1, "good", at=2)), (3, label(0, "good", reviewer="ben", at=3))])
    desk.put_labels([(4, label(1, "good", reviewer="ben", at=4)), (5, label(5, "withdrawn", reviewer="ben", at=5))])
    assert desk.labelled() == {"d": 5}
    assert desk.labelled(["d", "none"]) == {"d": 5}
    assert desk.count_labels()[("ada", "good")] == desk.count_labels()[("ben", "withdrawn")] == 1
    told = [(one.one, one.other, one.one_said, one.other_said, one.count) for one in desk.agreement()]
    assert told == [("ada", "ben", "garbage", "good", 1), ("ada", "ben", "good", "good", 1)]
    first = desk.labels(Slice(limit=2))
    assert first == [("d", 5), ("d", 4)]
    assert desk.labels(Slice(limit=9, before=(AT.format(4), f"d/{4:08d}"))) == [("d", 3), ("d", 2), ("d", 1)]
    assert desk.labels(Slice(), reviewer="ada") == [("d", 2), ("d", 1)]


def test_a_forgotten_document_takes_its_texts_and_labels_along(desk: Catalog) -> None:
    desk.put_labels([(1, label(0))])
    desk.erase_document("d")
    assert (desk.reviewables("uncertain", 9), desk.labelled()) == ([], {})


def wish(number: int) -> ClassifierWish:
    sources = (LabelSource(document="d", labels=number),)
    return ClassifierWish(key=f"{number}" * 64, parameters=ClassifierParameters(), labels=sources, created_at=AT.format(number))


def test_the_newest_adopted_version_stands(any_catalog: Catalog) -> None:
    for number in (1, 2, 3):
        any_catalog.put_classifier(wish(number))
    assert any_catalog.standing_classifier() is None
    any_catalog.judge_classifier("1" * 16, True)
    any_catalog.judge_classifier("2" * 16, True)
    any_catalog.judge_classifier("3" * 16, False)
    standing = any_catalog.standing_classifier()
    assert standing is not None
    assert (standing.id, standing.wish, standing.state) == ("2" * 16, wish(2), "queued")
    assert [(one.id[0], one.adopted) for one in any_catalog.classifiers(Slice())] == [("3", False), ("2", True), ("1", True)]


def test_a_version_put_again_keeps_its_verdict(any_catalog: Catalog) -> None:
    any_catalog.put_classifier(wish(1))
    any_catalog.judge_classifier("1" * 16, True)
    any_catalog.put_classifier(wish(1))
    found = any_catalog.classifier("1" * 16)
    assert found is not None and found.adopted
