"""What people say of answers, and the preferences that follow from it."""

from typing import Literal

from pydantic import Field

from shared.contracts.base import Contract

Rating = Literal["up", "down", "none"]


class Feedback(Contract):
    """Somebody's word on an answer of a model: the latest of the series `feedback/<id>/` counts. `none` without a correction
    takes it back."""

    id: str
    model: str
    prompt: str
    answer: str
    mode: Literal["chat", "completion"]
    rating: Rating
    correction: str = ""
    evidence: tuple[str, ...] = Field(
        (), description="Documents that were shown as evidence beside it: it is forgotten with any of them."
    )
    reviewer: str
    at: str


class Preference(Contract):
    """Of two answers to a prompt, the one that is preferred: what alignment by preferences (DPO and its like) learns from."""

    prompt: str
    chosen: str
    rejected: str
    mode: Literal["chat", "completion"]
    source: Literal["correction", "ratings", "file"]
    reviewer: str = Field("", description="Who said so; empty where a file does not tell.")
    feedback: tuple[str, ...] = Field((), description="Ids of the feedback that it follows from.")
    evidence: tuple[str, ...] = Field((), description="Documents whose text it may hold: it is forgotten with any of them.")
