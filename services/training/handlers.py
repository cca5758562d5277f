"""The stages of this service, each run in a child process: fetch the inputs, watch the child, hand over its answer."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from services.training.adapters.checkpoints import Checkpoints
from services.training.adapters.children import Children
from services.training.adapters.jobs import CURVE
from services.training.adapters.trackers.chosen import Trackers
from services.training.adapters.trackers.following import Following
from services.training.curves import read_curve
from services.training.exports import ExportStage
from services.training.settings import TrainingSettings, child_environment
from services.training.spec import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    LIVE_CURVE,
    PLAN,
    PROGRESS,
    RESULT,
    Earlier,
    EvaluationSpec,
    HeldOut,
    Judge,
    Planned,
    Scored,
    TrainingSpec,
)
from services.training.stages.curve import RECENT, pace
from shared import layout
from shared.ancestry import Read, datasets_of, read_dataset, read_run, runs_to
from shared.bases import fetch_base, read_base
from shared.contracts.base import Contract
from shared.contracts.learning import DatasetWish, EvaluationResult, LossPoint, RunWish, TrainingResult
from shared.contracts.preferences import PreferenceSet
from shared.contracts.work import Rejected, RunWork
from shared.errors import NotFound
from shared.ids import short
from shared.objects import ObjectStore, Series
from shared.stage import Handler, StageContext


def handlers(store: ObjectStore, settings: TrainingSettings) -> dict[str, Handler]:
    """Stage name → handler."""
    children = Children(child_environment(settings), settings.poll_seconds, settings.stop_seconds)
    stages = RunStages(store, settings, children)
    return {"training": stages.training, "evaluation": stages.evaluation, "export": ExportStage(store, settings, children)}


class RunStages:
    """The two stages of a run, over the parts that they need."""

    def __init__(self, store: ObjectStore, settings: TrainingSettings, children: Children) -> None:
        self._store = store
        self._settings = settings
        self._children = children
        self._trackers = Trackers(settings)

    def training(self, context: StageContext[RunWork]) -> Contract | Rejected:
        """A dataset's `train.jsonl` → `adapter/` and `curve.jsonl`."""
        run, dataset = _wishes(context)
        base = self._base(run)
        if isinstance(base, Rejected):
            return base
        begins_from = _begins_from(context, run)
        if isinstance(begins_from, Rejected):
            return begins_from
        preferences = self._preferences(context, run)
        if isinstance(preferences, Rejected):
            return preferences
        judge = _judge(context, run)
        if isinstance(judge, Rejected):
            return judge
        work = _directory(context.scratch / "job")
        spec = TrainingSpec(
            run=run.key, base_name=run.recipe.base, base=base, examples=context.fetch("dataset", dataset.key, "train.jsonl"),
            heldout=context.fetch("dataset", dataset.key, "heldout.jsonl"), template=dataset.parameters.template,
            recipe=run.recipe, begins_from=begins_from, earlier=_earlier(context, run), **preferences, judge=judge,
            sets=held_out(context, run) if run.recipe.continual else (), out=context.out, work=work, parent=os.getpid(),
        )  # fmt: skip
        following = self._trackers.follow(run.key, run.recipe)
        with following.to_the_end():
            tell = _training_progress(context, work, following)
            refused = self._children.run("services.training.job", spec, work, lambda: tell(work / LIVE_CURVE))
            if refused is not None:
                following.end("failed")
            else:  # What is published is the whole curve, where the one that was watched may lack its end.
                tell(context.out / CURVE)
        return refused or TrainingResult.model_validate_json((work / RESULT).read_bytes())

    def evaluation(self, context: StageContext[RunWork]) -> Contract | Rejected:
        """A run's adapter and what is held out → `evaluation.json` and `per_example.jsonl`."""
        run, dataset = _wishes(context)
        base = self._base(run)
        if isinstance(base, Rejected):
            return base
        # Evaluation only begins when the adapter is committed, so nobody will need to resume its training.
        Checkpoints(self._store, run.key).clear()
        work = _directory(context.scratch / "job")
        spec = EvaluationSpec(
            base=base, adapter=_adapter(context, run.key), sets=held_out(context, run),
            template=dataset.parameters.template, parameters=context.work.evaluation, out=context.out, work=work,
            chosen=_chosen(context, run.key), parent=os.getpid(),
        )  # fmt: skip
        tick = _evaluation_progress(context, work)
        refused = self._children.run("services.training.evaluate", spec, work, tick)
        return refused or EvaluationResult.model_validate_json((work / RESULT).read_bytes())

    def _base(self, run: RunWish) -> Path | Rejected:
        name = run.recipe.base
        manifest = read_base(self._store, name)
        if manifest is None:
            return Rejected(
                reason="base-missing",
                detail=f"No base model {name} is published. Publish it (python -m services.training.publish_base), then "
                "start the run again, or choose one that is.",
            )
        if manifest.digest != run.base_digest:
            return Rejected(
                reason="base-changed",
                detail=f"The base model {name} is not the one that this run was asked for. Start a new run on it.",
            )
        return fetch_base(self._store, name, self._settings.cache_dir)

    def _preferences(self, context: StageContext[RunWork], run: RunWish) -> dict[str, Path] | Rejected:
        """The files of the preference set that the run aligns with: whole, or not at all."""
        if run.preferences is None:
            return {}
        latest = Series(self._store, layout.preference_set(run.preferences)).latest(PreferenceSet)
        if latest is None or latest[1].redactions:
            return Rejected(
                reason="preferences-changed",
                detail=f"The preference set {run.preferences} is not what it was when this run was asked for: a document in it "
                "had to be forgotten. Build a set of what remains, and start a new run with it.",
            )
        files = latest[1].files
        names = {"pairs": "train.jsonl", "heldout_pairs": "heldout.jsonl"}
        return {field: context.fetch_object(files[name].path) for field, name in names.items()}


