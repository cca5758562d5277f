"""What is learned from documents: datasets, runs, models and deployments, each wished for and then made."""

from typing import Any, Literal

from pydantic import Field, model_validator

from shared.contracts.base import Contract
from shared.contracts.checkpoints import CheckpointChoice
from shared.contracts.datasets import LengthBin, NearDuplicateParameters, ReplayParameters, WithQuestions
from shared.contracts.documents import Span
from shared.contracts.engines import MAX_REPLICAS, EngineArguments, ServedVariant, Speculation
from shared.contracts.recipes import TrainingRecipe


class DatasetParameters(WithQuestions):
    """How chunks become instruction examples."""

    template: Literal["alpaca", "chat"] = Field("alpaca", description="chat: the base model's own chat template.")
    max_answer_tokens: int = Field(96, ge=8, description="An answer is cut at the last whole sentence within it.")
    max_example_tokens: int = Field(384, ge=64, description="Prompt, answer and EOS together.")
    near_duplicates: NearDuplicateParameters = NearDuplicateParameters()
    heldout_share: float = Field(0.2, gt=0, lt=0.9, description="Share of documents kept out of training.")
    replay: ReplayParameters = ReplayParameters()
    licence: str = Field("", max_length=200, description="The documents' licence, for the dataset's card.")
    seed: int = 17


class DatasetInput(Contract):
    """One document's chunks as they stood when the dataset was asked for. `labels` counts those that people had given."""

    document: str
    filename: str
    screening_key: str
    labels: int = 0


class DatasetWish(Contract):
    """A dataset asked for: frozen inputs, so that the same wish is the same dataset for ever."""

    key: str
    name: str
    collection: str
    base: str
    parameters: DatasetParameters
    inputs: tuple[DatasetInput, ...]
    version: int = Field(1, description="Its number among the datasets of this name.")
    created_at: str

    @property
    def licence_told(self) -> str:
        return self.parameters.licence or "not stated"


class WishHead(Contract):
    """A dataset's wish without its inputs, of which it tells the number."""

    key: str
    name: str
    collection: str
    base: str
    parameters: DatasetParameters
    version: int = 1
    documents: int
    created_at: str


class Example(Contract):
    """One instruction example and the chunk it came from."""

    id: str
    instruction: str
    input: str
    output: str
    recipe: str
    chunk: str
    document: str
    filename: str
    spans: tuple[Span, ...] = ()
    tokens: int = Field(0, description="Of prompt, answer and EOS, by the base model's tokenizer.")
    replayed_from: str = Field("", description="The earlier dataset that it was drawn from, where it was.")


class DatasetResult(Contract):
    """What dataset assembly made: `train.jsonl`, `heldout.jsonl`, both as Parquet, `chunks.jsonl`, `duplicates.jsonl` and
    the card, `README.md`."""

    digest: str
    documents: int
    chunks: int
    train: int
    heldout: int
    heldout_documents: int
    split: Literal["document", "page", "chunk"] = Field(
        description="What is never on both sides. page: there is one document; chunk: its pages are too few to part by."
    )
    replayed: int = Field(0, description="Training examples drawn from earlier datasets.")
    recipes: dict[str, int] = {}
    duplicates: dict[str, int] = Field({}, description="Chunks left out, since a kept one says the same: exact, near.")
    skipped: dict[str, int] = {}
    lengths: tuple[LengthBin, ...] = Field((), description="Tokens of the examples.")


class Parent(Contract):
    """The model that a run starts from. `run` is the key of the run that made it."""

    model: str
    run: str
    adapter_digest: str


class RewardSource(Contract):
    """The reward model that scores a run's answers. `run` is the key of the run that made it."""

    name: str
    run: str
    adapter_digest: str


class RunWish(Contract):
    """A run asked for: the key of its training stage names it."""

    key: str
    name: str
    dataset: str
    recipe: TrainingRecipe
    base_digest: str
    parent: Parent | None = Field(None, description="The tuned model that it starts from; none: the base with a fresh adapter.")
    preferences: str | None = Field(None, description="Id of the preference set, where the recipe aligns with one.")
    reward: RewardSource | None = Field(None, description="The reward model, where the recipe's rewards name one.")
    created_at: str


