"""`python -m services.training.export BASE ADAPTER HELDOUT OUT`: a merged model in bf16, kept only if it is the one trained.

BASE and ADAPTER are directories, HELDOUT is a dataset's heldout.jsonl, OUT is a directory that does not exist yet.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import torch

from services.training.adapters import gate, models, pretrained
from services.training.answers import read_examples
from services.training.settings import TrainingSettings
from services.training.stages.examples import encode
from services.training.stages.gate import MERGED, Comparison, judge
from services.training.stages.scoring import draw
from shared.contracts.work import Rejected
from shared.telemetry import configure_logs, log

REPORT = "report.json"
EXAMPLES, SEED = 16, 0


def export(base: Path, adapter: Path, heldout: Path, out: Path, template: str) -> Comparison | Rejected:
    """Merge, load what was written, compare it with adapter-on-base, and only then give it its name."""
    if refused := _refuse(base, adapter, out):
        return refused
    readable = pretrained.readable(base, template)
    if isinstance(readable, Rejected):
        return readable
    examples = read_examples(heldout)
    if isinstance(examples, Rejected):
        return examples
    encoded = [encode(one, template, readable.tokenizer) for one in draw(examples, EXAMPLES, SEED)]
    fitting = [one for one in encoded if len(one.ids) + gate.CONTINUATION <= readable.context_tokens]
    if not fitting:
        return Rejected(reason="nothing-held-out", detail="No held-out example fits the model, so nothing can be checked.")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    part = out.with_name(out.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        models.merge_adapter(base, adapter, device).save_pretrained(part)
        readable.tokenizer.save_pretrained(part)
        reference: Any = models.load_for_scoring(base, adapter, device)
        found = gate.measure(reference, models.load_served(part, device), fitting)
        if refused := judge(found, MERGED):
            return refused
        (part / REPORT).write_text(found.model_dump_json(indent=2), encoding="utf-8")
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return found


def _refuse(base: Path, adapter: Path, out: Path) -> Rejected | None:
    if out.exists():
        return Rejected(reason="exists", detail=f"{out} is there already: name a directory that is not.")
    for needed in (base / "config.json", adapter / "adapter_config.json", adapter / "adapter_model.safetensors"):
        if not needed.is_file():
            return Rejected(reason="missing-file", detail=f"{needed} is missing: give a base's and a LoRA adapter's directory.")
    return None


def main() -> int:
    settings = TrainingSettings()
    parser = argparse.ArgumentParser(prog="python -m services.training.export", description=__doc__)
    for name in ("base", "adapter", "heldout", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--template", default="alpaca", help="the prompt template the adapter was trained with")
    wanted = parser.parse_args()
    configure_logs(settings.log_level, settings.log_json)
    found = export(wanted.base, wanted.adapter, wanted.heldout, wanted.out, wanted.template)
    if isinstance(found, Rejected):
        log().error("export.refused", reason=found.reason, detail=found.detail)
        return 1
    log().info("export.kept", **found.model_dump())
    return 0


if __name__ == "__main__":
    sys.exit(main())
