"""Which model answers under a deployment's name, and what is observed of its canary."""

import sqlalchemy as sa
from alembic import op

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('deployments', sa.Column('serves', sa.String(), nullable=True))
    op.add_column('deployments', sa.Column('canary', sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column('deployments', 'canary')
    op.drop_column('deployments', 'serves')