def _wishes(context: StageContext[RunWork]) -> tuple[RunWish, DatasetWish]:
    run = read_run(_reader(context), context.work.run)
    return run, read_dataset(_reader(context), run.dataset)


def _reader(context: StageContext[RunWork]) -> Read:
    return lambda path: context.fetch_object(path).read_bytes()


def _begins_from(context: StageContext[RunWork], run: RunWish) -> Path | Rejected | None:
    """The weights that the run takes up: its parent's, and no others that stand in their place by now."""
    if run.parent is None:
        return None
    missing = Rejected(
        reason="parent-missing",
        detail=f"The adapter of {run.parent.model}, from which this run was to start, is gone. Start from another model.",
    )
    changed = Rejected(
        reason="parent-changed",
        detail=f"The adapter of {run.parent.model} is not the one that this run was asked for. Start a new run from it.",
    )
    found = _of_another(context, run.parent.run, run.parent.adapter_digest, (ADAPTER_WEIGHTS,), missing, changed)
    return found if isinstance(found, Rejected) else found[1][0]


def _judge(context: StageContext[RunWork], run: RunWish) -> Judge | Rejected | None:
    """The reward model that scores the run, and no other that stands in its place by now."""
    if run.reward is None:
        return None
    missing = Rejected(
        reason="reward-missing",
        detail=f"The reward model {run.reward.name}, which was to score this run, is gone. Train one, and start a new run.",
    )
    changed = Rejected(
        reason="reward-changed",
        detail=f"The reward model {run.reward.name} is not the one that this run was asked for. Start a new run with it.",
    )
    names = (ADAPTER_WEIGHTS, ADAPTER_CONFIG)
    found = _of_another(context, run.reward.run, run.reward.adapter_digest, names, missing, changed)
    if isinstance(found, Rejected):
        return found
    made, (weights, config) = found
    told = made.alignment
    mean, deviation = (told.reward_mean or 0.0, told.reward_deviation or 1.0) if told else (0.0, 1.0)
    return Judge(weights=weights, config=config, mean=mean, deviation=deviation)


