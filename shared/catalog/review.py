"""Texts to review, labels and classifiers in SQL."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, func, insert, select, tuple_
from sqlalchemy.orm import Session, aliased

from shared.catalog.protocol import Agreement, Placed, Slice
from shared.catalog.tables import ClassifierRow, JobRow, LabelRow, ReviewableRow
from shared.catalog.transactions import Transactions, page
from shared.contracts.review import ClassifierWish, Label, Lane
from shared.contracts.views import ClassifierView
from shared.ids import classifier_job, short

ROWS_AT_ONCE = 1_000
REVIEWERS_OF_LOT = 2
"""Texts drawn by lot are shown to two reviewers, so that their agreement is known."""


class Review(Transactions):
    """What people are asked, what they said, and what was learned from it."""

    def put_reviewables(self, collection: str, document: str, found: Iterable[Placed]) -> None:
        rows = iter(list(found))  # read before the transaction, which others wait for
        with self._write() as session:
            of_document = (ReviewableRow.document == document, ReviewableRow.collection == collection)
            session.execute(delete(ReviewableRow).where(*of_document))
            while some := list(islice(rows, ROWS_AT_ONCE)):
                session.execute(insert(ReviewableRow), [_values(one) for one in some])

    def reviewables(
        self,
        lane: Lane,
        limit: int,
        after: tuple[float, str] | None = None,
        collection: str | None = None,
        reviewer: str | None = None,
    ) -> list[Placed]:
        wanted = select(ReviewableRow).where(ReviewableRow.lane == lane, *_unsaid(lane, reviewer))
        if collection is not None:
            wanted = wanted.where(ReviewableRow.collection == collection)
        if after is not None:
            wanted = wanted.where(tuple_(ReviewableRow.rank, ReviewableRow.id) > tuple_(*after))
        with self._read() as session:
            rows = session.scalars(wanted.order_by(ReviewableRow.rank, ReviewableRow.id).limit(limit))
            return [_placed(row) for row in rows]

    def reviewable(self, document: str, item: str) -> Placed | None:
        with self._read() as session:
            # A range, not LIKE: it is looked up in the index of both databases. "g" comes after every hex digit.
            of_document = ReviewableRow.document.between(document, document + "g")
            wanted = select(ReviewableRow).where(of_document, ReviewableRow.id == item)
            rows = list(session.scalars(wanted.order_by(ReviewableRow.collection)))
            return _placed(rows[0]) if rows and len({row.document for row in rows}) == 1 else None

    def count_reviewables(self) -> tuple[int, int]:
        counting = select(func.count()).select_from(ReviewableRow)
        with self._read() as session:
            kept = session.scalar(counting.where(ReviewableRow.rule == "")) or 0
            return kept, (session.scalar(counting.where(ReviewableRow.rule >= "")) or 0) - kept

    def put_labels(self, labels: Iterable[tuple[int, Label]]) -> None:
        with self._write() as session:
            for sequence, label in labels:
                self._upsert(
                    session, LabelRow, document=label.document, mark=label.mark, reviewer=label.reviewer,
                    verdict=label.verdict, sequence=sequence, entry=f"{label.document}/{sequence:08d}", at=label.at,
                )  # fmt: skip

    def labels(self, part: Slice, reviewer: str | None = None) -> list[tuple[str, int]]:
        words: Any = select(LabelRow.document, LabelRow.sequence)
        wanted = page(words, LabelRow.at, LabelRow.entry, part)
        if reviewer is not None:
            wanted = wanted.where(LabelRow.reviewer == reviewer)
        with self._read() as session:
            return [(document, sequence) for document, sequence in session.execute(wanted)]

    def labelled(self, documents: Iterable[str] | None = None) -> dict[str, int]:
        wanted = select(LabelRow.document, func.max(LabelRow.sequence)).group_by(LabelRow.document)
        with self._read() as session:
            found = dict(session.execute(wanted).all())
        return found if documents is None else {one: found[one] for one in documents if one in found}

    def count_labels(self) -> dict[tuple[str, str], int]:
        counting = select(LabelRow.reviewer, LabelRow.verdict, func.count()).group_by(LabelRow.reviewer, LabelRow.verdict)
        with self._read() as session:
            return {(reviewer, verdict): count for reviewer, verdict, count in session.execute(counting)}

    def agreement(self) -> list[Agreement]:
        one, other = aliased(LabelRow), aliased(LabelRow)
        columns = (one.reviewer, other.reviewer, one.verdict, other.verdict)
        same = (one.document == other.document, one.mark == other.mark, one.reviewer < other.reviewer)
        said = (one.verdict != "withdrawn", other.verdict != "withdrawn")
        counting = select(*columns, func.count()).where(*same, *said).group_by(*columns).order_by(*columns)
        with self._read() as session:
            return [Agreement(*row) for row in session.execute(counting)]

    # ---- classifiers

    def put_classifier(self, wish: ClassifierWish) -> None:
        with self._write() as session:
            if session.get(ClassifierRow, short(wish.key)) is None:
                values = {"wish": wish.model_dump(mode="json"), "adopted": None, "created_at": wish.created_at}
                self._upsert(session, ClassifierRow, id=short(wish.key), **values)

    def judge_classifier(self, classifier: str, adopted: bool) -> None:
        with self._write() as session:
            if (row := session.get(ClassifierRow, classifier)) is not None:
                row.adopted = adopted

    def classifier(self, classifier: str) -> ClassifierView | None:
        with self._read() as session:
            row = session.get(ClassifierRow, classifier)
            return self._classifier_view(session, row) if row else None

    def classifiers(self, part: Slice) -> list[ClassifierView]:
        return self._classifiers(page(select(ClassifierRow), ClassifierRow.created_at, ClassifierRow.id, part))

    def standing_classifier(self) -> ClassifierView | None:
        wanted = page(select(ClassifierRow), ClassifierRow.created_at, ClassifierRow.id, Slice(limit=1))
        return next(iter(self._classifiers(wanted.where(ClassifierRow.adopted.is_(True)))), None)

    def _classifiers(self, wanted: Select[Any]) -> list[ClassifierView]:
        with self._read() as session:
            return [self._classifier_view(session, row) for row in session.scalars(wanted)]

    def _classifier_view(self, session: Session, row: ClassifierRow) -> ClassifierView:
        job = classifier_job(row.id)
        found = session.get(JobRow, job)
        state = {"state": found.state, "code": found.code, "detail": found.detail} if found else {"state": "queued"}
        return ClassifierView(
            id=row.id, wish=ClassifierWish.model_validate(row.wish), adopted=row.adopted, job=job,
            stages=self._stages(session, job), **state,
        )  # fmt: skip


def _unsaid(lane: Lane, reviewer: str | None) -> list[ColumnElement[bool]]:
    """Not said of yet: by anybody, or, of what is drawn by lot, by this reviewer and another."""
    said = (
        LabelRow.document == ReviewableRow.document, LabelRow.mark == ReviewableRow.mark, LabelRow.verdict != "withdrawn",
    )  # fmt: skip
    if lane != "random" or reviewer is None:
        return [~exists().where(*said)]
    number = select(func.count()).select_from(LabelRow).where(*said).correlate(ReviewableRow).scalar_subquery()
    return [~exists().where(*said, LabelRow.reviewer == reviewer), number < REVIEWERS_OF_LOT]


def _values(one: Placed) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Placed.__slots__}


def _placed(row: ReviewableRow) -> Placed:
    return Placed(**{name: getattr(row, name) for name in Placed.__slots__})
