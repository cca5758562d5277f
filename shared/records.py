"""Facts, written as objects first and indexed as rows second, by `indexing`, with which `reindex` rebuilds the catalog."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared import layout
from shared.catalog.protocol import Catalog, NewJob
from shared.choices import require_published
from shared.clock import now
from shared.contracts.collections import CollectionSettings
from shared.contracts.documents import Document, Membership, ProcessingParameters
from shared.contracts.learning import (
    DatasetInput,
    DatasetParameters,
    DatasetWish,
    DeploymentWish,
    Model,
)
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.retention import Promotion
from shared.contracts.views import DatasetView
from shared.contracts.work import ChoreWork
from shared.dataset_wishes import next_version, preview_work
from shared.errors import Conflict, InvalidInput, NotFound
from shared.following import screening_of, screenings
from shared.ids import deployment_job, document_job, settings_job, short
from shared.indexing import (
    index_collection,
    index_dataset,
    index_deployment,
    index_document,
    index_run,
    put_job,
)
from shared.jobs import Jobs
from shared.keys import is_name
from shared.objects import ObjectStore, Series, create_contract, read_contract
from shared.pipeline import (
    PREVIEW,
    dataset_key,
    preview_key,
    screening_key,
)
from shared.queue import Queue
from shared.results import committed, require_whole
from shared.run_wishes import run_wish
from shared.tombstones import require_not_forgotten
from shared.tracing import current_trace


@dataclass(frozen=True, slots=True)
class Records:
    """What users ask for, written down and set going."""

    store: ObjectStore
    catalog: Catalog
    queue: Queue

    @property
    def jobs(self) -> Jobs:
        """The work that comes of it."""
        return Jobs(self.store, self.catalog, self.queue)

    # ---- collections and documents

    def collect(self, name: str) -> None:
        """Make sure a collection exists. Raises InvalidInput where the name cannot be one."""
        if self.catalog.collection(name) is None:
            _require_name(name)
            self.set_parameters(name, ProcessingParameters())

    def set_parameters(self, name: str, parameters: ProcessingParameters) -> str | None:
        """Change a collection's settings. Returns the job that takes its documents through what depends on them, or None
        where there are none. A collection that follows the classifier gets the version that stands. Raises NotFound for a
        version, a tagger or a tokenizer that is not there."""
        _require_name(name)
        standing = self.catalog.collection(name)
        require_published(self.store, parameters, standing.parameters if standing else ProcessingParameters())
        screening = screening_of(self.catalog, parameters.screening)
        settings = CollectionSettings(**{**dict(parameters), "screening": screening}, set_at=now())
        sequence = Series(self.store, layout.collection_settings(name)).append(settings)
        index_collection(self.store, self.catalog, name)
        if next(iter(self.store.list(layout.memberships(name))), None) is None:
            return None
        job = f"{settings_job(name)}.{sequence}"
        return self.ask_chore(ChoreWork(job=job, trace=current_trace(), chore="settings", subject=name), collection=name)

    def reprocess(self, name: str, tell: Callable[[int, int], None] = lambda done, total: None) -> int:
        """Take a collection's documents through what its settings ask for and was not done. Returns how many there are."""
        paths = sorted(self.store.list(layout.memberships(name)))
        for done, membership in enumerate(_contracts(self.store, paths, Membership), 1):
            self.process(membership)
            tell(done, len(paths))
        return len(paths)

    def ask_chore(self, work: ChoreWork, collection: str | None = None) -> str:
        """Leave work to the gateway's own loop. Returns the job."""
        self.catalog.put_job(NewJob(work.job, work.chore, work.subject, collection, work.chore, work, now()))
        return work.job

    def add_document(self, collection: str, upload: str, filename: str, sha256: str, size_bytes: int) -> bool:
        """Put an uploaded object on a collection's shelf and start its way. False where it stood there already.
        Raises Forgotten where it bears a tombstone."""
        require_not_forgotten(self.store, sha256)
        self.collect(collection)
        if self.store.size(layout.source(sha256)) != size_bytes:
            self.store.copy(upload, layout.source(sha256))
        at = now()
        document = Document(id=sha256, filename=filename, size_bytes=size_bytes, uploaded_at=at)
        create_contract(self.store, layout.document(sha256), document)
        membership = Membership(collection=collection, document=sha256, filename=filename, added_at=at)
        added = create_contract(self.store, layout.membership(collection, sha256), membership)
        kept = read_contract(self.store, layout.membership(collection, sha256), Membership)
        self.process(kept or membership)
        return added

    def remove_document(self, collection: str, document: str) -> None:
        """Take a document off one of its shelves; its results stay, since other shelves have them too. Raises Conflict where
        it stands on no other: then nothing would lead to what there is of it."""
        if all(one.collection == collection for one in self.catalog.shelves_of(document)):
            raise Conflict(
                f"Document {document[:16]} stands on no other shelf than {collection!r}: forget it (`lectern forget`), or put "
                "it on another shelf first."
            )
        job = document_job(collection, document)
        self.store.delete(layout.membership(collection, document))
        for path in list(self.store.list(layout.job_events(job))):  # put there again, it is not called off for ever
            self.store.delete(path)
        self.catalog.drop_document(collection, document, job)

    def process(self, membership: Membership) -> str:
        """Take a document through the stages that its collection's settings ask for and that were not done. Returns the job."""
        job = index_document(self.store, self.catalog, membership)
        self.jobs.start(job)
        return job

    # ---- datasets, runs, deployments

    def wish_dataset(self, name: str, collection: str, base: str, parameters: DatasetParameters) -> DatasetView:
        """Ask for a dataset of the documents of a collection that are done, as they stand now. Raises Conflict, NotFound."""
        _require_name(name)
        inputs = self._dataset_inputs(collection)
        self._require_earlier(parameters)
        key = dataset_key(base, parameters, inputs)
        require_whole(self.store, short(key), key, "Ask for it under another `seed` to have it made anew.")
        if self.store.size(layout.dataset(short(key))) is None:
            at = now()
            wish = DatasetWish(
                key=key, name=name, collection=collection, base=base, parameters=parameters, inputs=inputs,
                version=next_version(self.store, name, short(key), at), created_at=at,
            )  # fmt: skip
            create_contract(self.store, layout.dataset(short(key)), wish)
        self.jobs.start(index_dataset(self.store, self.catalog, short(key)))
        found = self.catalog.dataset(short(key))
        assert found is not None
        return found

    def preview_dataset(self, collection: str, base: str, parameters: DatasetParameters, documents: int, examples: int) -> str:
        """Ask what a dataset would hold, by a few of its documents. Returns the preview's id. Nothing but the answer is kept.
        Raises Conflict, NotFound."""
        inputs = self._dataset_inputs(collection)
        work = preview_work(base, parameters, inputs, documents, examples)
        preview = short(preview_key(work))
        put_job(
            self.store, self.catalog, NewJob(work.job, "preview", preview, collection, PREVIEW.name, work, now()), anew=False
        )
        self.jobs.start(work.job)
        return preview

    def _require_earlier(self, parameters: DatasetParameters) -> None:
        for dataset in parameters.replay.datasets:
            found = self.catalog.dataset(dataset)
            if found is None:
                raise NotFound(f"There is no dataset {dataset!r} to replay.")
            if found.state != "done":
                raise Conflict(f"Dataset {dataset} is {found.state}; only one that is done can be replayed.")
            require_whole(self.store, dataset, found.wish.key, "Build one of the documents that remain, and replay that.")

    def _dataset_inputs(self, collection: str) -> tuple[DatasetInput, ...]:
        found = self.catalog.collection(collection)
        if found is None:
            raise NotFound(f"There is no collection {collection!r}.")
        inputs = []
        labels = self.catalog.labelled()
        choices = screenings(self.catalog, found.parameters)
        for membership in _contracts(self.store, self.store.list(layout.memberships(collection)), Membership):
            document = membership.document
            for key in (screening_key(document, choice) for choice in choices):
                manifest = committed(self.store, "screening", key)
                if manifest is not None and manifest.rejected is None:
                    count = labels.get(document, 0)
                    one = DatasetInput(document=document, filename=membership.filename, screening_key=key, labels=count)
                    inputs.append(one)
                    break
        if not inputs:
            raise Conflict(f"No document of {collection!r} is done yet; watch it with `lectern watch`, then ask again.")
        return tuple(sorted(inputs, key=lambda one: one.document))

    def wish_run(
        self, name: str, dataset: str, recipe: TrainingRecipe, parent: Model | None = None, preferences: str | None = None
    ) -> str:
        """Ask for a training run on a dataset that is done, from the base or a tuned model; where the recipe aligns, with the
        preferences. Returns the run's id. Raises Conflict, NotFound, BadRecipe."""
        _require_name(name)
        found = self.catalog.dataset(dataset)
        if found is None:
            raise NotFound(f"There is no dataset {dataset!r}.")
        if found.state != "done":
            raise Conflict(f"Dataset {dataset} is {found.state}; a run needs one that is done.")
        require_whole(self.store, dataset, found.wish.key, "Build a dataset of the documents that remain, and tune on that.")
        wish = run_wish(self.store, self.catalog, name, found.wish, recipe, parent, preferences)
        create_contract(self.store, layout.run(short(wish.key)), wish)
        self.jobs.start(index_run(self.store, self.catalog, short(wish.key)))
        return short(wish.key)

    def promote(self, promotion: Promotion) -> None:
        """Make a version the one that its name means."""
        Series(self.store, layout.promotions(promotion.name)).append(promotion)
        self.catalog.put_promotion(promotion)

    def wish_deployment(self, wish: DeploymentWish) -> str:
        """Ask for a deployment, or for its stop. The serving service sees to it. Returns the job."""
        _require_name(wish.name)
        sequence = Series(self.store, layout.deployment(wish.name)).append(wish)
        index_deployment(self.store, self.catalog, wish.name)
        return deployment_job(wish.name, sequence)

    def wish_next(self, name: str, sequence: int, changed: Mapping[str, Any]) -> bool:
        """Ask for a deployment to be what it was wished to be under that number, but for what is changed. False where anything
        else was wished for since. May be asked again after it was cut short. Raises NotFound where there was no such wish."""
        path = layout.deployment(name)
        wish = read_contract(self.store, layout.entry(path, sequence), DeploymentWish)
        if wish is None:
            raise NotFound(f"Deployment {name} was never wished for under the number {sequence}.")
        wanted = wish.model_copy(update={**changed, "wished_at": now()})
        if not create_contract(self.store, layout.entry(path, sequence + 1), wanted):
            stands = read_contract(self.store, layout.entry(path, sequence + 1), DeploymentWish)
            if stands is None or not stands.same_as(wanted):
                return False
        view = self.catalog.deployment(name)
        if view is None or view.sequence <= sequence:
            index_deployment(self.store, self.catalog, name)
        return True

    def roll_back(self, name: str) -> str:
        """Wish a deployment to be what it last was before it became what it is now, from as many replicas as it has now.
        Returns the job. A second time undoes the first. A canary is called off, and what is served beside it stays. Raises
        NotFound, Conflict."""
        standing = self.running(name)
        if standing.canary is not None:
            return self.wish_deployment(standing.alone.model_copy(update={"wished_at": now()}))
        wishes = [wish for _, wish in Series(self.store, layout.deployment(name)).after(0, DeploymentWish)]
        scaled = {"canary": None, "replicas": standing.replicas}
        before = (wish.model_copy(update=scaled) for wish in reversed(wishes) if wish.state == "running")
        earlier = next((wish for wish in before if not wish.same_as(standing)), None)
        if earlier is None:
            raise Conflict(f"Deployment {name} was never anything else: there is nothing to roll back to.")
        if earlier.model is not None and self.catalog.model(earlier.model) is None:
            raise Conflict(f"Deployment {name} served {earlier.model} before, which is gone.")
        return self.wish_deployment(earlier.model_copy(update={"wished_at": now()}))

    def finish_canary(self, name: str) -> str:
        """Wish a deployment to be what its canary is, for all who ask. Returns the job. Raises NotFound, Conflict."""
        finished = self.running(name).finished
        if finished is None:
            raise Conflict(f"Deployment {name} has no canary: `lectern deploy MODEL --name {name} --canary 10` makes one.")
        return self.wish_deployment(finished.model_copy(update={"wished_at": now()}))

    def running(self, name: str) -> DeploymentWish:
        """The wish that stands for a deployment that is to run. Raises NotFound, Conflict."""
        latest = Series(self.store, layout.deployment(name)).latest(DeploymentWish)
        if latest is None:
            raise NotFound(f"There is no deployment {name!r}.")
        if latest[1].state == "stopped":
            raise Conflict(f"Deployment {name} is stopped: `lectern deploy` starts what is named.")
        return latest[1]


def _contracts(store: ObjectStore, paths: Iterable[str], contract: type[Membership]) -> Iterable[Membership]:
    for path in sorted(paths):
        value = read_contract(store, path, contract)
        if value is not None:
            yield value


def _require_name(name: str) -> None:
    if not is_name(name):
        raise InvalidInput(
            f"{name!r} cannot be a name: use 1 to 63 lower-case letters, digits, dots, dashes and underscores, "
            "beginning with a letter or digit."
        )
