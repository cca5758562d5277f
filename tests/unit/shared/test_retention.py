"""What a model forgot, told from the evaluations of it and its earlier versions, and the gate that it must pass."""

import pytest

from shared.contracts.learning import EvaluationResult, HalfEvaluation, Measured, Model, Score, SetEvaluation, SetScore
from shared.errors import NotReady
from shared.retention import TooForgetful, forgetting_report, promotion_of, require_remembered

PLAIN = Score(loss=1.0, perplexity=2.7, tokens=9, examples=3)


def score(loss: float, width: float = 0.1) -> SetScore:
    around = Measured(value=loss, low=loss - width, high=loss + width)
    return SetScore(loss=around, perplexity=around, tokens=9, examples=3)


def model(version: str, **sets: tuple[float, float]) -> Model:
    """`sets`: loss of the base and of the model; a name's part behind `__` is the digest of what was drawn."""
    measured = tuple(
        SetEvaluation(
            set=name.split("__")[0], name=name, digest=name.split("__")[-1], base=score(base), tuned=score(tuned)
        )
        for name, (base, tuned) in sets.items()
    )  # fmt: skip
    return Model(
        id=f"m-{version}", name="m", run=f"run-{version}", dataset=version, base="base", adapter_key="k", adapter_digest="d",
        template="alpaca", evaluation=EvaluationResult(base=PLAIN, tuned=PLAIN, sets=measured), created_at=version,
    )  # fmt: skip


CHAIN = [
    model("one", one=(3.0, 1.0), probes=(2.0, 2.05)),
    model("two", two=(3.0, 1.5), one=(3.0, 1.4), probes=(2.0, 2.15)),
]


def test_a_version_is_held_against_the_best_before_it_and_the_base_is_one() -> None:
    report = forgetting_report(CHAIN)
    assert [one.set for one in report.sets] == ["one", "two", "probes"], "the oldest set first, the probes last"
    assert [row.version for row in report.versions] == ["base", "m-one", "m-two"]
    one, two, probes = report.changes
    assert (one.best, round(one.rise, 6), one.worse) == ("m-one", 0.4, True)
    assert (two.best, round(two.rise, 6), two.worse) == ("base", -1.5, False)
    assert (probes.best, round(probes.rise, 6), probes.worse) == ("base", 0.15, False), "the intervals overlap"
    assert [change.set for change in report.forgot] == ["one"]


def test_what_was_not_measured_is_an_empty_cell_and_the_base_has_no_rise() -> None:
    base, first, _ = forgetting_report(CHAIN).versions
    assert first.cells[1].score is None and not first.cells[1].worse
    assert all(cell.rise is None and cell.score is not None for cell in base.cells)


def test_scores_on_other_examples_are_not_compared() -> None:
    report = forgetting_report([model("one", one__old=(3.0, 1.0)), model("two", two=(3.0, 1.5), one__new=(3.0, 2.0))])
    assert {change.set: change.best for change in report.changes} == {"one": "base", "two": "base"}


def test_a_version_chosen_by_half_of_a_set_is_held_against_the_others_on_the_other_half() -> None:
    """On the whole set the parent had 1.0; on the half that chose nothing, 1.2, and only that the child was measured on."""
    parent = model("one", one__all=(3.0, 1.0), probes=(2.0, 2.05))
    whole, probes = parent.evaluation.sets
    halved = whole.model_copy(update={"half": HalfEvaluation(digest="half", base=score(3.1), tuned=score(1.2))})
    parent = parent.model_copy(update={"evaluation": parent.evaluation.model_copy(update={"sets": (halved, probes)})})
    child = model("two", one__half=(3.1, 1.5), probes=(2.0, 2.05))
    report = forgetting_report([parent, child])
    assert [(one.set, one.digest) for one in report.sets] == [("one", "half"), ("probes", "probes")]
    assert (report.changes[0].best, round(report.changes[0].rise, 6)) == ("m-one", 0.3)
    third = model("three", one__all=(3.0, 1.6), probes=(2.0, 2.05))
    whole, probes = third.evaluation.sets
    halved = whole.model_copy(update={"half": HalfEvaluation(digest="half", base=score(3.1), tuned=score(1.7))})
    third = third.model_copy(update={"evaluation": third.evaluation.model_copy(update={"sets": (halved, probes)})})
    assert round(forgetting_report([parent, child, third]).changes[0].rise, 6) == 0.5, "the half is what all three share"
    assert round(forgetting_report([parent, third]).changes[0].rise, 6) == 0.6, "two that were not chosen share the whole"


def test_the_gate_names_the_set_the_losses_and_the_limit() -> None:
    report = forgetting_report(CHAIN)
    with pytest.raises(TooForgetful, match=r"one \(one\).* from 1\.000 \(m-one\) to 1\.400, by 0\.400 where 0\.1 is allowed"):
        require_remembered(report, 0.1, forced=False)
    require_remembered(report, 0.41, forced=False)


def test_what_is_forced_says_so_only_where_something_stood_against_it() -> None:
    made = promotion_of(forgetting_report(CHAIN), 0.1, True, "a trial", "ada", "t")
    assert (made.forced, made.reason, [one.set for one in made.forgot]) == (True, "a trial", ["one"])
    assert not promotion_of(forgetting_report(CHAIN[:1]), 0.1, True, "a trial", "ada", "t").forced


def test_a_model_measured_before_there_were_sets_has_no_report() -> None:
    with pytest.raises(NotReady, match="measured before"):
        forgetting_report([model("old")])
