"""Watching over the rest: the audit log, differences from the gateway's books, breakers; rotation of secrets."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json, Moment

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('audit_log',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), autoincrement=False, nullable=False),
    sa.Column('at', Moment(), nullable=False),
    sa.Column('actor', sa.String(length=80), nullable=False),
    sa.Column('action', sa.String(length=60), nullable=False),
    sa.Column('subject', sa.String(length=80), nullable=False),
    sa.Column('details', Json, nullable=False),
    sa.Column('previous', sa.String(length=64), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_log')),
    sa.UniqueConstraint('previous', name=op.f('uq_audit_log_previous'))
    )
    op.create_table('breaker',
    sa.Column('credential', sa.String(length=200), nullable=False),
    sa.Column('faults', sa.BigInteger(), nullable=False),
    sa.Column('opened_at', Moment(), nullable=True),
    sa.Column('probe_at', Moment(), nullable=True),
    sa.PrimaryKeyConstraint('credential', name=op.f('pk_breaker'))
    )
    op.create_table('difference',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('kind', sa.String(length=30), nullable=False),
    sa.Column('out_trade_no', sa.String(length=128), nullable=False),
    sa.Column('syssn', sa.String(length=64), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=True),
    sa.Column('amount', sa.BigInteger(), nullable=True),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('details', Json, nullable=False),
    sa.Column('found_at', Moment(), nullable=False),
    sa.Column('resolved_at', Moment(), nullable=True),
    sa.Column('resolution', sa.String(length=200), nullable=True),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_difference_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_difference')),
    sa.UniqueConstraint('merchant_id', 'kind', 'out_trade_no', 'syssn', name=op.f('uq_difference_merchant_id_kind_out_trade_no_syssn'))
    )
    with op.batch_alter_table('difference', schema=None) as batch_op:
        batch_op.create_index('ix_difference_open', ['merchant_id', 'found_at'], unique=False, postgresql_where=sa.text('resolved_at IS NULL'))

    op.create_table('reconciliation',
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('day', sa.String(length=10), nullable=False),
    sa.Column('payments', sa.BigInteger(), nullable=False),
    sa.Column('refunds', sa.BigInteger(), nullable=False),
    sa.Column('differences', sa.BigInteger(), nullable=False),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.Column('next_at', Moment(), nullable=True),
    sa.Column('done_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_reconciliation_merchant_id')),
    sa.PrimaryKeyConstraint('merchant_id', 'day', name=op.f('pk_reconciliation'))
    )
    with op.batch_alter_table('reconciliation', schema=None) as batch_op:
        batch_op.create_index('ix_reconciliation_due', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))

    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('confirmed_at', Moment(), nullable=True))

    with op.batch_alter_table('merchant', schema=None) as batch_op:
        batch_op.add_column(sa.Column('former_secret_sealed', sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column('former_secret_until', Moment(), nullable=True))
        batch_op.add_column(sa.Column('webhook_gone_at', Moment(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.drop_column('confirmed_at')

    with op.batch_alter_table('merchant', schema=None) as batch_op:
        batch_op.drop_column('webhook_gone_at')
        batch_op.drop_column('former_secret_until')
        batch_op.drop_column('former_secret_sealed')

    with op.batch_alter_table('reconciliation', schema=None) as batch_op:
        batch_op.drop_index('ix_reconciliation_due', postgresql_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('reconciliation')
    with op.batch_alter_table('difference', schema=None) as batch_op:
        batch_op.drop_index('ix_difference_open', postgresql_where=sa.text('resolved_at IS NULL'))

    op.drop_table('difference')
    op.drop_table('breaker')
    op.drop_table('audit_log')
