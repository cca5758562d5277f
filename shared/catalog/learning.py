"""Datasets, runs and models in SQL."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from shared.catalog.protocol import Slice
from shared.catalog.tables import (
    DatasetDocumentRow,
    DatasetHeadRow,
    DatasetRow,
    ExportRow,
    JobRow,
    ModelRow,
    PromotionRow,
    RunRow,
)
from shared.catalog.transactions import Transactions, page
from shared.contracts.exports import ExportWish
from shared.contracts.learning import DatasetWish, Model, RunWish, WishHead
from shared.contracts.retention import Promotion
from shared.contracts.views import DatasetHead, DatasetView, ExportView, RunView
from shared.ids import dataset_job, export_job, run_job, short

ROWS_A_STATEMENT = 5_000
"""SQLite takes 32,766 values a statement."""


class Learning(Transactions):
    """What is learned from documents."""

    def put_dataset(self, wish: DatasetWish) -> None:
        with self._write() as session:
            head = wish.model_dump(mode="json", exclude={"inputs"}) | {"documents": len(wish.inputs)}
            values = {"wish": wish.model_dump(mode="json"), "created_at": wish.created_at}
            self._upsert(session, DatasetRow, id=short(wish.key), **values)
            self._upsert(session, DatasetHeadRow, id=short(wish.key), head=head, created_at=wish.created_at)
            names = {one.document: one.filename for one in wish.inputs}
            links = [{"dataset": short(wish.key), "document": one, "filename": names[one]} for one in sorted(names)]
            statement = self._dialect.insert(DatasetDocumentRow.__table__).on_conflict_do_nothing()
            for start in range(0, len(links), ROWS_A_STATEMENT):
                session.execute(statement.values(links[start : start + ROWS_A_STATEMENT]))

    def datasets_of(self, document: str) -> list[str]:
        wanted = select(DatasetDocumentRow.dataset).where(DatasetDocumentRow.document == document)
        with self._read() as session:
            return sorted(session.scalars(wanted))

    def dataset(self, dataset: str) -> DatasetView | None:
        with self._read() as session:
            row = session.get(DatasetRow, dataset)
            return self._dataset_view(session, row) if row else None

    def datasets(self, part: Slice) -> list[DatasetView]:
        with self._read() as session:
            rows = session.scalars(page(select(DatasetRow), DatasetRow.created_at, DatasetRow.id, part))
            return [self._dataset_view(session, row) for row in rows]

    def dataset_heads(self, part: Slice) -> list[DatasetHead]:
        wanted = page(select(DatasetHeadRow), DatasetHeadRow.created_at, DatasetHeadRow.id, part)
        with self._read() as session:
            return [self._dataset_head(session, row) for row in session.scalars(wanted)]

    def dataset_head(self, dataset: str) -> DatasetHead | None:
        with self._read() as session:
            row = session.get(DatasetHeadRow, dataset)
            return self._dataset_head(session, row) if row else None

    def dataset_inputs(self, dataset: str, documents: Collection[str] | None = None, limit: int = 200) -> dict[str, str]:
        row = DatasetDocumentRow
        wanted = select(row.document, row.filename).where(row.dataset == dataset)
        if documents is not None:
            wanted = wanted.where(row.document.in_(documents))
        with self._read() as session:
            return dict(session.execute(wanted.order_by(row.document).limit(limit)).all())

    def _dataset_head(self, session: Session, row: DatasetHeadRow) -> DatasetHead:
        return DatasetHead(id=row.id, head=WishHead(**row.head), **self._job_fields(session, dataset_job(row.id)))

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
            rows = session.scalars(page(select(RunRow), RunRow.created_at, RunRow.id, part))
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
            rows = session.scalars(page(select(ModelRow), ModelRow.created_at, ModelRow.id, part))
            return [Model.model_validate(row.model) for row in rows]

    def versions(self, name: str) -> list[Model]:
        wanted = select(ModelRow).where(ModelRow.name == name).order_by(ModelRow.created_at, ModelRow.id)
        with self._read() as session:
            return [Model.model_validate(row.model) for row in session.scalars(wanted)]

    def put_export(self, wish: ExportWish) -> None:
        with self._write() as session:
            values = {"model": wish.model, "wish": wish.model_dump(mode="json"), "created_at": wish.created_at}
            self._upsert(session, ExportRow, id=short(wish.key), **values)

    def export(self, export: str) -> ExportView | None:
        with self._read() as session:
            row = session.get(ExportRow, export)
            return self._export_view(session, row) if row else None

    def exports(self, model: str, part: Slice) -> list[ExportView]:
        wanted = page(select(ExportRow).where(ExportRow.model == model), ExportRow.created_at, ExportRow.id, part)
        with self._read() as session:
            return [self._export_view(session, row) for row in session.scalars(wanted)]

    def _export_view(self, session: Session, row: ExportRow) -> ExportView:
        return ExportView(id=row.id, wish=ExportWish.model_validate(row.wish), **self._job_fields(session, export_job(row.id)))

    def put_promotion(self, promotion: Promotion) -> None:
        with self._write() as session:
            self._upsert(session, PromotionRow, name=promotion.name, promotion=promotion.model_dump(mode="json"))

    def promotions(self, names: Collection[str]) -> dict[str, Promotion]:
        wanted = select(PromotionRow).where(PromotionRow.name.in_(names))
        with self._read() as session:
            return {row.name: Promotion.model_validate(row.promotion) for row in session.scalars(wanted)}
