"""How a run learns from preferences: the methods of a recipe's section `alignment`."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from shared.contracts.base import Contract

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


def _method(told: Any) -> str:
    return str(told.get("method", USUAL)) if isinstance(told, dict) else str(getattr(told, "method", None))


Alignment = Annotated[
    Annotated[DPO, Tag("dpo")] | Annotated[RewardModel, Tag("reward")],
    Discriminator(_method, custom_error_type="no-method", custom_error_message="method must be dpo or reward"),
]
"""By `method`; without one, DPO."""
