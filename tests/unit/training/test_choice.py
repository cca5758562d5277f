"""Which checkpoint a run ends with, and what is said of it."""

from dataclasses import dataclass

from services.training.stages.choice import Measured, choose, halves


@dataclass(frozen=True)
class Held:
    id: str


LAST = Measured("last", (60,), {"new": 2.0, "old": 3.4, "older": 3.6})
BEST = Measured("best-loss", (40,), {"new": 1.9, "old": 3.5, "older": 3.5})
MEAN = Measured("averaged", (20, 40, 60), {"new": 2.1, "old": 3.0, "older": 3.0})


def test_new_and_old_weigh_the_same_and_the_lowest_is_chosen_with_its_reason() -> None:
    found = choose([BEST, MEAN, LAST], "new", "evaluated")
    assert found.chosen == "averaged"
    assert [(one.name, round(one.score, 3)) for one in found.candidates] == [
        ("last", 2.75), ("best-loss", 2.7), ("averaged", 2.55),
    ]  # fmt: skip
    assert found.reason == (
        "averaged (steps 20 to 60): 2.5500 nats a token over new and old held-out examples, "
        "against last 2.7500, best-loss 2.7000"
    )


def test_without_old_sets_the_new_one_decides() -> None:
    found = choose([Measured("last", (60,), {"new": 2.0}), Measured("best-loss", (40,), {"new": 1.9})], "new", "evaluated")
    assert found.chosen == "best-loss"
    assert "over new held-out examples, against last 2.0000" in found.reason


def test_a_recipe_may_ask_for_one_whatever_it_scores() -> None:
    found = choose([LAST, BEST, MEAN], "new", "best-loss")
    assert (found.chosen, found.reason) == ("best-loss", "best-loss (step 40): the recipe asks for it")


def test_of_equals_the_plainest_is_chosen() -> None:
    same = {"new": 2.0, "old": 3.0}
    found = choose([Measured("averaged", (1, 2), same), Measured("last", (2,), same)], "new", "evaluated")
    assert found.chosen == "last"


def test_what_chooses_does_not_report() -> None:
    examples = [Held(f"e{at}") for at in range(21)]
    choosing, reporting = halves(examples)
    assert (len(choosing), len(reporting)) == (10, 11)
    assert {one.id for one in choosing} | {one.id for one in reporting} == {one.id for one in examples}
    assert {one.id for one in halves(examples[::-1])[0]} == {one.id for one in choosing}, "whatever the order"
    assert halves(examples[:1]) == ([], examples[:1])
