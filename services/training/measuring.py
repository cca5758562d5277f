"""An evaluation from its spec to its result: the base with and without the adapter, on the same held-out examples."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from services.training.adapters import models, pretrained, scores
from services.training.adapters.asking import answers
from services.training.answers import read_examples
from services.training.probes import PROBES
from services.training.spec import PROGRESS, EvaluationSpec, HeldOut, Scored
from services.training.stages.answering import token_f1
from services.training.stages.choice import halves
from services.training.stages.examples import Encoded, encode
from services.training.stages.scoring import ExampleScore, draw, examples_digest, set_score, summarize
from shared.contracts.base import Contract
from shared.contracts.learning import EvaluationParameters, EvaluationResult, Example, HalfEvaluation, SetEvaluation
from shared.contracts.work import Rejected


class ScoredExample(Contract):
    """A line of `per_example.jsonl`. No answer stands in it: it may repeat what a document says."""

    set: str
    base: ExampleScore
    tuned: ExampleScore


@dataclass(frozen=True, slots=True)
class Drawn:
    """What is scored of a held-out set; `reporting`: ids of those that never choose a checkpoint, where it has such halves."""

    of: HeldOut
    examples: Sequence[Example]
    encoded: Sequence[Encoded]
    reporting: frozenset[str] = frozenset()


def measure(spec: EvaluationSpec, threads: int) -> EvaluationResult | Rejected:
    """Score what is held out, or say why not."""
    base = pretrained.readable(spec.base, spec.template)
    if isinstance(base, Rejected):
        return base
    drawn: list[Drawn] = []
    for held in (*spec.sets, PROBES):
        one = _drawn(held, spec, base)
        if isinstance(one, Rejected):
            return one
        drawn.append(one)
    if not drawn[0].examples:
        return Rejected(
            reason="nothing-held-out",
            detail="The dataset holds no examples back, so the tuned model cannot be measured. Raise heldout_share.",
        )
    torch.set_num_threads(threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    scoring = Scoring(models.load_for_scoring(spec.base, spec.adapter, device), base.tokenizer, spec.parameters, spec.work)
    return _write(spec.out, scoring.all_of([one for one in drawn if one.examples]), spec.parameters.seed)


def _drawn(held: HeldOut, spec: EvaluationSpec, base: pretrained.Readable) -> Drawn | Rejected:
    examples = read_examples(held.examples)
    if isinstance(examples, Rejected):
        return examples
    reporting = frozenset(one.id for one in halves(examples)[1]) if held is not PROBES else frozenset()
    drawn = draw(examples, spec.parameters.max_examples, spec.parameters.seed)
    if spec.chosen and reporting:
        drawn, reporting = [one for one in drawn if one.id in reporting], frozenset()
    encoded = [encode(one, spec.template, base.tokenizer) for one in drawn]
    if held is PROBES:
        fitting = [at for at, one in enumerate(encoded) if len(one.ids) <= base.context_tokens]
        return Drawn(held, [drawn[at] for at in fitting], [encoded[at] for at in fitting])
    if any(len(one.ids) > base.context_tokens for one in encoded):
        return Rejected(
            reason="example-too-long",
            detail=f"A held-out example is longer than the base model's context of {base.context_tokens} tokens. "
            "Build the dataset with a smaller max_example_tokens.",
        )
    return Drawn(held, drawn, encoded, reporting)


class Scoring:
    """Both models over held-out sets; how far it is, it tells as it goes."""

    def __init__(self, model: Any, tokenizer: Any, parameters: EvaluationParameters, work: Path) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._eos = int(tokenizer.eos_token_id)
        self._parameters = parameters
        self._work = work
        self._done = self._total = 0

    def all_of(self, sets: Sequence[Drawn]) -> list[tuple[Drawn, list[ScoredExample]]]:
        self._total = sum(len(one.examples) for one in sets)
        _tell(self._work, 0, self._total)
        return [(one, self._scored(one)) for one in sets]

    def _scored(self, drawn: Drawn) -> list[ScoredExample]:
        found: dict[str, dict[bool, ExampleScore]] = {one.id: {} for one in drawn.examples}
        for batch in scores.batches(drawn.encoded):
            some = [drawn.encoded[at] for at in batch]
            for adapted in (False, True):
                with self._as(adapted):
                    losses = scores.summed_nll(self._model, some, self._eos, self._model.device)
                for at, nll in zip(batch, losses, strict=True):
                    one = drawn.examples[at]
                    found[one.id][adapted] = ExampleScore(id=one.id, tokens=drawn.encoded[at].response_tokens, nll=nll)
            self._done += len(batch)
            _tell(self._work, self._done, self._total)
        for adapted in (False, True):
            for name, f1, stopped in self._asked(drawn, adapted):
                found[name][adapted] = found[name][adapted].model_copy(update={"f1": f1, "stopped": stopped})
        return [ScoredExample(set=drawn.of.set, base=one[False], tuned=one[True]) for _, one in sorted(found.items())]

    def _asked(self, drawn: Drawn, adapted: bool) -> list[tuple[str, float, bool]]:
        """Of the first examples with an answer short enough: id, token F1, and whether the model's answer ended by itself."""
        limit = self._parameters.answer_tokens
        short = [at for at, one in enumerate(drawn.encoded) if one.response_tokens <= limit][: self._parameters.answers]
        with self._as(adapted):
            said = answers(self._model, [drawn.encoded[at] for at in short], self._eos, limit)
        return [
            (one.id, token_f1(self._tokenizer.decode(tokens, skip_special_tokens=True), one.output), stopped)
            for one, (tokens, stopped) in zip([drawn.examples[at] for at in short], said, strict=True)
        ]

    def _as(self, adapted: bool) -> AbstractContextManager[Any]:
        return nullcontext() if adapted else self._model.disable_adapter()


def _write(out: Path, scored: Sequence[tuple[Drawn, list[ScoredExample]]], seed: int) -> EvaluationResult:
    result = summarize(
        [
            SetEvaluation(
                set=drawn.of.set, name=drawn.of.name, digest=examples_digest(drawn.examples),
                base=set_score([one.base for one in lines], seed), tuned=set_score([one.tuned for one in lines], seed),
                half=_half(drawn, lines, seed),
            )
            for drawn, lines in scored
        ]
    )  # fmt: skip
    told = "".join(f"{one.model_dump_json()}\n" for _, lines in scored for one in lines)
    (out / "per_example.jsonl").write_text(told, encoding="utf-8")
    (out / "evaluation.json").write_text(result.model_dump_json(indent=2), encoding="utf-8")
    return result


def _half(drawn: Drawn, lines: Sequence[ScoredExample], seed: int) -> HalfEvaluation | None:
    examples = [one for one in drawn.examples if one.id in drawn.reporting]
    if not examples or len(examples) == len(drawn.examples):
        return None
    reporting = [one for one in lines if one.base.id in drawn.reporting]
    return HalfEvaluation(
        digest=examples_digest(examples), base=set_score([one.base for one in reporting], seed),
        tuned=set_score([one.tuned for one in reporting], seed),
    )  # fmt: skip


def _tell(work: Path, done: int, total: int) -> None:
    """How far it is, for the handler that watches; replaced as a whole, so that it is never read half written."""
    part = work / f"{PROGRESS}.part"
    part.write_text(Scored(done=done, total=total).model_dump_json(), encoding="utf-8")
    part.replace(work / PROGRESS)
