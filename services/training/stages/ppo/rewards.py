"""What an answer earns by rules that a program checks, and by a reward model. Answers are whatever a model says: nothing of
them is run, and a pattern that would take for ever is given up."""

import json
from collections.abc import Sequence

import regex

from services.training.stages.answering import token_f1
from shared.contracts.ppo import JsonRule, LengthRule, ModelRule, PatternRule, ReferenceRule, Rule
from shared.errors import Unsupported

_PATTERN_SECONDS = 2.0
"""For one answer of a few hundred characters: a thousand times what an ordinary pattern takes."""


def score(answer: str, wanted: str, rules: Sequence[Rule], judged: float = 0.0) -> float:
    """The weighted sum of the rules. `wanted` is the dataset's own answer, `judged` the reward model's reward. Raises
    Unsupported where a pattern is too slow."""
    return sum(rule.weight * _by(rule, answer, wanted, judged) for rule in rules)


def _by(rule: Rule, answer: str, wanted: str, judged: float) -> float:
    match rule:
        case LengthRule():
            return _length(rule, len(answer.split()))
        case PatternRule():
            return _pattern(rule, answer)
        case JsonRule():
            return _json(answer)
        case ReferenceRule():
            return token_f1(answer, wanted)
        case ModelRule():
            return judged


def _length(rule: LengthRule, words: int) -> float:
    if words < rule.min_words:
        return words / rule.min_words
    return max(0.0, 1 - (words - rule.max_words) / rule.max_words) if words > rule.max_words else 1.0


def _pattern(rule: PatternRule, answer: str) -> float:
    found = 0
    try:
        for _ in regex.finditer(rule.pattern, answer, timeout=_PATTERN_SECONDS):
            found += 1
            if found == rule.enough:
                break
    except TimeoutError as error:
        raise Unsupported(
            f"The reward's pattern {rule.pattern!r} takes too long on an answer of {len(answer)} characters. "
            "Write it without nested repetition."
        ) from error
    return found / rule.enough


def _json(answer: str) -> float:
    try:
        told = json.loads(answer)
    except (ValueError, RecursionError):
        return 0.0
    return float(isinstance(told, dict | list))
