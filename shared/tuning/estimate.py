"""The cost of a run put together: memory, steps, time, and the devices that it fits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from shared.contracts.estimates import Estimate, Fit, Lengths
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Unsupported
from shared.tuning.architectures import packing_of
from shared.tuning.memory import adapter_parameters, memory, shape_of

GIGABYTE = 1_000_000_000
CARDS = (("24 GB GPU", 24 * GIGABYTE), ("48 GB GPU", 48 * GIGABYTE), ("80 GB GPU", 80 * GIGABYTE))

CODELLAMA_34B: Mapping[str, Any] = {
    "model_type": "llama", "hidden_size": 8192, "intermediate_size": 22016, "num_hidden_layers": 48, "num_attention_heads": 64,
    "num_key_value_heads": 8, "vocab_size": 32000, "max_position_embeddings": 16384, "tie_word_embeddings": False,
}  # fmt: skip
"""Of Rozière et al. 2023, as its config.json has it: the base that a large machine is asked about most."""
KNOWN = {"codellama-34b": CODELLAMA_34B}

PEAK_FLOPS = {"H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12, "A10": 125e12, "4090": 165e12}
"""Dense bf16, from the makers' data sheets."""
UTILIZATION = 0.35
"""Of the peak, as well-run training commonly reaches; said in the answer."""


def estimate(
    recipe: TrainingRecipe,
    config: Mapping[str, Any],
    lengths: Lengths | None = None,
    devices: Sequence[tuple[str, int]] = CARDS,
    *,
    device: str = "cuda",
    precision: str = "bf16",
    tokens_per_second: float | None = None,
    gpu: str | None = None,
    pairs: int | None = None,
) -> Estimate:
    """`tokens_per_second` is that of an earlier run on this base, where there was one; `gpu` a card's name; `pairs` how many a
    run learns from that learns from pairs."""
    if recipe.ppo is not None:
        raise Unsupported("There is no estimate for runs by PPO yet. Run a few steps with max_steps to see what they take.")
    parts, tokens = memory(recipe, config, lengths, device, precision)
    shape = shape_of(config)
    steps, seen = _steps(recipe, packing_of(recipe, config), lengths)
    speed, basis = _speed(recipe, shape.parameters, tokens_per_second, gpu)
    if recipe.grouped is not None:
        basis = "how long answers are, and so how long it takes to write them, is not known beforehand"
    if recipe.paired is not None:
        steps, seen = recipe.max_steps if pairs is None else _steps_of(recipe, pairs), 0.0
        basis = "how long the answers of the pairs are is not known beforehand"
    total = parts.total
    return Estimate(
        base=recipe.base, total_parameters=shape.parameters, trainable_parameters=adapter_parameters(recipe, shape),
        batch_tokens=tokens, steps=steps, memory=parts, total_bytes=total,
        fits=tuple(
            Fit(device=name, memory_bytes=size, fits=total <= size, share=round(total / size, 4)) for name, size in devices
        ),
        seconds=round(seen / speed, 1) if seen and speed else None, seconds_basis=basis,
    )  # fmt: skip


def _steps(recipe: TrainingRecipe, packing: str, lengths: Lengths | None) -> tuple[int | None, float]:
    """Optimizer steps, and tokens that they see."""
    if lengths is None:
        return recipe.max_steps, 0.0
    rows = float(lengths.examples)
    mean = lengths.mean
    if packing == "full":
        rows = max(1.0, math.ceil(lengths.examples * lengths.mean / recipe.max_tokens))
        mean = lengths.examples * lengths.mean / rows
    steps = _steps_of(recipe, rows)
    return steps, 0.0 if recipe.grouped else steps / _per_epoch(recipe, rows) * rows * mean


def _steps_of(recipe: TrainingRecipe, rows: float) -> int:
    return recipe.max_steps or max(1, math.ceil(recipe.epochs * _per_epoch(recipe, rows)))


def _per_epoch(recipe: TrainingRecipe, rows: float) -> int:
    grouped = recipe.grouped
    passes = math.ceil(rows * (grouped.generations if grouped else 1) / (recipe.batch_size * recipe.workers))
    return math.ceil(passes / recipe.gradient_accumulation) * (grouped.passes if grouped else 1)


def _speed(recipe: TrainingRecipe, parameters: int, measured: float | None, gpu: str | None) -> tuple[float | None, str]:
    if measured:
        return measured, f"{measured:.0f} tokens/s of the latest run on this base"
    peak = next((flops for name, flops in PEAK_FLOPS.items() if gpu and name in gpu), None)
    if peak is None:
        return None, "no earlier run on this base, and no GPU whose speed is known"
    # Forward and back through frozen weights, which get no gradient; checkpointing goes forward twice (Kaplan et al. 2020).
    operations = (6 if recipe.gradient_checkpointing else 4) * parameters
    return (
        peak * UTILIZATION / operations,
        f"{UTILIZATION:.0%} of the peak speed of a {gpu}, {operations / parameters:.0f} FLOPs a weight and token",
    )
