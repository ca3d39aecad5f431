"""How long each code was asked to live: a deadline that moves later must not change what is known of it."""

import sqlalchemy as sa
from alembic import op

revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Codes that are shown while this runs count as the usual 30 minutes: only their countdown hangs on it.
    op.add_column('attempt', sa.Column('code_minutes', sa.BigInteger(), server_default=sa.text('30'), nullable=False))


def downgrade() -> None:
    op.drop_column('attempt', 'code_minutes')
