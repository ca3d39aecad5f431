"""Signed links and reusable links."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json, Moment

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('signed_link',
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('number', sa.String(length=128), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_signed_link_merchant_id')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_signed_link_session_id')),
    sa.PrimaryKeyConstraint('merchant_id', 'number', name=op.f('pk_signed_link')),
    sa.UniqueConstraint('session_id', name=op.f('uq_signed_link_session_id'))
    )
    op.create_table('link',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('token', sa.String(length=40), nullable=False),
    sa.Column('name', sa.String(length=80), nullable=False),
    sa.Column('amount', sa.BigInteger(), nullable=True),
    sa.Column('least', sa.BigInteger(), nullable=False),
    sa.Column('most', sa.BigInteger(), nullable=False),
    sa.Column('currency', sa.String(length=3), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('prefix', sa.String(length=40), nullable=False),
    sa.Column('opened', sa.BigInteger(), nullable=False),
    sa.Column('wallets', Json, nullable=False),
    sa.Column('return_url', sa.Text(), nullable=False),
    sa.Column('max_paid', sa.BigInteger(), nullable=True),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('expires_at', Moment(), nullable=True),
    sa.Column('created_at', Moment(), nullable=False),
    sa.ForeignKeyConstraint(['merchant_id'], ['merchant.id'], name=op.f('fk_link_merchant_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_link')),
    sa.UniqueConstraint('token', name=op.f('uq_link_token'))
    )
    with op.batch_alter_table('link', schema=None) as batch_op:
        batch_op.create_index('ix_link_merchant_created', ['merchant_id', 'created_at'], unique=False)

    op.create_table('link_session',
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.Column('link_id', sa.String(length=40), nullable=False),
    sa.ForeignKeyConstraint(['link_id'], ['link.id'], name=op.f('fk_link_session_link_id')),
    sa.ForeignKeyConstraint(['session_id'], ['session.id'], name=op.f('fk_link_session_session_id')),
    sa.PrimaryKeyConstraint('session_id', name=op.f('pk_link_session'))
    )
    with op.batch_alter_table('link_session', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_link_session_link_id'), ['link_id'], unique=False)


def downgrade() -> None:
    with op.batch_alter_table('link_session', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_link_session_link_id'))

    op.drop_table('link_session')
    with op.batch_alter_table('link', schema=None) as batch_op:
        batch_op.drop_index('ix_link_merchant_created')

    op.drop_table('link')
    op.drop_table('signed_link')
