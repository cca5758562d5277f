"""An evaluation from its spec to its result: the base with and without the adapter, on the same held-out examples."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from services.training.adapters import models, pretrained, scores
from services.training.answers import read_examples
from services.training.spec import PROGRESS, EvaluationSpec, Scored
from services.training.stages.examples import Encoded, encode, own_template
from services.training.stages.recipe import refuse_architecture, refuse_template, refuse_tokenizer
from services.training.stages.scoring import ExampleScore, draw, summarize
from shared.contracts.learning import EvaluationResult, Example
from shared.contracts.work import Rejected


def measure(spec: EvaluationSpec, threads: int) -> EvaluationResult | Rejected:
    """Score what is held out, or say why not."""
    config = pretrained.read_config(spec.base)
    if refused := refuse_template(spec.template) or refuse_architecture(config, pretrained.KNOWN_TYPES):
        return refused
    tokenizer = pretrained.load_tokenizer(spec.base)
    if refused := refuse_tokenizer(tokenizer.eos_token_id) or refuse_template(spec.template, bool(own_template(tokenizer))):
        return refused
    examples = read_examples(spec.examples)
    if isinstance(examples, Rejected):
        return examples
    drawn = draw(examples, spec.parameters.max_examples, spec.parameters.seed)
    encoded = [encode(one, spec.template, tokenizer) for one in drawn]
    context_tokens = int(config.get("max_position_embeddings") or 1 << 30)
    if refused := _refuse_heldout(encoded, context_tokens):
        return refused
    scored = _score(spec, drawn, encoded, int(tokenizer.eos_token_id), threads)
    return _write(spec.out, scored)


def _refuse_heldout(encoded: Sequence[Encoded], context_tokens: int) -> Rejected | None:
    if not encoded:
        return Rejected(
            reason="nothing-held-out",
            detail="The dataset holds no examples back, so the tuned model cannot be measured. Raise heldout_share.",
        )
    if max(len(one.ids) for one in encoded) > context_tokens:
        return Rejected(
            reason="example-too-long",
            detail=f"A held-out example is longer than the base model's context of {context_tokens} tokens. "
            "Build the dataset with a smaller max_example_tokens.",
        )
    return None


def _score(
    spec: EvaluationSpec, examples: Sequence[Example], encoded: Sequence[Encoded], pad_id: int, threads: int
) -> list[ExampleScore]:
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = models.load_for_scoring(spec.base, spec.adapter, device)
    scored: list[ExampleScore] = []
    _tell(spec.work, 0, len(examples))
    for batch in scores.batches(encoded):
        some = [encoded[index] for index in batch]
        base = _nll(model, some, pad_id, device, adapted=False)
        tuned = _nll(model, some, pad_id, device, adapted=True)
        scored.extend(
            ExampleScore(id=examples[index].id, tokens=encoded[index].response_tokens, base=one, tuned=other)
            for index, one, other in zip(batch, base, tuned, strict=True)
        )
        _tell(spec.work, len(scored), len(examples))
    return scored


def _nll(model: Any, examples: Sequence[Encoded], pad_id: int, device: torch.device, *, adapted: bool) -> list[float]:
    """Summed negative log-likelihood of each example's response tokens, EOS among them."""
    with nullcontext() if adapted else model.disable_adapter():
        return scores.summed_nll(model, examples, pad_id, device)


def _write(out: Path, scored: Sequence[ExampleScore]) -> EvaluationResult:
    result = summarize(scored)
    ordered = sorted(scored, key=lambda one: one.id)
    (out / "per_example.jsonl").write_text("".join(f"{one.model_dump_json()}\n" for one in ordered), encoding="utf-8")
    (out / "evaluation.json").write_text(result.model_dump_json(indent=2), encoding="utf-8")
    return result


def _tell(work: Path, done: int, total: int) -> None:
    """How far it is, for the handler that watches; replaced as a whole, so that it is never read half written."""
    part = work / f"{PROGRESS}.part"
    part.write_text(Scored(done=done, total=total).model_dump_json(), encoding="utf-8")
    part.replace(work / PROGRESS)
