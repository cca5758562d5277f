"""The catalog in SQL: one class over SQLite and Postgres."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Select, and_, func, or_, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from shared.catalog.protocol import Answer, JobWork, NewJob, Slice
from shared.catalog.tables import (
    Base,
    CollectionRow,
    DatasetRow,
    DeploymentRow,
    DocumentRow,
    EventRow,
    IdempotencyRow,
    JobRow,
    KeyRow,
    ModelRow,
    RunRow,
    StageRow,
)
from shared.clock import now
from shared.contracts.documents import ProcessingParameters
from shared.contracts.keys import ApiKey
from shared.contracts.learning import DatasetWish, DeploymentWish, Model, RunWish
from shared.contracts.views import (
    FINISHED,
    CollectionView,
    DatasetView,
    DeploymentView,
    DocumentView,
    EventView,
    JobView,
    RunView,
    StageView,
)
from shared.contracts.work import Manifest, Progress, Work
from shared.ids import dataset_job, run_job, short


class SqlCatalog:
    """The `Catalog` Protocol over an SQLAlchemy engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(lectern_readonly=True)
        self._dialect = postgresql if engine.dialect.name == "postgresql" else sqlite

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with Session(self._reader) as session:
            yield session

    def _upsert(self, session: Session, row: type[Base], **values: Any) -> None:
        keys = [column.name for column in row.__table__.primary_key]
        statement = self._dialect.insert(row.__table__).values(**values)
        changes = {name: value for name, value in values.items() if name not in keys}
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))

    # ---- collections and documents

    def put_collection(self, name: str, parameters: ProcessingParameters, sequence: int, created_at: str) -> None:
        with self._write() as session:
            self._upsert(
                session, CollectionRow, name=name, parameters=parameters.model_dump(mode="json"), sequence=sequence,
                created_at=created_at,
            )  # fmt: skip

    def collection(self, name: str) -> CollectionView | None:
        with self._read() as session:
            row = session.get(CollectionRow, name)
            return self._collection_views(session, [row])[0] if row else None

    def collections(self, part: Slice) -> list[CollectionView]:
        with self._read() as session:
            rows = session.scalars(_page(select(CollectionRow), CollectionRow.created_at, CollectionRow.name, part))
            return self._collection_views(session, list(rows))

    def _collection_views(self, session: Session, rows: list[CollectionRow]) -> list[CollectionView]:
        names = [row.name for row in rows]
        counting = select(DocumentRow.collection, func.count()).where(DocumentRow.collection.in_(names))
        counts = dict(session.execute(counting.group_by(DocumentRow.collection)).all())
        return [
            CollectionView(
                name=row.name, parameters=ProcessingParameters.model_validate(row.parameters),
                created_at=row.created_at, documents=counts.get(row.name, 0),
            )
            for row in rows
        ]  # fmt: skip

    def put_document(self, collection: str, document: str, filename: str, size_bytes: int, added_at: str, job: str) -> None:
        with self._write() as session:
            self._upsert(
                session, DocumentRow, collection=collection, id=document, filename=filename, size_bytes=size_bytes,
                added_at=added_at, job=job,
            )  # fmt: skip

    def document(self, collection: str, document: str) -> DocumentView | None:
        wanted = _documents().where(DocumentRow.collection == collection, DocumentRow.id == document)
        with self._read() as session:
            found = session.execute(wanted).first()
            return _document_view(found[0], found[1], self._stages(session, found[0].job)) if found else None

    def documents(self, part: Slice, collection: str | None = None, state: str | None = None) -> list[DocumentView]:
        wanted = _page(_documents(), DocumentRow.added_at, DocumentRow.id, part)
        if collection is not None:
            wanted = wanted.where(DocumentRow.collection == collection)
        if state is not None:
            wanted = wanted.where(JobRow.state == state)
        with self._read() as session:
            return [_document_view(document, job, ()) for document, job in session.execute(wanted)]

    def shelves_of(self, document: str) -> list[DocumentView]:
        wanted = _documents().where(DocumentRow.id.startswith(document, autoescape=True)).order_by(DocumentRow.added_at)
        with self._read() as session:
            rows = session.execute(wanted).all()
            return [_document_view(found, job, self._stages(session, found.job)) for found, job in rows]

    def count_documents(self, collection: str) -> dict[str, int]:
        counting = select(JobRow.state, func.count()).join(DocumentRow, DocumentRow.job == JobRow.id)
        with self._read() as session:
            rows = session.execute(counting.where(DocumentRow.collection == collection).group_by(JobRow.state))
            return dict(rows.all())

    # ---- jobs

    def put_job(self, job: NewJob, anew: bool = False) -> bool:
        work = job.work.model_dump(mode="json")
        with self._write() as session:
            standing = session.get(JobRow, job.id, with_for_update=True)
            if standing is not None and not anew and _same_work(standing.work, work):
                return False
            self._upsert(
                session, JobRow, id=job.id, kind=job.kind, subject=job.subject, collection=job.collection,
                stage=job.stage, state="queued", code=None, detail=None, progress=None, work=work, trace=job.work.trace,
                attempts=0, retry_at=None, touched_at=time.time(), cancel_requested=False, created_at=job.created_at,
                finished_at=None,
            )  # fmt: skip
            self._event(session, job.id, "queued", {"stage": job.stage})
            return True

    def job(self, job: str) -> JobView | None:
        with self._read() as session:
            row = session.get(JobRow, job)
            return _job_view(row) if row else None

    def jobs(self, part: Slice, kind: str | None = None, state: str | None = None) -> list[JobView]:
        wanted = _page(select(JobRow), JobRow.created_at, JobRow.id, part)
        if kind is not None:
            wanted = wanted.where(JobRow.kind == kind)
        if state is not None:
            wanted = wanted.where(JobRow.state == state)
        with self._read() as session:
            return [_job_view(row) for row in session.scalars(wanted)]

    def begin_stage(self, work: Work, stage: str, key: str) -> int:
        job = work.job
        with self._write() as session:
            row = session.get(JobRow, job, with_for_update=True)
            if row is None or row.trace != work.trace:
                return 0
            row.attempts = row.attempts + 1 if row.stage == stage else 1
            row.stage, row.state, row.touched_at, row.retry_at = stage, "running", time.time(), None
            row.code, row.detail, row.progress = None, None, None
            self._upsert(
                session, StageRow, job=job, stage=stage, key=key, state="running", seconds=None, finished_at=None,
                result={},
            )  # fmt: skip
            self._event(session, job, "stage", {"stage": stage, "state": "running", "attempt": row.attempts})
            return row.attempts

    def attempts(self, job: str) -> int:
        with self._read() as session:
            return session.scalar(select(JobRow.attempts).where(JobRow.id == job)) or 0

    def touch(self, job: str, progress: Progress | None = None) -> bool:
        with self._write() as session:
            row = session.get(JobRow, job, with_for_update=True)
            if row is None:
                return False
            row.touched_at = time.time()
            if progress is not None:
                row.progress = progress.model_dump(mode="json")
                self._event(session, job, "progress", {"stage": row.stage, **row.progress})
            return row.cancel_requested

    def stage_done(self, work: Work, manifest: Manifest, then: str | None) -> bool:
        rejected, job, stage = manifest.rejected, work.job, manifest.stage
        with self._write() as session:
            row = session.get(JobRow, job, with_for_update=True)
            if row is None or row.trace != work.trace:
                return False
            self._upsert(
                session, StageRow, job=job, stage=stage, key=manifest.key, state="failed" if rejected else "done",
                seconds=manifest.seconds, finished_at=manifest.finished_at,
                result=rejected.model_dump(mode="json") if rejected else manifest.result,
            )  # fmt: skip
            self._event(session, job, "stage", {"stage": stage, "state": "failed" if rejected else "done"})
            if rejected is not None:
                self._finish(session, job, "failed", rejected.reason, rejected.detail, manifest.finished_at)
            elif then is None:
                self._finish(session, job, "done", None, None, manifest.finished_at)
            else:
                values = {"stage": then, "state": "queued", "attempts": 0, "retry_at": None, "progress": None}
                session.execute(update(JobRow).where(JobRow.id == job).values(**values, touched_at=time.time()))
        return True

    def retry_job(self, job: str, retry_at: float, code: str, detail: str) -> None:
        with self._write() as session:
            values = {
                "state": "waiting",
                "retry_at": retry_at,
                "code": code,
                "detail": detail,
                "touched_at": time.time(),
            }
            session.execute(update(JobRow).where(JobRow.id == job).values(**values))
            self._event(session, job, "retry", {"code": code, "detail": detail})

    def finish_job(self, job: str, state: str, code: str | None, detail: str | None, at: str) -> None:
        with self._write() as session:
            self._finish(session, job, state, code, detail, at)

    def _finish(self, session: Session, job: str, state: str, code: str | None, detail: str | None, at: str) -> None:
        values = {"state": state, "code": code, "detail": detail, "progress": None, "retry_at": None, "finished_at": at}
        session.execute(update(JobRow).where(JobRow.id == job).values(**values, touched_at=time.time()))
        self._event(session, job, "finished", {"state": state, "code": code, "detail": detail})

    def request_cancel(self, job: str) -> None:
        with self._write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(cancel_requested=True))
            self._event(session, job, "cancel-requested", {})

    def requeued(self, job: str) -> None:
        with self._write() as session:
            values = {"state": "queued", "retry_at": None, "touched_at": time.time()}
            session.execute(update(JobRow).where(JobRow.id == job, JobRow.state.not_in(FINISHED)).values(**values))

    def work(self, job: str) -> JobWork | None:
        with self._read() as session:
            row = session.get(JobRow, job)
            return _job_work(row) if row else None

    def pending(self, limit: int = 10_000) -> list[JobWork]:
        wanted = select(JobRow).where(JobRow.state.in_(("queued", "running", "waiting")), JobRow.kind != "deployment")
        with self._read() as session:
            return [_job_work(row) for row in session.scalars(wanted.order_by(JobRow.touched_at).limit(limit))]

    def stages(self, job: str) -> tuple[StageView, ...]:
        with self._read() as session:
            return self._stages(session, job)

    def _stages(self, session: Session, job: str) -> tuple[StageView, ...]:
        rows = session.scalars(select(StageRow).where(StageRow.job == job))
        views = [
            StageView(
                stage=row.stage, key=row.key, state=row.state, seconds=row.seconds, finished_at=row.finished_at,
                result=row.result,
            )
            for row in rows
        ]  # fmt: skip
        return tuple(sorted(views, key=lambda view: (view.finished_at is None, view.finished_at or "", view.stage)))

    def events(self, job: str, after: int, limit: int = 500) -> list[EventView]:
        wanted = select(EventRow).where(EventRow.job == job, EventRow.id > after).order_by(EventRow.id).limit(limit)
        with self._read() as session:
            return [
                EventView(id=row.id, job=row.job, at=row.at, kind=row.kind, data=row.data) for row in session.scalars(wanted)
            ]

    def collection_events(self, collection: str, after: int, limit: int = 500) -> list[EventView]:
        wanted = select(EventRow).join(JobRow, JobRow.id == EventRow.job)
        wanted = wanted.where(JobRow.collection == collection, EventRow.id > after).order_by(EventRow.id).limit(limit)
        with self._read() as session:
            return [
                EventView(id=row.id, job=row.job, at=row.at, kind=row.kind, data=row.data) for row in session.scalars(wanted)
            ]

    def count_jobs(self) -> dict[tuple[str, str], int]:
        counting = select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state)
        with self._read() as session:
            return {(kind, state): count for kind, state, count in session.execute(counting)}

    def add_event(self, job: str, kind: str, data: dict[str, Any]) -> None:
        with self._write() as session:
            self._event(session, job, kind, data)

    def _event(self, session: Session, job: str, kind: str, data: dict[str, Any]) -> None:
        session.add(EventRow(job=job, at=now(), kind=kind, data=data))

    # ---- datasets, runs, models

    def put_dataset(self, wish: DatasetWish) -> None:
        with self._write() as session:
            values = {"wish": wish.model_dump(mode="json"), "created_at": wish.created_at}
            self._upsert(session, DatasetRow, id=short(wish.key), **values)

    def dataset(self, dataset: str) -> DatasetView | None:
        with self._read() as session:
            row = session.get(DatasetRow, dataset)
            return self._dataset_view(session, row) if row else None

    def datasets(self, part: Slice) -> list[DatasetView]:
        with self._read() as session:
            rows = session.scalars(_page(select(DatasetRow), DatasetRow.created_at, DatasetRow.id, part))
            return [self._dataset_view(session, row) for row in rows]

    def _dataset_view(self, session: Session, row: DatasetRow) -> DatasetView:
        return DatasetView(
            id=row.id, wish=DatasetWish.model_validate(row.wish), **self._job_fields(session, dataset_job(row.id))
        )

    def put_run(self, wish: RunWish) -> None:
        with self._write() as session:
            values = {"wish": wish.model_dump(mode="json"), "created_at": wish.created_at}
            self._upsert(session, RunRow, id=short(wish.key), **values)

    def run(self, run: str) -> RunView | None:
        with self._read() as session:
            row = session.get(RunRow, run)
            return self._run_view(session, row) if row else None

    def runs(self, part: Slice) -> list[RunView]:
        with self._read() as session:
            rows = session.scalars(_page(select(RunRow), RunRow.created_at, RunRow.id, part))
            return [self._run_view(session, row) for row in rows]

    def _run_view(self, session: Session, row: RunRow) -> RunView:
        return RunView(id=row.id, wish=RunWish.model_validate(row.wish), **self._job_fields(session, run_job(row.id)))

    def _job_fields(self, session: Session, job: str) -> dict[str, Any]:
        row = session.get(JobRow, job)
        state = {"state": row.state, "code": row.code, "detail": row.detail} if row else {"state": "queued"}
        return {**state, "job": job, "stages": self._stages(session, job)}

    def put_model(self, model: Model) -> None:
        with self._write() as session:
            values = {"name": model.name, "model": model.model_dump(mode="json"), "created_at": model.created_at}
            self._upsert(session, ModelRow, id=model.id, **values)

    def model(self, name_or_id: str) -> Model | None:
        wanted = select(ModelRow).where(or_(ModelRow.id == name_or_id, ModelRow.name == name_or_id))
        with self._read() as session:
            row = session.scalars(wanted.order_by(ModelRow.created_at.desc(), ModelRow.id.desc())).first()
            return Model.model_validate(row.model) if row else None

    def models(self, part: Slice) -> list[Model]:
        with self._read() as session:
            rows = session.scalars(_page(select(ModelRow), ModelRow.created_at, ModelRow.id, part))
            return [Model.model_validate(row.model) for row in rows]

    # ---- deployments

    def put_deployment(self, sequence: int, wish: DeploymentWish) -> None:
        values = {"sequence": sequence, "wish": wish.model_dump(mode="json"), "updated_at": wish.wished_at}
        fresh = {"state": "pending", "detail": None, "endpoint": None, "served_model": None}
        with self._write() as session:
            if session.get(DeploymentRow, wish.name, with_for_update=True) is None:
                self._upsert(session, DeploymentRow, name=wish.name, **values, **fresh)
            else:
                self._upsert(session, DeploymentRow, name=wish.name, **values, state="pending", detail=None)

    def observe_deployment(
        self,
        name: str,
        state: str,
        detail: str | None = None,
        endpoint: str | None = None,
        served_model: str | None = None,
    ) -> None:
        values = {"state": state, "detail": detail, "endpoint": endpoint, "served_model": served_model}
        with self._write() as session:
            session.execute(update(DeploymentRow).where(DeploymentRow.name == name).values(**values, updated_at=now()))

    def deployment(self, name: str) -> DeploymentView | None:
        with self._read() as session:
            row = session.get(DeploymentRow, name)
            return _deployment_view(row) if row else None

    def deployments(self) -> list[DeploymentView]:
        with self._read() as session:
            rows = session.scalars(select(DeploymentRow).order_by(DeploymentRow.name))
            return [_deployment_view(row) for row in rows]

    # ---- keys and remembered answers

    def put_key(self, key: ApiKey) -> None:
        with self._write() as session:
            self._upsert(
                session, KeyRow, id=key.id, name=key.name, secret_sha256=key.secret_sha256,
                scopes=",".join(key.scopes), created_at=key.created_at, revoked_at=key.revoked_at,
            )  # fmt: skip

    def key_by_secret(self, secret_sha256: str) -> ApiKey | None:
        with self._read() as session:
            row = session.scalars(select(KeyRow).where(KeyRow.secret_sha256 == secret_sha256)).first()
            return _key(row) if row else None

    def keys(self) -> Sequence[ApiKey]:
        with self._read() as session:
            return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

    def remember(self, key: str, answer: Answer) -> None:
        with self._write() as session:
            self._upsert(
                session, IdempotencyRow, key=key, request_sha256=answer.request_sha256, status=answer.status,
                response=answer.response, created_at=now(),
            )  # fmt: skip

    def remembered(self, key: str) -> Answer | None:
        with self._read() as session:
            row = session.get(IdempotencyRow, key)
            return Answer(row.request_sha256, row.status, row.response) if row else None

    def ping(self) -> None:
        with self._read() as session:
            session.execute(text("SELECT 1"))


