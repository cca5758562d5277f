"""Which held-out examples are scored, and what their scores add up to."""

import hashlib
import math
from collections.abc import Sequence

from shared.contracts.base import Contract
from shared.contracts.learning import EvaluationResult, Example, Score


class ExampleScore(Contract):
    """One held-out example: summed negative log-likelihood (nats) over its response tokens, base and tuned."""

    id: str
    tokens: int
    base: float
    tuned: float


def draw(examples: Sequence[Example], limit: int, seed: int) -> list[Example]:
    """At most `limit` examples, chosen by seed and id: the same ones whatever order they come in."""
    return sorted(examples, key=lambda one: hashlib.sha256(f"{seed}:{one.id}".encode()).digest())[:limit]


def summarize(scores: Sequence[ExampleScore]) -> EvaluationResult:
    """Loss is the mean over tokens, not over examples: a long answer weighs more than a short one."""
    tokens = sum(one.tokens for one in scores)
    return EvaluationResult(
        base=_score(math.fsum(one.base for one in scores), tokens, len(scores)),
        tuned=_score(math.fsum(one.tuned for one in scores), tokens, len(scores)),
    )


def _score(total: float, tokens: int, examples: int) -> Score:
    loss = total / tokens
    return Score(loss=loss, perplexity=math.exp(min(loss, 700.0)), tokens=tokens, examples=examples)
