"""`PYTHON services/training/compress.py SPEC.json`: a model's linear layers in 4 or 8 bits, by llm-compressor.

Run by the interpreter of llm-compressor's own environment, whose pins are not ours: so it imports nothing of Lectern. The
spec: `algorithm` (awq, gptq, int8 or fp8), `model` and `out` (directories), `ids` (token ids of the texts that calibrate, a
list each; none for fp8), `unpacked` (a directory for what was written, read back and made bf16 again, which any transformers
can score), `threads`.
"""

import json
import sys
from collections.abc import Collection
from pathlib import Path
from typing import Any

GROUPS = (128, 64, 32)
"""Weights that share a scale, the largest that divides every row. Coarser groups take less memory."""


def main(told: Path) -> int:
    spec = json.loads(told.read_bytes())
    import torch  # noqa: PLC0415
    from datasets import Dataset  # noqa: PLC0415
    from llmcompressor import oneshot  # noqa: PLC0415
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415

    torch.set_num_threads(spec["threads"])
    if not torch.cuda.is_available():
        torch.Tensor.pin_memory = lambda self, *_, **__: self  # there is no device to pin for
    local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    model = AutoModelForCausalLM.from_pretrained(spec["model"], dtype="auto", **local)
    tokenizer = AutoTokenizer.from_pretrained(spec["model"], **local)
    rows = [{"input_ids": ids, "attention_mask": [1] * len(ids)} for ids in spec["ids"]]
    seen: dict[str, Any] = {}
    if rows:
        longest = max(map(len, spec["ids"]))
        seen = {"dataset": Dataset.from_list(rows), "max_seq_length": longest, "num_calibration_samples": len(rows)}
    oneshot(model=model, recipe=[_modifier(spec["algorithm"], model)], **seen)
    model.save_pretrained(spec["out"], save_compressed=True)
    tokenizer.save_pretrained(spec["out"])
    _unpack(spec["out"], spec["unpacked"], local)
    return 0


def group_of(rows: Collection[int]) -> int:
    """The group for layers with rows of so many weights. Raises ValueError where none divides them all."""
    for size in GROUPS:
        if all(row % size == 0 for row in rows):
            return size
    raise ValueError(f"rows of {sorted(rows)} weights cannot be cut into groups of {GROUPS[-1]}")


def _rows(model: Any) -> set[int]:
    import torch  # noqa: PLC0415

    linear = {name: one for name, one in model.named_modules() if isinstance(one, torch.nn.Linear)}
    return {one.in_features for name, one in linear.items() if "lm_head" not in name}


def _modifier(algorithm: str, model: Any) -> Any:
    """4-bit weights have a scale and a zero a group, and activations stay as they are (W4A16). 8-bit weights have a scale a
    row, and an engine rounds activations too, by the largest of each token (W8A8). The head stays whole."""
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme  # noqa: PLC0415
    from llmcompressor.modifiers.awq import AWQModifier  # noqa: PLC0415
    from llmcompressor.modifiers.quantization import GPTQModifier, QuantizationModifier  # noqa: PLC0415

    if algorithm == "fp8":
        return QuantizationModifier(targets=["Linear"], scheme="FP8_DYNAMIC", ignore=["lm_head"])
    if algorithm == "int8":
        return GPTQModifier(targets=["Linear"], scheme="W8A8", ignore=["lm_head"])
    group = group_of(_rows(model))
    weights = QuantizationArgs(num_bits=4, type="int", symmetric=False, strategy="group", group_size=group)
    groups = {"group_0": QuantizationScheme(targets=["Linear"], weights=weights)}
    modifier = AWQModifier if algorithm == "awq" else GPTQModifier
    return modifier(config_groups=groups, ignore=["lm_head"])


def _unpack(packed: str, unpacked: str, local: dict[str, Any]) -> None:
    """What lies on the disk, not what is in memory: packing is part of what is checked."""
    import torch  # noqa: PLC0415
    from transformers import AutoModelForCausalLM  # noqa: PLC0415
    from transformers.utils.quantization_config import CompressedTensorsConfig  # noqa: PLC0415

    model = AutoModelForCausalLM.from_pretrained(
        packed, dtype=torch.bfloat16, quantization_config=CompressedTensorsConfig(run_compressed=False), **local
    )
    config = model.config
    if hasattr(config, "quantization_config"):
        delattr(config, "quantization_config")
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    found = model.state_dict()  # scales and zeros among them
    plain.load_state_dict({name: found[name] for name in plain.state_dict()}, strict=True)
    plain.save_pretrained(unpacked)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
