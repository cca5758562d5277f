"""`make bench-exports`: every variant of a tuned model: its size, what the gate finds, and its answers and speed in an engine.

Takes the newest model of a home that `make demo` (or anything else) left. Each variant is made and judged as the product does;
then llama.cpp (GGUF) or vLLM (safetensors) loads it, answers held-out prompts greedily, one at a time, and its answers are laid
beside those of the adapter on its base in transformers. Speed is against bf16 in the same engine in the same run: `merged` in
vLLM, `gguf-f16` in llama.cpp. At the end two layers of the merged model change places: the gate has to stop it.
"""

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, get_args

import torch

from benchmarks.exporting.place import Tuned, newest
from services.training import exporting
from services.training.adapters import gate, models, pretrained
from services.training.answers import read_examples
from services.training.spec import ExportSpec
from services.training.stages.examples import encode
from services.training.stages.gate import NEAR_TIE
from services.training.stages.scoring import draw
from shared.contracts.exports import COMPRESSED, Variant
from shared.contracts.work import Rejected

HERE = Path(__file__).parent / "exporting"
SEED = 17
COLUMNS = (
    "variant", "size", "of bf16", "perplexity", "KL prefill", "KL decoding", "agrees", "verdict", "engine", "same answers",
    "Δ log-p", "tokens/s",
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Path(".lectern/demo"))
    parser.add_argument("--variants", nargs="+", choices=get_args(Variant), default=list(get_args(Variant)))
    parser.add_argument("--examples", type=int, default=16, help="held-out examples that the gate compares on")
    parser.add_argument("--prompts", type=int, default=8, help="prompts that engines answer")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--llama", type=Path, help="an interpreter with xllamacpp")
    parser.add_argument("--vllm", type=Path, help="an interpreter with vLLM")
    parser.add_argument("--compressor", type=Path, help="an interpreter with llm-compressor")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lectern-exports-") as work:
        bench(newest(asked.home, Path(work)), asked)


def bench(tuned: Tuned, asked: argparse.Namespace) -> None:
    prompts = prompts_of(tuned, asked.prompts)
    torch.set_num_threads(asked.threads)
    reference: Any = models.load_for_scoring(tuned.base, tuned.adapter, torch.device("cpu"))
    answers = [gate.decode(reference, prompt, None) for prompt in prompts]
    del reference
    for row in (COLUMNS, ["---"] * len(COLUMNS)):
        print(f"| {' | '.join(row)} |")
    for variant in asked.variants:
        if variant in COMPRESSED and asked.compressor is None:
            print(f"| {variant} | not made: no llm-compressor (--compressor) |")
            continue
        spec = tuned.spec(variant, asked.examples, asked.compressor)
        print(f"| {variant} | {judged(spec, asked.threads)} | {engine_cells(spec.out, prompts, answers, asked)} |", flush=True)
    print(f"\nTwo layers of the merged model in each other's place: {corrupted(tuned, asked)}")


def judged(spec: ExportSpec, threads: int) -> str:
    """What the product would do, and the figures either way; what it refuses stays on the disk here, to be asked too."""
    found = exporting.export(spec, threads)
    figures: dict[str, float] = found.figures if isinstance(found, Rejected) else found.comparison.model_dump()
    if isinstance(found, Rejected) and not figures:
        return f"{found.reason}: {found.detail}"
    weights = sum(one.stat().st_size for one in spec.out.iterdir() if one.suffix in (".safetensors", ".gguf"))
    whole = sum(one.stat().st_size for one in spec.base.glob("*.safetensors"))
    cells = (
        f"{weights / 1e6:.0f} MB", f"{weights / whole:.0%}",
        f"{figures['reference_perplexity']:.2f} → {figures['perplexity']:.2f}",
        f"{figures['prefill_divergence']:.4f}", f"{figures['decoding_divergence']:.4f}",
        f"{figures['decoding_agreement']:.3f}", "refused" if isinstance(found, Rejected) else "kept",
    )  # fmt: skip
    return " | ".join(cells)


