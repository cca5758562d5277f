"""What can be reviewed, what was said of it, and the classifiers that learned from it."""

import sqlalchemy as sa
from alembic import op

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('reviewables',
    sa.Column('document', sa.String(), nullable=False),
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('collection', sa.String(), nullable=False),
    sa.Column('mark', sa.String(), nullable=False),
    sa.Column('decision', sa.String(), nullable=False),
    sa.Column('rule', sa.String(), nullable=False),
    sa.Column('probability', sa.Double(), nullable=True),
    sa.Column('lane', sa.String(), nullable=False),
    sa.Column('rank', sa.Double(), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('start', sa.BigInteger(), nullable=False),
    sa.Column('end', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('document', 'id', 'collection')
    )
    op.create_index('reviewables_by_rank', 'reviewables', ['lane', 'rank', 'id'])
    op.create_index('reviewables_of_collection', 'reviewables', ['collection', 'lane', 'rank', 'id'])
    op.create_table('labels',
    sa.Column('document', sa.String(), nullable=False),
    sa.Column('mark', sa.String(), nullable=False),
    sa.Column('reviewer', sa.String(), nullable=False),
    sa.Column('verdict', sa.String(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('entry', sa.String(), nullable=False),
    sa.Column('at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('document', 'mark', 'reviewer')
    )
    op.create_index('ix_labels_at', 'labels', ['at'])
    op.create_table('classifiers',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('wish', sa.JSON(), nullable=False),
    sa.Column('adopted', sa.Boolean(), nullable=True),
    sa.Column('created_at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_classifiers_created_at', 'classifiers', ['created_at'])


def downgrade() -> None:
    op.drop_table('classifiers')
    op.drop_table('labels')
    op.drop_table('reviewables')
