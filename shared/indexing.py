"""From objects to rows: how each noun in the store comes to stand in the catalog. Nothing here writes a fact but a model,
which a finished run leaves behind."""

from shared import layout
from shared.catalog.protocol import Catalog, NewJob
from shared.contracts.collections import CollectionSettings
from shared.contracts.documents import Document, Membership, ProcessingParameters
from shared.contracts.exports import ExportWish
from shared.contracts.forgetting import Forgetting
from shared.contracts.learning import (
    DatasetWish,
    DeploymentWish,
    EvaluationResult,
    Model,
    RunWish,
    TrainingResult,
)
from shared.contracts.review import ClassifierWish
from shared.contracts.tunings import TuningReport, TuningWish
from shared.contracts.work import (
    ChoreWork,
    ClassifierWork,
    DatasetWork,
    DocumentWork,
    ExportWork,
    JobEvent,
    Manifest,
    RunWork,
    Work,
)
from shared.errors import NotFound
from shared.ids import (
    classifier_job,
    dataset_job,
    deployment_job,
    document_job,
    export_job,
    forget_job,
    run_job,
    short,
    tuning_job,
)
from shared.objects import ObjectStore, Series, create_contract, read_contract
from shared.pipeline import (
    CLASSIFIER,
    DATASET,
    EVALUATION,
    EXPORT,
    EXTRACTION,
    TRAINING,
    following,
)
from shared.results import committed, standing
from shared.review_index import index_screening, index_verdict
from shared.tombstones import latest_receipt
from shared.tracing import current_trace


def index_collection(store: ObjectStore, catalog: Catalog, name: str) -> None:
    series = Series(store, layout.collection_settings(name))
    latest, first = series.latest(CollectionSettings), series.first(CollectionSettings)
    if latest is not None and first is not None:
        parameters = ProcessingParameters(**latest[1].model_dump(exclude={"set_at"}))
        catalog.put_collection(name, parameters, latest[0], first[1].set_at)


def index_document(store: ObjectStore, catalog: Catalog, membership: Membership, anew: bool = False) -> str:
    """Put a document and its job in the catalog, as far as committed results have brought it. Returns the job."""
    collection = catalog.collection(membership.collection)
    document = read_contract(store, layout.document(membership.document), Document)
    if collection is None or document is None:
        raise NotFound(f"document {membership.document} is not whole in the store", document=membership.document)
    job = document_job(membership.collection, membership.document)
    work = DocumentWork(
        job=job, trace=current_trace(), collection=membership.collection, document=membership.document,
        parameters=collection.parameters,
    )  # fmt: skip
    new = NewJob(job, "document", document.id, membership.collection, EXTRACTION.name, work, membership.added_at)
    put_job(store, catalog, new, anew)
    catalog.put_document(membership.collection, document.id, membership.filename, document.size_bytes, membership.added_at, job)
    return job


def index_dataset(store: ObjectStore, catalog: Catalog, dataset: str, anew: bool = False) -> str:
    wish = read_contract(store, layout.dataset(dataset), DatasetWish)
    if wish is None:
        raise NotFound(f"There is no dataset {dataset!r}.")
    catalog.put_dataset(wish)
    work = DatasetWork(job=dataset_job(dataset), trace=current_trace(), dataset=wish.key)
    put_job(store, catalog, NewJob(work.job, "dataset", dataset, wish.collection, DATASET.name, work, wish.created_at), anew)
    return work.job


def index_classifier(store: ObjectStore, catalog: Catalog, classifier: str, anew: bool = False) -> str:
    wish = read_contract(store, layout.classifier(classifier), ClassifierWish)
    if wish is None:
        raise NotFound(f"There is no classifier {classifier!r}.")
    catalog.put_classifier(wish)
    work = ClassifierWork(job=classifier_job(classifier), trace=current_trace(), classifier=wish.key)
    put_job(store, catalog, NewJob(work.job, "classifier", classifier, None, CLASSIFIER.name, work, wish.created_at), anew)
    return work.job


def index_run(store: ObjectStore, catalog: Catalog, run: str, anew: bool = False) -> str:
    wish = read_contract(store, layout.run(run), RunWish)
    if wish is None:
        raise NotFound(f"There is no run {run!r}.")
    catalog.put_run(wish)
    work = RunWork(job=run_job(run), trace=current_trace(), run=wish.key, answers=not wish.recipe.scores)
    put_job(store, catalog, NewJob(work.job, "run", run, None, TRAINING.name, work, wish.created_at), anew)
    return work.job


def index_export(store: ObjectStore, catalog: Catalog, export: str, anew: bool = False) -> str:
    wish = read_contract(store, layout.export(export), ExportWish)
    if wish is None:
        raise NotFound(f"There is no export {export!r}.")
    catalog.put_export(wish)
    work = ExportWork(job=export_job(export), trace=current_trace(), export=wish.key)
    put_job(store, catalog, NewJob(work.job, "export", export, None, EXPORT.name, work, wish.created_at), anew)
    return work.job


