"""Screening: the rules' word stands until a classifier is in charge, and nothing is lost on either side."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.cleaning.stages.screen import screen
from shared.contracts.documents import Chunk, ChunkingParameters, GarbageItem, Span
from tests.unit.cleaning.texts import words

PARAMETERS = ChunkingParameters(max_tokens=32)


@dataclass
class Judge:
    """Calls garbage what holds a word."""

    in_charge: bool = True
    word: str = "spam"
    version: str = "c" * 16
    threshold: float = 0.5

    def probabilities(self, texts: Sequence[str], rules: Sequence[str]) -> list[float]:
        return [0.9 if self.word in text else 0.1 for text in texts]


def chunk(index: int, text: str, page: int = 1) -> Chunk:
    span = Span(page=page, box=(0.0, 0.0, 1.0, 1.0), start=0, end=len(text))
    return Chunk(id=f"c{index}", document="d", index=index, text=text, tokens=words(text), section=("Gauges",), spans=(span,))


def item(name: str, text: str, page: int = 1) -> GarbageItem:
    return GarbageItem(id=name, document="d", text=text, reason="symbol-noise", score=0.4, threshold=0.5, page=page, box=None)


KEPT = [chunk(0, "The tide is read at noon.", 1), chunk(1, "Buy spam now, spam for all.", 3)]
ASIDE = [item("g0", "a = 3.7 cm at the northern gauge.", 2), item("g1", "~~ spam ~~", 2)]


def test_without_a_classifier_the_rules_word_stands() -> None:
    made = list(screen(KEPT, ASIDE, None, PARAMETERS, words))
    assert [one for one in made if isinstance(one, Chunk)] == KEPT
    assert [one for one in made if isinstance(one, GarbageItem)] == ASIDE
    assert {one.decided_by for one in made} == {"rules"}


def test_a_classifier_that_is_not_in_charge_says_what_it_thinks_and_changes_nothing() -> None:
    made = list(screen(KEPT, ASIDE, Judge(in_charge=False), PARAMETERS, words))
    assert [(one.id, one.probability) for one in made] == [("c0", 0.1), ("g0", 0.1), ("g1", 0.9), ("c1", 0.9)]
    assert {(one.decided_by, one.classifier) for one in made} == {("rules", "c" * 16)}


def test_a_classifier_in_charge_sets_aside_and_brings_back() -> None:
    made = list(screen(KEPT, ASIDE, Judge(), PARAMETERS, words))
    kept = [one for one in made if isinstance(one, Chunk)]
    aside = [one for one in made if isinstance(one, GarbageItem)]
    assert [(one.index, one.text, one.decided_by) for one in kept] == [
        (0, "The tide is read at noon.", "classifier"), (1, "a = 3.7 cm at the northern gauge.", "classifier"),
    ]  # fmt: skip
    assert (kept[1].section, kept[1].reason, kept[1].pages) == (("Gauges",), "symbol-noise", (2,))
    assert [(one.id, one.reason, one.classifier) for one in aside] == [
        ("g1", "symbol-noise", "c" * 16), ("c1", "classifier", "c" * 16),
    ]  # fmt: skip
    assert (aside[1].spans, aside[1].section) == (KEPT[1].spans, KEPT[1].section)


def test_a_long_block_that_comes_back_is_cut_to_the_budget() -> None:
    block = item("g2", "The gauge at the northern pier is read at noon by the warden. " * 9)
    made = list(screen([], [block], Judge(), PARAMETERS, words))
    assert len(made) > 2 and len({one.id for one in made}) == len(made)
    assert all(isinstance(one, Chunk) and one.tokens <= PARAMETERS.max_tokens for one in made)


def test_a_heading_that_comes_back_is_text_and_not_lost() -> None:
    heading = item("g3", "1 Gauges and their readings").model_copy(update={"kind": "heading"})
    assert [one.text for one in screen([], [heading], Judge(), PARAMETERS, words)] == ["1 Gauges and their readings"]
