"""Labelled texts, parted into those to learn from and those to be judged by, and the report of how a new version compares."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from services.cleaning.stages.calibration import Floats, brier, expected_calibration_error
from services.cleaning.stages.review_order import is_audit
from services.cleaning.stages.takeover import Standing, gain_low, rule, scores
from shared.contracts.review import ClassifierParameters, ClassifierResult
from shared.verdicts import Settled


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text, the rule that set it aside (empty: none), and what people say of it."""

    text: str
    rule: str
    garbage: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """What people said: to learn from, and to be judged by."""

    train: tuple[Labelled, ...]
    heldout: tuple[Labelled, ...]
    contested: int


def parted(settled: Iterable[tuple[str, Settled]]) -> Parted:
    """By the lot that each text's mark drew: the same text is on the same side for ever, and in every document."""
    train: dict[str, Labelled] = {}
    heldout: dict[str, Labelled] = {}
    contested = 0
    for mark, one in settled:
        if one.garbage is None:
            contested += 1
        else:
            (heldout if is_audit(mark) else train)[mark] = Labelled(one.label.text, one.label.rule, one.garbage)
    return Parted(_in_order(train), _in_order(heldout), contested)


def _in_order(found: dict[str, Labelled]) -> tuple[Labelled, ...]:
    return tuple(found[mark] for mark in sorted(found))


def weights(heldout: Sequence[Labelled], kept: int, set_aside: int) -> Floats:
    """How many texts each held-out label stands for: reviewers see more of what was set aside than there is of it
    (Horvitz and Thompson, 1952). Of mean 1."""
    labelled = {False: sum(not one.rule for one in heldout), True: sum(bool(one.rule) for one in heldout)}
    whole = {False: kept, True: set_aside}
    each = np.array([max(whole[bool(one.rule)], 1) / labelled[bool(one.rule)] for one in heldout])
    if not kept + set_aside:
        each = np.ones(len(heldout))
    return each / each.mean() if len(each) else each


def report(
    found: Parted,
    probabilities: Floats,
    before: tuple[Floats, bool] | None,
    population: tuple[int, int],
    parameters: ClassifierParameters,
) -> ClassifierResult:
    """`probabilities` are the new version's for the held-out texts; `before` holds those of the version in use, and whether
    it decides."""
    truth = np.array([one.garbage for one in found.heldout], dtype=bool)
    rules = np.array([bool(one.rule) for one in found.heldout], dtype=bool)
    each = weights(found.heldout, *population)
    said = probabilities >= parameters.threshold
    new, standing = scores(said, truth, each), scores(rules, truth, each)
    old = Standing(scores(before[0] >= parameters.threshold, truth, each), before[1]) if before is not None else None
    gain = gain_low(said, rules, truth, each, parameters.confidence, parameters.seed)
    ruling = rule(len(truth), int(truth.sum()), parameters.min_heldout, new, standing, gain, old)
    return ClassifierResult(
        train=len(found.train), heldout=len(truth), heldout_garbage=int(truth.sum()), contested=found.contested,
        rules=standing, before=old.scores if old else None, after=new, gain_low=round(gain, 4),
        ece=round(expected_calibration_error(probabilities, truth, each), 4),
        brier=round(brier(probabilities, truth, each), 4), threshold=parameters.threshold,
        takes_over=ruling.takes_over, adopted=ruling.adopted, why=ruling.why,
    )  # fmt: skip