class LossPoint(Contract):
    """One point of the training curve."""

    step: int
    epoch: float
    loss: float
    learning_rate: float
    tokens: int
    seconds: float
    memory_bytes: int = Field(0, description="The most that the worker held so far.")
    heldout_loss: float | None = Field(None, description="Where the recipe asked for it at this step.")
    metrics: dict[str, float] = Field({}, description="What else a method of alignment measures: reward, kl, …")


class Aligned(Contract):
    """What alignment reached, on pairs that it did not learn from: by the rewards that the method implies, or that a reward
    model gives."""

    method: str
    pairs: int
    heldout_pairs: int = Field(0, description="Measured at the end; 0 where the set holds none out.")
    heldout_accuracy: float | None = Field(None, description="Share whose preferred answer has the higher reward.")
    heldout_margin: float | None = None
    reward_mean: float | None = Field(None, description="Of a reward model: mean of its rewards for the held-out answers.")
    reward_deviation: float | None = Field(None, description="Their standard deviation: runs that it scores count in these.")


class Reinforced(Contract):
    """What a run reached that learned from rewards: means over its first and its last steps (8 of each, or as many as there
    are)."""

    method: str = "ppo"

    first_reward: float
    last_reward: float
    divergence: float = Field(description="KL to the reference at the end, in nats an answer.")
    entropy: float = Field(description="Of a token at the end, in nats.")
    kl_coefficient: float = Field(description="What a nat cost at the last step.")
    warned_at: tuple[int, ...] = Field((), description="Steps at which the reward rose while divergence ran away.")


class TrainingResult(Contract):
    """What training made: `adapter/` (safetensors) and `curve.jsonl`."""

    steps: int
    tokens: int
    seconds: float
    tokens_per_second: float
    first_loss: float
    last_loss: float
    trainable_parameters: int
    total_parameters: int
    precision: str
    device: str
    peak_memory_bytes: int
    attention: str = Field("", description="How attention was computed; not as wished where that could not be.")
    packing: str = ""
    adapter_digest: str
    resumed_from_step: int = 0
    choice: CheckpointChoice | None = Field(None, description="Where it was not simply the last checkpoint: which, and why.")
    replayed: dict[str, int] = Field({}, description="Examples drawn from earlier datasets beside the run's own, by dataset.")
    alignment: Aligned | None = None
    ppo: Reinforced | None = None
    groups: Reinforced | None = Field(None, description="As ppo, of a run by GRPO or RLOO.")


class Score(Contract):
    """Mean negative log-likelihood a response token, in nats, over the held-out examples, and its exponential."""

    loss: float
    perplexity: float
    tokens: int
    examples: int


class EvaluationParameters(Contract):
    """What is measured of a tuned model, on each held-out set."""

    max_examples: int = Field(64, ge=1, description="Examples of a set scored, drawn by seed.")
    answers: int = Field(4, ge=0, description="Of these, so many are asked, and the answers compared. 0: none.")
    answer_tokens: int = Field(48, ge=1, description="Where an answer is cut off. Examples with longer ones are not asked.")
    seed: int = 17


class Measured(Contract):
    """A figure and its 95 % confidence interval, by bootstrap over examples."""

    value: float
    low: float
    high: float


class SetScore(Contract):
    """One model on one held-out set: loss in nats a token, its exponential, and its greedy answers where it was asked."""

    loss: Measured
    perplexity: Measured
    f1: Measured | None = Field(None, description="Token F1 of its answers with the right ones, 0 to 1.")
    stops: Measured | None = Field(None, description="Share of its answers that end by themselves.")
    tokens: int
    examples: int
    answers: int = 0


class HalfEvaluation(Contract):
    """Both models on the half of a held-out set that never chooses a checkpoint."""

    digest: str
    base: SetScore
    tuned: SetScore


