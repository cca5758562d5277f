"""What cannot be trained, and what to set instead: from the recipe, the base's config.json and the dataset's figures."""

from collections.abc import Collection, Mapping
from typing import Any

from shared.contracts.learning import DatasetResult
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.tuning.architectures import architecture_of

_EXAMPLES = 'such as ["q_proj", "v_proj"]'


def refuse_recipe(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    """What a recipe asks of a base that cannot be: layers, packing, attention, length."""
    return (
        refuse_targets(recipe, config)
        or _refuse_packing(recipe, config)
        or _refuse_attention(recipe, config)
        or _refuse_scoring(recipe, config)
        or _refuse_groups(recipe, config)
        or _refuse_length(recipe, config)
        or _refuse_sharding(recipe, config)
    )


def refuse_dataset(recipe: TrainingRecipe, dataset: DatasetResult) -> Rejected | None:
    """A dataset with fewer examples than workers, as far as its own figures say."""
    if dataset.train >= recipe.workers:
        return None
    return Rejected(
        reason="empty-dataset",
        detail=f"The dataset has {dataset.train} training examples, and {recipe.workers} workers need at least one "
        "each. Add documents with more text, or loosen what cleaning sets aside.",
    )


def refuse_targets(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    """Layers that must not get an adapter, or a base for which nobody knows which may."""
    kind, known = str(config.get("model_type", "")), architecture_of(config)
    if known is None:
        if recipe.lora_targets != "auto":
            return None
        return Rejected(
            reason="unknown-architecture",
            detail=f"Which layers of a {kind or 'nameless'} model to tune is not known. Set the recipe's lora_targets: a list "
            f"of names of its linear layers, {_EXAMPLES}, or all-linear where its kernels read no weights directly.",
        )
    wanted = set(known.forbidden) if recipe.lora_targets == "all-linear" else set(recipe.lora_targets) & set(known.forbidden)
    if not wanted or recipe.lora_targets == "auto":
        return None
    return Rejected(
        reason="impossible-targets",
        detail=f"A {kind} model's {' and '.join(sorted(wanted))} take no adapter: fused kernels read their weights directly. "
        f"Leave lora_targets at auto, which is {list(known.targets)}, or choose among those.",
    )


def refuse_missing_targets(recipe: TrainingRecipe, linear: Collection[str]) -> Rejected | None:
    """Names in lora_targets that no linear layer of the base has. `linear` are full names, `model.layers.0.mlp.up_proj`."""
    if isinstance(recipe.lora_targets, str):
        return None
    missing = [name for name in recipe.lora_targets if not any(one == name or one.endswith(f".{name}") for one in linear)]
    if not missing:
        return None
    there = sorted({one.rpartition(".")[2] for one in linear})
    return Rejected(
        reason="impossible-targets",
        detail=f"The base has no linear layer called {', '.join(missing)}. Its linear layers are {', '.join(there[:20])}.",
    )


def _refuse_packing(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    known = architecture_of(config)
    if recipe.packing in ("auto", "none") or (known is not None and not known.recurrent):
        return None
    why = "it has recurrent layers, whose state" if known else "its architecture is not known, and a recurrent layer's state"
    return Rejected(
        reason="impossible-packing",
        detail=f"A {config.get('model_type')} model cannot be packed: {why} would pass from one example to the next. "
        "Set packing to auto or none.",
    )


def _refuse_attention(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    known = architecture_of(config)
    if recipe.attention in ("auto", "eager") or known is None:
        return None
    kind = config.get("model_type")
    if known.family in ("mamba", "mamba2", "rwkv"):
        return Rejected(
            reason="impossible-attention",
            detail=f"A {kind} model has no attention, so {recipe.attention} means nothing for it. Set attention to auto.",
        )
    if known.softcap:
        return Rejected(
            reason="impossible-attention",
            detail=f"A {kind} model caps its attention scores; {recipe.attention} does not. Set attention to auto or eager.",
        )
    return None


def _refuse_scoring(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    known = architecture_of(config)
    if not recipe.scores or known is None or known.family == "llama":
        return None
    return Rejected(
        reason="impossible-method",
        detail=f"A {config.get('model_type')} model cannot be made a reward model: there is no head for rewards for its kind. "
        "Choose a base of the Llama family, such as llama, mistral, qwen2 or gemma.",
    )


def _refuse_groups(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    known = architecture_of(config)
    if recipe.grouped is None or known is None or not known.recurrent:
        return None
    return Rejected(
        reason="impossible-method",
        detail=f"A {config.get('model_type')} model cannot learn by {recipe.grouped.method}: prompts would be padded on the "
        "left, and the state of recurrent layers passes over padding. Choose a base without recurrent layers.",
    )


def _refuse_length(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    context = context_tokens(config)
    if context is None or recipe.max_tokens <= context:
        return None
    return Rejected(
        reason="longer-than-context",
        detail=f"The recipe's max_tokens of {recipe.max_tokens} is more than the {context} tokens that the base was made for. "
        f"Set max_tokens to {context} or less, or choose a base with a longer context.",
    )


def _refuse_sharding(recipe: TrainingRecipe, config: Mapping[str, Any]) -> Rejected | None:
    """The recipe itself is asked again, since a run that starts from a model is given that section by default."""
    detail = recipe.unshardable
    known = architecture_of(config)
    if detail is None and recipe.sharding != "none" and (known is None or known.family != "llama"):
        detail = f"a {config.get('model_type')} model has not been sharded here, only Llama-like ones: set sharding to none"
    return None if detail is None else Rejected(reason="impossible-sharding", detail=f"{detail[0].upper()}{detail[1:]}.")


def context_tokens(config: Mapping[str, Any]) -> int | None:
    """The longest text that a base takes; None where nothing limits it, as in models without attention."""
    found = config.get("max_position_embeddings") or config.get("context_length")
    return int(found) if isinstance(found, int) and found > 0 else None
