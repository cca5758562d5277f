"""What a child process is told to do, and what it answers: JSON files beside its log."""

from pathlib import Path

from services.training.stages.export_card import About
from shared.contracts.base import Contract
from shared.contracts.exports import ExportParameters
from shared.contracts.learning import EvaluationParameters
from shared.contracts.recipes import TrainingRecipe


class Earlier(Contract):
    """A dataset that the model was trained on from which the run starts: what can be replayed of it, and what must not be;
    with its chunks where their quality decides."""

    dataset: str
    train: Path
    heldout: Path
    chunks: Path | None = None


class HeldOut(Contract):
    """A held-out set: the dataset it is of, its name, and the file of its examples."""

    set: str
    name: str
    examples: Path


class Judge(Contract):
    """A reward model: its adapter's files, and where its rewards lie."""

    weights: Path
    config: Path
    mean: float
    deviation: float


class TrainingSpec(Contract):
    """One training job. `work` is the child's own directory; only what it leaves in `out` is published. `begins_from` holds
    the weights (safetensors) of the adapter that training takes up, where it does not begin with a fresh one; `earlier` what
    that adapter was trained on; `sets`, where the recipe keeps what was learnt before, every held-out set, the dataset's own
    first; `pairs` and `heldout_pairs` preferences, where the recipe aligns with some; `judge` the reward model, where
    one scores what is said."""

    run: str
    base_name: str
    base: Path
    examples: Path
    heldout: Path
    template: str
    recipe: TrainingRecipe
    begins_from: Path | None = None
    earlier: tuple[Earlier, ...] = ()
    sets: tuple[HeldOut, ...] = ()
    pairs: Path | None = None
    heldout_pairs: Path | None = None
    judge: Judge | None = None
    out: Path
    work: Path
    parent: int | None = None


class EvaluationSpec(Contract):
    """One evaluation: the base with and without the adapter on each held-out set, the dataset's own first. `chosen`: half of
    each chose among checkpoints already, so that the other half is what reports."""

    base: Path
    adapter: Path
    sets: tuple[HeldOut, ...]
    template: str
    parameters: EvaluationParameters
    chosen: bool = False
    out: Path
    work: Path
    parent: int | None = None


class ExportSpec(Contract):
    """One export. `train` calibrates, where the variant is calibrated, and `compressor` is llm-compressor's interpreter."""

    about: About
    base: Path
    adapter: Path
    heldout: Path
    train: Path
    template: str
    parameters: ExportParameters
    compressor: Path | None
    out: Path
    work: Path
    parent: int | None = None


ADAPTER_WEIGHTS = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"
RESULT = "result.json"
REFUSAL = "refusal.json"
LIVE_CURVE = "live-curve.jsonl"
PROGRESS = "progress.json"
PLAN = "plan.json"

REFUSED = 3
"""Exit status of a child that refuses its input: the reason is in REFUSAL."""


class Planned(Contract):
    """How many optimizer steps the run has, which with packing only its examples tell."""

    total: int


class Exported(Contract):
    """What an export is at, and how many examples it was compared on."""

    phase: str
    done: int
    total: int


class Scored(Contract):
    """How many of the held-out examples are scored so far."""

    done: int
    total: int
