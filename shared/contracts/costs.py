"""What a change of settings would cost, told before it is made."""

from pydantic import Field

from shared.contracts.base import Contract


class StageCost(Contract):
    """One stage that a change of settings would do again."""

    stage: str
    documents: int = Field(description="Documents whose result does not stand yet.")
    standing: int = Field(0, description="Documents whose result under the new settings stands already, from before.")
    pages: int = Field(0, description="Pages of those documents, as far as they were ever counted.")
    pages_unknown: int = Field(0, description="Documents whose pages nobody counted yet; they are not in `seconds`.")
    seconds: float | None = Field(None, description="Of one worker. None where nothing was measured.")
    seconds_per_page: float | None = Field(None, description="Mean over what this collection's workers measured.")
    measured: int = Field(0, description="Results that the mean is taken over.")


class ChangeCost(Contract):
    """What a change of settings would do again, and for how long."""

    collection: str
    changed: tuple[str, ...] = Field(description="Settings that differ: `chunking.max_tokens`.")
    documents: int = Field(description="Documents with at least one stage to do again.")
    documents_in_all: int
    pages: int
    stages: tuple[StageCost, ...] = ()
    seconds: float | None = Field(None, description="Of one worker, all stages together; None where any is not measured.")
    basis: str = Field(description="How the seconds are estimated, in a sentence.")
