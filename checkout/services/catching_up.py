"""Catching up with the gateway: each of its successes is heard, found in our books, or written down as a difference."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from checkout.domain.ids import new_ordered_id
from checkout.domain.lifecycle import RefundStatus
from checkout.services import differences, words
from checkout.services.differences import Finding
from checkout.services.enquiries import Asking
from checkout.services.hearing import hear
from checkout.services.portal_refunds import Portal, book_portal_refund, book_what_went_back
from checkout.services.refunds import book_done_refund
from checkout.services.statements import Told
from checkout.services.words import Said
from checkout.store.models import Attempt, Payment, Refund, TradeNo
from checkout.store.numbers import storable
from checkout.store.oversight import Difference
from checkout.store.retrying import given_up

log = logging.getLogger(__name__)

LOST = "lost"  # kind of a number that the gateway knows and our books have no owner for: never to be issued again
AGAIN = 3  # how often a unit begins again because another process does the same at this moment


@dataclass
class Comparison:
    """One merchant's books against one stretch of the gateway's, and what came out."""

    db: Session
    asking: Asking
    merchant_id: str
    twins: frozenset[str] = frozenset()  # merchants of ours with the very same account at the gateway
    payments: int = 0
    refunds: int = 0
    surprises: int = 0  # records that could not be taken in: a bug, or the database's
    found: dict[str, Difference] = field(default_factory=dict)

    @property
    def open(self) -> list[Difference]:
        return [difference for difference in self.found.values() if difference.resolved_at is None]

    def unit(self, act: Callable[[], Difference | None]) -> None:
        """One transaction; a surprise about one record must not hold up the others."""
        for _ in range(AGAIN):
            try:
                difference = act()
                self.db.commit()
            except IntegrityError:
                self.db.rollback()
                continue
            except OperationalError as error:
                self.db.rollback()
                if given_up(error):
                    continue
                raise  # the database is away: no other record would do better
            except Exception:
                log.exception("a record could not be taken in", extra={"merchant": self.merchant_id})
                self.db.rollback()
                break
            if difference is not None:
                self.db.expunge(difference)  # a later rollback would empty it
                self.found[difference.id] = difference
            return
        self.surprises += 1

    def note(self, kind: str, told: Told | None = None, *, resolution: str | None = None, **facts: Any) -> Difference:
        if told is not None:
            record = told.record
            facts.setdefault("out_trade_no", record.out_trade_no)
            facts |= {"syssn": facts.get("syssn") or record.syssn, "amount": record.amount, "currency": record.currency}
        finding = Finding(self.merchant_id, kind, **facts)
        return differences.note(self.db, self.asking.terms, finding, self.asking.clock(), resolution=resolution)

    def keep(self, told: Told) -> None:
        number = _number(told)
        owner = self.db.get(TradeNo, number)
        known = owner is not None and owner.merchant_id == self.merchant_id
        said = Said(self.merchant_id, "enquiry", told.raw, number, known=known)
        words.keep(self.db, self.asking.gateways.vault, said, self.asking.clock())


def hear_payments(outcome: Comparison, told: Sequence[Told]) -> None:
    numbers: dict[str, dict[str, Told]] = defaultdict(dict)
    for one in told:
        numbers[_number(one)].setdefault(one.record.syssn, one)
    for number, records in numbers.items():
        owner = outcome.db.get(TradeNo, number)
        outcome.db.commit()
        if owner is not None and owner.merchant_id in outcome.twins:
            continue  # it is compared with its own merchant's books
        if owner is None or owner.merchant_id != outcome.merchant_id or owner.kind != "payment":
            for one in records.values():
                _strange(outcome, "payment_unknown", one)
        else:
            _hear_number(outcome, owner.owner_id, list(records.values()))


def _number(told: Told) -> str:
    """As our columns hold numbers; of a proper one, which is all that we ever send, every letter."""
    return differences.plain(told.record.out_trade_no, differences.LONGEST_NUMBER)


def _strange(outcome: Comparison, kind: str, told: Told) -> None:
    """Money under a number that is nobody's here. The number is written down, so that it is never issued again."""

    def write() -> Difference:
        difference = outcome.note(kind, told, details={"paid_at": str(told.record.paid_at or "")})
        reserve_number(outcome, told.record.out_trade_no, difference.id)
        outcome.keep(told)
        return difference

    outcome.unit(write)


def reserve_number(outcome: Comparison, number: str, owner_id: str) -> bool:
    """Take a number that the gateway has seen and we have not, for good. False: it is taken. Commits nothing."""
    if not storable(number, 128) or outcome.db.get(TradeNo, number) is not None:
        return False
    row = TradeNo(number=number, kind=LOST, owner_id=owner_id, created_at=outcome.asking.clock())
    row.merchant_id = outcome.merchant_id
    outcome.db.add(row)
    outcome.db.flush()
    return True


def keep_lost_numbers(outcome: Comparison, told: Sequence[Told]) -> None:
    """Numbers that were issued by a past that the books have forgotten, and that nobody has paid (so far)."""
    for number in dict.fromkeys(one.record.out_trade_no for one in told):

        def write(number: str = number) -> None:
            reserve_number(outcome, number, new_ordered_id("lost_"))

        outcome.unit(write)


def _hear_number(outcome: Comparison, attempt_id: str, told: Sequence[Told]) -> None:
    """All successes of one number: those that are booked must agree, the others are heard now."""
    attempt = outcome.db.get_one(Attempt, attempt_id, populate_existing=True)
    named = {one.record.syssn or attempt.syssn or "": one for one in told}
    booked = _booked(outcome, attempt_id)
    outcome.db.commit()
    for syssn, one in named.items():
        if syssn in booked:
            _agree(outcome, booked[syssn], one)
    if missing := {syssn: one for syssn, one in named.items() if syssn not in booked}:
        _hear_missing(outcome, attempt, told, missing)


