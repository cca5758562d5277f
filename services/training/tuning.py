"""A training job from its spec to its result: refuse what cannot be trained, train, publish the last checkpoint."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from services.training.adapters import pretrained
from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.handover import Rows
from services.training.adapters.jobs import CHOICE, CHOSEN, CURVE, FACTS, Continuing, Facts, RowTable
from services.training.adapters.scorer import packed
from services.training.adapters.states import rank_of
from services.training.aligning import aligned, pair_up
from services.training.answers import read_examples, unreadable
from services.training.curves import read_curve
from services.training.placing import train
from services.training.reinforcing import refuse_prompts, reinforced
from services.training.replaying import Replayed, replay
from services.training.settings import TrainingSettings
from services.training.spec import ADAPTER_CONFIG, ADAPTER_WEIGHTS, PLAN, Planned, TrainingSpec
from services.training.stages.choice import halves
from services.training.stages.curve import pace
from services.training.stages.examples import Encoded, chat_template, encode, own_template
from services.training.stages.packing import Row, rows_of
from services.training.stages.recipe import (
    refuse_architecture,
    refuse_choice,
    refuse_examples,
    refuse_ranks,
    refuse_rows,
    refuse_steps,
    refuse_template,
    refuse_tokenizer,
)
from services.training.stages.schedule import plan_steps
from services.training.stages.scoring import draw
from shared.contracts.checkpoints import CheckpointChoice
from shared.contracts.learning import Example, LossPoint, TrainingResult
from shared.contracts.work import Rejected
from shared.errors import Unavailable
from shared.keys import digest
from shared.objects import open_store
from shared.template import TEMPLATES
from shared.tuning.architectures import packing_of
from shared.tuning.checks import refuse_missing_targets, refuse_recipe


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a job needs once nothing is left to refuse."""

    rows: list[Row]
    heldout: tuple[Encoded, ...]
    packing: str
    tokenizer: Any
    replayed: dict[str, int] = field(default_factory=dict)
    continuing: Continuing | None = None


def tune(spec: TrainingSpec, settings: TrainingSettings) -> TrainingResult | Rejected:
    """Train, or say why not. Raises what is broken: Ray's errors, a store that does not answer."""
    prepared = prepare(spec)
    if isinstance(prepared, Rejected):
        return prepared
    begins_from = spec.begins_from.read_bytes() if spec.begins_from else None
    judge = packed(spec.judge.weights, spec.judge.config, spec.judge.mean, spec.judge.deviation) if spec.judge else None
    rows = Rows(RowTable.of(prepared.rows), prepared.heldout, begins_from, prepared.continuing, judge)
    if refused := train(spec, settings, prepared.packing, rows):
        return refused
    return _publish(spec, settings, prepared)


def prepare(spec: TrainingSpec) -> Prepared | Rejected:
    """Everything that can be refused, before any model is loaded."""
    config = pretrained.read_config(spec.base)
    known = pretrained.SCORING_TYPES if spec.recipe.scores else pretrained.KNOWN_TYPES
    if refused := refuse_template(spec.template) or refuse_architecture(config, known):
        return refused
    if refused := refuse_recipe(spec.recipe, config) or _refuse_targets(spec) or _refuse_beginning(spec):
        return refused
    tokenizer = pretrained.load_tokenizer(spec.base)
    if refused := refuse_tokenizer(tokenizer.eos_token_id) or refuse_template(spec.template, bool(own_template(tokenizer))):
        return refused
    if spec.recipe.paired is not None:
        return _paired(spec, tokenizer)
    return _laid_out(spec, tokenizer, packing_of(spec.recipe, config))


def _refuse_targets(spec: TrainingSpec) -> Rejected | None:
    """Only a recipe that names layers needs to know which there are."""
    if isinstance(spec.recipe.lora_targets, str):
        return None
    return refuse_missing_targets(spec.recipe, pretrained.linear_layers(spec.base))


