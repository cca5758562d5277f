"""A tuned model in a home's object store, as the directories and files that an export is made of."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from services.training.exports import ADAPTER
from services.training.spec import ExportSpec
from services.training.stages.export_card import About
from shared import layout
from shared.bases import fetch_base
from shared.contracts.exports import ExportParameters, Variant
from shared.contracts.learning import DatasetWish, Model
from shared.objects import ObjectStore, open_store, read_contract
from shared.results import output_path
from shared.settings import SharedSettings


@dataclass(frozen=True, slots=True)
class Tuned:
    """What is exported, on this disk."""

    model: Model
    base: Path
    adapter: Path
    train: Path
    heldout: Path
    work: Path

    def spec(self, variant: Variant, examples: int, compressor: Path | None) -> ExportSpec:
        """An export into fresh directories below `work`."""
        out, work = (self.work / f"{kind}-{variant}" for kind in ("out", "work"))
        for directory in (out, work):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir(parents=True)
        about = About(
            model=self.model.id, base=self.model.base, base_source="benchmark", licence="see the base",
            dataset=self.model.dataset, run=self.model.run, documents=0, documents_licence="not stated",
        )  # fmt: skip
        return ExportSpec(
            about=about, base=self.base, adapter=self.adapter, heldout=self.heldout, train=self.train,
            template=self.model.template, parameters=ExportParameters(variant=variant, compared_examples=examples),
            compressor=compressor, out=out, work=work,
        )  # fmt: skip


def newest(home: Path, work: Path) -> Tuned:
    """The model that was made last in a home, `make demo`'s for one. Raises SystemExit where there is none."""
    store = open_store(SharedSettings(store_url=f"file://{(home / 'store').resolve()}"))
    models = [found for path in store.list("models") if (found := read_contract(store, path, Model))]
    if not models:
        raise SystemExit(f"There is no tuned model in {home}: run `make demo` first, or name a home that has one (--home).")
    model = max(models, key=lambda one: one.created_at)
    dataset = read_contract(store, layout.dataset(model.dataset), DatasetWish)
    assert dataset is not None, "a model has a dataset"
    files = {part: _fetched(store, "dataset", dataset.key, f"{part}.jsonl", work) for part in ("train", "heldout")}
    for name in ADAPTER:
        _fetched(store, "training", model.adapter_key, f"adapter/{name}", work)
    return Tuned(model, fetch_base(store, model.base, work / "cache"), work / "adapter", files["train"], files["heldout"], work)


def _fetched(store: ObjectStore, stage: str, key: str, file: str, work: Path) -> Path:
    target = work / file
    target.parent.mkdir(parents=True, exist_ok=True)
    store.download(output_path(store, stage, key, file), target)
    return target
