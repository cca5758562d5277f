"""Deployments, API keys and remembered answers in SQL."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update

from shared.catalog.protocol import Answer, Slice
from shared.catalog.tables import DeedRow, DeploymentRow, IdempotencyRow, KeyRow
from shared.catalog.transactions import Transactions, page
from shared.clock import now
from shared.contracts.keys import ApiKey, Deed
from shared.contracts.learning import DeploymentWish
from shared.contracts.views import DeploymentView, Standing
from shared.ids import TRIAL

_DEED = tuple(name for name in Deed.model_fields if name != "schema_version")


class Access(Transactions):
    """What is served, to whom, and what they were told."""

    def put_deployment(self, sequence: int, wish: DeploymentWish) -> None:
        values = {"sequence": sequence, "wish": wish.model_dump(mode="json"), "updated_at": wish.wished_at}
        fresh: dict[str, Any] = {"endpoints": [], "served_model": None, "serves": None, "canary": None}
        with self._write() as session:
            row = session.get(DeploymentRow, wish.name, with_for_update=True)
            if row is None:
                self._upsert(session, DeploymentRow, name=wish.name, **values, **fresh, state="pending", detail=None)
            else:
                canary = {**row.canary, "state": "pending", "detail": None} if row.canary else None
                self._upsert(session, DeploymentRow, name=wish.name, **values, canary=canary, state="pending", detail=None)

    def observe_deployment(
        self,
        name: str,
        state: str,
        detail: str | None = None,
        endpoints: Sequence[str] = (),
        served_model: str | None = None,
        serves: str | None = None,
        sequence: int | None = None,
    ) -> None:
        where = {"endpoints": list(endpoints), "served_model": served_model, "serves": serves}
        self._observe(name, {"state": state, "detail": detail, **where}, sequence)

    def observe_canary(self, name: str, standing: Standing | None) -> None:
        self._observe(name, {"canary": standing.model_dump(mode="json") if standing else None})

    def _observe(self, name: str, values: dict[str, Any], sequence: int | None = None) -> None:
        observed = update(DeploymentRow).where(DeploymentRow.name == name)
        if sequence is not None:
            observed = observed.where(DeploymentRow.sequence == sequence)
        with self._write() as session:
            session.execute(observed.values(**values, updated_at=now()))

    def deployment(self, name: str) -> DeploymentView | None:
        with self._read() as session:
            row = session.get(DeploymentRow, name)
            return _deployment_view(row) if row else None

    def deployments(self, trials: bool = False) -> list[DeploymentView]:
        wanted = select(DeploymentRow).order_by(DeploymentRow.name)
        if not trials:
            wanted = wanted.where(DeploymentRow.name.not_like(f"%{TRIAL}"))
        with self._read() as session:
            return [_deployment_view(row) for row in session.scalars(wanted)]

    def drop_trial(self, name: str, sequence: int | None = None) -> None:
        dropped = delete(DeploymentRow).where(DeploymentRow.name == name, DeploymentRow.name.like(f"%{TRIAL}"))
        if sequence is not None:
            dropped = dropped.where(DeploymentRow.sequence == sequence)
        with self._write() as session:
            session.execute(dropped)

    def put_key(self, key: ApiKey) -> None:
        with self._write() as session:
            self._upsert(
                session, KeyRow, id=key.id, name=key.name, secret_sha256=key.secret_sha256,
                scopes=",".join(key.scopes), created_at=key.created_at, revoked_at=key.revoked_at,
                requests_per_minute=key.requests_per_minute, tokens_per_day=key.tokens_per_day,
            )  # fmt: skip

    def key(self, key: str) -> ApiKey | None:
        with self._read() as session:
            row = session.get(KeyRow, key)
            return _key(row) if row else None

    def key_by_secret(self, secret_sha256: str) -> ApiKey | None:
        with self._read() as session:
            row = session.scalars(select(KeyRow).where(KeyRow.secret_sha256 == secret_sha256)).first()
            return _key(row) if row else None

    def keys(self) -> Sequence[ApiKey]:
        with self._read() as session:
            return [_key(row) for row in session.scalars(select(KeyRow).order_by(KeyRow.created_at))]

    def put_deed(self, deed: Deed) -> None:
        with self._write() as session:
            self._upsert(session, DeedRow, **deed.model_dump(exclude={"schema_version"}))

    def deeds(self, part: Slice) -> list[Deed]:
        with self._read() as session:
            rows = session.scalars(page(select(DeedRow), DeedRow.at, DeedRow.id, part))
            return [Deed.model_validate({name: getattr(row, name) for name in _DEED}) for row in rows]

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

    def forget_answers(self, before: str) -> int:
        with self._write() as session:
            return session.connection().execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < before)).rowcount


def _deployment_view(row: DeploymentRow) -> DeploymentView:
    wish = DeploymentWish.model_validate(row.wish)
    new = Standing() if wish.canary is not None and wish.state == "running" else None
    canary = Standing.model_validate(row.canary) if row.canary else new
    return DeploymentView(
        name=row.name, sequence=row.sequence, wish=wish, state=row.state, detail=row.detail, endpoints=tuple(row.endpoints),
        served_model=row.served_model, serves=row.serves, canary=canary, updated_at=row.updated_at,
    )  # fmt: skip


def _key(row: KeyRow) -> ApiKey:
    return ApiKey(
        id=row.id, name=row.name, secret_sha256=row.secret_sha256, scopes=tuple(row.scopes.split(",")),
        created_at=row.created_at, revoked_at=row.revoked_at,
        requests_per_minute=row.requests_per_minute, tokens_per_day=row.tokens_per_day,
    )  # fmt: skip
