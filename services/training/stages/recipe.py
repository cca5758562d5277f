"""What is wrong with a recipe or its dataset, said before any model is loaded."""

from collections.abc import Collection, Container, Sequence
from typing import Any

from services.training.stages.examples import Encoded
from services.training.stages.schedule import StepPlan
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.work import Rejected
from shared.template import CHAT, TEMPLATES


def refuse_architecture(config: dict[str, Any], known: Container[str]) -> Rejected | None:
    """A base model of a kind that this installation has no causal language model for (`known` are the kinds it has)."""
    kind = str(config.get("model_type", ""))
    if "auto_map" not in config and kind in known:
        return None
    return Rejected(
        reason="unknown-architecture",
        detail=f"The base model is a {kind or 'nameless'} model, which this installation cannot train without running code "
        "that comes with the model. Choose a base of a known architecture, such as llama, qwen2 or mistral.",
    )


def refuse_tokenizer(eos_token_id: object) -> Rejected | None:
    """A tokenizer without an end-of-sequence token: what is tuned with it could not learn to stop."""
    if eos_token_id is not None:
        return None
    return Rejected(
        reason="no-eos-token",
        detail="The base model's tokenizer has no end-of-sequence token, so a tuned model could not learn to stop. "
        "Set eos_token in its tokenizer_config.json and publish it under another name.",
    )


def refuse_template(template: str, own: bool = True) -> Rejected | None:
    """A prompt template that nobody knows, or the base's `own` where it has none."""
    if template == CHAT and not own:
        return Rejected(
            reason="no-chat-template",
            detail="The base model has no chat template of its own. Build the dataset with the template alpaca, or choose "
            "another base.",
        )
    if template in (*TEMPLATES, CHAT):
        return None
    return Rejected(
        reason="unknown-template", detail=f"There is no template {template!r}; there are {sorted([*TEMPLATES, CHAT])}."
    )


def refuse_ranks(recipe: TrainingRecipe, ranks: Collection[int]) -> Rejected | None:
    """An adapter to begin from whose layers have other ranks than the recipe's: it would not fit where it is to go."""
    if all(rank == recipe.lora_r for rank in ranks):
        return None
    return Rejected(
        reason="other-adapter",
        detail=f"The adapter that the run starts from has rank {' and '.join(map(str, sorted(ranks)))}, the recipe's is "
        f"{recipe.lora_r}. Start from another model, or from the base.",
    )


def refuse_rows(recipe: TrainingRecipe, rows: int) -> Rejected | None:
    """Examples that fill fewer sequences than there are workers."""
    if rows >= recipe.workers:
        return None
    return Rejected(
        reason="empty-dataset",
        detail=f"The examples fill {rows} sequences of {recipe.max_tokens} tokens, and {recipe.workers} workers need at least "
        "one each. Set packing to batch, lower max_tokens, or ask for fewer workers.",
    )


def refuse_steps(recipe: TrainingRecipe, plan: StepPlan) -> Rejected | None:
    """A warm-up as long as the run: the rate would never reach the recipe's, and nothing would be learned as asked."""
    if plan.warmup < plan.total or plan.total == 1:
        return None
    return Rejected(
        reason="impossible-schedule",
        detail=f"The run has {plan.total} steps, all of them warm-up. Lower warmup_steps, or raise epochs or max_steps.",
    )


def refuse_examples(examples: Sequence[Encoded], ids: Sequence[str], recipe: TrainingRecipe) -> Rejected | None:
    """A dataset that cannot be trained on: empty, smaller than one example a worker, or with examples over the limit."""
    if len(examples) < recipe.workers:
        return Rejected(
            reason="empty-dataset",
            detail=f"The dataset has {len(examples)} training examples, and {recipe.workers} workers need at least one "
            "each. Add documents with more text, or loosen what cleaning sets aside.",
        )
    long = [(len(one.ids), name) for one, name in zip(examples, ids, strict=True) if len(one.ids) > recipe.max_tokens]
    if long:
        longest, name = max(long)
        return Rejected(
            reason="example-too-long",
            detail=f"{len(long)} examples are longer than the recipe's max_tokens of {recipe.max_tokens} (the longest, "
            f"{name}, has {longest} tokens). Raise max_tokens, or build the dataset with a smaller max_example_tokens.",
        )
    return None


def refuse_choice(choosing: int) -> Rejected | None:
    """A checkpoint that is to be chosen by held-out examples, and none that could choose: one alone reports."""
    if choosing:
        return None
    return Rejected(
        reason="nothing-to-choose-by",
        detail="The dataset holds out fewer than two examples that fit max_tokens, so that they can not both choose a "
        "checkpoint and measure it. Raise heldout_share, or set the recipe's continual.choose to last.",
    )
