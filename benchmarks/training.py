"""`make bench-training`: what each technique of a recipe does to memory and speed, and whether the estimate told it before.

Every variant is a process of its own on the bundled 135M base; few steps, so losses say nothing here. Prints a table, and
writes the figures as JSON where --out names a file.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shared.contracts.estimates import Lengths
from shared.contracts.recipes import TrainingRecipe
from shared.tuning.memory import memory

STEPS, BATCH = 3, 4
PLAIN: dict[str, Any] = {"gradient_accumulation": 1, "batch_size": BATCH, "max_steps": STEPS}
VARIANTS: dict[str, dict[str, Any]] = {
    "default (NF4, packing batch, sdpa, adamw_8bit)": {},
    "packing none": {"packing": "none"},
    "packing full": {"packing": "full", "max_steps": 2},
    "gradient checkpointing": {"gradient_checkpointing": True},
    "attention eager": {"attention": "eager"},
    "quantization none": {"quantization": "none"},
    "optimizer adamw_torch": {"optimizer": "adamw_torch"},
    "batch 2, accumulation 2": {"batch_size": 2, "gradient_accumulation": 2},
}
NOTEBOOKS = {"notebook, padded to max_length": "max_length", "notebook, padded to the longest": "longest"}
WEIGHED = {
    "NF4, double quantization, adamw_8bit": {},
    "NF4, single quantization": {"double_quantization": False},
    "adamw_torch": {"optimizer": "adamw_torch"},
}


def measure(kind: str, common: dict[str, Any], recipe: dict[str, Any], **more: Any) -> dict[str, Any]:
    asked = json.dumps({"kind": kind, **common, "recipe": {**PLAIN, **recipe}, **more})
    told = subprocess.run(
        [sys.executable, "-m", "benchmarks.tuning.variant"], input=asked, capture_output=True, text=True, check=False
    )
    if told.returncode:
        raise SystemExit(f"a variant failed:\n{told.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return found


def estimated(base: Path, recipe: dict[str, Any], found: dict[str, Any], precision: str) -> int:
    config = json.loads((base / "config.json").read_bytes())
    lengths = Lengths.model_validate(found["lengths"])
    parts, _ = memory(TrainingRecipe(**{**PLAIN, **recipe}), config, lengths, "cpu", precision)
    return parts.total


def show_run(base: Path, name: str, found: dict[str, Any], precision: str) -> None:
    """A line as soon as it is measured: all of them take a quarter of an hour."""
    guess = estimated(base, VARIANTS[name], found, precision) if name in VARIANTS else None
    found["estimate_bytes"] = guess
    error = f"{guess / 1e6:8.0f} {guess / found['peak_bytes'] - 1:+7.1%}" if guess else " " * 16
    loss = f"{found['first_loss']:12.4f}" if "first_loss" in found else ""
    print(f"{name:48} {found['tokens_per_cpu_second']:12.1f} {found['peak_bytes'] / 1e6:8.0f} {error} {loss}", flush=True)


def show_bytes(weighed: dict[str, dict[str, Any]]) -> None:
    for name, one in weighed.items():
        bytes_each = (one["packed_bytes"] + one["constant_bytes"]) / one["quantized"]
        print(
            f"{name:48} {bytes_each:.4f} bytes a quantized parameter, "
            f"optimizer state {one['optimizer_bytes'] / 1e6:.2f} MB, trainable {one['trainable'] / one['total']:.2%}"
        )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--base", type=Path, help="the prepared base (made anew without it)")
    parser.add_argument("--pdfs", type=Path, default=Path("examples/pdf"))
    parser.add_argument("--only", default="", help="variants whose name holds this")
    parser.add_argument("--out", type=Path, help="a file for the figures as JSON")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lectern-bench-") as scratch:
        base = wanted.base or prepared(Path(scratch) / "base")
        told = measured(base, wanted.pdfs, wanted.only)
    if wanted.out:
        wanted.out.write_text(json.dumps(told, indent=2), encoding="utf-8")
    return 0


def prepared(into: Path) -> Path:
    from services.training.adapters.bases import prepare_base

    return prepare_base("smollm2-135m-instruct", into).directory


def measured(base: Path, pdfs: Path, only: str) -> dict[str, Any]:
    from services.training.adapters.machine import capabilities

    precision = "bf16" if capabilities().bf16 else "fp32"
    common = {"base": str(base), "pdfs": str(pdfs), "examples": STEPS * BATCH, "precision": precision, "device": "cpu"}
    load = os.getloadavg()[0]
    print(f"{'variant':48} {'tokens/CPU s':>12} {'peak MB':>8} {'estimate':>8} {'error':>7} {'loss, step 1':>12}")
    runs = {}
    for name in (one for one in (*VARIANTS, *NOTEBOOKS) if only in one):
        more = {"padding": NOTEBOOKS[name]} if name in NOTEBOOKS else {}
        runs[name] = measure("notebook" if more else "run", common, VARIANTS.get(name, {}), **more)
        show_run(base, name, runs[name], precision)
    weighed = {name: measure("bytes", common, recipe) for name, recipe in WEIGHED.items() if only in name}
    print(f"{precision} on one thread of {os.cpu_count()} cores; load {load:.1f} at first, {os.getloadavg()[0]:.1f} at last")
    show_bytes(weighed)
    return {"precision": precision, "load": load, "runs": runs, "weighed": weighed}


if __name__ == "__main__":
    sys.exit(main())
