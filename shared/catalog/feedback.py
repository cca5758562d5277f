"""What people said of answers in SQL: the latest word of each."""

from sqlalchemy import select

from shared.catalog.protocol import Slice
from shared.catalog.tables import FeedbackRow
from shared.catalog.transactions import Transactions, page
from shared.contracts.feedback import Feedback


class FeedbackRows(Transactions):
    """Words on answers."""

    def put_feedback(self, feedback: Feedback) -> None:
        with self._write() as session:
            told = feedback.model_dump(mode="json")
            self._upsert(session, FeedbackRow, id=feedback.id, model=feedback.model, feedback=told, at=feedback.at)

    def all_feedback(self, part: Slice, model: str | None = None) -> list[Feedback]:
        wanted = page(select(FeedbackRow), FeedbackRow.at, FeedbackRow.id, part)
        if model is not None:
            wanted = wanted.where(FeedbackRow.model == model)
        with self._read() as session:
            return [Feedback.model_validate(row.feedback) for row in session.scalars(wanted)]
