"""Which held-out examples are scored, and what their scores add up to."""

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np

from shared.contracts.base import Contract
from shared.contracts.learning import EvaluationResult, Example, Measured, Score, SetEvaluation, SetScore
from shared.keys import digest

RESAMPLES = 1_000
INTERVAL = (2.5, 97.5)
"""Percentiles of the resampled figures: a 95 % interval."""

NAT_LIMIT = 700.0
"""exp of more is no float."""


class ExampleScore(Contract):
    """What one model made of one example: summed negative log-likelihood (nats) over its response tokens; and of its own
    answer, where it was asked for one, the token F1 and whether it ended by itself."""

    id: str
    tokens: int
    nll: float
    f1: float | None = None
    stopped: bool | None = None


def draw(examples: Sequence[Example], limit: int, seed: int) -> list[Example]:
    """At most `limit` examples, chosen by seed and id: the same ones whatever order they come in."""
    return sorted(examples, key=lambda one: hashlib.sha256(f"{seed}:{one.id}".encode()).digest())[:limit]


def examples_digest(examples: Sequence[Example]) -> str:
    """Names the examples that were scored by what they ask and answer."""
    return digest(sorted([one.instruction, one.input, one.output] for one in examples))[:16]


def summarize(sets: Sequence[SetEvaluation]) -> EvaluationResult:
    """`sets` with the dataset's own first."""
    return EvaluationResult(base=_plain(sets[0].base), tuned=_plain(sets[0].tuned), sets=tuple(sets))


def set_score(scores: Sequence[ExampleScore], seed: int) -> SetScore:
    """Loss is the mean over tokens, not over examples: a long answer weighs more than a short one. The examples are what is
    drawn anew for the intervals, since the tokens of one answer hang together."""
    loss = _ratio([one.nll for one in scores], [one.tokens for one in scores], seed)
    asked = [one for one in scores if one.f1 is not None and one.stopped is not None]
    ones = [1.0] * len(asked)
    return SetScore(
        loss=loss, perplexity=_map(loss, lambda nats: math.exp(min(nats, NAT_LIMIT))),
        f1=_ratio([one.f1 or 0.0 for one in asked], ones, seed) if asked else None,
        stops=_ratio([float(bool(one.stopped)) for one in asked], ones, seed) if asked else None,
        tokens=sum(one.tokens for one in scores), examples=len(scores), answers=len(asked),
    )  # fmt: skip


def _ratio(parts: Sequence[float], weights: Sequence[float], seed: int) -> Measured:
    """sum(parts) / sum(weights), with the percentile bootstrap's interval (Efron and Tibshirani, 1993, chapter 13)."""
    above, below = np.asarray(parts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    chosen = np.random.default_rng(seed).integers(0, len(above), size=(RESAMPLES, len(above)))
    low, high = np.percentile(above[chosen].sum(axis=1) / below[chosen].sum(axis=1), INTERVAL)
    return Measured(value=math.fsum(parts) / math.fsum(weights), low=float(low), high=float(high))


def _map(measured: Measured, function: Callable[[float], float]) -> Measured:
    return Measured(value=function(measured.value), low=function(measured.low), high=function(measured.high))


def _plain(score: SetScore) -> Score:
    return Score(loss=score.loss.value, perplexity=score.perplexity.value, tokens=score.tokens, examples=score.examples)
