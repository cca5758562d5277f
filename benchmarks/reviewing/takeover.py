"""The takeover rule at work: when a version takes over as labels come in, and worse versions that it holds back."""

import random
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from benchmarks.reviewing.texts import Text
from services.cleaning.stages.calibration import Floats
from services.cleaning.stages.fitting import fit
from services.cleaning.stages.held_out import Labelled, Parted, report
from services.cleaning.stages.review_order import is_audit
from services.cleaning.stages.takeover import scores
from shared.contracts.review import ClassifierParameters, ClassifierResult

PARAMETERS = ClassifierParameters()

Ask = Callable[[Sequence[Text | Labelled]], Floats]


def moments(pool: list[Text], test: list[Text]) -> Iterator[str]:
    """Versions after more and more labels, each judged by the labels that the lot held out."""
    for count in (50, 100, 150, 200, 300, 500):
        found, real = _judged(_parted(pool[:count]), test)
        yield f"{count:4} labels: {_told(found)}; on the test F1 {real:.3f}"


def held_back(pool: list[Text], test: list[Text]) -> Iterator[str]:
    """Versions that are worse on purpose, each offered with 500 labels."""
    lot = random.Random(9)
    good = pool[:500]
    fixed = _parted(good)
    for name, spoil in (
        ("labels given blindly", lambda one: lot.random() < 0.25),
        ("every label turned round", lambda one: not one.garbage),
        ("what the rules say, learned", lambda one: bool(one.rule)),
    ):
        train = tuple(
            Labelled(one.text, one.rule, spoil(one)) for one in good if not is_audit(one.mark)
        )  # fmt: skip
        found, real = _judged(Parted(train, fixed.heldout, 0), test)
        yield f"{name}: {_told(found)}; on the test F1 {real:.3f}"
    before = _version(fixed)
    worse = _version(_parted(pool[:120]))
    found = _report(worse, fixed, (before(fixed.heldout), True))
    yield f"a version of 120 labels after one of 500 in charge: adopted {found.adopted}: {found.why}"


def _parted(texts: list[Text]) -> Parted:
    sides: dict[bool, list[Labelled]] = {True: [], False: []}
    for one in texts:
        sides[is_audit(one.mark)].append(Labelled(one.text, one.rule, one.garbage))
    return Parted(tuple(sides[False]), tuple(sides[True]), 0)


def _version(found: Parted) -> Ask:
    model, calibration = fit(
        [one.text for one in found.train], [one.rule for one in found.train], np.array([one.garbage for one in found.train]),
        PARAMETERS,
    )  # fmt: skip

    def ask(texts: Sequence[Text | Labelled]) -> Floats:
        return calibration(model.scores([one.text for one in texts], [one.rule for one in texts]))

    return ask


def _judged(found: Parted, test: list[Text]) -> tuple[ClassifierResult, float]:
    ask = _version(found)
    truth = np.array([one.garbage for one in test])
    return _report(ask, found, None), scores(ask(test) >= PARAMETERS.threshold, truth, np.ones(len(test))).f1


def _report(ask: Ask, found: Parted, before: tuple[Floats, bool] | None) -> ClassifierResult:
    return report(found, ask(found.heldout), before, (0, 0), PARAMETERS)


def _told(found: ClassifierResult) -> str:
    verdict = "takes over" if found.takes_over else "held back"
    return (
        f"{verdict} (F1 {found.after.f1:.3f}, rules {found.rules.f1:.3f}, gain at least {found.gain_low:+.3f}, "
        f"{found.heldout} held out; ECE {found.ece:.3f}, Brier {found.brier:.3f})"
    )
