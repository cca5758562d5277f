"""Tombstones, what saw forgotten documents, and which documents a dataset was wished of."""

import json

import sqlalchemy as sa
from alembic import op

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('dataset_documents',
    sa.Column('dataset', sa.String(), nullable=False),
    sa.Column('document', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('dataset', 'document')
    )
    op.create_index('ix_dataset_documents_document', 'dataset_documents', ['document'])
    op.create_table('forgotten',
    sa.Column('document', sa.String(), nullable=False),
    sa.Column('state', sa.String(), nullable=False),
    sa.Column('job', sa.String(), nullable=False),
    sa.Column('receipt', sa.JSON(), nullable=True),
    sa.Column('at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('document')
    )
    op.create_index('ix_forgotten_at', 'forgotten', ['at'])
    op.create_table('sightings',
    sa.Column('document', sa.String(), nullable=False),
    sa.Column('kind', sa.String(), nullable=False),
    sa.Column('subject', sa.String(), nullable=False),
    sa.Column('trained', sa.Boolean(), nullable=False),
    sa.PrimaryKeyConstraint('document', 'kind', 'subject')
    )
    op.create_index('ix_sightings_subject', 'sightings', ['subject'])
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.add_column(sa.Column('result', sa.JSON(), nullable=True))
    _fill()


def _fill() -> None:
    """The datasets that stand already, by the documents in their wishes."""
    links = sa.table('dataset_documents', sa.column('dataset'), sa.column('document'))
    for dataset, wish in op.get_bind().execute(sa.text('SELECT id, wish FROM datasets')).all():
        wish = json.loads(wish) if isinstance(wish, str) else wish
        rows = [{'dataset': dataset, 'document': one} for one in sorted({each['document'] for each in wish['inputs']})]
        op.bulk_insert(links, rows)


def downgrade() -> None:
    with op.batch_alter_table('jobs', schema=None) as batch_op:
        batch_op.drop_column('result')
    op.drop_table('sightings')
    op.drop_table('forgotten')
    op.drop_table('dataset_documents')
