"""What a deployment may ask of the engine that serves it, beside the model: a form of it, speculation, arguments."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.base import Contract
from shared.contracts.exports import Variant

ServedVariant = Literal["adapter", Variant]
"""adapter: on the base that it was tuned on, whose engine it shares with others. Else an export, alone in an engine."""

BaseName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]

MAX_REPLICAS = 64
"""More is taken for a slip: on one machine each is a process with the weights in its memory."""


class NgramSpeculation(Contract):
    """Tokens guessed from the text so far: what followed the last time that its newest tokens stood in it."""

    method: Literal["ngram"] = "ngram"
    tokens: int = Field(4, ge=1, le=16, description="Guessed at once.")
    longest_match: int = Field(4, ge=1, le=16, description="Newest tokens that are looked for.")
    shortest_match: int = Field(2, ge=1, le=16, description="Fewer than this are not looked for.")

    @model_validator(mode="after")
    def _in_order(self) -> "NgramSpeculation":
        if self.shortest_match > self.longest_match:
            raise ValueError("shortest_match must not be above longest_match")
        return self


class DraftSpeculation(Contract):
    """Tokens guessed by a smaller model with the same vocabulary."""

    method: Literal["draft"] = "draft"
    model: BaseName = Field(description="A published base model.")
    tokens: int = Field(3, ge=1, le=16, description="Guessed at once.")


Speculation = Annotated[NgramSpeculation | DraftSpeculation, Field(discriminator="method")]
"""How an engine guesses tokens that the model then checks together."""


class EngineArguments(Contract):
    """What may be set of an engine's start for one deployment. None: as the serving service's own settings have it. Named one
    by one: a free list of arguments would let whoever may deploy run code of their own or reach the machine's files."""

    dtype: Literal["bfloat16", "float16", "float32"] | None = None
    max_concurrent_requests: int | None = Field(None, ge=1, le=1_024, description="Sequences decoded at once.")
    prefix_caching: bool | None = Field(None, description="Whether prompts that begin alike share their keys and values.")
