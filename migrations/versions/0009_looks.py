"""How a merchant's pages look and which sites may embed them; recent tries of a merchant are found by an index."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json

revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


# Not in a batch: on SQLite that makes the table anew, which rows that refer to it forbid.


def upgrade() -> None:
    op.add_column('merchant', sa.Column('branding', Json, server_default=sa.text("'{}'"), nullable=False))
    op.add_column('merchant', sa.Column('embed_origins', Json, server_default=sa.text("'[]'"), nullable=False))
    op.add_column(
        'merchant', sa.Column('both_wallets_code', sa.Boolean(), server_default=sa.text('false'), nullable=False)
    )
    op.create_index('ix_attempt_merchant_created', 'attempt', ['merchant_id', 'created_at'], unique=False)


def downgrade() -> None:
    op.drop_index('ix_attempt_merchant_created', table_name='attempt')
    for column in ('both_wallets_code', 'embed_origins', 'branding'):
        op.drop_column('merchant', column)
