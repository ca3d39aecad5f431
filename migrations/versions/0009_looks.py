"""How a merchant's pages look and which sites may embed them; recent tries of a merchant are found by an index."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table('merchant', schema=None) as batch_op:
        batch_op.add_column(sa.Column('branding', Json, server_default=sa.text("'{}'"), nullable=False))
        batch_op.add_column(sa.Column('embed_origins', Json, server_default=sa.text("'[]'"), nullable=False))
        one_code = sa.Column('both_wallets_code', sa.Boolean(), server_default=sa.text('false'), nullable=False)
        batch_op.add_column(one_code)

    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.create_index('ix_attempt_merchant_created', ['merchant_id', 'created_at'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.drop_index('ix_attempt_merchant_created')

    with op.batch_alter_table('merchant', schema=None) as batch_op:
        batch_op.drop_column('both_wallets_code')
        batch_op.drop_column('embed_origins')
        batch_op.drop_column('branding')
