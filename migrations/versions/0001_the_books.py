"""The books: everything of design.md section 2 that the first payment needs."""

import sqlalchemy as sa
from alembic import op

from sqlalchemy.dialects import postgresql

from checkout.store.types import Moment

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.create_table('budget',
    sa.Column('credential', sa.String(length=200), nullable=False),
    sa.Column('tokens', sa.BigInteger(), nullable=False),
    sa.Column('filled_at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('credential', name=op.f('pk_budget'))
    )
    op.create_table('merchant',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=200), nullable=False),
    sa.Column('app_code', sa.String(length=64), nullable=False),
    sa.Column('client_key_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('base_url', sa.Text(), nullable=False),
    sa.Column('mchid', sa.String(length=16), nullable=True),
    sa.Column('sign_type', sa.String(length=6), nullable=False),
    sa.Column('wallets', JSON, nullable=False),
    sa.Column('return_origins', JSON, nullable=False),
    sa.Column('options', JSON, nullable=False),
    sa.Column('api_key_digest', sa.String(length=64), nullable=False),
    sa.Column('webhook_url', sa.Text(), nullable=True),
    sa.Column('webhook_secret_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('from_environment', sa.Boolean(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_merchant')),
    sa.UniqueConstraint('api_key_digest', name=op.f('uq_merchant_api_key_digest'))
    )
    op.create_table('gateway_word',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('source', sa.String(length=12), nullable=False),
    sa.Column('out_trade_no', sa.String(length=128), nullable=False),
    sa.Column('known', sa.Boolean(), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('body_sealed', sa.LargeBinary(), nullable=False),
    sa.Column('heard_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_gateway_word_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_gateway_word')),
    sa.UniqueConstraint('merchant_id', 'source', 'out_trade_no', 'digest', name=op.f('uq_gateway_word_merchant_id_source_out_trade_no_digest'))
    )
    with op.batch_alter_table('gateway_word', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_gateway_word_out_trade_no'), ['out_trade_no'], unique=False)

    op.create_table('idempotency',
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('key', sa.String(length=255), nullable=False),
    sa.Column('fingerprint', sa.String(length=64), nullable=False),
    sa.Column('status_code', sa.BigInteger(), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_idempotency_merchant_id')),
    sa.PrimaryKeyConstraint('merchant_id', 'key', name=op.f('pk_idempotency'))
    )
    with op.batch_alter_table('idempotency', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_idempotency_created_at'), ['created_at'], unique=False)

    op.create_table('session',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('support_code', sa.String(length=6), nullable=False),
    sa.Column('reference', sa.String(length=128), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('items', JSON, nullable=False),
    sa.Column('metadata', JSON, nullable=False),
    sa.Column('wallets', JSON, nullable=False),
    sa.Column('locale', sa.String(length=5), nullable=True),
    sa.Column('return_url', sa.Text(), nullable=False),
    sa.Column('cancel_url', sa.Text(), nullable=True),
    sa.Column('limit_pay', sa.String(length=16), nullable=True),
    sa.Column('udid', sa.String(length=40), nullable=True),
    sa.Column('late_payment', sa.String(length=8), nullable=False),
    sa.Column('warnings', JSON, nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('closing_as', sa.String(length=10), nullable=True),
    sa.Column('review', sa.String(length=40), nullable=True),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('expires_at', Moment(), nullable=False),
    sa.Column('paid_at', Moment(), nullable=True),
    sa.Column('expired_at', Moment(), nullable=True),
    sa.Column('cancelled_at', Moment(), nullable=True),
    sa.Column('due_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_session_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_session'))
    )
    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.create_index('ix_session_due', ['due_at'], unique=False, postgresql_where=sa.text('due_at IS NOT NULL'))
        batch_op.create_index('ix_session_merchant_reference', ['merchant_id', 'reference'], unique=False)
        batch_op.create_index(batch_op.f('ix_session_support_code'), ['support_code'], unique=False)

    op.create_table('trade_no',
    sa.Column('number', sa.String(length=128), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('owner_id', sa.String(length=40), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_trade_no_merchant_id')),
    sa.PrimaryKeyConstraint('number', name=op.f('pk_trade_no'))
    )
    op.create_table('attempt',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('wallet', sa.String(length=20), nullable=False),
    sa.Column('pay_type', sa.String(length=6), nullable=False),
    sa.Column('on_phone', sa.Boolean(), nullable=False),
    sa.Column('out_trade_no', sa.String(length=128), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('superseded', sa.Boolean(), nullable=False),
    sa.Column('syssn', sa.String(length=64), nullable=True),
    sa.Column('target', sa.Text(), nullable=True),
    sa.Column('qr_svg', sa.Text(), nullable=True),
    sa.Column('qr_modules', sa.BigInteger(), nullable=True),
    sa.Column('failure', sa.String(length=20), nullable=True),
    sa.Column('failure_code', sa.String(length=8), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.Column('asked_at', Moment(), nullable=True),
    sa.Column('answered_at', Moment(), nullable=True),
    sa.Column('watched_until', Moment(), nullable=True),
    sa.Column('next_at', Moment(), nullable=True),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_attempt_merchant_id')),
    sa.ForeignKeyConstraint(['out_trade_no'], ['trade_no.number'], name=op.f('fk_attempt_out_trade_no')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_attempt_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_attempt')),
    sa.UniqueConstraint('out_trade_no', name=op.f('uq_attempt_out_trade_no'))
    )
    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.create_index('ix_attempt_due', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
        batch_op.create_index('ix_attempt_session', ['session_id'], unique=False)
        batch_op.create_index('uq_attempt_live', ['session_id'], unique=True, sqlite_where=sa.text("NOT superseded AND status IN ('created', 'pending', 'unknown')"), postgresql_where=sa.text("NOT superseded AND status IN ('created', 'pending', 'unknown')"))

    op.create_table('event',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('type', sa.String(length=40), nullable=False),
    sa.Column('about', sa.String(length=160), nullable=False),
    sa.Column('version', sa.BigInteger(), nullable=False),
    sa.Column('to_deliver', sa.Boolean(), nullable=False),
    sa.Column('body', sa.Text(), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_event_merchant_id')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_event_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_event')),
    sa.UniqueConstraint('about', name=op.f('uq_event_about'))
    )
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.create_index('ix_event_merchant_created', ['merchant_id', 'created_at'], unique=False)
        batch_op.create_index(batch_op.f('ix_event_session_id'), ['session_id'], unique=False)

    op.create_table('delivery',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('event_id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('url', sa.String(length=2048), nullable=False),
    sa.Column('status', sa.String(length=8), nullable=False),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('next_at', Moment(), nullable=True),
    sa.Column('answer_status', sa.BigInteger(), nullable=True),
    sa.Column('answer_excerpt', sa.Text(), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('milliseconds', sa.BigInteger(), nullable=True),
    sa.Column('tried_at', Moment(), nullable=True),
    sa.Column('delivered_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['event_id'], ['event.id'], name=op.f('fk_delivery_event_id')),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_delivery_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery')),
    sa.UniqueConstraint('event_id', 'url', name=op.f('uq_delivery_event_id_url'))
    )
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.create_index('ix_delivery_due', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))

    op.create_table('payment',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('attempt_id', sa.String(length=40), nullable=False),
    sa.Column('role', sa.String(length=10), nullable=False),
    sa.Column('out_trade_no', sa.String(length=128), nullable=False),
    sa.Column('syssn', sa.String(length=64), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('pay_type', sa.String(length=6), nullable=False),
    sa.Column('proof', sa.String(length=12), nullable=False),
    sa.Column('paid_at', Moment(), nullable=True),
    sa.Column('system_at', Moment(), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['attempt_id'], ['attempt.id'], name=op.f('fk_payment_attempt_id')),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_payment_merchant_id')),
    sa.ForeignKeyConstraint(['out_trade_no'], ['trade_no.number'], name=op.f('fk_payment_out_trade_no')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_payment_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_payment')),
    sa.UniqueConstraint('merchant_id', 'syssn', name=op.f('uq_payment_merchant_id_syssn'))
    )
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_payment_attempt_id'), ['attempt_id'], unique=False)
        batch_op.create_index('uq_payment_accepted', ['session_id'], unique=True, sqlite_where=sa.text("role = 'accepted'"), postgresql_where=sa.text("role = 'accepted'"))



def downgrade() -> None:
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.drop_index('uq_payment_accepted', sqlite_where=sa.text("role = 'accepted'"), postgresql_where=sa.text("role = 'accepted'"))
        batch_op.drop_index(batch_op.f('ix_payment_attempt_id'))

    op.drop_table('payment')
    with op.batch_alter_table('delivery', schema=None) as batch_op:
        batch_op.drop_index('ix_delivery_due', postgresql_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('delivery')
    with op.batch_alter_table('event', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_event_session_id'))
        batch_op.drop_index('ix_event_merchant_created')

    op.drop_table('event')
    with op.batch_alter_table('attempt', schema=None) as batch_op:
        batch_op.drop_index('uq_attempt_live', sqlite_where=sa.text("NOT superseded AND status IN ('created', 'pending', 'unknown')"), postgresql_where=sa.text("NOT superseded AND status IN ('created', 'pending', 'unknown')"))
        batch_op.drop_index('ix_attempt_session')
        batch_op.drop_index('ix_attempt_due', postgresql_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('attempt')
    op.drop_table('trade_no')
    with op.batch_alter_table('session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_session_support_code'))
        batch_op.drop_index('ix_session_merchant_reference')
        batch_op.drop_index('ix_session_due', postgresql_where=sa.text('due_at IS NOT NULL'))

    op.drop_table('session')
    with op.batch_alter_table('idempotency', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_idempotency_created_at'))

    op.drop_table('idempotency')
    with op.batch_alter_table('gateway_word', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_gateway_word_out_trade_no'))

    op.drop_table('gateway_word')
    op.drop_table('merchant')
    op.drop_table('budget')
