"""Jobs in SQL, as the runner, the sweep and those who watch see them."""

import time
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from shared.catalog.protocol import JobWork, NewJob, Slice
from shared.catalog.tables import EventRow, JobRow, StageRow
from shared.catalog.transactions import Transactions, page
from shared.clock import now
from shared.contracts.views import CHORES, FINISHED, EventView, JobView
from shared.contracts.work import Manifest, Progress, Work

UNQUEUED = ("deployment", *CHORES)
"""Jobs that no queue carries: the recovery sweep leaves them to those who do them."""


class Jobs(Transactions):
    """Long work and its events."""

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
                finished_at=None, result=None,
            )  # fmt: skip
            self._event(session, job.id, "queued", {"stage": job.stage})
            return True

    def job(self, job: str) -> JobView | None:
        with self._read() as session:
            row = session.get(JobRow, job)
            return _job_view(row) if row else None

    def jobs(self, part: Slice, kind: str | None = None, state: str | None = None) -> list[JobView]:
        wanted = page(select(JobRow), JobRow.created_at, JobRow.id, part)
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
            if row is None or not _is_at(row, work):
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
            if row is None or not _is_at(row, work):
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

    def restate(self, job: str, stage: str, result: dict[str, Any]) -> None:
        with self._write() as session:
            at = (StageRow.job == job, StageRow.stage == stage)
            session.execute(update(StageRow).where(*at).values(result=result))

    def retry_job(self, job: str, retry_at: float, code: str, detail: str) -> None:
        with self._write() as session:
            self._retry(session, job, retry_at, code, detail)

    def _retry(self, session: Session, job: str, retry_at: float, code: str, detail: str) -> None:
        values = {"state": "waiting", "retry_at": retry_at, "code": code, "detail": detail, "touched_at": time.time()}
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
        wanted = select(JobRow).where(JobRow.state.in_(("queued", "running", "waiting")), JobRow.kind.not_in(UNQUEUED))
        with self._read() as session:
            return [_job_work(row) for row in session.scalars(wanted.order_by(JobRow.touched_at).limit(limit))]

    def chores(self, collection: str | None = None) -> list[JobWork]:
        wanted = select(JobRow).where(JobRow.state.in_(("queued", "running", "waiting")), JobRow.kind.in_(CHORES))
        if collection is not None:
            wanted = wanted.where(JobRow.collection == collection)
        with self._read() as session:
            return [_job_work(row) for row in session.scalars(wanted.order_by(JobRow.created_at))]

    def begin_chore(self, job: str) -> bool:
        begun = update(JobRow).where(JobRow.id == job, JobRow.state.not_in(FINISHED))
        values = {"state": "running", "retry_at": None, "code": None, "detail": None, "touched_at": time.time()}
        with self._write() as session:
            if not session.connection().execute(begun.values(**values, attempts=JobRow.attempts + 1)).rowcount:
                return False
            self._event(session, job, "stage", {"stage": job.split(".", maxsplit=1)[0], "state": "running"})
            return True

    def let_go_chore(self, job: str, retry_at: float, code: str, detail: str) -> None:
        with self._write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(attempts=JobRow.attempts - 1))
            self._retry(session, job, retry_at, code, detail)

    def finish_chore(self, job: str, result: dict[str, Any], at: str) -> None:
        with self._write() as session:
            session.execute(update(JobRow).where(JobRow.id == job).values(result=result))
            self._finish(session, job, "done", None, None, at)

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

    def latest_event(self) -> int:
        with self._read() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def count_jobs(self) -> dict[tuple[str, str], int]:
        counting = select(JobRow.kind, JobRow.state, func.count()).group_by(JobRow.kind, JobRow.state)
        with self._read() as session:
            return {(kind, state): count for kind, state, count in session.execute(counting)}

    def add_event(self, job: str, kind: str, data: dict[str, Any]) -> None:
        with self._write() as session:
            self._event(session, job, kind, data)

    def _event(self, session: Session, job: str, kind: str, data: dict[str, Any]) -> None:
        session.add(EventRow(job=job, at=now(), kind=kind, data=data))


def _is_at(row: JobRow, work: Work) -> bool:
    """Whether a job wants this very work still. Its trace alone does not tell: requests of one trace may ask for other work."""
    return row.trace == work.trace and type(work).model_validate(row.work) == work


def _same_work(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return {**one, "trace": ""} == {**other, "trace": ""}


def _job_view(row: JobRow) -> JobView:
    return JobView(
        id=row.id, kind=row.kind, subject=row.subject, collection=row.collection, stage=row.stage, state=row.state,
        code=row.code, detail=row.detail, progress=Progress.model_validate(row.progress) if row.progress else None,
        created_at=row.created_at, finished_at=row.finished_at, result=row.result,
    )  # fmt: skip


def _job_work(row: JobRow) -> JobWork:
    return JobWork(row.id, row.stage, row.state, row.work, row.touched_at, row.retry_at)
