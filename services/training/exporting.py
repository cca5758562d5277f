"""An export from its spec to its result: merge, make the variant, read it back, compare it with the model that was trained."""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from services.training.adapters import compressor, gate, gguf_file, models, pretrained
from services.training.adapters.activations import computed_as
from services.training.answers import read_examples
from services.training.spec import PROGRESS, Exported, ExportSpec
from services.training.stages.examples import Encoded, chat_template, encode
from services.training.stages.export_card import card
from services.training.stages.gate import LIMITS, judge
from services.training.stages.gguf_layout import Quantization
from services.training.stages.scoring import draw
from shared.contracts.exports import CALIBRATED, ExportResult
from shared.contracts.work import Rejected
from shared.template import TEMPLATES

REPORT, CARD = "report.json", "README.md"

GGUF_TYPES: dict[str, Quantization] = {"gguf-f16": "F16", "gguf-q8_0": "Q8_0", "gguf-q5_1": "Q5_1", "gguf-q4_1": "Q4_1"}


@dataclass(frozen=True, slots=True)
class Made:
    """A variant: its weights' files, and how it is read back to be compared."""

    weights: tuple[Path, ...]
    load: Callable[[torch.device], Any]


def export(spec: ExportSpec, threads: int) -> ExportResult | Rejected:
    """The variant in `spec.out`, with its report and its card; or why it is none, and then nothing there is to be kept."""
    torch.set_num_threads(threads)
    readable = pretrained.readable(spec.base, spec.template)
    if isinstance(readable, Rejected):
        return readable
    compared = _examples(spec, readable)
    if isinstance(compared, Rejected):
        return compared
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    began = time.monotonic()
    _tell(spec, "merging", 0, len(compared))
    merged = _merge(spec, readable.tokenizer, device)
    bf16_bytes = _bytes(sorted(merged.glob("*.safetensors")))
    _tell(spec, "writing", 0, len(compared))
    made = _make(spec, merged, readable)
    if isinstance(made, Rejected):
        return made
    made_at = time.monotonic()
    reference: Any = models.load_for_scoring(spec.base, spec.adapter, device)
    found = gate.measure(reference, made.load(device), compared, lambda done: _tell(spec, "comparing", done, len(compared)))
    limits = LIMITS[spec.parameters.variant]
    if refused := judge(found, limits):
        return refused
    result = ExportResult(
        variant=spec.parameters.variant, comparison=found, limits=limits, weights_bytes=_bytes(made.weights),
        bf16_bytes=bf16_bytes, made_seconds=round(made_at - began, 3), compared_seconds=round(time.monotonic() - made_at, 3),
    )  # fmt: skip
    (spec.out / REPORT).write_text(result.model_dump_json(indent=2), encoding="utf-8")
    (spec.out / CARD).write_text(card(spec.about, result), encoding="utf-8")
    return result


def _examples(spec: ExportSpec, base: pretrained.Readable) -> list[Encoded] | Rejected:
    """The held-out examples that are compared on."""
    examples = read_examples(spec.heldout)
    if isinstance(examples, Rejected):
        return examples
    drawn = draw(examples, spec.parameters.compared_examples, spec.parameters.seed)
    encoded = [encode(one, spec.template, base.tokenizer) for one in drawn]
    fitting = [one for one in encoded if len(one.ids) + gate.CONTINUATION <= base.context_tokens]
    if not fitting:
        return Rejected(reason="nothing-held-out", detail="No held-out example fits the model, so nothing can be checked.")
    return fitting


def _merge(spec: ExportSpec, tokenizer: Any, device: torch.device) -> Path:
    """The merged model in bf16, with the tokenizer and the prompt template that it was trained with."""
    merged = spec.out if spec.parameters.variant == "merged" else spec.work / "merged"
    models.merge_adapter(spec.base, spec.adapter, device).save_pretrained(merged)
    if spec.template in TEMPLATES:
        tokenizer.chat_template = chat_template(TEMPLATES[spec.template], tokenizer)
    tokenizer.save_pretrained(merged)
    return merged


def _make(spec: ExportSpec, merged: Path, base: pretrained.Readable) -> Made | Rejected:
    variant = spec.parameters.variant
    if variant == "merged":
        return Made(tuple(merged.glob("*.safetensors")), lambda device: models.load_served(merged, device))
    if variant in GGUF_TYPES:
        return _gguf(spec, merged, base.tokenizer)
    return _compressed(spec, merged, base)


def _gguf(spec: ExportSpec, merged: Path, tokenizer: Any) -> Made | Rejected:
    if refused := gguf_file.refuse(merged):
        return refused
    kind = GGUF_TYPES[spec.parameters.variant]
    file = spec.out / f"{spec.about.model}-{kind}.gguf"
    about = {"name": spec.about.model, "license": spec.about.licence, "description": f"{kind} of a tuned {spec.about.base}"}
    gguf_file.write(merged, file, kind, about)
    if not _same_words(spec, tokenizer, gguf_file.load_tokenizer(file)):
        return Rejected(reason="tokenizer-differs", detail="The tokenizer that was written cuts held-out text in another way.")
    return Made((file,), lambda device: gguf_file.load(file, device))


def _same_words(spec: ExportSpec, one: Any, other: Any) -> bool:
    examples = read_examples(spec.heldout)
    texts = [example.input + example.output for example in examples] if not isinstance(examples, Rejected) else []
    return all(one.encode(text, add_special_tokens=False) == other.encode(text, add_special_tokens=False) for text in texts)


def _compressed(spec: ExportSpec, merged: Path, base: pretrained.Readable) -> Made | Rejected:
    ids = _calibrating(spec, base) if spec.parameters.variant in CALIBRATED else []
    if isinstance(ids, Rejected):
        return ids
    unpacked = compressor.compress(spec, merged, ids, torch.get_num_threads())
    shutil.copyfile(merged / "tokenizer.json", spec.out / "tokenizer.json")
    weights = tuple(spec.out.glob("*.safetensors"))
    return Made(weights, lambda device: computed_as(spec.parameters.variant, models.load_served(unpacked, device)))


def _calibrating(spec: ExportSpec, base: pretrained.Readable) -> list[tuple[int, ...]] | Rejected:
    """Token ids of the training examples that calibrate."""
    examples = read_examples(spec.train)
    if isinstance(examples, Rejected):
        return examples
    drawn = draw(examples, spec.parameters.calibration_examples, spec.parameters.seed)
    return [encode(one, spec.template, base.tokenizer).ids[: base.context_tokens] for one in drawn]


def _bytes(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _tell(spec: ExportSpec, phase: str, done: int, total: int) -> None:
    """How far it is, for the handler that watches; replaced as a whole, so that it is never read half written."""
    part = spec.work / f"{PROGRESS}.part"
    part.write_text(Exported(phase=phase, done=done, total=total).model_dump_json(), encoding="utf-8")
    part.replace(spec.work / PROGRESS)
