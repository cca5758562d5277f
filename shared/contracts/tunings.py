"""Tunings of deployments: settings of the engine that were tried on recorded prompts, how each did, and which is kept."""

from typing import Any, Literal

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.engines import BaseName, EngineArguments, Speculation
from shared.contracts.views import JobState

MOST_PROMPTS, MOST_CHARACTERS = 64, 8_000
"""Of a tuning, and of one of its prompts."""


class Setting(Contract):
    """What a tuning may change of a deployment."""

    speculation: Speculation | None = None
    engine_arguments: EngineArguments = EngineArguments()

    @property
    def wished(self) -> dict[str, Any]:
        """What of a deployment's wish it decides."""
        return {"speculation": self.speculation, "engine_arguments": self.engine_arguments}


class TuningPrompt(Contract):
    """A prompt that is asked: what a user says, or a text to go on with."""

    prompt: str = Field(min_length=1, max_length=MOST_CHARACTERS)
    mode: Literal["chat", "completion"] = "chat"


class TuningParameters(Contract):
    """What settings are measured on, and how."""

    concurrency: int = Field(8, ge=1, le=64, description="Requests at once, beside one alone.")
    draft: BaseName | None = Field(None, description="A published base to try as a draft model.")
    sample: int = Field(8, ge=1, le=MOST_PROMPTS, description="Recorded prompts that are asked, at most.")
    answer_tokens: int = Field(64, ge=8, le=512, description="Where an answer is cut off.")


class TuningWish(Contract):
    """A tuning asked for. Prompts that came with it are kept apart until it ends: nothing here holds anybody's text."""

    deployment: str
    sequence: int = Field(description="The deployment's wish that is tuned.")
    parameters: TuningParameters
    given: int = Field(0, description="Prompts that came with it; 0: recorded ones are drawn.")
    asked_at: str


class PromptCounts(Contract):
    """Where the prompts came from, in numbers, and a digest over them."""

    given: int = 0
    feedback: int = 0
    heldout: int = 0
    too_long: int = Field(0, description="Recorded ones that the engine refused, and that were left out.")
    sha256: str = ""


class Load(Contract):
    """One setting under one load: medians over rounds and requests."""

    tokens_per_second: float
    rounds: tuple[float, ...] = Field(description="Tokens a second of each round.")
    first_token_seconds: float
    first_token_p99_seconds: float
    requests: int


class Answers(Contract):
    """Greedy answers beside those of the plain setting, token by token. `gaps`: at the first token that differs, by how many
    nats the plain setting holds its own likelier than the other; none where the other is not among its five likeliest."""

    same: int
    of: int
    gaps: tuple[float | None, ...] = ()
    beyond: int = Field(0, description="Gaps that are no near-tie.")


Verdict = Literal["plain", "faster", "not-faster", "answers-part", "failed"]


class Trial(Contract):
    """One setting that was tried. `gain` is over the plain setting: the geometric mean of its tokens a second, alone and at
    once; `noise` is what rounds of the same setting differed by."""

    name: str = Field(description="For people.")
    setting: Setting
    problem: str | None = Field(None, description="Why it could not be measured.")
    alone: Load | None = None
    together: Load | None = Field(None, description="Not measured where one at once was asked for.")
    acceptance: float | None = Field(None, description="Share of guessed tokens that were accepted.")
    answers: Answers | None = None
    gain: float | None = None
    noise: float | None = None
    verdict: Verdict = "failed"


class TuningReport(Contract):
    """What a tuning found. The plain setting, measured first and again last, is what the others are compared with."""

    deployment: str
    model: str | None
    base: str
    variant: str
    parameters: TuningParameters
    prompts: PromptCounts
    near_tie_nats: float
    trials: tuple[Trial, ...]
    kept: Setting
    kept_name: str
    reason: str
    changes: bool = Field(description="Whether what is kept is another setting than the deployment had.")
    begun_at: str
    finished_at: str


class TuningView(Contract):
    """A tuning: what was asked for, how far its job has come, and its report once there is one."""

    number: int
    wish: TuningWish
    job: str
    state: JobState
    code: str | None = None
    detail: str | None = None
    report: TuningReport | None = None
