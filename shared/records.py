"""Facts, written as objects first and indexed as rows second, by `indexing`, with which `reindex` rebuilds the catalog."""

import hashlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from shared import layout
from shared.catalog.protocol import Catalog, NewJob
from shared.choices import require_published
from shared.clock import now
from shared.contracts.collections import CollectionSettings
from shared.contracts.documents import Document, Membership, ProcessingParameters
from shared.contracts.keys import Allowance, ApiKey, Deed, Scope
from shared.contracts.learning import (
    DatasetInput,
    DatasetParameters,
    DatasetWish,
    DeploymentWish,
    Model,
    RunWish,
)
from shared.contracts.recipes import TrainingRecipe
from shared.contracts.retention import Promotion
from shared.contracts.views import CHORES, FINISHED, DatasetView, JobView
from shared.contracts.work import ChoreWork, JobEvent
from shared.dataset_wishes import next_version, preview_work
from shared.errors import Conflict, InvalidInput, NotFound, Unavailable
from shared.following import screening_of, screenings
from shared.ids import deployment_job, document_job, settings_job, short
from shared.indexing import (
    index_classifier,
    index_collection,
    index_dataset,
    index_deployment,
    index_document,
    index_export,
    index_run,
    put_job,
)
from shared.keys import is_name
from shared.objects import ObjectStore, Series, create_contract, read_contract
from shared.pipeline import (
    DATASET,
    PREVIEW,
    STAGES,
    dataset_key,
    preview_key,
    screening_key,
)
from shared.queue import Queue
from shared.results import committed
from shared.run_wishes import run_wish
from shared.telemetry import log
from shared.tombstones import require_not_forgotten
from shared.tracing import current_trace
from shared.unforgotten import require_unforgotten


