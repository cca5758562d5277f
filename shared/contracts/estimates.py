"""What a run would cost, told before it starts."""

from pydantic import Field

from shared.contracts.base import Contract
from shared.contracts.recipes import TrainingRecipe


class Lengths(Contract):
    """How long a dataset's examples are, in tokens. `longest` holds the longest ones, longest first, with their labels."""

    examples: int = Field(ge=1)
    mean: float = Field(gt=0)
    longest: tuple[tuple[int, int], ...] = Field(min_length=1, description="(tokens, tokens that are learned) of the longest.")


class MemoryParts(Contract):
    """Bytes on the device, by what they are for."""

    weights: int
    quantization_constants: int = Field(description="Scales of NF4's blocks, and the scales of these.")
    adapters: int = Field(description="Master weights of the adapter, in fp32; and what a recipe's continual keeps of them.")
    gradients: int
    optimizer_states: int
    activations: int = Field(description="What the forward pass keeps for the way back, at the largest batch.")
    logits: int = Field(description="Scores over the vocabulary, their softmax and its gradient, where something is learned.")
    runtime: int = Field(description="The libraries themselves: on a CPU the process, on a GPU its context and workspace.")

    @property
    def total(self) -> int:
        return sum(value for name, value in self if name != "schema_version")


class Fit(Contract):
    """Whether a run fits a device."""

    device: str
    memory_bytes: int
    fits: bool
    share: float = Field(description="Of the device's memory.")


class Estimate(Contract):
    """What a recipe would cost on a base: memory by part, time, and the devices that it fits."""

    base: str
    total_parameters: int
    trainable_parameters: int
    batch_tokens: int = Field(description="Tokens of the largest forward pass.")
    steps: int | None = Field(None, description="None where nothing to learn from was named.")
    memory: MemoryParts
    total_bytes: int
    fits: tuple[Fit, ...]
    seconds: float | None = Field(None, description="None where nothing is known of the device's speed.")
    seconds_basis: str = Field(description="What the time was reckoned from.")


class EstimateRequest(Contract):
    """A run whose cost is asked for."""

    recipe: TrainingRecipe = Field(TrainingRecipe(), description="A base that is left out is the dataset's own.")
    dataset: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="Id of a dataset that is done; without one, every example has max_tokens."
    )
    parent: str | None = Field(
        None, pattern=r"^[A-Za-z0-9._-]{1,200}$", description="The tuned model that the run would start from, as of a run."
    )
    preferences: str | None = Field(
        None, pattern="^[0-9a-f]{16}$", description="Id of the preference set, for a run that learns from one: how many pairs."
    )
    device_memory_bytes: int | None = Field(
        None, ge=1 << 28, description="Memory of the device to fit; left out: 24, 48 and 80 GB, and where the gateway runs."
    )
