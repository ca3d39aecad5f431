"""What a new shop has done already, read from its books: nobody ticks anything off."""

from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from checkout.domain.lifecycle import SessionStatus
from checkout.domain.roles import StaffRole
from checkout.services.credentials import Verdict, latest_verdict
from checkout.services.hearers import Hearer, hearers_of
from checkout.services.links import links_of
from checkout.store.links import Link
from checkout.store.models import CheckoutSession, GatewayWord, Merchant
from checkout.store.people import Membership
from checkout.store.telling import EndpointTest


@dataclass(frozen=True)
class Steps:
    verdict: Verdict | None
    hearers: list[Hearer]
    test: EndpointTest | None  # the latest one
    link: Link | None
    notified: bool
    paid: bool
    owners: int

    @property
    def heard_test(self) -> bool:
        return self.test is not None and self.test.error is None


def steps_of(db: Session, merchant: Merchant) -> Steps:
    ours = merchant.id
    tests = select(EndpointTest).where(EndpointTest.merchant_id == ours)
    notified = exists().where(GatewayWord.merchant_id == ours, GatewayWord.source == "notification")
    paid = exists().where(CheckoutSession.merchant_id == ours, CheckoutSession.status == SessionStatus.PAID)
    owners = select(func.count()).where(Membership.merchant_id == ours, Membership.role == StaffRole.OWNER)
    return Steps(
        verdict=latest_verdict(db, ours),
        hearers=hearers_of(db, ours),
        test=db.scalar(tests.order_by(EndpointTest.created_at.desc(), EndpointTest.id.desc()).limit(1)),
        link=next(iter(links_of(db, ours, limit=1)), None),
        notified=bool(db.scalar(select(notified))),
        paid=bool(db.scalar(select(paid))),
        owners=db.scalar(owners) or 0,
    )


def letter_to_qfpay(merchant: Merchant, notify_url: str) -> tuple[str, str]:
    """Subject and text of the mail by which QFPay registers, by hand, where to notify (qfpay.md section 6)."""
    subject = f"Notification URL for app code {merchant.app_code}"
    lines = (
        "Dear QFPay technical support,",
        "",
        "Please register this notification URL for our account, for payments and refunds:",
        "",
        f"App code: {merchant.app_code}",
        *([f"Merchant id (mchid): {merchant.mchid}"] if merchant.mchid else []),
        f"Environment: {merchant.base_url}",
        f"Notification URL: {notify_url}",
        "",
        "It checks the X-QF-SIGN header and answers SUCCESS. Please tell us when it is active.",
        "",
        "Thank you,",
        merchant.name,
    )
    return subject, "\n".join(lines)