def _of_another(
    context: StageContext[RunWork], run: str, digest: str, names: Sequence[str], missing: Rejected, changed: Rejected
) -> tuple[TrainingResult, list[Path]] | Rejected:
    """What another run made, and files of its adapter, as long as that adapter is still the one of the digest."""
    try:
        made = TrainingResult.model_validate(context.result("training", run))
        files = [context.fetch("training", run, f"adapter/{name}") for name in names]
    except NotFound:
        return missing
    return changed if made.adapter_digest != digest else (made, files)


def _earlier(context: StageContext[RunWork], run: RunWish) -> tuple[Earlier, ...]:
    """What can be replayed: every dataset that the parent and those before it were trained on."""
    wish = run.recipe.continual
    if run.parent is None or wish is None or not (wish.replay_share or wish.ewc):
        return ()
    before = datasets_of(_reader(context), runs_to(_reader(context), run)[1:])
    files = ("train", "heldout", "chunks") if wish.replay == "quality" else ("train", "heldout")
    return tuple(
        Earlier(dataset=short(one.key), **{name: context.fetch("dataset", one.key, f"{name}.jsonl") for name in files})
        for one in before
        if short(one.key) != run.dataset
    )


def _chosen(context: StageContext[RunWork], run: str) -> bool:
    """Whether held-out examples chose what the run ended with."""
    return TrainingResult.model_validate(context.result("training", run)).choice is not None


def held_out(context: StageContext[RunWork], run: RunWish) -> tuple[HeldOut, ...]:
    """The held-out sets that a model is measured on: its dataset's own, those of every dataset that this one replays, and
    they in turn; and the same of every model that it came from."""
    return tuple(
        HeldOut(set=short(one.key), name=one.name, examples=context.fetch("dataset", one.key, "heldout.jsonl"))
        for one in datasets_of(_reader(context), runs_to(_reader(context), run))
    )


def _adapter(context: StageContext[RunWork], run: str) -> Path:
    """Weights and configuration of the adapter, side by side as PEFT wants them."""
    directory = _directory(context.scratch / "adapter")
    for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG):
        context.fetch("training", run, f"adapter/{name}").rename(directory / name)
    return directory


def _training_progress(context: StageContext[RunWork], work: Path, following: Following) -> Callable[[Path], None]:
    """What tells of a run as far as a curve file has it."""

    def tell(path: Path) -> None:
        curve, total = read_curve(path), _planned(work)
        following.tell(curve)
        if not curve or total is None:
            context.progress(0, total or 1, "step", phase="preparing")
            return
        last, rate = curve[-1], pace(curve)
        held = [point.heldout_loss for point in curve if point.heldout_loss is not None]
        context.progress(
            last.step, total, "step", step=last.step, epoch=round(last.epoch, 3), loss=last.loss,
            learning_rate=last.learning_rate, tokens=last.tokens, seconds=round(last.seconds, 1),
            tokens_per_second=round(rate.tokens_per_second, 1), memory_bytes=last.memory_bytes,
            eta_seconds=round(rate.seconds_per_step * (total - last.step), 1), **({"heldout_loss": held[-1]} if held else {}),
            **_metrics(curve),
        )  # fmt: skip

    return tell


def _metrics(curve: Sequence[LossPoint]) -> dict[str, float]:
    """Each metric of the method where it was last measured."""
    found: dict[str, float] = {}
    for point in curve[-RECENT:]:
        found |= point.metrics
    return found


def _planned(work: Path) -> int | None:
    """The steps of the run, once its process has counted them."""
    try:
        return Planned.model_validate_json((work / PLAN).read_bytes()).total
    except (FileNotFoundError, ValueError):
        return None


def _evaluation_progress(context: StageContext[RunWork], work: Path) -> Callable[[], None]:
    def tick() -> None:
        try:
            scored = Scored.model_validate_json((work / PROGRESS).read_bytes())
        except FileNotFoundError:
            scored = Scored(done=0, total=context.work.evaluation.max_examples)
        context.progress(scored.done, scored.total, "example")

    return tick


def _directory(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path
