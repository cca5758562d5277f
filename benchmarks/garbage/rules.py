"""Precision and recall of the rules of garbage on the labelled set, and the thresholds that would have done better on its
part to tune on."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.garbage.labelled import Sample
from services.cleaning.stages.garbage import judge
from services.cleaning.stages.mojibake import mended
from shared.contracts.documents import CleaningParameters

DEFAULT = CleaningParameters()

TUNED: dict[str, tuple[float, ...]] = {
    "max_noise_ratio": (0.06, 0.08, 0.1, 0.12, 0.15, 0.18, 0.22),
    "max_broken_joint_ratio": (0.004, 0.008, 0.012, 0.016, 0.02, 0.03),
    "max_mojibake_ratio": (0.02, 0.05, 0.1, 0.2, 0.3),
    "max_reference_ratio": (0.15, 0.2, 0.25, 0.3, 0.35, 0.4),
    "max_paged_ratio": (0.5, 0.6, 0.7, 0.8, 0.9),
    "max_boilerplate_ratio": (0.3, 0.4, 0.5, 0.6, 0.7),
    "max_repeat_ratio": (0.2, 0.3, 0.4, 0.5, 0.6),
    "max_foreign_confidence": (0.3, 0.5, 0.6, 0.7, 0.8),
}


@dataclass(slots=True)
class Score:
    """What the rules made of the samples."""

    right: int = 0
    wrong: int = 0
    missed: int = 0
    found: dict[str, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0]))
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def precision(self) -> float:
        return self.right / max(1, self.right + self.wrong)

    @property
    def recall(self) -> float:
        return self.right / max(1, self.right + self.missed)

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def score(samples: Sequence[Sample], parameters: CleaningParameters = DEFAULT) -> Score:
    """Each sample mended and judged as cleaning would. `found` has, for each kind: samples, set aside, and for the reason."""
    made = Score()
    wanted = {languages: parameters.model_copy(update={"languages": languages}) for languages in ((), ("en",))}
    for sample in samples:
        verdict = judge(sample.block, mended(sample.text), wanted[sample.languages])
        counts = made.found[sample.what]
        counts[0] += 1
        counts[1] += verdict is not None
        counts[2] += verdict is not None and verdict.reason in sample.expected
        if verdict is not None:
            made.reasons[sample.what, verdict.reason] += 1
        if sample.garbage is not None:
            made.right += sample.garbage and verdict is not None
            made.wrong += not sample.garbage and verdict is not None
            made.missed += sample.garbage and verdict is None
    return made


def tune(samples: Sequence[Sample]) -> dict[str, tuple[float, float, float]]:
    """For each threshold: the default, the best of those tried with all others at their default, and the F1 it reaches."""
    best = {}
    for name, tried in TUNED.items():
        scores = {value: score(samples, DEFAULT.model_copy(update={name: value})).f1 for value in tried}
        value = max(scores, key=lambda one: (round(scores[one], 4), -abs(one - getattr(DEFAULT, name))))
        best[name] = (getattr(DEFAULT, name), value, scores[value])
    return best