class SetEvaluation(Contract):
    """The base and the tuned model on one held-out set; where half of it chose the model's checkpoint, on the other half."""

    set: str = Field(description="Id of the dataset that holds it out, or `probes`: general questions that come with Lectern.")
    name: str
    digest: str = Field(description="Over the examples drawn: only scores on the same ones are compared.")
    base: SetScore
    tuned: SetScore
    half: HalfEvaluation | None = Field(
        None, description="For comparison with models that are measured on this half alone. None of what is a half itself."
    )


class EvaluationResult(Contract):
    """The base and the tuned model on the same held-out examples, in the precision they are served in. `base` and `tuned`
    are of the dataset's own held-out set, which is the first of `sets`."""

    base: Score
    tuned: Score
    sets: tuple[SetEvaluation, ...] = Field((), description="Empty of what was measured before there were intervals.")


class Model(Contract):
    """A version of a model: an adapter, the base it goes on, the run it came from, and how it scored."""

    id: str
    name: str
    run: str
    dataset: str
    base: str
    adapter_key: str
    adapter_digest: str
    template: str
    parent: str | None = Field(None, description="Id of the model that its run started from; none: the base.")
    evaluation: EvaluationResult
    created_at: str


class Served(Contract):
    """What is served, to all who ask for a deployment or to some."""

    model: str | None = Field(description="None: the base model alone.")
    base: str
    variant: ServedVariant = "adapter"
    export: str | None = Field(None, description="Key of the export that is served, of any variant but the adapter.")
    speculation: Speculation | None = None
    engine_arguments: EngineArguments = EngineArguments()
    replicas: int = Field(1, ge=1, le=MAX_REPLICAS, description="Engines that answer for it, all alike.")

    @property
    def served(self) -> dict[str, Any]:
        """These fields alone."""
        return {name: getattr(self, name) for name in Served.model_fields if name not in Contract.model_fields}

    def answers_as(self, other: "Served") -> bool:
        """Whether the very same is served, by however many replicas."""
        return {**self.served, "replicas": 0} == {**other.served, "replicas": 0}


class Canary(Served):
    """What is served to a share of those who ask for a deployment, beside what is served to the others."""

    percent: int = Field(ge=1, le=99, description="So many requests in a hundred.")


class DeploymentWish(Served):
    """What should be served under a name; the latest of the series counts."""

    name: str
    state: Literal["running", "stopped"] = "running"
    context_tokens: int = Field(2_048, ge=256)
    canary: Canary | None = None
    wished_at: str

    @model_validator(mode="after")
    def _an_export_is_of_a_model(self) -> "DeploymentWish":
        if (self.variant == "adapter") != (self.export is None):
            raise ValueError("an export's key goes with its variant, and the adapter has none")
        if self.export is not None and self.model is None:
            raise ValueError("a base alone has no exports")
        return self

    def same_as(self, other: "DeploymentWish") -> bool:
        """Whether two wishes differ in nothing but their time."""
        return self.model_copy(update={"wished_at": other.wished_at}) == other

    @property
    def models(self) -> tuple[str, ...]:
        """Tuned models that it serves: its own, and its canary's."""
        return tuple(one.model for one in (self, self.canary) if one is not None and one.model is not None)

    @property
    def alone(self) -> "DeploymentWish":
        """Without its canary."""
        return self.model_copy(update={"canary": None})

    @property
    def of_canary(self) -> "DeploymentWish | None":
        """The wish that its canary comes to, in the deployment's place."""
        if self.canary is None:
            return None
        return self.alone.model_copy(update=self.canary.served)

    @property
    def finished(self) -> "DeploymentWish | None":
        """The wish that all who ask get its canary, from no fewer replicas than they had."""
        canary = self.of_canary
        return canary and canary.model_copy(update={"replicas": max(self.replicas, canary.replicas)})


class BaseModelManifest(Contract):
    """A base model published to the object store: the files under `bases/<name>/` and a digest over them."""

    name: str
    digest: str
    files: dict[str, str]
    source: str
    licence: str
    architecture: str
    eos_token: str
