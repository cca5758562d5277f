"""Who decides: a classifier takes over from the rules once it beats them on held-out labels, and not before."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shared.contracts.review import Scores

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

RESAMPLES = 2_000
BLOCK = 200


@dataclass(frozen=True, slots=True)
class Standing:
    """The version in use: its scores on the same held-out labels, and whether it decides."""

    scores: Scores
    in_charge: bool


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a new version decides in place of the rules, whether it replaces the one in use, and why."""

    takes_over: bool
    adopted: bool
    why: str


def scores(said: Bools, truth: Bools, weights: Floats) -> Scores:
    """Precision, recall and F1 of what was said to be garbage."""
    hits, alarms, missed = _counts(said, truth, weights[None, :])
    return Scores(
        precision=_ratio(hits, hits + alarms), recall=_ratio(hits, hits + missed), f1=float(_f1(hits, alarms, missed)[0])
    )


def gain_low(said: Bools, rules: Bools, truth: Bools, weights: Floats, confidence: float, seed: int) -> float:
    """The lower bound, one-sided, of the gain in F1 over the rules: a paired bootstrap, in which both are judged by the same
    labels each time (Koehn, Statistical Significance Tests for Machine Translation Evaluation, 2004)."""
    if not len(truth):
        return -1.0
    lot = np.random.default_rng(seed)
    gains = []
    for _ in range(RESAMPLES // BLOCK):
        drawn = lot.multinomial(len(truth), np.full(len(truth), 1 / len(truth)), size=BLOCK) * weights
        gains.append(_f1(*_counts(said, truth, drawn)) - _f1(*_counts(rules, truth, drawn)))
    return float(np.quantile(np.concatenate(gains), 1 - confidence))


def rule(heldout: int, garbage: int, wanted: int, new: Scores, rules: Scores, gain: float, old: Standing | None) -> Ruling:
    """The rule of takeover. Without enough held-out labels of both verdicts, nobody takes over from anybody in charge."""
    enough = heldout >= wanted and 0 < garbage < heldout
    takes_over = enough and gain > 0
    told = f"F1 {new.f1:.3f} against the rules' {rules.f1:.3f} on {heldout} held-out labels (gain at least {gain:+.3f})"
    if not enough:
        told = f"{heldout} held-out labels ({garbage} garbage) are too few to judge by; {wanted} of both kinds are wanted"
    adopted, reason = _adopted(takes_over, new, rules, old)
    return Ruling(takes_over, adopted, f"{told}: {reason}.")


def _adopted(takes_over: bool, new: Scores, rules: Scores, old: Standing | None) -> tuple[bool, str]:
    if old is not None and old.in_charge and not takes_over:
        if old.scores.f1 < rules.f1:
            return True, "the rules decide again, which the version in charge no longer beats"
        return False, "the version in charge stays"
    if old is not None and new.f1 < old.scores.f1 and old.in_charge == takes_over:
        return False, f"the version before, with F1 {old.scores.f1:.3f}, stays"
    return True, "it decides in their place" if takes_over else "the rules decide, and it orders what is reviewed"


def _counts(said: Bools, truth: Bools, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Hits, false alarms and misses, weighed, of each row of weights."""
    return weights @ (said & truth), weights @ (said & ~truth), weights @ (~said & truth)


def _f1(hits: Floats, alarms: Floats, missed: Floats) -> Floats:
    whole = 2 * hits + alarms + missed
    return np.asarray(np.divide(2 * hits, whole, out=np.zeros_like(whole, dtype=float), where=whole > 0))


def _ratio(part: Floats, whole: Floats) -> float:
    return float(part[0] / whole[0]) if whole[0] > 0 else 0.0
