"""What we can show: the gateway's own bytes behind every change."""

import hashlib

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from checkout.domain.vault import CannotOpen, Vault
from checkout.services.audit.register import Findings, each, invariant
from checkout.services.chronicle import broken_links
from checkout.store.models import Attempt, GatewayWord

PAGE = 500


@invariant("I26")
def _every_byte_that_changed_something_is_kept(db: Session) -> Findings:
    """That the sealed bytes are those of the digest takes the vault: `unreadable_words`."""
    said = exists().where(GatewayWord.out_trade_no == Attempt.out_trade_no, GatewayWord.source == "payment")
    shown = select(Attempt.id).where(Attempt.target.is_not(None), ~said)
    yield from each(db, shown, "has an address to show, but the answer that gave it was not kept")
    hollow = or_(func.length(GatewayWord.digest) != 64, func.length(GatewayWord.body_sealed) == 0)
    yield from each(db, select(GatewayWord.id).where(hollow), "was heard, but not kept with its digest")


@invariant("I28")
def _the_audit_log_is_one_chain(db: Session) -> Findings:
    return broken_links(db)


def unreadable_words(db: Session, vault: Vault) -> Findings:
    """Every kept word that cannot be opened, or is not what its digest says."""
    words = select(GatewayWord.id, GatewayWord.digest, GatewayWord.body_sealed).execution_options(yield_per=PAGE)
    for word_id, digest, sealed in db.execute(words):
        try:
            body = vault.open(sealed, owner=f"gateway_word/{word_id}")
        except CannotOpen:
            yield word_id, "was kept, but cannot be opened"
        else:
            if hashlib.sha256(body).hexdigest() != digest:
                yield word_id, "is not what its digest says"
