"""The stage that exports a model: fetch what it is made of, watch the child that makes and compares it."""

import os
from collections.abc import Callable
from pathlib import Path

from services.training.adapters.children import Children
from services.training.settings import TrainingSettings
from services.training.spec import PROGRESS, RESULT, Exported, ExportSpec
from services.training.stages.export_card import About, Taught
from shared import layout
from shared.ancestry import datasets_of, runs_to
from shared.bases import fetch_base
from shared.contracts.base import Contract
from shared.contracts.exports import COMPRESSED, ExportResult, ExportWish
from shared.contracts.learning import BaseModelManifest, DatasetWish, Model, RunWish
from shared.contracts.work import ExportWork, Rejected
from shared.errors import Unsupported
from shared.ids import short
from shared.objects import ObjectStore
from shared.stage import StageContext

ADAPTER = ("adapter_model.safetensors", "adapter_config.json")


class ExportStage:
    """A model's adapter → a variant that stands alone, `report.json` and `README.md`."""

    def __init__(self, store: ObjectStore, settings: TrainingSettings, children: Children) -> None:
        self._store = store
        self._settings = settings
        self._children = children

    def __call__(self, context: StageContext[ExportWork]) -> Contract | Rejected:
        """Raises Unsupported where this worker has no llm-compressor for a variant that needs it."""
        wish = ExportWish.model_validate_json(context.fetch_object(layout.export(short(context.work.export))).read_bytes())
        compressor = self._compressor(wish)
        model = Model.model_validate_json(context.fetch_object(layout.model(wish.model)).read_bytes())
        run = RunWish.model_validate_json(context.fetch_object(layout.run(model.run)).read_bytes())
        base = BaseModelManifest.model_validate_json(context.fetch_object(layout.base_manifest(model.base)).read_bytes())
        if base.digest != run.base_digest:
            return Rejected(
                reason="base-changed",
                detail=f"The base model {base.name} is not the one that {model.id} was tuned on. Tune anew, and export that.",
            )
        dataset = DatasetWish.model_validate_json(context.fetch_object(layout.dataset(model.dataset)).read_bytes())
        work = context.scratch / "job"
        work.mkdir()
        spec = ExportSpec(
            about=about_of(context, model, base, run), base=fetch_base(self._store, model.base, self._settings.cache_dir),
            adapter=_adapter(context, model), heldout=context.fetch("dataset", dataset.key, "heldout.jsonl"),
            train=context.fetch("dataset", dataset.key, "train.jsonl"), template=model.template, parameters=wish.parameters,
            compressor=compressor, out=context.out, work=work, parent=os.getpid(),
        )  # fmt: skip
        refused = self._children.run("services.training.export", spec, work, _progress(context, work))
        return refused or ExportResult.model_validate_json((work / RESULT).read_bytes())

    def _compressor(self, wish: ExportWish) -> Path | None:
        if wish.parameters.variant not in COMPRESSED:
            return None
        python = self._settings.compressor_python
        if python is None or not python.is_file():
            raise Unsupported(
                f"{wish.parameters.variant} is made by llm-compressor, which this worker has not: `make compressor`, or set "
                "LECTERN_COMPRESSOR_PYTHON to the interpreter of an environment that has it, start again, and retry the job."
            )
        return python


def about_of(context: StageContext[ExportWork], model: Model, base: BaseModelManifest, run: RunWish) -> About:
    """What is known of where a model comes from: its run, its dataset, and what the line before it learned of."""

    def read(path: str) -> bytes:
        return context.fetch_object(path).read_bytes()

    dataset, *before = datasets_of(read, runs_to(read, run))
    return About(
        model=model.id, base=model.base, base_source=base.source, licence=base.licence, dataset=dataset.name, run=model.run,
        documents=len(dataset.inputs), documents_licence=dataset.licence_told, parent=model.parent,
        before=tuple(
            Taught(dataset=one.name, documents=len(one.inputs), documents_licence=one.licence_told) for one in before
        ),
    )  # fmt: skip


def _adapter(context: StageContext[ExportWork], model: Model) -> Path:
    """Weights and configuration of the adapter, side by side as PEFT wants them."""
    directory = context.scratch / "adapter"
    directory.mkdir()
    for name in ADAPTER:
        context.fetch("training", model.adapter_key, f"adapter/{name}").rename(directory / name)
    return directory


def _progress(context: StageContext[ExportWork], work: Path) -> Callable[[], None]:
    def tick() -> None:
        try:
            at = Exported.model_validate_json((work / PROGRESS).read_bytes())
        except FileNotFoundError:
            at = Exported(phase="preparing", done=0, total=1)
        context.progress(at.done, at.total, "example", phase=at.phase)

    return tick
