"""What a run takes of a device's memory and how long it takes, from the base's config.json: no model is loaded.

The activations are those that autograd keeps of a Llama block whose base is frozen: inputs of the adapted layers, not of the
others; both norms' inputs in fp32; queries, keys, values and outputs of attention; four products of the feed-forward. Attention
written out (eager) keeps its weights besides, in fp32 and in the run's precision: for each head, the square of a row's tokens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.contracts.estimates import Lengths, MemoryParts
from shared.contracts.recipes import TrainingRecipe
from shared.errors import Unsupported
from shared.tuning.architectures import architecture_of, packing_of

NF4_BLOCK, SCALE_BLOCK, OPTIMIZER_BLOCK = 64, 256, 256
SMALL_TENSOR = 4_096
"""bitsandbytes keeps the state of smaller tensors in fp32."""
RUNTIME = {"cpu": 1_080_000_000, "cuda": 700_000_000}
"""On a CPU: the peak of a run on two short examples less its other parts, as measured here; on a GPU: a CUDA context (649 MB on
an H200, before cuBLAS had its workspace)."""
ANSWER_SHARE = 0.25
"""Of an example's tokens, learned where no dataset says how many are."""
GROUPED = {"q_proj", "k_proj", "v_proj", "qkv_proj"}, {"gate_proj", "up_proj", "gate_up_proj"}
"""Layers that share their input, which is kept once for all of them."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A Llama-like base: widths of its parts, and the linear layers of a block by name → (in, out)."""

    hidden: int
    layers: int
    vocabulary: int
    tied: bool
    heads: int
    queries: int
    keys: int
    intermediate: int
    linear: dict[str, tuple[int, int]]

    @property
    def linear_parameters(self) -> int:
        return self.layers * sum(inside * outside for inside, outside in self.linear.values())

    @property
    def other_parameters(self) -> int:
        """Embeddings, head and norms: never quantized."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + (2 * self.layers + 1) * self.hidden

    @property
    def parameters(self) -> int:
        return self.linear_parameters + self.other_parameters


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape that a config.json describes. Raises Unsupported for other than Llama-like models."""
    known = architecture_of(config)
    if known is None or known.family != "llama":
        raise Unsupported(
            f"There is no estimate for {config.get('model_type', 'nameless')} models yet, only for Llama-like ones. "
            "Run a few steps with max_steps to see what they take."
        )
    hidden, heads = int(config["hidden_size"]), int(config["num_attention_heads"])
    width = int(config.get("head_dim") or hidden // heads)
    queries, keys = heads * width, int(config.get("num_key_value_heads") or heads) * width
    inner = int(config["intermediate_size"])
    if known.targets[0] == "qkv_proj":
        linear = {"qkv_proj": (hidden, queries + 2 * keys), "gate_up_proj": (hidden, 2 * inner)}
    else:
        linear = {"q_proj": (hidden, queries), "k_proj": (hidden, keys), "v_proj": (hidden, keys)}
        linear |= {"gate_proj": (hidden, inner), "up_proj": (hidden, inner)}
    linear |= {"o_proj": (queries, hidden), "down_proj": (inner, hidden)}
    return Shape(
        hidden=hidden, layers=int(config["num_hidden_layers"]), vocabulary=int(config["vocab_size"]),
        tied=bool(config.get("tie_word_embeddings", False)), heads=heads, queries=queries, keys=keys,
        intermediate=inner, linear=linear,
    )  # fmt: skip


def adapted(recipe: TrainingRecipe, shape: Shape) -> dict[str, tuple[int, int]]:
    """The layers of a block that get an adapter."""
    if isinstance(recipe.lora_targets, str):
        return shape.linear
    wanted = {name.rpartition(".")[2] for name in recipe.lora_targets}
    return {name: sizes for name, sizes in shape.linear.items() if name in wanted}


def adapter_parameters(recipe: TrainingRecipe, shape: Shape) -> int:
    return shape.layers * sum(recipe.lora_r * (inside + outside) for inside, outside in adapted(recipe, shape).values())


def memory(
    recipe: TrainingRecipe, config: Mapping[str, Any], lengths: Lengths | None, device: str, precision: str
) -> tuple[MemoryParts, int]:
    """Bytes by part at the largest forward pass, and the tokens of it."""
    shape = shape_of(config)
    number = 4 if precision == "fp32" else 2
    quantized = recipe.quantization == "nf4"
    packing = packing_of(recipe, config)
    tokens, learned = _largest_pass(recipe, packing, lengths)
    row = tokens // recipe.batch_size if packing == "none" else tokens
    trainable = adapter_parameters(recipe, shape)
    parts = MemoryParts(
        weights=_held(recipe, shape, quantized, number) + (_mapped(shape, quantized, number) if device == "cpu" else 0),
        quantization_constants=_constants(recipe, shape) if quantized else 0,
        adapters=4 * trainable * (1 + _copies(recipe, device)), gradients=4 * trainable,
        optimizer_states=optimizer_bytes(recipe, shape),
        activations=max(_activations(recipe, shape, tokens, row, number), _sampling(recipe, shape, number)),
        logits=_logits(shape, learned, number), runtime=RUNTIME[device],
    )  # fmt: skip
    return parts, tokens


def _copies(recipe: TrainingRecipe, device: str) -> int:
    """Copies of the adapter beside the one that learns: where it began and what mattered there, a running mean, and the
    checkpoints that may be chosen, which lie in the machine's memory whatever the device; a reference and a reward model."""
    wish = recipe.continual
    if recipe.grouped is not None:
        return 1 + (recipe.reward_model is not None)
    if wish is None:
        return 0
    mean = wish.choose in ("evaluated", "averaged") and wish.averaging in ("swa", "ema")
    checkpoints = 1 + (wish.averaged_checkpoints if wish.averaging == "last" else 1) if wish.choose != "last" else 0
    return 2 * (wish.ewc > 0) + mean + checkpoints * (device == "cpu")


def _weights(shape: Shape, quantized: bool, number: int) -> int:
    linear = shape.linear_parameters // 2 if quantized else shape.linear_parameters * number
    return linear + shape.other_parameters * number


def _held(recipe: TrainingRecipe, shape: Shape, quantized: bool, number: int) -> int:
    """What a worker holds of the weights. Where they are sharded: its part, and what is whole while it computes: embeddings,
    head and last norm, a layer, and the next on its way."""
    whole = _weights(shape, quantized, number)
    if recipe.sharding == "none":
        return whole
    outside = shape.other_parameters * number
    layer = (whole - outside) // shape.layers
    return math.ceil(whole / recipe.workers) + outside + 2 * layer


def _mapped(shape: Shape, quantized: bool, number: int) -> int:
    """Pages of the weights' file (bf16) that stay mapped on a CPU though what was in them lies elsewhere by now."""
    return 2 * shape.linear_parameters * (quantized or number == 4) + 2 * shape.other_parameters * (number == 4)


def _constants(recipe: TrainingRecipe, shape: Shape) -> int:
    blocks = [math.ceil(inside * outside / NF4_BLOCK) for inside, outside in shape.linear.values()]
    if not recipe.double_quantization:
        return shape.layers * sum(4 * count + 64 for count in blocks)
    # One byte a block, an fp32 scale for every 256 of these, two code tables and an offset a layer.
    return shape.layers * sum(count + 4 * math.ceil(count / SCALE_BLOCK) + 1024 + 64 + 4 for count in blocks)


def optimizer_bytes(recipe: TrainingRecipe, shape: Shape) -> int:
    tensors = [
        (recipe.lora_r, size) for inside, outside in adapted(recipe, shape).values() for size in (inside, outside)
    ]  # fmt: skip
    return shape.layers * sum(_state_bytes(recipe.optimizer, rows, columns) for rows, columns in tensors)


def _state_bytes(optimizer: str, rows: int, columns: int) -> int:
    count = rows * columns
    moments = {"adamw_8bit": 2, "paged_adamw_8bit": 2, "adamw_torch": 2, "lion_8bit": 1}.get(optimizer, 0)
    if optimizer == "adafactor":
        return 4 * (rows + columns)
    if moments == 0 or optimizer == "adamw_torch" or count < SMALL_TENSOR:
        return 4 * moments * count
    return moments * (count + 4 * math.ceil(count / OPTIMIZER_BLOCK))


def _largest_pass(recipe: TrainingRecipe, packing: str, lengths: Lengths | None) -> tuple[int, int]:
    """Tokens of the largest forward pass, and those of them that are projected to the vocabulary."""
    if recipe.paired is not None:  # both answers of every pair; words are foreseen by what learns them alone
        tokens = 2 * recipe.batch_size * recipe.max_tokens
        return tokens, 0 if recipe.scores else math.ceil(ANSWER_SHARE * tokens)
    if recipe.grouped is not None:  # answers at their longest, each after the longest prompt
        return recipe.batch_size * recipe.max_tokens, recipe.batch_size * min(recipe.grouped.answer_tokens, recipe.max_tokens)
    everything = recipe.loss == "all"
    if packing == "full" or lengths is None:
        tokens = recipe.batch_size * recipe.max_tokens
        share = (
            ANSWER_SHARE if lengths is None else sum(one[1] for one in lengths.longest) / sum(one[0] for one in lengths.longest)
        )
        return tokens, tokens if everything else math.ceil(share * tokens)
    longest = lengths.longest[: recipe.batch_size]
    if packing == "batch":
        return sum(one[0] for one in longest), sum(one[0] if everything else one[1] for one in longest)
    width = longest[0][0]
    # In a padded batch a column is projected for every row where any row learns there.
    first = 0 if everything else min(tokens - learned for tokens, learned in longest)
    return width * len(longest), (width - first) * len(longest)


def _sampling(recipe: TrainingRecipe, shape: Shape, number: int) -> int:
    """Keys and values of all answers of a step while they are written."""
    if recipe.grouped is None:
        return 0
    answers = recipe.batch_size * recipe.gradient_accumulation
    return 2 * answers * recipe.max_tokens * shape.layers * shape.keys * number


def _activations(recipe: TrainingRecipe, shape: Shape, tokens: int, row: int, number: int) -> int:
    """Of all tokens of a pass, which lie in rows of so many."""
    block = _block_bytes(recipe, shape, number)
    if recipe.attention == "eager":
        block += shape.heads * row * (6 if number == 2 else 4)
    if not recipe.gradient_checkpointing:
        return tokens * (shape.layers * block + 4 * shape.hidden)
    return tokens * (shape.layers * shape.hidden * number + block + 4 * shape.hidden)


def _block_bytes(recipe: TrainingRecipe, shape: Shape, number: int) -> int:
    """Bytes that one block keeps of one token."""
    names = adapted(recipe, shape)
    inputs = sum(shape.hidden for group in GROUPED if group & set(names))
    inputs += sum(shape.linear[name][0] for name in ("o_proj", "down_proj") if name in names)
    attention = 2 * shape.queries + 2 * shape.keys
    feed_forward = 3 * shape.intermediate
    return 8 * shape.hidden + number * (inputs + attention + feed_forward + recipe.lora_r * len(names))


def _logits(shape: Shape, learned: int, number: int) -> int:
    """At the beginning of the way back: log-probabilities and two gradients in fp32, one more in the run's precision."""
    return learned * shape.vocabulary * (12 if number == 2 else 16)
