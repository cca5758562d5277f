"""The recipe of a run: how a base model is tuned, in one file that a person writes and a program checks."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from shared.contracts.alignment import DPO, GRPO, RLOO, Alignment, RewardModel
from shared.contracts.base import Contract
from shared.contracts.checkpoints import ChoiceWish
from shared.contracts.ppo import PPO, ModelRule

ModuleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.]{0,99}$")]
Packing = Literal["none", "batch", "full"]
Attention = Literal["eager", "sdpa", "flash_attention_2", "lectern_triton"]
Optimizer = Literal["adamw_8bit", "paged_adamw_8bit", "adamw_torch", "lion_8bit", "adafactor", "sgd"]


HIGHEST_RANK = 256
"""Of an adapter that engines are started for."""


class Continual(Contract):
    """How a run that starts from a tuned model keeps what that model knows."""

    replay_share: float = Field(
        0.2,
        ge=0,
        lt=1,
        description="Share of the training examples that are drawn from the datasets which the model and those before it "
        "were trained on, as far as there are so many. 0: none.",
    )
    replay: Literal["reservoir", "quality"] = Field(
        "reservoir",
        description="How they are drawn. reservoir: each as likely as another; quality: the likelier the less its text "
        "looked like garbage.",
    )
    ewc: float = Field(
        100.0,
        ge=0,
        description="Lambda of elastic weight consolidation: how dear it is to move weights that mattered for earlier data. In "
        "theory 1 makes a token of them count as one of the new; what was measured (docs/training.md) took 100. 0: none.",
    )
    fisher_examples: int = Field(64, ge=1, description="Earlier examples that tell which weights mattered.")
    averaging: Literal["none", "last", "swa", "ema"] = Field(
        "last",
        description="last: the last averaged_checkpoints checkpoints, by what they add to the base; swa: every step of the "
        "second half; ema: every step, the later the more.",
    )
    averaged_checkpoints: int = Field(3, ge=2, le=16, description="How many checkpoints averaging: last is over, at most.")
    averaged_rank: Literal["same", "sum"] = Field(
        "same",
        description="sum: the exact average, whose rank is lora_r times the checkpoints; same: the nearest adapter of rank "
        "lora_r, from which another run can start; what is lost is recorded.",
    )
    ema_decay: float = Field(0.95, gt=0, lt=1, description="What averaging: ema leaves of the mean at each step.")
    choose: ChoiceWish = Field(
        "evaluated",
        description="The weights that the run ends with. evaluated: of the last checkpoint, the one with the lowest loss on "
        "the new data and the average, that with the lowest loss on new and old held-out examples; or one of them by name.",
    )
    choice_examples: int = Field(32, ge=1, description="Examples of each held-out set that choose. They are not reported on.")

    @property
    def widening(self) -> int:
        """How many times lora_r the rank of what the run ends with can be."""
        sums = self.averaging == "last" and self.averaged_rank == "sum" and self.choose in ("evaluated", "averaged")
        return self.averaged_checkpoints if sums else 1

    @model_validator(mode="after")
    def _averages_what_it_chooses(self) -> Self:
        if self.choose == "averaged" and self.averaging == "none":
            raise ValueError("choose: averaged needs an averaging: last, swa or ema")
        return self


class TrainingRecipe(Contract):
    """How a base model is tuned. Every field has a default that works, so an empty file is a recipe."""

    KEYED_ONCE_SET: ClassVar[frozenset[str]] = frozenset({"continual", "alignment", "ppo", "sharding"})

    base: str = Field("smollm2-135m-instruct", description="Base model: the bundled one, or any that was published.")

    quantization: Literal["nf4", "none"] = Field(
        "nf4",
        description="How the frozen base is held. nf4: 4-bit NormalFloat in blocks of 64 (QLoRA, Dettmers et al. 2023); "
        "none: in the precision of the run.",
    )
    double_quantization: bool = Field(
        True,
        description="Hold the blocks' scales in 8 bits too: 0.127 bits a weight instead of 0.5. Of no meaning without nf4.",
    )
    lora_r: int = Field(16, ge=1, le=HIGHEST_RANK, description="Rank of the adapter: how many directions a layer may learn.")
    lora_alpha: int = Field(32, ge=1, description="The adapter's output is scaled by lora_alpha / lora_r.")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="Share of an adapter's inputs dropped at random in training.")
    lora_targets: Literal["auto", "all-linear"] | tuple[ModuleName, ...] = Field(
        "auto",
        min_length=1,
        description="Layers that get an adapter. auto: those that the table of architectures names for the base; "
        "all-linear: every linear layer but the head; or a list of module names.",
    )

    precision: Literal["auto", "bf16", "fp16", "fp32"] = Field(
        "auto",
        description="What is computed in. auto: bf16 where the hardware has it, else fp16 with scaling on a GPU, else fp32.",
    )
    attention: Attention | Literal["auto"] = Field(
        "auto",
        description="How attention is computed. auto: flash_attention_2 where it is installed and runs, else sdpa. "
        "lectern_triton: the kernel of this repository, on a GPU; without one, sdpa, and the log says so.",
    )
    gradient_checkpointing: bool = Field(
        False,
        description="Keep only the input of each layer and compute the rest again on the way back: less memory, slower.",
    )

    optimizer: Optimizer = Field(
        "adamw_8bit",
        description="adamw_8bit and lion_8bit hold their state in 8 bits, adamw_torch in 32; paged_adamw_8bit moves it to the "
        "machine's memory when a GPU is full; adafactor keeps sums of rows and columns; sgd has none.",
    )
    learning_rate: float = Field(3e-4, gt=0, description="The highest rate, reached at the end of warm-up.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        "cosine", description="How the rate falls after warm-up: to zero at the end, or not at all."
    )
    warmup_ratio: float = Field(0.1, ge=0, lt=1, description="Share of the steps over which the rate rises from zero.")
    warmup_steps: int | None = Field(None, ge=0, description="Steps of warm-up, instead of warmup_ratio.")
    weight_decay: float = Field(0.0, ge=0, description="Decoupled weight decay of the adapter.")
    max_gradient_norm: float = Field(1.0, gt=0, description="Gradients longer than this are shortened to it.")

    epochs: float = Field(1.0, gt=0, description="Passes over the dataset.")
    max_steps: int | None = Field(None, ge=1, description="Stop after so many optimizer steps, whatever epochs says.")
    batch_size: int = Field(4, ge=1, description="Examples (with packing full: sequences) a forward pass.")
    gradient_accumulation: int = Field(2, ge=1, description="Forward passes an optimizer step.")
    max_tokens: int = Field(
        384,
        ge=32,
        description="Longer examples are refused before training starts; with packing full, the length of a sequence.",
    )
    packing: Packing | Literal["auto"] = Field(
        "auto",
        description="none: examples are padded to the longest of their batch. batch: a batch lies end to end in one row, with "
        "nothing padded, in the same steps. full: examples fill sequences of max_tokens first, so steps are fewer and larger. "
        "No example ever sees another. auto: batch; none for models with recurrent layers, whose state would pass on.",
    )
    loss: Literal["response", "all"] = Field(
        "response", description="Which tokens are learned: the answer with its EOS, or the prompt as well."
    )

    evaluation_steps: int | None = Field(
        None, ge=1, description="Measure the held-out loss every so many steps of training (null: only when it is over)."
    )
    evaluation_examples: int = Field(16, ge=1, description="Held-out examples that evaluation_steps measures on.")
    checkpoint_steps: int = Field(20, ge=1, description="A checkpoint every so many steps; a killed run resumes from the last.")
    workers: int = Field(1, ge=1, description="Ray Train workers that share every step.")
    sharding: Literal["none", "full"] = Field(
        "none",
        description="full: each worker keeps its part of the frozen base's weights, and the whole of a layer only while it "
        "computes (FSDP2); none: each keeps the whole base. The curve is the same.",
    )
    seed: int = Field(17, description="Decides the adapter's first weights and the order of the examples.")

    continual: Continual | None = Field(
        None,
        description="How a run that starts from a tuned model keeps what that model knows. Left out where it does start from "
        "one: the section's defaults; where it does not, replay and ewc have nothing to keep, and the rest holds all the same.",
    )

    alignment: Alignment | None = Field(
        None,
        description="dpo, reward: learn from preferences, which the run names beside its dataset; batch_size then counts "
        "pairs. grpo, rloo: learn from rewards of sampled answers; batch_size then counts answers. Left out: learn from the "
        "dataset's examples.",
    )

    ppo: PPO | None = Field(
        None,
        description="Learn from rewards: the model answers the dataset's prompts, and rules score its answers. A step asks "
        "batch_size * gradient_accumulation prompts. Left out: learn from the dataset's examples.",
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse what contradicts itself, before anything is known of base or machine."""
        if self.warmup_steps is not None and self.max_steps is not None and self.warmup_steps >= self.max_steps:
            raise ValueError("warmup_steps must be below max_steps, or the rate never reaches learning_rate")
        if self.attention == "flash_attention_2" and self.precision == "fp32":
            raise ValueError("flash_attention_2 computes in bf16 or fp16 alone: set precision to auto, or attention to sdpa")
        if self.ppo is not None and (self.alignment is not None or self.continual is not None):
            raise ValueError("ppo learns from rewards alone: leave out alignment and continual")
        if self.alignment is not None and self.continual is not None:
            raise ValueError(
                "alignment keeps to its reference by what leaving it costs, and replays nothing: leave out either continual or "
                "alignment"
            )
        if self.paired is not None:
            self._alignable()
        if self.rewarded is not None:
            self._reinforceable("ppo" if self.ppo else "alignment")
        if self.grouped is not None:
            self._groupable(self.grouped)
        if refused := self.unshardable:
            raise ValueError(refused)
        if self.continual is not None and self.lora_r * self.continual.widening > HIGHEST_RANK:
            raise ValueError(
                f"averaged_rank: sum would make an adapter of a rank above {HIGHEST_RANK}, which no engine takes: lower lora_r "
                "or averaged_checkpoints, or set averaged_rank to same"
            )
        return self

    @property
    def paired(self) -> DPO | RewardModel | None:
        """What learns from pairs of answers, where something does."""
        return self.alignment if isinstance(self.alignment, DPO | RewardModel) else None

    @property
    def grouped(self) -> GRPO | RLOO | None:
        """What learns from rewards by groups of answers, where something does."""
        return self.alignment if isinstance(self.alignment, GRPO | RLOO) else None

    @property
    def rewarded(self) -> PPO | GRPO | RLOO | None:
        """What learns from rewards of sampled answers, where something does."""
        return self.ppo or self.grouped

    @property
    def scores(self) -> bool:
        """Whether what is made gives rewards, and no answers."""
        return isinstance(self.alignment, RewardModel)

    @property
    def reward_model(self) -> str | None:
        """The reward model that scores the run's answers, where it names one."""
        rules = self.rewarded.rewards if self.rewarded is not None else ()
        return next((one.model for one in rules if isinstance(one, ModelRule)), None)

    @property
    def unshardable(self) -> str | None:
        """Why the base cannot be sharded, where that is wished for. All workers compute together then, or none can."""
        if self.sharding == "none":
            return None
        if self.workers == 1:
            return "sharding: full shares the base out among workers: set workers to 2 or more, or sharding to none"
        if self.alignment is not None or self.ppo is not None:
            return "alignment and ppo compare with a reference on one worker: set sharding to none, or leave the section out"
        if self.continual is not None and (self.continual.ewc or self.continual.choose != "last"):
            return (
                "ewc and the choice among checkpoints compute on one worker's own: set sharding to none, or continual.ewc to 0 "
                "and continual.choose to last"
            )
        return None

    def _alignable(self) -> None:
        """Raises ValueError for what has no meaning where pairs are compared."""
        if self.packing not in ("auto", "none"):
            raise ValueError("pairs of answers are not packed: set packing to auto or none, or leave alignment out")
        if self.loss != "response":
            raise ValueError("alignment compares answers, not prompts: set loss to response, or leave alignment out")

    def _reinforceable(self, section: str) -> None:
        """Raises ValueError for what has no meaning where answers are sampled and rewarded."""
        called = "ppo" if self.alignment is None else self.alignment.method
        if self.packing not in ("auto", "none"):
            raise ValueError(f"sampled answers are not packed: set packing to auto or none, or leave {section} out")
        if self.loss != "response":
            raise ValueError(f"{called} learns of answers, not of prompts: set loss to response, or leave {section} out")
        if self.lora_dropout:
            raise ValueError(
                f"{called} compares a model with itself, which dropout changes: set lora_dropout to 0, or leave {section} out"
            )
        if self.workers > 1:
            raise ValueError(f"{called} runs on one worker: set workers to 1, or leave {section} out")
        if self.precision == "fp16":
            raise ValueError(
                f"{called} computes in bf16 or fp32: set precision to auto or one of these, or leave {section} out"
            )

    def _groupable(self, wish: GRPO | RLOO) -> None:
        """Raises ValueError where answers make no whole groups, or a checkpoint would part the steps that share them."""
        answers = self.batch_size * self.gradient_accumulation
        if answers % wish.generations:
            raise ValueError(
                f"a step has {answers} answers (batch_size * gradient_accumulation), which make no whole groups of "
                f"{wish.generations}: set generations to a divisor of it"
            )
        if self.checkpoint_steps % wish.passes:
            raise ValueError(
                f"checkpoint_steps must be a multiple of passes ({wish.passes}): steps that share answers stay together"
            )
