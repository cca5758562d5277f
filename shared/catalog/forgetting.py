"""Tombstones, what saw the documents under them, and the removal of a document's rows, in SQL."""

from collections.abc import Sequence

from sqlalchemy import String, cast, delete, select

from shared.catalog.protocol import Slice
from shared.catalog.tables import (
    DocumentRow,
    EventRow,
    FeedbackRow,
    ForgottenRow,
    IdempotencyRow,
    JobRow,
    LabelRow,
    LineWordRow,
    ReviewableRow,
    SightingRow,
    StageRow,
)
from shared.catalog.transactions import Transactions, page
from shared.contracts.forgetting import ForgottenView, Receipt


class Forgetting(Transactions):
    """What was forgotten."""

    def put_forgotten(self, document: str, state: str, job: str, receipt: Receipt | None, at: str) -> None:
        with self._write() as session:
            told = receipt.model_dump(mode="json") if receipt else None
            self._upsert(session, ForgottenRow, document=document, state=state, job=job, receipt=told, at=at)
            if receipt is None:
                return
            for dataset in receipt.uses.datasets:
                session.merge(
                    SightingRow(document=document, kind="dataset", subject=dataset.dataset, trained=dataset.train > 0)
                )
            for model in receipt.uses.models:
                session.merge(SightingRow(document=document, kind="model", subject=model.model, trained=model.trained))

    def forgotten(self, document: str) -> ForgottenView | None:
        with self._read() as session:
            row = session.get(ForgottenRow, document)
            return _view(row) if row else None

    def all_forgotten(self, part: Slice) -> list[ForgottenView]:
        with self._read() as session:
            rows = session.scalars(page(select(ForgottenRow), ForgottenRow.at, ForgottenRow.document, part))
            return [_view(row) for row in rows]

    def saw_forgotten(self, kind: str, subjects: Sequence[str]) -> dict[str, tuple[str, ...]]:
        wanted = select(SightingRow.subject, SightingRow.document).where(
            SightingRow.kind == kind, SightingRow.subject.in_(subjects), SightingRow.trained
        )
        found: dict[str, tuple[str, ...]] = {}
        with self._read() as session:
            for subject, document in session.execute(wanted.order_by(SightingRow.subject, SightingRow.document)):
                found[subject] = (*found.get(subject, ()), document)
        return found

    def erase_document(self, document: str) -> int:
        erased = 0
        with self._write() as session:
            of_document = (JobRow.kind == "document", JobRow.subject == document)
            jobs = list(session.scalars(select(JobRow.id).where(*of_document)))
            for condition in (
                delete(EventRow).where(EventRow.job.in_(jobs)),
                delete(StageRow).where(StageRow.job.in_(jobs)),
                delete(ReviewableRow).where(ReviewableRow.document == document),
                delete(LabelRow).where(LabelRow.document == document),
                delete(DocumentRow).where(DocumentRow.id == document),
                delete(LineWordRow).where(LineWordRow.document == document),
                delete(FeedbackRow).where(cast(FeedbackRow.feedback, String).contains(document)),
                delete(JobRow).where(*of_document),
                delete(IdempotencyRow).where(cast(IdempotencyRow.response, String).contains(document)),
            ):
                erased += session.connection().execute(condition).rowcount
        return erased


def _view(row: ForgottenRow) -> ForgottenView:
    receipt = Receipt.model_validate(row.receipt) if row.receipt else None
    return ForgottenView(document=row.document, state=row.state, job=row.job, receipt=receipt, at=row.at)
