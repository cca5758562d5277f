"""What pages show is looked up and not reckoned: documents by state and by age, datasets without their inputs."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

datasets = sa.table('datasets', sa.column('id'), sa.column('wish', sa.JSON()))
heads = sa.table('dataset_heads', sa.column('id'), sa.column('head', sa.JSON()), sa.column('created_at'))
documents = sa.table('dataset_documents', sa.column('dataset'), sa.column('document'), sa.column('filename'))


def upgrade() -> None:
    op.create_index('jobs_of_collection', 'jobs', ['collection', 'kind', 'state'])
    op.create_index('documents_by_age', 'documents', ['collection', 'added_at', 'id'])
    op.create_index('reviewables_by_rule', 'reviewables', ['rule'])
    op.create_table('dataset_heads',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('head', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_dataset_heads_created_at', 'dataset_heads', ['created_at'])
    op.add_column('dataset_documents', sa.Column('filename', sa.Text(), nullable=False, server_default=''))
    connection = op.get_bind()
    for dataset in list(connection.scalars(sa.select(datasets.c.id))):
        _fill(connection, dataset)


def _fill(connection: sa.Connection, dataset: str) -> None:
    wish: Any = connection.scalar(sa.select(datasets.c.wish).where(datasets.c.id == dataset))
    inputs = wish.pop('inputs')
    head = wish | {'documents': len(inputs)}
    connection.execute(sa.insert(heads).values(id=dataset, head=head, created_at=wish['created_at']))
    named = sa.update(documents).where(
        documents.c.dataset == sa.bindparam('of'), documents.c.document == sa.bindparam('input')
    )
    rows = [{'of': dataset, 'input': one['document'], 'filename': one['filename']} for one in inputs]
    if rows:
        connection.execute(named, rows)


def downgrade() -> None:
    op.drop_column('dataset_documents', 'filename')
    op.drop_table('dataset_heads')
    op.drop_index('reviewables_by_rule')
    op.drop_index('documents_by_age')
    op.drop_index('jobs_of_collection')
