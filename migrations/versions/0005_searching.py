"""Finding payments fast, and counting calls: indexes of the search, rate limits."""

from hashlib import sha256
from itertools import islice

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Json, Moment

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

OPEN = sa.text("status IN ('open', 'closing')")
REVIEW = sa.text("review IS NOT NULL")
KNOWN = sa.text("syssn IS NOT NULL")

# table, index, columns, condition, whether SQLite has the condition too
INDEXES = [
    ('session', 'ix_session_merchant_reference', ['merchant_id', 'reference', 'created_at', 'id'], None, False),
    ('session', 'ix_session_listed', ['merchant_id', 'created_at', 'id'], None, False),
    ('session', 'ix_session_status', ['merchant_id', 'status', 'created_at', 'id'], None, False),
    ('session', 'ix_session_open', ['merchant_id', 'created_at', 'id'], OPEN, True),
    ('session', 'ix_session_review', ['merchant_id', 'created_at', 'id'], REVIEW, True),
    ('payment', 'ix_payment_session', ['session_id', 'created_at'], None, False),
    ('attempt', 'ix_attempt_syssn', ['merchant_id', 'syssn'], KNOWN, False),
    ('refund', 'ix_refund_syssn', ['merchant_id', 'syssn'], KNOWN, False),
    ('refund', 'ix_refund_listed', ['merchant_id', 'created_at', 'id'], None, False),
    ('refund', 'ix_refund_status', ['merchant_id', 'status', 'created_at', 'id'], None, False),
]


def upgrade() -> None:
    op.create_table('rate_limit',
    sa.Column('caller', sa.String(length=80), nullable=False),
    sa.Column('spent_until', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('caller', name=op.f('pk_rate_limit'))
    )
    op.create_index('ix_rate_limit_spent_until', 'rate_limit', ['spent_until'])
    op.create_table('metadata_pair',
    sa.Column('merchant_id', sa.String(length=40), nullable=False),
    sa.Column('digest', sa.String(length=32), nullable=False),
    sa.Column('created_at', Moment(), nullable=False),
    sa.Column('session_id', sa.String(length=40), nullable=False),
    sa.PrimaryKeyConstraint('merchant_id', 'digest', 'created_at', 'session_id', name=op.f('pk_metadata_pair'))
    )
    _fill_pairs()
    op.drop_index('ix_session_merchant_reference', 'session')
    for table, name, columns, where, everywhere in INDEXES:
        op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where if everywhere else None)


def _fill_pairs() -> None:
    """The pairs of all sessions that there are, as checkout.store.searching.digest_of makes them."""
    session = sa.table('session', sa.column('id'), sa.column('merchant_id'), sa.column('created_at', Moment()),
                       sa.column('metadata', Json))
    pair = sa.table('metadata_pair', sa.column('merchant_id'), sa.column('digest'), sa.column('created_at', Moment()),
                    sa.column('session_id'))
    bind = op.get_bind()
    after = ''
    while True:
        page = bind.execute(sa.select(session).where(session.c.id > after).order_by(session.c.id).limit(5000)).all()
        if not page:
            return
        after = page[-1].id
        rows = iter([
            {'merchant_id': row.merchant_id, 'created_at': row.created_at, 'session_id': row.id,
             'digest': sha256(f'{len(key)}:{key}={value}'.encode()).hexdigest()[:32]}
            for row in page for key, value in row.metadata.items()
        ])
        while some := list(islice(rows, 5000)):
            bind.execute(sa.insert(pair), some)


def downgrade() -> None:
    for table, name, *_ in INDEXES:
        op.drop_index(name, table)
    op.create_index('ix_session_merchant_reference', 'session', ['merchant_id', 'reference'])
    op.drop_table('metadata_pair')
    op.drop_table('rate_limit')
