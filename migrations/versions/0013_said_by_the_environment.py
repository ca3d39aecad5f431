"""What the environment said last of its merchant: only what it says anew replaces what was changed since."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json

revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column('merchant', sa.Column('environment', Json, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column('merchant', 'environment')
