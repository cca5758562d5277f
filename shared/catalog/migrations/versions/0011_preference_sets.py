"""Preference sets."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('preference_sets',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('preferences', sa.JSON(), nullable=False),
    sa.Column('created_at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index(op.f('ix_preference_sets_created_at'), 'preference_sets', ['created_at'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_preference_sets_created_at'), table_name='preference_sets')
    op.drop_table('preference_sets')
