"""What every part of the SQL catalog does alike: short transactions, upserts, pages, and the stages of a job."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Select, and_, or_, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from shared.catalog.protocol import Slice
from shared.catalog.tables import Base, StageRow
from shared.contracts.views import StageView
from shared.errors import Unavailable


class Transactions:
    """An engine, written to in one transaction a method."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._reader = engine.execution_options(lectern_readonly=True)
        self._dialect = postgresql if engine.dialect.name == "postgresql" else sqlite

    @contextmanager
    def _write(self) -> Iterator[Session]:
        with _answering(), Session(self._engine) as session, session.begin():
            yield session

    @contextmanager
    def _read(self) -> Iterator[Session]:
        with _answering(), Session(self._reader) as session:
            yield session

    def _upsert(self, session: Session, row: type[Base], **values: Any) -> None:
        keys = [column.name for column in row.__table__.primary_key]
        statement = self._dialect.insert(row.__table__).values(**values)
        changes = {name: value for name, value in values.items() if name not in keys}
        session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changes))

    def stages(self, job: str) -> tuple[StageView, ...]:
        with self._read() as session:
            return self._stages(session, job)

    def _stages(self, session: Session, job: str) -> tuple[StageView, ...]:
        rows = session.scalars(select(StageRow).where(StageRow.job == job))
        views = [stage_view(row) for row in rows]
        return tuple(sorted(views, key=lambda view: (view.finished_at is None, view.finished_at or "", view.stage)))

    def ping(self) -> None:
        with self._read() as session:
            session.execute(text("SELECT 1"))


@contextmanager
def _answering() -> Iterator[None]:
    """Raises Unavailable where the database is away: it cannot be connected to, or the connection was cut."""
    try:
        yield
    except DBAPIError as error:
        if error.connection_invalidated or error.statement is None:
            raise Unavailable("The catalog's database does not answer just now.") from error
        raise


def stage_view(row: StageRow) -> StageView:
    return StageView(
        stage=row.stage, key=row.key, state=row.state, seconds=row.seconds, finished_at=row.finished_at, result=row.result
    )  # fmt: skip


def page(wanted: Select[*tuple[Any, ...]], age: Any, identity: Any, part: Slice) -> Select[*tuple[Any, ...]]:
    if part.before is not None:
        at, before = part.before
        wanted = wanted.where(or_(age < at, and_(age == at, identity < before)))
    return wanted.order_by(age.desc(), identity.desc()).limit(part.limit)
