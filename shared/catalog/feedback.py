"""What people said of answers in SQL, the latest word of each; and the sets of preferences made of it."""

from sqlalchemy import select

from shared.catalog.protocol import Slice
from shared.catalog.tables import FeedbackRow, PreferenceSetRow
from shared.catalog.transactions import Transactions, page
from shared.contracts.feedback import Feedback
from shared.contracts.preferences import PreferenceSet
from shared.ids import short


class FeedbackRows(Transactions):
    """Words on answers, and preferences."""

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

    def put_preferences(self, preferences: PreferenceSet) -> None:
        with self._write() as session:
            told, at = preferences.model_dump(mode="json"), preferences.created_at
            self._upsert(session, PreferenceSetRow, id=short(preferences.key), preferences=told, created_at=at)

    def preference_set(self, preferences: str) -> PreferenceSet | None:
        with self._read() as session:
            row = session.get(PreferenceSetRow, preferences)
            return PreferenceSet.model_validate(row.preferences) if row else None

    def preference_sets(self, part: Slice) -> list[PreferenceSet]:
        wanted = page(select(PreferenceSetRow), PreferenceSetRow.created_at, PreferenceSetRow.id, part)
        with self._read() as session:
            return [PreferenceSet.model_validate(row.preferences) for row in session.scalars(wanted)]