def put_job(store: ObjectStore, catalog: Catalog, job: NewJob, anew: bool) -> None:
    """Index a job: queued at its first stage, brought forward by the manifests that stand, stopped where it was given up."""
    work = job.work
    if not catalog.put_job(job, anew):
        return
    for stage, manifest in standing(store, work):
        if manifest is None:
            break
        then = following(stage, work)
        if then is None and manifest.rejected is None:
            register_products(store, catalog, work, manifest)
        catalog.stage_done(work, manifest, then)
    else:
        return
    event = Series(store, layout.job_events(work.job)).latest(JobEvent)
    if event is not None and event[1].kind in ("dead", "cancelled") and event[1].key == stage.key(work):
        told = event[1]
        detail = told.detail or "Called off by a user."
        catalog.finish_job(work.job, told.kind, told.code or told.kind, detail, told.at)


def index_deployment(store: ObjectStore, catalog: Catalog, name: str) -> None:
    latest = Series(store, layout.deployment(name)).latest(DeploymentWish)
    if latest is None:
        return
    sequence, wish = latest
    job = deployment_job(name, sequence)
    catalog.put_deployment(sequence, wish)
    catalog.put_job(NewJob(job, "deployment", name, None, "deployment", Work(job=job, trace=current_trace()), wish.wished_at))


def index_tuning(store: ObjectStore, catalog: Catalog, deployment: str, number: int, wish: TuningWish) -> str:
    """Index a tuning's job, as it ended where it did: one that was cut short is begun again. Returns the job."""
    job = tuning_job(deployment, number)
    work = ChoreWork(job=job, trace=current_trace(), chore="tuning", subject=deployment, number=number)
    if not catalog.put_job(NewJob(job, "tuning", deployment, None, "tuning", work, wish.asked_at)):
        return job
    report = read_contract(store, layout.tuning_report(deployment, number), TuningReport)
    event = Series(store, layout.job_events(job)).latest(JobEvent)
    if event is not None:
        told = event[1]
        catalog.finish_job(job, told.kind, told.code or told.kind, told.detail or "Called off by a user.", told.at)
    elif report is not None:
        catalog.finish_job(job, "done", None, None, report.finished_at)
    return job


def index_forgotten(store: ObjectStore, catalog: Catalog, document: str) -> str | None:
    """Index a tombstone, and the work of removing the document where it is not finished. Returns that job."""
    latest = Series(store, layout.forgotten(document)).latest(Forgetting)
    if latest is None:
        return None
    sequence, wish = latest
    receipt, job = latest_receipt(store, document), forget_job(document, sequence)
    if wish.kind == "lift":
        catalog.put_forgotten(document, "lifted", forget_job(document, sequence - 1), receipt, wish.at)
        return None
    if receipt is not None and receipt.forgetting == sequence and receipt.state == "done":
        catalog.put_forgotten(document, "forgotten", job, receipt, wish.at)
        return None
    catalog.put_forgotten(document, "forgetting", job, receipt, wish.at)
    work = ChoreWork(job=job, trace=current_trace(), chore="forget", subject=document)
    catalog.put_job(NewJob(job, "forget", document, None, "forget", work, wish.at))
    return job


def register_products(store: ObjectStore, catalog: Catalog, work: Work, manifest: Manifest) -> None:
    """What a finished job leaves behind beyond its results: a document leaves texts to review, a classifier its verdict,
    and a run a model, named by its adapter's digest; a run that made a reward model leaves nothing but its result."""
    if isinstance(work, DocumentWork):
        index_screening(store, catalog, work, manifest)
    if isinstance(work, ClassifierWork):
        index_verdict(catalog, work, manifest)
    if isinstance(work, RunWork) and not work.answers:
        _drop_checkpoints(store, work.run)
    if not isinstance(work, RunWork) or manifest.stage != EVALUATION.name:
        return
    trained = committed(store, TRAINING.name, work.run)
    wish = read_contract(store, layout.run(short(work.run)), RunWish)
    if trained is None or wish is None:
        raise NotFound(f"run {short(work.run)} is not whole in the store", run=work.run)
    result = TrainingResult.model_validate(trained.result)
    dataset = read_contract(store, layout.dataset(wish.dataset), DatasetWish)
    model = Model(
        id=f"{wish.name}-{result.adapter_digest[:12]}", name=wish.name, run=short(work.run), dataset=wish.dataset,
        base=wish.recipe.base, adapter_key=work.run, adapter_digest=result.adapter_digest,
        template=dataset.parameters.template if dataset else "alpaca", parent=wish.parent.model if wish.parent else None,
        evaluation=EvaluationResult.model_validate(manifest.result), created_at=manifest.finished_at,
    )  # fmt: skip
    create_contract(store, layout.model(model.id), model)
    catalog.put_model(model)


def _drop_checkpoints(store: ObjectStore, run: str) -> None:
    """The result stands: nobody will need to resume. The marks of whole checkpoints go first."""
    for path in sorted(store.list(layout.checkpoints(run)), key=lambda path: not path.endswith("/complete.json")):
        store.delete(path)
