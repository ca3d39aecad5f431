"""Refunds: money going back, and how much of each payment is on its way."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Moment

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('refund',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('payment_id', sa.String(length=40), nullable=False),
    sa.Column('cause', sa.String(length=10), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=False),
    sa.Column('out_trade_no', sa.String(length=128), nullable=False),
    sa.Column('status', sa.String(length=10), nullable=False),
    sa.Column('syssn', sa.String(length=64), nullable=True),
    sa.Column('failure_code', sa.String(length=8), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('sent_at', Moment(), nullable=True),
    sa.Column('missing_since', Moment(), nullable=True),
    sa.Column('next_at', Moment(), nullable=True),
    sa.Column('tries', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_refund_merchant_id')),
    sa.ForeignKeyConstraint(['out_trade_no'], ['trade_no.number'], name=op.f('fk_refund_out_trade_no')),
    sa.ForeignKeyConstraint(['payment_id'], ['payment.id'], name=op.f('fk_refund_payment_id')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_refund_session_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_refund')),
    sa.UniqueConstraint('out_trade_no', name=op.f('uq_refund_out_trade_no'))
    )
    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.create_index('ix_refund_due', ['next_at'], unique=False, postgresql_where=sa.text('next_at IS NOT NULL'))
        batch_op.create_index(batch_op.f('ix_refund_payment_id'), ['payment_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_refund_session_id'), ['session_id'], unique=False)

    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.add_column(sa.Column('refunded', sa.BigInteger(), server_default=sa.text('0'), nullable=False))



def downgrade() -> None:
    with op.batch_alter_table('payment', schema=None) as batch_op:
        batch_op.drop_column('refunded')

    with op.batch_alter_table('refund', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_refund_session_id'))
        batch_op.drop_index(batch_op.f('ix_refund_payment_id'))
        batch_op.drop_index('ix_refund_due', postgresql_where=sa.text('next_at IS NOT NULL'))

    op.drop_table('refund')
