"""Shoppers inside Alipay, renewed codes, branding and origins that may embed."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Moment

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: on SQLite that makes the table anew, which rows that refer to it forbid.
    op.add_column('session', sa.Column('alipay_answered_at', Moment(), nullable=True))
    op.add_column('session', sa.Column('renewals', sa.BigInteger(), server_default=sa.text('0'), nullable=False))


def downgrade() -> None:
    for column in ('renewals', 'alipay_answered_at'):
        op.drop_column('session', column)