def _refuse_beginning(spec: TrainingSpec) -> Rejected | None:
    return refuse_ranks(spec.recipe, pretrained.adapter_ranks(spec.begins_from)) if spec.begins_from else None


def _laid_out(spec: TrainingSpec, tokenizer: Any, packing: str) -> Prepared | Rejected:
    """The examples as rows, and how many steps they make (told to the handler that watches)."""
    examples, heldout = read_examples(spec.examples), _heldout(spec, tokenizer)
    if isinstance(examples, Rejected) or isinstance(heldout, Rejected):
        return examples if isinstance(examples, Rejected) else heldout  # type: ignore[return-value]
    encoded = [encode(one, spec.template, tokenizer, spec.recipe.loss) for one in examples]
    if refused := refuse_examples(encoded, [one.id for one in examples], spec.recipe) or refuse_prompts(encoded, spec.recipe):
        return refused
    replayed = _replayed(spec, examples, tokenizer)
    if isinstance(replayed, Rejected):
        return replayed
    choosing = _choosing(spec, tokenizer)
    if isinstance(choosing, Rejected):
        return choosing
    rows = rows_of([*encoded, *replayed.encoded], packing, spec.recipe.max_tokens)
    if refused := refuse_rows(spec.recipe, len(rows)) or _planned(spec, len(rows)):
        return refused
    continuing = Continuing(replayed.mattering, choosing, spec.sets[0].set) if spec.sets else None
    return Prepared(rows, heldout, packing, tokenizer, dict(replayed.counts), continuing)


def _paired(spec: TrainingSpec, tokenizer: Any) -> Prepared | Rejected:
    """The preferences as rows."""
    found = pair_up(spec, tokenizer)
    if isinstance(found, Rejected):
        return found
    if refused := _planned(spec, len(found.rows)):
        return refused
    return Prepared(found.rows, found.heldout, "none", tokenizer)


def _planned(spec: TrainingSpec, rows: int) -> Rejected | None:
    """Tell the handler that watches how many steps there will be."""
    plan = plan_steps(spec.recipe, rows)
    if refused := refuse_steps(spec.recipe, plan):
        return refused
    (spec.work / PLAN).write_text(Planned(total=plan.total).model_dump_json(), encoding="utf-8")
    return None


def _replayed(spec: TrainingSpec, own: Sequence[Example], tokenizer: Any) -> Replayed | Rejected:
    """What is trained on beside the dataset's own examples, of the datasets that the adapter was trained on before."""
    recipe = spec.recipe
    if recipe.continual is None:
        return Replayed()
    try:
        return replay(
            spec.earlier, own, spec.heldout, recipe.continual, recipe.seed, recipe.max_tokens,
            lambda one: encode(one, spec.template, tokenizer, recipe.loss),
        )  # fmt: skip
    except ValueError as error:
        return unreadable(error)


def _choosing(spec: TrainingSpec, tokenizer: Any) -> dict[str, tuple[Encoded, ...]] | Rejected:
    """By held-out set, the examples that choose among checkpoints; none where nothing is to be chosen."""
    wish = spec.recipe.continual
    if wish is None or wish.choose == "last":
        return {}
    found = {}
    for one in spec.sets:
        examples = read_examples(one.examples)
        if isinstance(examples, Rejected):
            return examples
        drawn = draw(halves(examples)[0], wish.choice_examples, spec.recipe.seed)
        encoded = (encode(example, spec.template, tokenizer) for example in drawn)
        found[one.set] = tuple(example for example in encoded if len(example.ids) <= spec.recipe.max_tokens)
    return refuse_choice(len(found[spec.sets[0].set])) or found


def _heldout(spec: TrainingSpec, tokenizer: Any) -> tuple[Encoded, ...] | Rejected:
    """The held-out examples that the run is measured on as it goes, where the recipe asks for that."""
    if spec.recipe.evaluation_steps is None:
        return ()
    examples = read_examples(spec.heldout)
    if isinstance(examples, Rejected):
        return examples
    drawn = draw(examples, spec.recipe.evaluation_examples, spec.recipe.seed)
    encoded = (encode(one, spec.template, tokenizer) for one in drawn)
    return tuple(one for one in encoded if len(one.ids) <= spec.recipe.max_tokens)


