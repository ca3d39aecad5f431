"""Shoppers inside Alipay, renewed codes, branding and origins that may embed."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Moment

revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.add_column(sa.Column('alipay_answered_at', Moment(), nullable=True))
        batch_op.add_column(sa.Column('renewals', sa.BigInteger(), server_default=sa.text('0'), nullable=False))


def downgrade() -> None:
    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.drop_column('renewals')
        batch_op.drop_column('alipay_answered_at')
