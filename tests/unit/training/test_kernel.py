"""The attention kernel against a reference in float64: values and gradients. Without a GPU it runs in Triton's interpreter,
in a process of its own, since Triton reads that wish when it is imported."""

import json
import os
import subprocess
import sys

import pytest
import torch

from services.training.adapters.attention import SDPA, choose_attention
from services.training.kernels import triton_attention
from shared.contracts.recipes import TrainingRecipe

CASES = {
    "one example": {"lengths": [40], "heads": 2, "key_heads": 2, "width": 64},
    "packed, of odd lengths": {"lengths": [1, 33, 7, 64, 2], "heads": 2, "key_heads": 2, "width": 64},
    "grouped queries": {"lengths": [37, 50], "heads": 6, "key_heads": 2, "width": 64},
    "one key head": {"lengths": [37], "heads": 4, "key_heads": 1, "width": 32},
    "head of 32": {"lengths": [70], "heads": 1, "key_heads": 1, "width": 32},
    "head of 80": {"lengths": [45, 20], "heads": 2, "key_heads": 1, "width": 80},
    "head of 96": {"lengths": [45], "heads": 1, "key_heads": 1, "width": 96},
    "head of 128": {"lengths": [45, 3], "heads": 2, "key_heads": 1, "width": 128},
    "head of 256": {"lengths": [40], "heads": 1, "key_heads": 1, "width": 256},
    "not causal": {"lengths": [40, 21], "heads": 2, "key_heads": 1, "width": 64, "causal": False},
    "sliding window": {"lengths": [90, 15], "heads": 2, "key_heads": 1, "width": 64, "window": 24},
    "bf16": {"lengths": [50, 21], "heads": 2, "key_heads": 1, "width": 64, "dtype": "bfloat16"},
    "bf16, head of 128": {"lengths": [50], "heads": 1, "key_heads": 1, "width": 128, "dtype": "bfloat16"},
    "fp16": {"lengths": [50, 21], "heads": 2, "key_heads": 1, "width": 64, "dtype": "float16"},
}
BOUND = {"float32": 2e-6, "float16": 2e-3, "bfloat16": 1.6e-2}
"""Largest error over the largest value: a few units of the last place (2^-23, 2^-10, 2^-7) of each format."""


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, float]]:
    """Every case's errors, from one process: starting Triton takes longer than most cases."""
    pytest.importorskip("triton", reason="the extra `kernel` is not installed")
    environment = {**os.environ, **({} if torch.cuda.is_available() else {"TRITON_INTERPRET": "1"})}
    command = [sys.executable, "-m", "tests.unit.training.kernel_errors"]
    told = subprocess.run(command, input=json.dumps(CASES), capture_output=True, text=True, check=False, env=environment)
    assert told.returncode == 0, told.stderr[-2000:]
    found: dict[str, dict[str, float]] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("case", CASES)
def test_the_kernel_computes_what_float64_does(measured: dict[str, dict[str, float]], case: str) -> None:
    errors = measured[case]
    assert set(errors) == {"output", "dq", "dk", "dv"}
    bound = BOUND[str(CASES[case].get("dtype", "float32"))]
    assert max(errors.values()) < bound, errors


def test_no_example_of_a_packed_row_moves_when_another_changes(measured: dict[str, dict[str, float]]) -> None:
    assert measured["leak"] == {"output": 0.0, "dq": 0.0, "dk": 0.0, "dv": 0.0}


def test_a_models_logits_are_those_of_sdpa_padded_and_packed(measured: dict[str, dict[str, float]]) -> None:
    assert measured["model"]["scale"] > 0.0
    assert measured["model"]["padded"] < 1e-4 * measured["model"]["scale"]
    assert measured["model"]["packed"] < 1e-4 * measured["model"]["scale"]


@pytest.mark.slow
def test_the_kernel_compiles_for_gpus_within_their_shared_memory() -> None:
    """Triton's compiler needs no GPU: Ampere (sm_80) has 163 KiB a block, Hopper (sm_90) 227."""
    pytest.importorskip("triton", reason="the extra `kernel` is not installed")
    command = [sys.executable, "-m", "tests.unit.training.kernel_builds"]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr[-2000:]
    shared = json.loads(told.stdout.splitlines()[-1])
    assert len(shared) == 8
    assert all(size < (163 if name.endswith("80") else 227) << 10 for name, size in shared.items()), shared


def test_without_a_gpu_the_wish_for_the_kernel_falls_back_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    device = torch.device("cpu")
    recipe = TrainingRecipe(attention="lectern_triton")
    assert triton_attention.missing(device) is not None
    assert choose_attention(recipe, {"model_type": "llama"}, device, "bf16") == SDPA
    told = "".join(capsys.readouterr())
    assert "attention.fallback" in told and "lectern_triton" in told and "GPU" in told
