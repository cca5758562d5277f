"""Where each replica of a deployment answers, in place of the one engine's address."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

DEPLOYMENTS = sa.table(
    'deployments', sa.column('name', sa.String), sa.column('endpoint', sa.String), sa.column('endpoints', sa.JSON),
    sa.column('canary', sa.JSON),
)  # fmt: skip


def upgrade() -> None:
    op.add_column('deployments', sa.Column('endpoints', sa.JSON(), nullable=False, server_default='[]'))
    for name, endpoint, canary in _rows('endpoint'):
        _write(name, endpoints=[endpoint] if endpoint else [], canary=_many(canary))
    op.drop_column('deployments', 'endpoint')


def downgrade() -> None:
    op.add_column('deployments', sa.Column('endpoint', sa.String(), nullable=True))
    for name, endpoints, canary in _rows('endpoints'):
        _write(name, endpoint=endpoints[0] if endpoints else None, canary=_one(canary))
    op.drop_column('deployments', 'endpoints')


def _rows(where: str) -> list[Any]:
    columns = (DEPLOYMENTS.c.name, DEPLOYMENTS.c[where], DEPLOYMENTS.c.canary)
    return list(op.get_bind().execute(sa.select(*columns)))


def _write(name: str, canary: dict[str, Any] | None, **where: Any) -> None:
    # A canary that is none is left as it is: JSON's null is not SQL's.
    values = where if canary is None else {**where, 'canary': canary}
    op.get_bind().execute(sa.update(DEPLOYMENTS).where(DEPLOYMENTS.c.name == name).values(**values))


def _many(canary: dict[str, Any] | None) -> dict[str, Any] | None:
    if canary is None:
        return None
    told = {field: value for field, value in canary.items() if field != 'endpoint'}
    return {**told, 'endpoints': [canary['endpoint']] if canary.get('endpoint') else []}


def _one(canary: dict[str, Any] | None) -> dict[str, Any] | None:
    if canary is None:
        return None
    told = {field: value for field, value in canary.items() if field != 'endpoints'}
    return {**told, 'endpoint': next(iter(canary.get('endpoints', [])), None)}
