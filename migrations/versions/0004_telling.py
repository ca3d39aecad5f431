"""What merchants hear and with which key they call: API keys, webhook endpoints, each try, tests, signing keys."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json, Moment

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('endpoint',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('webhook_url', sa.String(length=2048), nullable=False),
    sa.Column('webhook_types', Json, nullable=False),
    sa.Column('webhook_signatures', Json, nullable=False),
    sa.Column('webhook_secret_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('former_secret_sealed', sa.LargeBinary(), nullable=True),
    sa.Column('former_secret_until', Moment(), nullable=True),
    sa.Column('webhook_gone_at', Moment(), nullable=True),
    sa.Column('webhook_off_at', Moment(), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_endpoint_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_endpoint')),
    sa.UniqueConstraint('merchant_id', 'webhook_url', name=op.f('uq_endpoint_merchant_id_webhook_url'))
    )
    op.create_table('delivery_try',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('delivery_id', sa.String(length=40), nullable=False),
    sa.Column('url', sa.String(length=2048), nullable=False),
    sa.Column('request_headers', Json, nullable=False),
    sa.Column('answer_status', sa.BigInteger(), nullable=True),
    sa.Column('answer_excerpt', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('milliseconds', sa.BigInteger(), nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['delivery_id'], ['delivery.id'], name=op.f('fk_delivery_try_delivery_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery_try'))
    )
    with op.batch_alter_table('delivery_try', schema=None) as batch_op:
        batch_op.create_index('ix_delivery_try_delivery', ['delivery_id', 'at'], unique=False)

    op.create_table('endpoint_test',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('endpoint_id', sa.String(length=40), nullable=False),
    sa.Column('url', sa.String(length=2048), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('request_headers', Json, nullable=False),
    sa.Column('answer_status', sa.BigInteger(), nullable=True),
    sa.Column('answer_excerpt', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('milliseconds', sa.BigInteger(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_endpoint_test_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_endpoint_test'))
    )
    with op.batch_alter_table('endpoint_test', schema=None) as batch_op:
        batch_op.create_index('ix_endpoint_test_merchant_created', ['merchant_id', 'created_at'], unique=False)

    op.create_table('signing_key',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('public_key', sa.String(length=60), nullable=False),
    sa.Column('private_key_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('until', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_signing_key_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_signing_key'))
    )
    current = sa.text('until IS NULL')
    op.create_index('uq_signing_key_current', 'signing_key', ['merchant_id'], unique=True, sqlite_where=current, postgresql_where=current)
    op.create_index('ix_signing_key_merchant', 'signing_key', ['merchant_id', 'created_at'])
    op.create_table('api_key',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('hint', sa.String(length=4), nullable=False),
    sa.Column('scopes', Json, nullable=False),
    sa.Column('main', sa.Boolean(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('expires_at', Moment(), nullable=True),
    sa.Column('last_used_at', Moment(), nullable=True),
    sa.Column('revoked_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_api_key_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_api_key')),
    sa.UniqueConstraint('digest', name=op.f('uq_api_key_digest'))
    )
    with op.batch_alter_table('api_key', schema=None) as batch_op:
        batch_op.create_index('uq_api_key_main', ['merchant_id'], unique=True, sqlite_where=sa.text('main AND revoked_at IS NULL'), postgresql_where=sa.text('main AND revoked_at IS NULL'))
        batch_op.create_index('ix_api_key_merchant', ['merchant_id', 'created_at'], unique=False)

    # Not in a batch: on SQLite that makes the table anew, which rows that refer to it forbid.
    op.add_column('merchant', sa.Column('webhook_types', Json, server_default=sa.text("'[]'"), nullable=False))
    op.add_column(
        'merchant',
        sa.Column('webhook_signatures', Json, server_default=sa.text("""'["v1"]'"""), nullable=False),
    )
    op.add_column('merchant', sa.Column('webhook_off_at', Moment(), nullable=True))
    op.add_column('delivery', sa.Column('endpoint_id', sa.String(length=40), server_default=sa.text("''"), nullable=False))
    op.create_index('ix_delivery_merchant_status', 'delivery', ['merchant_id', 'status'], unique=False)

    # The key that each merchant has had so far, under an id made of its own: it may do everything, as before.
    op.execute(
        """
        INSERT INTO api_key (id, merchant_id, name, digest, hint, scopes, main, created_at)
        SELECT 'key_' || substr(id, 3), id, 'main', api_key_digest, '',
               '["read", "write", "refunds", "admin"]', TRUE, created_at
        FROM merchant
        """
    )


def downgrade() -> None:
    for table in ('api_key', 'signing_key', 'endpoint_test', 'delivery_try', 'endpoint'):
        op.drop_table(table)
    op.drop_index('ix_delivery_merchant_status', table_name='delivery')
    op.drop_column('delivery', 'endpoint_id')
    for column in ('webhook_off_at', 'webhook_signatures', 'webhook_types'):
        op.drop_column('merchant', column)
