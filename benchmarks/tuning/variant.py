"""`python -m benchmarks.tuning.variant`: one variant, told as JSON on stdin, measured as JSON on stdout.

Tokens are those of the examples, never padding. Speed is told by CPU second of this process, on one thread: on a machine that
others work on too, wall time says little. On a GPU it is told by the wall.
"""

import gc
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from services.training.adapters import models, pretrained
from services.training.adapters.jobs import Job, RowTable
from services.training.adapters.loop import train
from services.training.settings import TrainingSettings
from services.training.stages.examples import Encoded, encode
from services.training.stages.packing import rows_of
from shared.bases import publish_base
from shared.contracts.learning import Example, LossPoint
from shared.contracts.recipes import TrainingRecipe
from shared.objects import open_store
from shared.tuning.architectures import packing_of

torch.set_num_threads(1)


def held_bytes(device: torch.device) -> int:
    """What this process holds of the device's memory before a run."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return total - free
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak_bytes(device: torch.device, held: int) -> int:
    """The most it held: on a GPU the context and what the allocator asked for since, which is what must fit."""
    if device.type == "cuda":
        return held + torch.cuda.max_memory_reserved(device)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def prepared_device(name: str) -> torch.device:
    """The device, with its context made and nothing of earlier runs held or counted."""
    device = torch.device(name)
    if device.type == "cuda":
        torch.zeros(1, device=device)
        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    return device


def fit_lengths(encoded: list[Encoded]) -> dict[str, Any]:
    longest = sorted(((len(one.ids), one.response_tokens) for one in encoded), reverse=True)
    return {"examples": len(encoded), "mean": sum(one for one, _ in longest) / len(longest), "longest": longest[:64]}


def run(told: dict[str, Any]) -> dict[str, Any]:
    """A recipe through Lectern's own loop, without Ray around it."""
    base, recipe = Path(told["base"]), TrainingRecipe.model_validate(told["recipe"])
    device = prepared_device(told["device"])
    tokenizer = pretrained.load_tokenizer(base)
    encoded = [encode(one, "alpaca", tokenizer, recipe.loss) for one in examples_of(told)]
    encoded = [one for one in encoded if len(one.ids) <= recipe.max_tokens]
    packing = packing_of(recipe, pretrained.read_config(base))
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        settings = TrainingSettings(store_url=f"file://{root}/store", cache_dir=root / "cache")
        publish_base(
            open_store(settings), base, name="smollm2-135m-instruct", source="wheel", licence="Apache-2.0",
            architecture="LlamaForCausalLM", eos_token="<|im_end|>",
        )  # fmt: skip
        job = Job("a" * 64, recipe.base, recipe, told["precision"], settings, 1, root / "work", packing)
        points: list[tuple[LossPoint, float]] = []
        began = held_bytes(device)
        rows = RowTable.of(rows_of(encoded, packing, recipe.max_tokens))
        train(job, rows, 0, device, lambda point: points.append((point, time.process_time())))
    peak = peak_bytes(device, began)
    return {**speed(points), "start_bytes": began, "peak_bytes": peak, "lengths": fit_lengths(encoded)}


def examples_of(told: dict[str, Any]) -> list[Example]:
    """So many examples of a file where one is given (a GPU's machine need not read PDFs), else of the PDFs."""
    if "examples_file" not in told:
        from benchmarks.tuning.data import examples

        return examples(Path(told["pdfs"]), told["examples"])
    lines = Path(told["examples_file"]).read_text(encoding="utf-8").splitlines()
    return [Example.model_validate_json(line) for line in lines[: told["examples"]]]


def speed(points: list[tuple[LossPoint, float]]) -> dict[str, Any]:
    """Over all steps but the first, which warms up."""
    (first, began), (last, ended) = points[0], points[-1]
    tokens = last.tokens - first.tokens
    return {
        "steps": last.step, "tokens": last.tokens, "tokens_per_cpu_second": tokens / (ended - began),
        "tokens_per_second": tokens / (last.seconds - first.seconds), "first_loss": first.loss, "last_loss": last.loss,
    }  # fmt: skip


