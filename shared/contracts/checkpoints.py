"""Which of a run's checkpoints became its model, and why."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract

CandidateName = Literal["last", "best-loss", "averaged"]
ChoiceWish = Literal["evaluated", "last", "best-loss", "averaged"]


class Candidate(Contract):
    """Weights that a run could end with, and how they did on the half of the held-out examples that chooses."""

    name: CandidateName
    steps: tuple[int, ...] = Field(description="The optimizer steps whose weights it is made of.")
    losses: dict[str, float] = Field(description="Held-out set → nats a token.")
    lost: float = Field(0.0, description="Of an average that was cut to a lower rank: the share of it that is gone.")
    score: float = Field(description="The mean of the loss on the new set and of the mean loss on the old ones.")


class CheckpointChoice(Contract):
    """What was chosen, among what, and the reason in words."""

    chosen: CandidateName
    wish: ChoiceWish
    reason: str
    candidates: tuple[Candidate, ...]