def prompts_of(tuned: Tuned, count: int) -> list[list[int]]:
    base = pretrained.readable(tuned.base, tuned.model.template)
    examples = read_examples(tuned.heldout)
    assert not isinstance(base, Rejected) and not isinstance(examples, Rejected)
    encoded = [encode(one, tuned.model.template, base.tokenizer) for one in draw(examples, count, SEED)]
    return [list(one.ids[: len(one.ids) - one.response_tokens]) for one in encoded]


def engine_cells(out: Path, prompts: list[list[int]], answers: Sequence[Any], asked: argparse.Namespace) -> str:
    """The engine, the share of answers that are the reference's (a near-tie may part them), and tokens a second."""
    gguf = next(out.glob("*.gguf"), None)
    name, python, model = ("llama.cpp", asked.llama, gguf) if gguf else ("vLLM", asked.vllm, out)
    if python is None:
        return f"{name} not given | | "
    told = ask(python, "llama_worker.py" if gguf else "vllm_worker.py", model, prompts, asked.threads)
    if isinstance(told, str):
        return f"{name} failed: {told} | | "
    same = [follows(one["ids"], said, rows) for one, (said, rows) in zip(told, answers, strict=True)]
    apart = [d for one, (said, rows) in zip(told, answers, strict=True) for d in differences(one, said, rows)]
    rate = sum(len(one["ids"]) for one in told) / sum(one["seconds"] for one in told)
    return f"{name} | {sum(same)} of {len(same)} | {fmean(apart):.3f} | {rate:.1f}"


def ask(python: Path, worker: str, model: Path, prompts: list[list[int]], threads: int) -> list[dict[str, Any]] | str:
    spec = {
        "model": str(model), "prompts": prompts, "tokens": gate.CONTINUATION, "threads": threads,
        "context": max(map(len, prompts)) + gate.CONTINUATION + 16,
    }  # fmt: skip
    ended = subprocess.run(
        [str(python), str(HERE / worker)], input=json.dumps(spec), capture_output=True, text=True, check=False
    )
    if ended.returncode:
        return ended.stderr.strip().splitlines()[-1][:200] if ended.stderr.strip() else f"status {ended.returncode}"
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def follows(theirs: Sequence[int], ours: Sequence[int], rows: torch.Tensor) -> bool:
    """The same answer, or one that parts from it where the reference's two likeliest tokens are a near-tie."""
    for at, (one, other) in enumerate(zip(theirs, ours, strict=False)):
        if one != other:
            best = rows[at].topk(2).values
            return float(best[0] - best[1]) <= NEAR_TIE
    return True


def differences(told: dict[str, Any], ours: Sequence[int], rows: torch.Tensor) -> list[float]:
    """|log-probability in the engine − in the reference| of each token, as long as both say the same."""
    found = []
    for at, (one, other) in enumerate(zip(told["ids"], ours, strict=False)):
        if one != other:
            break
        found.append(abs(told["logprobs"][at] - float(rows[at][one])))
    return found


def corrupted(tuned: Tuned, asked: argparse.Namespace) -> str:
    honest = models.merge_adapter

    def swapped(*given: Any) -> Any:
        model = honest(*given)
        first, second = (model.model.layers[at].mlp.down_proj.weight.data for at in (3, 4))
        kept = first.clone()
        first.copy_(second)
        second.copy_(kept)
        return model

    models.merge_adapter = swapped  # type: ignore[assignment]
    try:
        found = exporting.export(tuned.spec("merged", min(4, asked.examples), None), asked.threads)
    finally:
        models.merge_adapter = honest
    return f"{found.reason}. {found.detail}" if isinstance(found, Rejected) else f"KEPT, which is wrong: {found.comparison}"


if __name__ == "__main__":
    began = time.monotonic()
    main()
    print(f"\n{time.monotonic() - began:.0f} s")