def bytes_of(told: dict[str, Any]) -> dict[str, Any]:
    """What weights and optimizer states weigh, from the tensors themselves after one step."""
    from bitsandbytes.nn import Linear4bit
    from transformers import Trainer, TrainingArguments

    base, recipe = Path(told["base"]), TrainingRecipe.model_validate(told["recipe"])
    device = prepared_device(told["device"])
    model = models.load_for_training(base, recipe, told["precision"], device)
    models.keep_adapter_in_fp32(model)
    packed = constants = count = 0
    for module in model.modules():
        if type(module) is Linear4bit:
            state = module.weight.quant_state
            count += module.in_features * module.out_features
            packed += module.weight.numel() * module.weight.element_size()
            nested = [state.state2.absmax, state.state2.code, state.offset] if state.nested else []
            constants += sum(one.numel() * one.element_size() for one in (state.absmax, state.code, *nested))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, optim=recipe.optimizer, use_cpu=device.type == "cpu", report_to="none"
        )
        optimizer = Trainer(model=model, args=arguments).create_optimizer()
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.grad = torch.ones_like(parameter)
        optimizer.step()
    states = {
        one.data_ptr(): one.numel() * one.element_size()
        for state in optimizer.state.values() for name, one in state.items() if torch.is_tensor(one) and "qmap" not in name
    }  # fmt: skip
    trainable, total = model.get_nb_trainable_parameters()
    return {
        "trainable": trainable, "total": total, "quantized": count, "packed_bytes": packed, "constant_bytes": constants,
        "optimizer_bytes": sum(states.values()),
    }  # fmt: skip


def notebook(told: dict[str, Any]) -> dict[str, Any]:
    """The recipe of an ordinary notebook: transformers' Trainer, random order, every batch padded, loss over all positions
    of the batch, 32-bit AdamW. `padding` is max_length or longest, as notebooks have it."""
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        BitsAndBytesConfig,
        DataCollatorForSeq2Seq,
        Trainer,
        TrainerCallback,
        TrainingArguments,
    )

    recipe, precision = TrainingRecipe.model_validate(told["recipe"]), models.DTYPES[told["precision"]]
    device = prepared_device(told["device"])
    held = held_bytes(device)
    tokenizer = pretrained.load_tokenizer(Path(told["base"]))
    made = [encode(one, "alpaca", tokenizer) for one in examples_of(told)]
    rows = [{"input_ids": list(one.ids), "labels": list(one.labels)} for one in made if len(one.ids) <= recipe.max_tokens]
    quantization = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=precision)
    model = AutoModelForCausalLM.from_pretrained(
        told["base"], dtype=precision, quantization_config=quantization, device_map={"": str(device)}, local_files_only=True
    )
    lora = LoraConfig(task_type="CAUSAL_LM", r=recipe.lora_r, lora_alpha=recipe.lora_alpha, target_modules="all-linear")
    model = get_peft_model(model, lora)
    padding: Any = True if told["padding"] == "longest" else "max_length"
    seen: list[tuple[int, float, float]] = []
    counted = 0
    collate = DataCollatorForSeq2Seq(tokenizer, padding=padding, max_length=recipe.max_tokens)

    def batch(some: list[dict[str, Any]]) -> Any:
        nonlocal counted
        counted += sum(len(one["input_ids"]) for one in some)
        return collate([dict(one) for one in some])

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *_: Any, **__: Any) -> None:
            seen.append((counted, time.process_time(), time.monotonic()))

    with tempfile.TemporaryDirectory() as scratch:
        arguments = TrainingArguments(
            output_dir=scratch, per_device_train_batch_size=recipe.batch_size, max_steps=recipe.max_steps,
            gradient_accumulation_steps=recipe.gradient_accumulation, learning_rate=recipe.learning_rate,
            bf16=told["precision"] == "bf16", use_cpu=device.type == "cpu", report_to="none", save_strategy="no",
            disable_tqdm=True,
            seed=recipe.seed, dataloader_pin_memory=False, remove_unused_columns=False,
        )  # fmt: skip
        Trainer(model=model, args=arguments, train_dataset=rows, data_collator=batch, callbacks=[Clock()]).train()
    (first, began, wall), (last, ended, until) = seen[0], seen[-1]
    return {
        "steps": len(seen), "tokens_per_cpu_second": (last - first) / (ended - began),
        "tokens_per_second": (last - first) / (until - wall), "peak_bytes": peak_bytes(device, held),
    }  # fmt: skip


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    print(json.dumps({"run": run, "bytes": bytes_of, "notebook": notebook}[asked["kind"]](asked)))
