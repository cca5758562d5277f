"""Everything that saw a document: datasets by the lines of their files, and the runs, models and deployments of those."""

from collections.abc import Iterable, Iterator

from services.gateway.chores.preferences import traces, untraced
from shared import layout
from shared.contracts.documents import Membership
from shared.contracts.exports import ExportWish
from shared.contracts.forgetting import DatasetTrace, DeploymentTrace, ExportTrace, ModelTrace, PreferenceTrace, RunTrace, Uses
from shared.contracts.learning import DatasetWish, DeploymentWish, Model, RunWish
from shared.contracts.review import ClassifierWish
from shared.ids import short
from shared.jsonl import lines_of
from shared.objects import ObjectStore, Series, read_contract
from shared.pipeline import DATASET, TRAINING
from shared.results import committed


def uses(store: ObjectStore, document: str, shelves: Iterable[Membership], datasets: Iterable[str]) -> Uses:
    """What there is to say of a document that stands (or stood) on these shelves, looking into these datasets."""
    places = sorted(shelves, key=lambda one: one.collection)
    looked_in = sorted(datasets)
    found = {one: trace for one in looked_in if (trace := _dataset(store, one, document)) is not None}
    held = (*found.values(), *_unfinished_replays(store, looked_in, frozenset(found)))
    paired = tuple(traces(store, document))
    runs = tuple(_runs(store, {one.dataset: one for one in held}, {one.set: one for one in paired}))
    models = tuple(_models(store, {one.run: one for one in runs}))
    return Uses(
        document=document, collections=tuple(one.collection for one in places),
        filenames=tuple(sorted({one.filename for one in places})), datasets=held,
        preferences=paired, untraced_preferences=tuple(untraced(store)), runs=runs, models=models,
        exports=tuple(_exports(store, {one.model for one in models})),
        deployments=tuple(_deployments(store, {one.model for one in models})),
        classifiers=tuple(_classifiers(store, document)),
    )  # fmt: skip


def all_memberships(store: ObjectStore, document: str) -> list[Membership]:
    """The shelves that a document stands on, by the objects themselves."""
    paths = [path for path in store.list("collections") if path.endswith(f"/documents/{document}.json")]
    found = (read_contract(store, path, Membership) for path in sorted(paths))
    return [one for one in found if one is not None]


def all_datasets(store: ObjectStore) -> list[str]:
    return sorted(path.split("/")[1].removesuffix(".json") for path in store.list("datasets"))


def _dataset(store: ObjectStore, dataset: str, document: str) -> DatasetTrace | None:
    wish = read_contract(store, layout.dataset(dataset), DatasetWish)
    if wish is None:
        return None
    asked = any(one.document == document for one in wish.inputs)
    manifest = committed(store, DATASET.name, wish.key)
    if manifest is None or manifest.rejected is not None:
        return DatasetTrace(dataset=dataset, name=wish.name) if asked else None
    name = document.encode()
    lines = {
        part: sum(name in line for line in lines_of(store, manifest.files[f"{part}.jsonl"].path))
        for part in ("train", "heldout") if f"{part}.jsonl" in manifest.files
    }  # fmt: skip
    if not asked and not any(lines.values()):
        return None
    return DatasetTrace(dataset=dataset, name=wish.name, inputs=asked, **lines)


def _unfinished_replays(store: ObjectStore, datasets: Iterable[str], held: frozenset[str]) -> Iterator[DatasetTrace]:
    """Datasets that were to replay from those, and that nobody can look into yet."""
    for dataset in datasets:
        wish = read_contract(store, layout.dataset(dataset), DatasetWish)
        if wish is None or dataset in held or not held.intersection(wish.parameters.replay.datasets):
            continue
        if committed(store, DATASET.name, wish.key) is None:
            yield DatasetTrace(dataset=dataset, name=wish.name, inputs=False)


def _runs(store: ObjectStore, datasets: dict[str, DatasetTrace], preferences: dict[str, PreferenceTrace]) -> Iterator[RunTrace]:
    """Runs on these datasets or with these preferences, and runs that started from a model of such a run or were scored by
    one, however far back."""
    wishes = [wish for path in sorted(store.list("runs")) if (wish := read_contract(store, path, RunWish)) is not None]
    trained = {
        short(one.key): _learned(one, datasets, preferences)
        for one in wishes if one.dataset in datasets or one.preferences in preferences
    }  # fmt: skip
    children = [(one, source) for one in wishes for source in (one.parent, one.reward) if source is not None]
    while True:
        before = dict(trained)
        for one, source in children:
            run, parent = short(one.key), short(source.run)
            if parent in trained:
                trained[run] = trained.get(run, False) or trained[parent]
        if trained == before:
            break
    for one in wishes:
        run = short(one.key)
        if run in trained:
            yield RunTrace(
                run=run, name=one.name, dataset=one.dataset, trained=trained[run],
                finished=committed(store, TRAINING.name, one.key) is not None,
                parent=one.parent.model if one.parent and short(one.parent.run) in trained else None,
            )  # fmt: skip


def _learned(run: RunWish, datasets: dict[str, DatasetTrace], preferences: dict[str, PreferenceTrace]) -> bool:
    """Whether the run itself trained on the document: by its preferences where it aligns, else by its dataset's examples."""
    if run.preferences is not None:
        found = preferences.get(run.preferences)
        return found is not None and (found.train > 0 or found.redacted)
    return run.dataset in datasets and datasets[run.dataset].train > 0


def _models(store: ObjectStore, runs: dict[str, RunTrace]) -> Iterator[ModelTrace]:
    for path in sorted(store.list("models")):
        model = read_contract(store, path, Model)
        if model is not None and model.run in runs:
            yield ModelTrace(model=model.id, run=model.run, trained=runs[model.run].trained)


def _exports(store: ObjectStore, models: set[str]) -> Iterator[ExportTrace]:
    for path in sorted(store.list("exports")):
        wish = read_contract(store, path, ExportWish)
        if wish is not None and wish.model in models:
            yield ExportTrace(export=short(wish.key), model=wish.model, variant=wish.parameters.variant)


def _classifiers(store: ObjectStore, document: str) -> Iterator[str]:
    """Versions that learned from labels of the document."""
    for path in sorted(store.list("classifiers")):
        wish = read_contract(store, path, ClassifierWish)
        if wish is not None and any(source.document == document for source in wish.labels):
            yield short(wish.key)


def _deployments(store: ObjectStore, models: set[str]) -> Iterator[DeploymentTrace]:
    for name in sorted({path.split("/")[1] for path in store.list("deployments")}):
        latest = Series(store, layout.deployment(name)).latest(DeploymentWish)
        for wish in filter(None, (latest[1], latest[1].of_canary)) if latest is not None else ():
            if wish.model in models:
                yield DeploymentTrace(deployment=name, model=wish.model, state=wish.state)
