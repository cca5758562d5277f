"""Which number format a machine should compute in."""

from dataclasses import dataclass
from typing import Literal

from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected

Precision = Literal["bf16", "fp16", "fp32"]


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the hardware computes fast: `bf16` means in hardware, not emulated."""

    device: Literal["cuda", "cpu"]
    bf16: bool


def choose_precision(recipe: TrainingRecipe, machine: Capabilities) -> Precision | Rejected:
    """auto: bf16 where the hardware has it, else fp16 on a GPU, else fp32; what learns from rewards compares probabilities, for
    which fp16 is too coarse. fp16 on a CPU is refused: it has no loss scaling there and overflows. So is an optimizer that
    needs a GPU."""
    if recipe.optimizer == "paged_adamw_8bit" and machine.device == "cpu":
        return Rejected(
            reason="optimizer-unsupported",
            detail="paged_adamw_8bit needs a GPU, whose memory it eases. Set the recipe's optimizer to adamw_8bit.",
        )
    if recipe.precision == "auto":
        return "bf16" if machine.bf16 else "fp16" if machine.device == "cuda" and recipe.rewarded is None else "fp32"
    if recipe.precision == "fp16" and machine.device == "cpu":
        return Rejected(
            reason="precision-unsupported",
            detail="fp16 needs a GPU. Set the recipe's precision to auto, bf16 or fp32.",
        )
    return recipe.precision
