"""Invitations name the shop that made them, and the role: nobody works for a shop before its own link was used."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from checkout.store.types import Moment

revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None

person = sa.table('person', sa.column('id'), sa.column('password_digest'))
membership = sa.table(
    'membership', sa.column('person_id'), sa.column('merchant_id'), sa.column('role'), sa.column('created_at', Moment())
)
invitation = sa.table(
    'invitation', sa.column('digest'), sa.column('person_id'), sa.column('merchant_id'), sa.column('role'),
    sa.column('created_at', Moment()), sa.column('ends_at', Moment()), sa.column('used_at', Moment()),
)  # fmt: skip


def upgrade() -> None:
    with op.batch_alter_table('invitation', schema=None) as batch_op:
        shop = sa.ForeignKey('merchant.id', name=op.f('fk_invitation_merchant_id'))
        batch_op.add_column(sa.Column('merchant_id', sa.String(length=40), shop, nullable=True))
        batch_op.add_column(sa.Column('role', sa.String(length=10), nullable=True))
        batch_op.create_index(batch_op.f('ix_invitation_merchant_id'), ['merchant_id'], unique=False)
    books = op.get_bind()
    nobody_yet = sa.select(person.c.id).where(person.c.password_digest.is_(None))
    for one in books.execute(sa.select(membership).where(membership.c.person_id.in_(nobody_yet))).all():
        _keep_link(books, one)
    unused = sa.and_(invitation.c.used_at.is_(None), invitation.c.person_id.in_(nobody_yet))
    books.execute(sa.delete(invitation).where(unused, invitation.c.merchant_id.is_(None)))
    books.execute(sa.delete(membership).where(membership.c.person_id.in_(nobody_yet)))


def _keep_link(books: sa.Connection, one: Any) -> None:
    """Somebody who was let in and has not arrived is invited. Their link stays good if no other shop can have made it."""
    others = sa.select(membership).where(
        membership.c.person_id == one.person_id, membership.c.merchant_id != one.merchant_id
    )
    its = (invitation.c.person_id == one.person_id, invitation.c.used_at.is_(None))
    # A link that is older than the membership was made by a shop which they have left before they arrived.
    latest = sa.select(invitation.c.digest).where(*its, invitation.c.created_at >= one.created_at)
    digest = books.scalar(latest.order_by(invitation.c.created_at.desc()).limit(1))
    if digest and books.execute(others).first() is None:
        link = sa.update(invitation).where(invitation.c.digest == digest)
        books.execute(link.values(merchant_id=one.merchant_id, role=one.role))
        return
    ended = {'digest': secrets.token_hex(32), 'created_at': one.created_at, 'ends_at': one.created_at, 'used_at': None}
    books.execute(
        sa.insert(invitation).values(**ended, person_id=one.person_id, merchant_id=one.merchant_id, role=one.role)
    )


def downgrade() -> None:
    """Who has not accepted is not let in: the code before knew no such state, and would open the shop to them."""
    op.execute('DELETE FROM invitation WHERE used_at IS NULL AND merchant_id IS NOT NULL')
    with op.batch_alter_table('invitation', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_invitation_merchant_id'))
        batch_op.drop_constraint(batch_op.f('fk_invitation_merchant_id'), type_='foreignkey')
        batch_op.drop_column('role')
        batch_op.drop_column('merchant_id')
