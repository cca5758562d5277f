"""What a run by PPO is told: how answers are sampled, what they are rewarded for, and what divergence costs."""

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from shared.contracts.base import Contract

CITATION = r"\[(?:p|pp|page|pages)\.? ?\d+(?:[-–]\d+)?\]"
"""A page in square brackets: [p. 12], [pp. 3-4], [page 7]."""


class LengthRule(Contract):
    """1 for an answer of so many words; less by each word's share that it is longer or shorter, down to 0."""

    rule: Literal["length"] = "length"
    weight: float = Field(1.0, description="The answer's score is the weighted sum of its rules; negative: a penalty.")
    min_words: int = Field(1, ge=0)
    max_words: int = Field(60, ge=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_words > self.max_words:
            raise ValueError("min_words must not be above max_words")
        return self


class PatternRule(Contract):
    """How often a regular expression is found, up to `enough` times, as a share of it: 0 to 1."""

    rule: Literal["pattern"] = "pattern"
    weight: float = 1.0
    pattern: str = Field(CITATION, min_length=1, max_length=500, description="Default: a page cited as in [p. 12].")
    enough: int = Field(1, ge=1, le=100)

    @model_validator(mode="after")
    def _compiles(self) -> Self:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"pattern is no regular expression: {error}") from error
        return self


class JsonRule(Contract):
    """1 for an answer that is one JSON object or array, 0 for any other."""

    rule: Literal["json"] = "json"
    weight: float = 1.0


class ReferenceRule(Contract):
    """Token F1 with the dataset's own answer to the prompt, 0 to 1."""

    rule: Literal["reference"] = "reference"
    weight: float = 1.0


class ModelRule(Contract):
    """What a reward model thinks of the answer, in standard deviations of its rewards for held-out answers."""

    rule: Literal["model"] = "model"
    weight: float = 1.0
    model: str = Field(
        pattern=r"^[A-Za-z0-9._-]{1,63}$",
        description="The reward model: the id of a run by alignment.method reward, or its name for the newest that is done. It "
        "must be on the same base, and of a dataset in the same template.",
    )


Rule = Annotated[LengthRule | PatternRule | JsonRule | ReferenceRule | ModelRule, Field(discriminator="rule")]


def one_model(rewards: tuple[Rule, ...]) -> tuple[Rule, ...]:
    """Raises ValueError for more than one reward model: each would be another adapter to be held."""
    if sum(isinstance(one, ModelRule) for one in rewards) > 1:
        raise ValueError("rewards may name one reward model")
    return rewards


Rewards = Annotated[tuple[Rule, ...], Field(min_length=1, max_length=8), AfterValidator(one_model)]


class PPO(Contract):
    """Proximal policy optimization against rewards. Defaults are Ziegler et al. 2019's where the paper has them. A step samples
    batch_size * gradient_accumulation answers; batch_size of them make a minibatch."""

    rewards: Rewards = Field(description="Rules that every answer is scored by.")
    answer_tokens: int = Field(64, ge=1, le=4_096, description="Where an answer is cut off.")
    unended_penalty: float = Field(1.0, ge=0, description="Taken from the score of an answer that was cut off.")
    kl: Literal["adaptive", "fixed"] = Field(
        "adaptive", description="adaptive: the coefficient is moved until the divergence is kl_target; fixed: it stays."
    )
    kl_coefficient: float = Field(0.1, ge=0, description="What a nat of divergence from the reference costs (at first).")
    kl_target: float = Field(6.0, gt=0, description="Nats an answer. A warning is recorded where twice as many run away.")
    kl_gain: float = Field(0.1, gt=0, le=1, description="How fast the coefficient is moved: at most by a fifth of this a step.")
    passes: int = Field(4, ge=1, le=64, description="Passes over a step's answers.")
    clip: float = Field(0.2, gt=0, lt=1, description="How far a token's probability may move in a step: by this share.")
    value_clip: float = Field(0.2, gt=0, description="How far a value may move in a step.")
    value_weight: float = Field(0.1, ge=0, description="Weight of the value head's loss beside the policy's.")
    discount: float = Field(1.0, gt=0, le=1)
    trace: float = Field(0.95, ge=0, le=1, description="Lambda of generalized advantage estimation.")

    @model_validator(mode="after")
    def _adaptable(self) -> Self:
        if self.kl == "adaptive" and self.kl_coefficient == 0:
            raise ValueError("an adaptive kl_coefficient of 0 could never move: set it above 0, or kl to fixed")
        return self
