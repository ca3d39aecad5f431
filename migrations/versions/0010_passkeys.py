"""Passkeys of people, and the questions that their authenticators have yet to answer."""

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json, Moment

revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Not in a batch: on SQLite a batch makes the table anew and drops the old one, which rows that refer to it forbid.
    op.add_column('person', sa.Column('passkey_handle', sa.LargeBinary(), nullable=True))
    op.create_table('passkey',
    sa.Column('id', sa.String(length=40), nullable=False),
    sa.Column('person_id', sa.String(length=40), nullable=False),
    sa.Column('credential_id', sa.LargeBinary(), nullable=False),
    sa.Column('public_key', sa.LargeBinary(), nullable=False),
    sa.Column('uses', sa.BigInteger(), nullable=False),
    sa.Column('transports', Json, nullable=False),
    sa.Column('name', sa.String(length=60), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('used_at', Moment(), nullable=True),
    sa.ForeignKeyConstraint(['person_id'], ['person.id'], name=op.f('fk_passkey_person_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_passkey')),
    sa.UniqueConstraint('credential_id', name=op.f('uq_passkey_credential_id'))
    )
    op.create_index(op.f('ix_passkey_person_id'), 'passkey', ['person_id'], unique=False)
    op.create_table('passkey_challenge',
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('asked_of', sa.String(length=80), nullable=False),
    sa.Column('ends_at', Moment(), nullable=False),
    sa.PrimaryKeyConstraint('digest', name=op.f('pk_passkey_challenge'))
    )
    op.create_index(op.f('ix_passkey_challenge_ends_at'), 'passkey_challenge', ['ends_at'], unique=False)


def downgrade() -> None:
    op.drop_index(op.f('ix_passkey_challenge_ends_at'), table_name='passkey_challenge')
    op.drop_table('passkey_challenge')
    op.drop_index(op.f('ix_passkey_person_id'), table_name='passkey')
    op.drop_table('passkey')
    op.drop_column('person', 'passkey_handle')
