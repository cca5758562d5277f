"""How a run learns from preferences, or from rewards by groups of answers: the methods of a recipe's section `alignment`."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from shared.contracts.base import Contract
from shared.contracts.ppo import Rewards

USUAL = "dpo"
"""The method of a section that names none."""


class DPO(Contract):
    """Direct preference optimization. Its reference is the model that the run starts from, or the base where it starts from
    none."""

    method: Literal["dpo"] = Field(
        "dpo",
        description="dpo: the preferred answer gains over the other, measured from the reference (Rafailov et al. 2023).",
    )
    beta: float = Field(
        0.1,
        gt=0,
        le=10,
        description="How dear it is to leave the reference: an answer's implied reward is beta times the "
        "log-ratio of its probabilities. Smaller: further from it.",
    )
    imitation: float = Field(
        0.0,
        ge=0,
        description="Weight of the preferred answers' own loss, in nats a token, beside the comparison (Pang et al. 2024). The "
        "comparison alone may make both answers less probable; with this the preferred one is learned as well.",
    )


class RewardModel(Contract):
    """A reward model: a number for an answer, learned from which of two is preferred. It answers nothing itself; runs that
    learn from rewards name it."""

    method: Literal["reward"] = Field(
        "reward",
        description="reward: the preferred answer gets the higher reward (Bradley and Terry 1952; Ouyang et al. 2022).",
    )
    center: float = Field(
        0.01,
        ge=0,
        description="How dear it is that the rewards of a pair do not add up to 0 (Eisenstein et al. 2023): pairs alone leave "
        "open where zero is.",
    )


class Grouped(Contract):
    """Several answers to each prompt, of which those grow likelier that earn more than the others: no value head is needed. A
    step asks batch_size * gradient_accumulation / generations prompts."""

    rewards: Rewards = Field(description="Rules that every answer is scored by.")
    generations: int = Field(8, ge=2, le=64, description="Answers to each prompt, which are compared with each other.")
    answer_tokens: int = Field(64, ge=1, le=4_096, description="Where an answer is cut off.")
    unended_penalty: float = Field(1.0, ge=0, description="Taken from the score of an answer that was cut off.")
    kl_limit: float = Field(12.0, gt=0, description="Nats an answer. A warning is recorded where more run away.")
    passes: int = Field(
        1, ge=1, le=16, description="Steps that learn from the same answers. checkpoint_steps must be a multiple of it."
    )
    clip: float = Field(0.2, gt=0, lt=1, description="How far a probability may move in the steps of the same answers.")


class GRPO(Grouped):
    """Group relative policy optimization: what an answer earned is held against its group's mean, in its deviations."""

    method: Literal["grpo"] = Field("grpo", description="grpo: rewards, compared within a group (Shao et al. 2024).")
    kl_coefficient: float = Field(0.04, ge=0, description="What a nat of divergence from the reference costs, in the loss.")
    scale: Literal["group", "batch", "none"] = Field(
        "group", description="Whose deviation a reward counts in. none: as it is (Liu et al. 2025)."
    )


class RLOO(Grouped):
    """REINFORCE, leave one out: what an answer earned is held against the mean of the others."""

    method: Literal["rloo"] = Field(
        "rloo", description="rloo: rewards, each less the mean of the group's others (Ahmadian et al. 2024)."
    )
    kl_coefficient: float = Field(0.05, ge=0, description="What a nat of divergence from the reference costs, of the reward.")


def _method(told: Any) -> str:
    return str(told.get("method", USUAL)) if isinstance(told, dict) else str(getattr(told, "method", None))


Alignment = Annotated[
    Annotated[DPO, Tag("dpo")]
    | Annotated[RewardModel, Tag("reward")]
    | Annotated[GRPO, Tag("grpo")]
    | Annotated[RLOO, Tag("rloo")],
    Discriminator(_method, custom_error_type="no-method", custom_error_message="method must be dpo, reward, grpo or rloo"),
]
"""By `method`; without one, DPO."""