@dataclass(frozen=True, slots=True)
class Records:
    """What users ask for, written down and set going."""

    store: ObjectStore
    catalog: Catalog
    queue: Queue

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
        self.start(job)
        return job

    # ---- datasets, runs, deployments

    def wish_dataset(self, name: str, collection: str, base: str, parameters: DatasetParameters) -> DatasetView:
        """Ask for a dataset of the documents of a collection that are done, as they stand now. Raises Conflict, NotFound."""
        _require_name(name)
        inputs = self._dataset_inputs(collection)
        self._require_earlier(parameters)
        key = dataset_key(base, parameters, inputs)
        self._require_whole(short(key), key, "Ask for it under another `seed` to have it made anew.")
        if self.store.size(layout.dataset(short(key))) is None:
            at = now()
            wish = DatasetWish(
                key=key, name=name, collection=collection, base=base, parameters=parameters, inputs=inputs,
                version=next_version(self.store, name, short(key), at), created_at=at,
            )  # fmt: skip
            create_contract(self.store, layout.dataset(short(key)), wish)
        self.start(index_dataset(self.store, self.catalog, short(key)))
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
        self.start(work.job)
        return preview

    def _require_earlier(self, parameters: DatasetParameters) -> None:
        for dataset in parameters.replay.datasets:
            found = self.catalog.dataset(dataset)
            if found is None:
                raise NotFound(f"There is no dataset {dataset!r} to replay.")
            if found.state != "done":
                raise Conflict(f"Dataset {dataset} is {found.state}; only one that is done can be replayed.")
            self._require_whole(dataset, found.wish.key, "Build one of the documents that remain, and replay that.")

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
        self._require_whole(dataset, found.wish.key, "Build a dataset of the documents that remain, and tune on that.")
        wish = run_wish(self.store, self.catalog, name, found.wish, recipe, parent, preferences)
        create_contract(self.store, layout.run(short(wish.key)), wish)
        self.start(index_run(self.store, self.catalog, short(wish.key)))
        return short(wish.key)

    def _require_whole(self, dataset: str, key: str, remedy: str) -> None:
        """A dataset that lines were taken out of is not what its name says. Raises Conflict."""
        manifest = committed(self.store, DATASET.name, key)
        if manifest is not None and manifest.redactions:
            number = len(manifest.redactions)
            documents = "a document" if number == 1 else f"{number} documents"
            raise Conflict(f"Dataset {dataset} is no longer whole: {documents} in it had to be forgotten. {remedy}")

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

    # ---- jobs

    def cancel(self, job: str) -> JobView:
        """Call a job off: at once where no worker is at it, else at its next sign of life. Raises NotFound, Conflict."""
        found = self._job(job)
        if found.state in FINISHED:
            raise Conflict(f"Job {job} is {found.state} already.")
        if found.kind == "deployment":
            raise Conflict("A deployment is stopped, not cancelled: `lectern stop NAME`.")
        if found.kind in CHORES and found.kind != "tuning":
            raise Conflict(f"Job {job} is carried out to its end: half of it would be worse than either.")
        self.catalog.request_cancel(job)
        if found.state != "running":
            event = self._event(job, "cancelled")
            self.catalog.finish_job(job, "cancelled", "cancelled", "Called off by a user.", event.at)
            if found.kind == "tuning":
                self.store.delete(layout.tuning_prompts(job))
        return self._job(job)

    def retry(self, job: str) -> JobView:
        """Start a dead or cancelled job again; what was committed stands. Raises NotFound, Conflict."""
        found = self._job(job)
        if found.state not in ("dead", "cancelled"):
            raise Conflict(f"Job {job} is {found.state}; only a dead or cancelled job can be retried.")
        if found.kind == "tuning":
            raise Conflict(f"A tuning is not retried: `lectern deploy --name {found.subject} --tune` asks for it again.")
        if found.kind in CHORES:
            return self._ask_again(found)
        if found.kind == "run":
            self._require_whole_of_run(found.subject)
        self._event(job, "requeued")
        self.start(self._index_anew(found))
        return self._job(job)

    def _ask_again(self, chore: JobView) -> JobView:
        standing = self.catalog.work(chore.id)
        assert standing is not None, "the job was looked up before"
        work = ChoreWork.model_validate(standing.work)
        self.catalog.put_job(NewJob(chore.id, chore.kind, chore.subject, chore.collection, work.chore, work, now()), anew=True)
        return self._job(chore.id)

    def _require_whole_of_run(self, run: str) -> None:
        wish = read_contract(self.store, layout.run(run), RunWish)
        dataset = read_contract(self.store, layout.dataset(wish.dataset), DatasetWish) if wish else None
        if dataset is not None:
            self._require_whole(short(dataset.key), dataset.key, "Ask for a new run on a dataset of what remains.")
        if wish is not None and wish.parent is not None:
            require_unforgotten(self.store, self.catalog, wish.parent.run, wish.parent.model)
        if wish is not None and wish.reward is not None:
            require_unforgotten(self.store, self.catalog, wish.reward.run, wish.reward.name)

    def _index_anew(self, job: JobView) -> str:
        if job.kind == "dataset":
            return index_dataset(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "classifier":
            return index_classifier(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "preview":
            raise Conflict("A preview is not retried: ask for it again.")
        if job.kind == "run":
            return index_run(self.store, self.catalog, job.subject, anew=True)
        if job.kind == "export":
            return index_export(self.store, self.catalog, job.subject, anew=True)
        membership = read_contract(self.store, layout.membership(job.collection or "", job.subject), Membership)
        if membership is None:
            raise NotFound(f"Document {job.subject} is on no shelf {job.collection!r}.")
        return index_document(self.store, self.catalog, membership, anew=True)

    def _event(self, job: str, kind: Literal["cancelled", "requeued"]) -> JobEvent:
        at = self.catalog.work(job)
        assert at is not None, "the job was looked up before"
        stage = STAGES.get(at.stage)
        work = stage.work.model_validate(at.work) if stage else ChoreWork.model_validate(at.work)
        event = JobEvent(kind=kind, stage=at.stage, key=stage.key(work) if stage else job, at=now(), trace=work.trace)
        Series(self.store, layout.job_events(job)).append(event)
        return event

    def _job(self, job: str) -> JobView:
        found = self.catalog.job(job)
        if found is None:
            raise NotFound(f"There is no job {job!r}.")
        return found

    def start(self, job: str) -> None:
        """Queue a job where it stands; a queue that does not answer is left to the recovery sweep."""
        found = self.catalog.work(job)
        if found is None or found.state != "queued":
            return
        stage = STAGES[found.stage]
        try:
            self.queue.put(stage, stage.work.model_validate(found.work))
        except Unavailable:
            log().warning("queue.unavailable", job=job, left_to="recovery")

    # ---- keys

    def create_key(
        self, name: str, scopes: tuple[Scope, ...], secret: str | None = None, allowance: Allowance | None = None
    ) -> tuple[ApiKey, str]:
        """A new API key and its secret, which is kept nowhere."""
        secret = secret or f"lk-{secrets.token_urlsafe(32)}"
        hashed = hashlib.sha256(secret.encode()).hexdigest()
        limits = allowance or Allowance()
        key = ApiKey(
            id=secrets.token_hex(6), name=name, secret_sha256=hashed, scopes=scopes, created_at=now(),
            requests_per_minute=limits.requests_per_minute, tokens_per_day=limits.tokens_per_day,
        )  # fmt: skip
        Series(self.store, layout.api_key(key.id)).append(key)
        self.catalog.put_key(key)
        return key, secret

    def note(self, deed: Deed) -> None:
        """Write an entry of the audit log."""
        create_contract(self.store, layout.deed(deed.at, deed.id), deed)
        self.catalog.put_deed(deed)

    def revoke_key(self, key: str) -> ApiKey:
        """Make a key worthless from now on. Raises NotFound."""
        series = Series(self.store, layout.api_key(key))
        latest = series.latest(ApiKey)
        if latest is None:
            raise NotFound(f"There is no key {key!r}.")
        revoked = latest[1].model_copy(update={"revoked_at": now()})
        series.append(revoked)
        self.catalog.put_key(revoked)
        return revoked


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
