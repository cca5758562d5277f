"""What answers earn by rules, hostile answers and patterns among them."""

import pytest
from pydantic import ValidationError

from services.training.stages.ppo.rewards import score
from shared.contracts.ppo import PPO, JsonRule, LengthRule, PatternRule, ReferenceRule, Rule
from shared.errors import Unsupported


@pytest.mark.parametrize(
    ("rule", "answer", "earned"),
    [
        (LengthRule(min_words=4, max_words=8), "one two three four", 1.0),
        (LengthRule(min_words=4, max_words=8), "one two three", 0.75),
        (LengthRule(min_words=4, max_words=8), "", 0.0),
        (LengthRule(min_words=4, max_words=8), "word " * 10, 0.75),
        (LengthRule(min_words=4, max_words=8), "word " * 99, 0.0),
        (PatternRule(), "The valve is closed [p. 12].", 1.0),
        (PatternRule(), "The valve is closed (page 12).", 0.0),
        (PatternRule(enough=4), "[p. 1] [pp. 2-3] [page 7]", 0.75),
        (PatternRule(enough=2), "[p. 1]" * 50, 1.0),
        (PatternRule(weight=-2, pattern="(?i)as an ai"), "As an AI, no.", -2.0),
        (JsonRule(), '{"page": 12}', 1.0),
        (JsonRule(), "12", 0.0),
        (JsonRule(), '{"page": 12', 0.0),
        (JsonRule(), "[" * 100_000, 0.0),
        (ReferenceRule(), "close the valve", 0.8),
    ],
)
def test_a_rule_earns(rule: Rule, answer: str, earned: float) -> None:
    assert score(answer, "close valve", [rule]) == pytest.approx(earned)


def test_rules_add_up() -> None:
    rules = [LengthRule(weight=2, max_words=3), PatternRule(weight=-0.5, pattern="no")]
    assert score("no, no", "", rules) == pytest.approx(1.5)


def test_a_pattern_that_takes_for_ever_is_given_up() -> None:
    with pytest.raises(Unsupported, match="takes too long"):
        score("a" * 200 + "!", "", [PatternRule(pattern="(a|aa)+$")])


@pytest.mark.parametrize(
    "told",
    [
        {"rewards": []},
        {"rewards": [{"rule": "pattern", "pattern": "("}]},
        {"rewards": [{"rule": "length", "min_words": 9, "max_words": 3}]},
        {"rewards": [{"rule": "eloquence"}]},
        {"rewards": [{"rule": "json"}], "kl": "adaptive", "kl_coefficient": 0},
        {"rewards": [{"rule": "json"}], "clip": 1.5},
        {"rewards": [{"rule": "json"}], "kl_targt": 3},
    ],
)
def test_what_contradicts_itself_is_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PPO.model_validate(told)