def _booked(outcome: Comparison, attempt_id: str) -> dict[str, Payment]:
    query = select(Payment).where(Payment.attempt_id == attempt_id).execution_options(populate_existing=True)
    return {payment.syssn: payment for payment in outcome.db.scalars(query)}


def _hear_missing(outcome: Comparison, attempt: Attempt, told: Sequence[Told], missing: dict[str, Told]) -> None:
    def take_in() -> None:
        now, records = outcome.asking.clock(), [one.record for one in told]
        if hear(outcome.db, outcome.asking.terms, attempt.id, records, asked_at=now, now=now):
            for one in told:
                outcome.keep(one)

    outcome.unit(take_in)
    booked = _booked(outcome, attempt.id)
    for syssn, one in missing.items():
        resolution = f"booked as {booked[syssn].role}" if syssn in booked else None
        facts: dict[str, Any] = {"session_id": attempt.session_id, "syssn": syssn, "resolution": resolution}
        outcome.unit(partial(outcome.note, "payment_not_booked", one, **facts))


def _agree(outcome: Comparison, payment: Payment, told: Told) -> None:
    record = told.record
    differing = {
        name: [theirs, ours]
        for name, theirs, ours in (
            ("amount", record.amount, payment.amount),
            ("currency", record.currency, payment.currency),
            ("pay_type", record.pay_type, payment.pay_type),
        )
        if theirs != ours
    }
    if differing:
        facts: dict[str, Any] = {"session_id": payment.session_id, "syssn": payment.syssn, "details": differing}
        outcome.unit(partial(outcome.note, "payment_differs", told, **facts))


def hear_refund(outcome: Comparison, told: Told) -> None:
    ours = select(Refund).where(Refund.merchant_id == outcome.merchant_id, Refund.out_trade_no == _number(told))
    refund = outcome.db.scalar(ours.execution_options(populate_existing=True)) if told.record.out_trade_no else None
    a_twins = select(Payment.id).where(
        Payment.merchant_id.in_(outcome.twins), Payment.syssn == differences.plain(told.record.orig_syssn or "", 64)
    )
    elsewhere = refund is None and outcome.db.scalar(a_twins) is not None
    outcome.db.commit()
    if elsewhere:
        return
    if refund is None:
        _hear_stranger(outcome, told)
    else:
        _hear_ours(outcome, refund, told)


def _hear_stranger(outcome: Comparison, told: Told) -> None:
    """Made in the portal, or by us in a past that a restored backup does not remember."""
    met = Portal.STRANGE

    def book() -> Difference | None:
        nonlocal met
        now, record = outcome.asking.clock(), told.record
        met = book_portal_refund(outcome.db, outcome.asking.terms, outcome.merchant_id, record, now)
        if met in (Portal.BOOKED, Portal.EXCEEDS):
            outcome.keep(told)
        if met not in (Portal.EXCEEDS, Portal.STILL_EXCEEDS):
            return None
        known = select(Difference).where(Difference.kind == "refund_exceeds", Difference.syssn == record.syssn)
        return outcome.db.scalar(known.where(Difference.merchant_id == outcome.merchant_id))

    outcome.unit(book)
    if met is Portal.STRANGE:
        _strange(outcome, "refund_unknown", told)
    if met is Portal.BOOKED:
        outcome.unit(lambda: outcome.note("refund_not_booked", told, resolution="booked: made in QFPay's portal"))


def _hear_ours(outcome: Comparison, refund: Refund, told: Told) -> None:
    payment, record = outcome.db.get_one(Payment, refund.payment_id), told.record
    outcome.db.commit()
    about = {"session_id": refund.session_id}
    differing = {
        name: [theirs, ours]
        for name, theirs, ours in (
            ("amount", record.amount, refund.amount),
            ("currency", record.currency or payment.currency, payment.currency),
            ("payment", record.orig_syssn or payment.syssn, payment.syssn),
            ("syssn", record.syssn, refund.syssn or record.syssn),
        )
        if theirs != ours
    }
    if refund.status is RefundStatus.FAILED:
        outcome.unit(lambda: _take_in_refused(outcome, payment, told, differing))
    elif differing:
        outcome.unit(lambda: outcome.note("refund_differs", told, details=differing, **about))
    elif refund.status is not RefundStatus.SUCCEEDED:
        outcome.unit(lambda: _take_in_refund(outcome, refund, told))


def _take_in_refused(outcome: Comparison, payment: Payment, told: Told, differing: dict[str, Any]) -> Difference:
    """What failed gave its reserve back: take it again. The merchant heard of a failure, so a person must look."""
    if "payment" not in differing:
        met = book_what_went_back(outcome.db, outcome.asking.terms, payment, told.record, outcome.asking.clock())
        if met is Portal.BOOKED:
            outcome.keep(told)
    return outcome.note("refund_done_after_failure", told, session_id=payment.session_id, details=differing)


def _take_in_refund(outcome: Comparison, refund: Refund, told: Told) -> Difference | None:
    now = outcome.asking.clock()
    if not book_done_refund(outcome.db, outcome.asking.terms, refund, told.record.syssn, now):
        return None
    outcome.keep(told)
    return outcome.note("refund_not_booked", told, session_id=refund.session_id, resolution="booked")