def _publish(spec: TrainingSpec, settings: TrainingSettings, prepared: Prepared) -> TrainingResult:
    """Leave the last checkpoint's adapter and curve in `out`: weights and configuration by name, and nothing else of it."""
    tokenizer = prepared.tokenizer
    latest = Checkpoints(open_store(settings), spec.run).fetch_latest(spec.work / "last")
    if latest is None:
        raise Unavailable("training ended but no checkpoint of it can be read back from the object store")
    step, checkpoint = latest
    adapter = spec.out / "adapter"
    adapter.mkdir(parents=True)
    chosen = checkpoint / CHOSEN
    shutil.copyfile(chosen if chosen.is_file() else checkpoint / ADAPTER_WEIGHTS, adapter / ADAPTER_WEIGHTS)
    _write_config(checkpoint / ADAPTER_CONFIG, adapter / ADAPTER_CONFIG, spec.base_name, rank_of(adapter / ADAPTER_WEIGHTS))
    if spec.template in TEMPLATES:  # else the base's own, which its tokenizer has already
        tokenizer.chat_template = chat_template(TEMPLATES[spec.template], tokenizer)
    tokenizer.save_pretrained(adapter)
    shutil.copyfile(checkpoint / CURVE, spec.out / CURVE)
    facts = Facts.model_validate_json((checkpoint / FACTS).read_bytes())
    curve = read_curve(spec.out / CURVE)
    made = _result(step, curve, facts, _digest(adapter), prepared.replayed)
    told = aligned(spec, len(prepared.rows), len(prepared.heldout) // 2, curve[-1])
    ppo = reinforced(curve, "ppo") if spec.recipe.ppo else None
    groups = reinforced(curve, spec.recipe.grouped.method) if spec.recipe.grouped else None
    return made.model_copy(update={"alignment": told, "ppo": ppo, "groups": groups, "choice": _choice(checkpoint)})


def _choice(checkpoint: Path) -> CheckpointChoice | None:
    path = checkpoint / CHOICE
    return CheckpointChoice.model_validate_json(path.read_bytes()) if path.is_file() else None


def _write_config(source: Path, target: Path, base_name: str, rank: int) -> None:
    """With the rank that the weights have: an exact average's is higher than the recipe's, and its scale is not. PEFT notes
    the directory that the base was read from, which means nothing elsewhere, and the adapted layers in an order that changes
    from process to process. The base's name and a sorted list take their place."""
    config = json.loads(source.read_bytes())
    config["lora_alpha"], config["r"] = config["lora_alpha"] * rank // config["r"], rank
    config["base_model_name_or_path"] = base_name
    config["target_modules"] = sorted(config["target_modules"])
    target.write_text(json.dumps(config, indent=2, sort_keys=True), encoding="utf-8")


def _digest(directory: Path) -> str:
    files = sorted(path for path in directory.iterdir() if path.is_file())
    return digest({path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files})


def _result(step: int, curve: list[LossPoint], facts: Facts, adapter_digest: str, replayed: dict[str, int]) -> TrainingResult:
    first, last = curve[0], curve[-1]
    return TrainingResult(
        steps=step, tokens=last.tokens, seconds=round(last.seconds, 3),
        tokens_per_second=round(pace([last]).tokens_per_second, 2), first_loss=first.loss, last_loss=last.loss,
        trainable_parameters=facts.trainable_parameters, total_parameters=facts.total_parameters,
        precision=facts.precision, device=facts.device, attention=facts.attention,
        packing=facts.packing, peak_memory_bytes=facts.peak_memory_bytes,
        adapter_digest=adapter_digest, resumed_from_step=facts.resumed_from_step, replayed=replayed,
    )  # fmt: skip
