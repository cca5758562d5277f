"""How much a key may ask of the models, and what it has asked."""

import sqlalchemy as sa
from alembic import op

revision = '0010'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('key_uses',
    sa.Column('key', sa.String(), nullable=False),
    sa.Column('day', sa.String(), nullable=False),
    sa.Column('requests', sa.BigInteger(), nullable=False),
    sa.Column('tokens', sa.BigInteger(), nullable=False),
    sa.Column('minute', sa.String(), nullable=False),
    sa.Column('in_minute', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('key', 'day')
    )
    op.create_index(op.f('ix_key_uses_day'), 'key_uses', ['day'], unique=False)
    op.add_column('keys', sa.Column('requests_per_minute', sa.Integer(), nullable=True))
    op.add_column('keys', sa.Column('tokens_per_day', sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column('keys', 'tokens_per_day')
    op.drop_column('keys', 'requests_per_minute')
    op.drop_index(op.f('ix_key_uses_day'), table_name='key_uses')
    op.drop_table('key_uses')
