"""Collections and documents in SQL."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from shared.catalog.protocol import Slice
from shared.catalog.tables import CollectionRow, DocumentRow, JobRow, StageRow
from shared.catalog.transactions import Transactions, page, stage_view
from shared.contracts.documents import ProcessingParameters
from shared.contracts.views import CollectionView, DocumentView, StageView

PAGE_DOCUMENTS = 1_000


class Shelves(Transactions):
    """Collections and the documents on them."""

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
            rows = session.scalars(page(select(CollectionRow), CollectionRow.created_at, CollectionRow.name, part))
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

    def documents(
        self, part: Slice, collection: str | None = None, state: str | None = None, name: str | None = None
    ) -> list[DocumentView]:
        wanted = page(_documents(), DocumentRow.added_at, DocumentRow.id, part)
        if collection is not None:
            wanted = wanted.where(DocumentRow.collection == collection)
        if state is not None:
            wanted = wanted.where(JobRow.state == state)
        if name is not None:
            wanted = wanted.where(DocumentRow.filename.icontains(name, autoescape=True))
        with self._read() as session:
            return [_document_view(document, job, ()) for document, job in session.execute(wanted)]

    def shelves_of(self, document: str) -> list[DocumentView]:
        wanted = _documents().where(DocumentRow.id.startswith(document, autoescape=True)).order_by(DocumentRow.added_at)
        with self._read() as session:
            rows = session.execute(wanted).all()
            return [_document_view(found, job, self._stages(session, found.job)) for found, job in rows]

    def stages_on(self, collection: str) -> Iterator[tuple[str, tuple[StageView, ...]]]:
        after = ""
        while rows := self._stages_after(collection, after):
            yield from rows
            after = rows[-1][0]

    def _stages_after(self, collection: str, after: str) -> list[tuple[str, tuple[StageView, ...]]]:
        """Of the next documents in the order of their ids, so that no transaction outlasts a page."""
        wanted = select(DocumentRow.id, DocumentRow.job).where(DocumentRow.collection == collection, DocumentRow.id > after)
        with self._read() as session:
            jobs = {job: document for document, job in session.execute(wanted.order_by(DocumentRow.id).limit(PAGE_DOCUMENTS))}
            found: dict[str, list[StageView]] = {document: [] for document in jobs.values()}
            for row in session.scalars(select(StageRow).where(StageRow.job.in_(jobs))):
                found[jobs[row.job]].append(stage_view(row))
        return [(document, tuple(stages)) for document, stages in found.items()]

    def count_documents(self, collection: str) -> dict[str, int]:
        """By their jobs, one each, which an index alone answers."""
        of_collection = (JobRow.collection == collection, JobRow.kind == "document")
        with self._read() as session:
            rows = session.execute(select(JobRow.state, func.count()).where(*of_collection).group_by(JobRow.state))
            return dict(rows.all())


def _documents() -> Any:
    return select(DocumentRow, JobRow).join(JobRow, JobRow.id == DocumentRow.job)


def _document_view(row: DocumentRow, job: JobRow, stages: tuple[StageView, ...]) -> DocumentView:
    return DocumentView(
        id=row.id, collection=row.collection, filename=row.filename, size_bytes=row.size_bytes, added_at=row.added_at,
        state=job.state, stage=job.stage, code=job.code, detail=job.detail, job=job.id, stages=stages,
    )  # fmt: skip
