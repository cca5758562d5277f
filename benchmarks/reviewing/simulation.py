"""The reviewer who knows the truth: labels what a strategy shows, and a version is trained after every few labels."""

import random
from dataclasses import dataclass, field

import numpy as np

from benchmarks.reviewing.texts import Text
from services.cleaning.stages.calibration import Floats
from services.cleaning.stages.features import Bag, bag
from services.cleaning.stages.fitting import fit
from services.cleaning.stages.review_order import is_audit, place
from services.cleaning.stages.takeover import scores
from services.cleaning.stages.tfidf import Tfidf
from shared.contracts.documents import Chunk, GarbageItem
from shared.contracts.review import ClassifierParameters, Lane

TURN: tuple[Lane, ...] = ("uncertain", "uncertain", "doubted", "uncertain", "random")
STRATEGIES = ("queue", "uncertainty alone", "random")
PARAMETERS = ClassifierParameters(min_each=2)


@dataclass
class Curve:
    """F1 on the test after so many labels, and that of the rules."""

    rules: float
    labels: list[int] = field(default_factory=list)
    f1: list[float] = field(default_factory=list)


def simulate(strategy: str, pool: list[Text], test: list[Text], labels: int, step: int, seed: int) -> Curve:
    """Labels cost the same, whether the lot holds them out of training or not."""
    lot = random.Random(seed)
    truth = np.array([one.garbage for one in test])
    each = np.ones(len(test))
    curve = Curve(scores(np.array([bool(one.rule) for one in test]), truth, each).f1)
    left, seen = pool.copy(), []
    lot.shuffle(left)
    probabilities: dict[str, float] = {}
    while len(seen) < labels:
        shown = _shown(strategy, left, probabilities, step)
        seen += shown
        chosen = {one.mark for one in shown}
        left = [one for one in left if one.mark not in chosen]
        train = [one for one in seen if not is_audit(one.mark)]
        garbage = sum(one.garbage for one in train)
        if min(garbage, len(train) - garbage) < PARAMETERS.min_each:
            said = np.array([bool(one.rule) for one in test])
        else:
            model, calibration = fit(
                [one.text for one in train], [one.rule for one in train], np.array([one.garbage for one in train]), PARAMETERS
            )
            said = calibration(_scores(model, test)) >= PARAMETERS.threshold
            probabilities = {
                one.mark: float(value)
                for one, value in zip(left, calibration(_scores(model, left)), strict=True)
            }  # fmt: skip
        curve.labels.append(len(seen))
        curve.f1.append(scores(said, truth, each).f1)
    return curve


_BAGS: dict[tuple[str, str], Bag] = {}


def _scores(model: Tfidf, texts: list[Text]) -> Floats:
    """As `Tfidf.scores`, with the features of each text made once for all versions."""
    for one in texts:
        if (one.mark, one.rule) not in _BAGS:
            _BAGS[one.mark, one.rule] = bag(one.text, one.rule)
    return np.array([model.score(_BAGS[one.mark, one.rule]) for one in texts])


def _shown(strategy: str, left: list[Text], probabilities: dict[str, float], count: int) -> list[Text]:
    """What the reviewer sees next. `left` is shuffled, so that its beginning is a random sample."""
    if strategy == "random":
        return left[:count]
    if strategy == "uncertainty alone":
        return sorted(left, key=lambda one: abs(probabilities.get(one.mark, 0.5) - 0.5))[:count]
    lanes: dict[Lane, list[tuple[float, Text]]] = {"uncertain": [], "doubted": [], "random": []}
    for one in left:
        lane, rank = place(_item(one, probabilities.get(one.mark)), one.mark)
        lanes[lane].append((rank, one))
    queues = {lane: iter([one for _, one in sorted(found, key=lambda pair: pair[0])]) for lane, found in lanes.items()}
    shown: list[Text] = []
    turn = 0
    while len(shown) < min(count, len(left)):
        one = next(queues[TURN[turn % len(TURN)]], None)
        turn += 1
        if one is not None:
            shown.append(one)
    return shown


def _item(one: Text, probability: float | None) -> Chunk | GarbageItem:
    if not one.rule:
        return Chunk(id=one.mark, document="d", index=0, text=one.text, tokens=1, probability=probability)
    return GarbageItem(
        id=one.mark, document="d", text=one.text, reason=one.rule, score=0.0, threshold=0.0, page=1, box=None,
        probability=probability,
    )  # fmt: skip


def labels_needed(curve: Curve, goal: float) -> int | None:
    """The first number of labels from which on the goal is held for the rest of the simulation's next step, too."""
    for at, labels in enumerate(curve.labels):
        if min(curve.f1[at : at + 2]) >= goal:
            return labels
    return None