def _page(wanted: Select[Any], age: Any, identity: Any, part: Slice) -> Select[Any]:
    if part.before is not None:
        at, before = part.before
        wanted = wanted.where(or_(age < at, and_(age == at, identity < before)))
    return wanted.order_by(age.desc(), identity.desc()).limit(part.limit)


def _documents() -> Any:
    return select(DocumentRow, JobRow).join(JobRow, JobRow.id == DocumentRow.job)


def _same_work(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {**one, "trace": ""} == {**other, "trace": ""}


def _document_view(row: DocumentRow, job: JobRow, stages: tuple[StageView, ...]) -> DocumentView:
    return DocumentView(
        id=row.id, collection=row.collection, filename=row.filename, size_bytes=row.size_bytes, added_at=row.added_at,
        state=job.state, stage=job.stage, code=job.code, detail=job.detail, job=job.id, stages=stages,
    )  # fmt: skip


def _job_view(row: JobRow) -> JobView:
    return JobView(
        id=row.id, kind=row.kind, subject=row.subject, collection=row.collection, stage=row.stage, state=row.state,
        code=row.code, detail=row.detail, progress=Progress.model_validate(row.progress) if row.progress else None,
        created_at=row.created_at, finished_at=row.finished_at,
    )  # fmt: skip


def _job_work(row: JobRow) -> JobWork:
    return JobWork(row.id, row.stage, row.state, row.work, row.touched_at, row.retry_at)


def _deployment_view(row: DeploymentRow) -> DeploymentView:
    return DeploymentView(
        name=row.name, sequence=row.sequence, wish=DeploymentWish.model_validate(row.wish), state=row.state,
        detail=row.detail, endpoint=row.endpoint, served_model=row.served_model, updated_at=row.updated_at,
    )  # fmt: skip


def _key(row: KeyRow) -> ApiKey:
    return ApiKey(
        id=row.id, name=row.name, secret_sha256=row.secret_sha256, scopes=tuple(row.scopes.split(",")),
        created_at=row.created_at, revoked_at=row.revoked_at,
    )  # fmt: skip
