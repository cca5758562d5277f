"""Base models in memory: as they are trained (NF4 or not, with LoRA; with a head for words or for rewards) and as they are
served (bf16, with an adapter)."""

from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model, get_peft_model_state_dict, set_peft_model_state_dict
from safetensors.torch import load
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, BitsAndBytesConfig

from services.training.adapters import machine
from services.training.adapters.attention import choose_attention
from services.training.adapters.pretrained import read_config
from services.training.stages.examples import IGNORED
from services.training.stages.precision import Precision
from shared.contracts.recipes import TrainingRecipe
from shared.tuning.architectures import architecture_of, lora_targets

SCORE = "score"
"""What transformers calls the head of a sequence classifier."""

DTYPES: dict[Precision, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def load_for_training(base: Path, recipe: TrainingRecipe, precision: Precision, device: torch.device) -> Any:
    """The base with a fresh LoRA adapter on the layers that the recipe and the architecture name; only the adapter learns."""
    return _adapted(AutoModelForCausalLM, base, recipe, precision, device, task_type="CAUSAL_LM")


def load_for_rewards(base: Path, recipe: TrainingRecipe, precision: Precision, device: torch.device) -> Any:
    """The same with a fresh head that makes a number of the hidden state at an answer's end, and learns too."""
    return _adapted(
        AutoModelForSequenceClassification, base, recipe, precision, device, task_type="SEQ_CLS", modules_to_save=[SCORE]
    )


def _adapted(kind: Any, base: Path, recipe: TrainingRecipe, precision: Precision, device: torch.device, **peft: Any) -> Any:
    torch.manual_seed(recipe.seed)
    config = read_config(base)
    quantization = _nf4(recipe, precision, config) if recipe.quantization == "nf4" else None
    attention = choose_attention(recipe, config, device, precision)
    model = _load(base, DTYPES[precision], device, quantization, attention, kind)
    if recipe.gradient_checkpointing:
        # The adapter's gradients need a path through layers whose inputs need none; the reentrant kind has no such path.
        model.gradient_checkpointing_enable({"use_reentrant": False})
    lora = LoraConfig(
        r=recipe.lora_r, lora_alpha=recipe.lora_alpha, lora_dropout=recipe.lora_dropout,
        target_modules=lora_targets(recipe, config), **peft,
    )  # fmt: skip
    return get_peft_model(model, lora)


def keep_adapter_in_fp32(model: Any) -> None:
    """Master weights of the adapter in fp32: late, small updates would be lost in bf16's eight bits."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()


def take_up(model: Any, weights: bytes) -> None:
    """Put an adapter's weights (safetensors) in place of the fresh ones; a head for rewards stays fresh. After
    `keep_adapter_in_fp32`: before it the trainer rounds what learns on a quantized base to bf16. Raises ValueError where they
    are not of this model's layers and ranks."""
    given = load(weights)
    standing = get_peft_model_state_dict(model)
    there = {name: tuple(value.shape) for name, value in standing.items() if ".lora_" in name}
    if {name: tuple(value.shape) for name, value in given.items()} != there:
        raise ValueError("the adapter that training was to begin from has other layers or ranks than the recipe's")
    set_peft_model_state_dict(model, {**standing, **given})


def load_for_scoring(base: Path, adapter: Path, device: torch.device) -> Any:
    """The base and the adapter both as the engine holds them; `disable_adapter()` gives the base alone."""
    model = PeftModel.from_pretrained(_load(base, torch.bfloat16, device, None), adapter, autocast_adapter_dtype=False)
    return _as_served(model, device)


def merge_adapter(base: Path, adapter: Path, device: torch.device) -> Any:
    """The base with the adapter's product added into its weights: added in fp32, rounded to bf16 once."""
    model = PeftModel.from_pretrained(_load(base, torch.float32, device, None), adapter)
    return model.merge_and_unload(safe_merge=True).to(torch.bfloat16).eval()


def load_served(directory: Path, device: torch.device) -> Any:
    """A model without an adapter, as the engine holds it."""
    return _as_served(_load(directory, torch.bfloat16, device, None), device)


def _as_served(model: Any, device: torch.device) -> Any:
    """Weights rounded to bf16. A CPU without instructions for bf16 computes on the rounded weights in fp32: emulated bf16 is
    slower (11 s against 3.3 s for 512 tokens of a 135M model on 2 cores with AVX2 alone), and rounds no better."""
    model = model.to(torch.bfloat16).eval()
    return model.float() if device.type == "cpu" and not machine.capabilities().bf16 else model


def response_nll(model: Any, ids: torch.Tensor, mask: torch.Tensor | None, labels: torch.Tensor, **layout: Any) -> torch.Tensor:
    """Negative log-likelihood (nats) of each label, 0 where there is none: [batch, seq] → [batch, kept].

    Only positions before a label of any row are projected to the vocabulary. On a CPU the head over whole sequences, most of
    which are prompt, took two fifths of a training step. `layout` says where the examples of a packed row begin.
    """
    kept = (labels[:, 1:] != IGNORED).any(dim=0).nonzero().flatten()  # the position before a label predicts it
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False, logits_to_keep=kept, **layout).logits
    wanted = labels[:, kept + 1]
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return losses.view_as(wanted)


def _load(
    base: Path, dtype: torch.dtype, device: torch.device, quantization: BitsAndBytesConfig | None, attention: str | None = None,
    kind: Any = AutoModelForCausalLM,
) -> Any:  # fmt: skip
    head = {} if kind is AutoModelForCausalLM else {"num_labels": 1}
    return kind.from_pretrained(
        base, dtype=dtype, quantization_config=quantization, device_map={"": str(device)}, use_safetensors=True,
        local_files_only=True, trust_remote_code=False, attn_implementation=attention, **head,
    )  # fmt: skip


def _nf4(recipe: TrainingRecipe, precision: Precision, config: dict[str, Any]) -> BitsAndBytesConfig:
    known = architecture_of(config)
    # Fused kernels read these weights as they lie, so they stay as they are.
    forbidden = known.forbidden if known else ()
    untouched = [*forbidden, "lm_head", SCORE] if forbidden or recipe.scores else None
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=recipe.double_quantization,
        bnb_4bit_compute_dtype=DTYPES[precision], llm_int8_skip_modules=untouched,
    )  # fmt: skip
