"""What people say of lines, and of answers."""

import sqlalchemy as sa
from alembic import op

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('line_words',
    sa.Column('document', sa.String(), nullable=False),
    sa.Column('extraction', sa.String(), nullable=False),
    sa.Column('page', sa.Integer(), nullable=False),
    sa.Column('block', sa.Integer(), nullable=False),
    sa.Column('line', sa.Integer(), nullable=False),
    sa.Column('reviewer', sa.String(), nullable=False),
    sa.Column('sequence', sa.Integer(), nullable=False),
    sa.Column('entry', sa.String(), nullable=False),
    sa.Column('word', sa.JSON(), nullable=False),
    sa.Column('at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('document', 'extraction', 'page', 'block', 'line', 'reviewer')
    )
    op.create_index('ix_line_words_at', 'line_words', ['at'])
    op.create_table('feedback',
    sa.Column('id', sa.String(), nullable=False),
    sa.Column('model', sa.String(), nullable=False),
    sa.Column('feedback', sa.JSON(), nullable=False),
    sa.Column('at', sa.String(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    op.create_index('ix_feedback_at', 'feedback', ['at'])


def downgrade() -> None:
    op.drop_table('feedback')
    op.drop_table('line_words')
