"""A shop's credentials at the gateway: asking whether they work, and putting others in their place."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from checkout.domain.errors import GatewayError, GatewayRefused, Invalid, Refused, TooManyAttempts
from checkout.domain.ids import new_trade_no
from checkout.domain.vault import CannotOpen
from checkout.gateway.accounts import Account, Gateways
from checkout.gateway.codes import Class, look_up
from checkout.services.chronicle import write_down
from checkout.services.endpoints import Errand
from checkout.services.hearers import locked_merchant
from checkout.store.models import Merchant
from checkout.store.oversight import AuditEntry
from checkout.store.payable import under_way

# Where a shop may have its credentials (qfpay.md section 1). Any other address is the operator's to allow: whoever
# could name one would make us call it.
PRODUCTION, LIVE_TESTING = "https://openapi-hk.qfapi.com", "https://test-openapi-hk.qfapi.com"
PLACES = (PRODUCTION, LIVE_TESTING)
SIGN_TYPES = ("sha256", "md5")
CHECKED, CHANGED = "credentials_checked", "credentials_changed"
ONE_CHECK = timedelta(seconds=5)


@dataclass(frozen=True)
class Verdict:
    """What the gateway said to a signed question. `works` None: it said nothing about the credentials."""

    works: bool | None
    code: str = ""  # the gateway's own, four digits; empty: no usable answer
    text: str = ""
    at: datetime | None = None


@dataclass(frozen=True)
class Candidate:
    """Credentials that nobody has stored yet, as the gateway's client needs them."""

    merchant_id: str
    app_code: str
    client_key_sealed: bytes = field(repr=False)
    base_url: str
    mchid: str | None
    sign_type: str

    def owner(self, secret: str) -> str:
        return f"merchant/{self.merchant_id}/{secret}"


@dataclass(frozen=True)
class CredentialsWish:
    app_code: str
    client_key: str = field(repr=False)
    base_url: str
    mchid: str
    sign_type: str

    def check(self, merchant: Merchant) -> None:
        """Raise Invalid with every mistake at once."""
        wrong = {
            "app_code": not 1 <= len(self.app_code) <= 64 or not self.app_code.isascii(),
            "client_key": not 1 <= len(self.client_key) <= 200 or not self.client_key.isascii(),
            "base_url": self.base_url not in (*PLACES, merchant.base_url),
            "mchid": len(self.mchid) > 16 or not self.mchid.isascii(),
            "sign_type": self.sign_type not in SIGN_TYPES,
        }
        if mistakes := {name: "cannot be used" for name, is_wrong in wrong.items() if is_wrong}:
            raise Invalid(mistakes)


def ask(gateways: Gateways, account: Account) -> Verdict:
    """Ask about a number that nobody has: the answer tells whether the credentials work. No transaction is open."""
    try:
        gateways.of(account).enquire([new_trade_no()], None)
    except GatewayRefused as error:
        meaning = look_up(error.code)
        return Verdict(False if meaning.klass is Class.CONF else None, error.code, meaning.text)
    except GatewayError:
        return Verdict(None)
    except CannotOpen:
        return Verdict(None, text="our own SECRET_KEY no longer opens the stored key")
    return Verdict(True)


def check_stored(db: Session, gateways: Gateways, errand: Errand) -> Verdict:
    """Ask with what is stored, and write down the answer. Raises NotFound, TooManyAttempts."""
    _spare_the_gateway(db, errand)
    merchant = db.get_one(Merchant, errand.merchant_id)
    db.expunge(merchant)  # what we know of it stays, and no transaction is open while we ask
    db.rollback()
    verdict = ask(gateways, merchant)
    _note(db, errand, verdict, stored=True)
    db.commit()
    return verdict


def put_credentials(db: Session, gateways: Gateways, errand: Errand, wish: CredentialsWish) -> Verdict:
    """Store them if the gateway takes them, and commit; what it refused, or said nothing about, is not stored.

    Raises Invalid, NotFound, TooManyAttempts, and Refused: they come from the environment, or another account was
    named while the present one has payments or refunds under way, which only it can be asked about.
    """
    _spare_the_gateway(db, errand)
    merchant = db.get_one(Merchant, errand.merchant_id)
    wish.check(merchant)
    _refuse_if_fixed(db, merchant, wish)
    sealed = gateways.seal_key(merchant.id, wish.client_key)
    candidate = Candidate(merchant.id, wish.app_code, sealed, wish.base_url, wish.mchid or None, wish.sign_type)
    db.rollback()
    verdict = ask(gateways, candidate)
    if verdict.works:
        _store(db, errand, wish, candidate)
    else:
        _note(db, errand, verdict, stored=False)
    db.commit()
    return verdict


def _refuse_if_fixed(db: Session, merchant: Merchant, wish: CredentialsWish) -> None:
    if merchant.from_environment:
        raise Refused("These credentials are set where this service runs")
    if _is_another_account(merchant, wish) and any(under_way(db, merchant.id)):
        raise Refused("Payments or refunds of the present account are under way; try again when they are done")


def _is_another_account(merchant: Merchant, wish: CredentialsWish) -> bool:
    present = (merchant.app_code, merchant.base_url, merchant.mchid or "")
    return present != (wish.app_code, wish.base_url, wish.mchid)


def _store(db: Session, errand: Errand, wish: CredentialsWish, candidate: Candidate) -> None:
    merchant = locked_merchant(db, errand.merchant_id, key_changes=True)  # no attempt is added meanwhile
    _refuse_if_fixed(db, merchant, wish)
    changed = ["client_key"]
    for name in ("app_code", "base_url", "mchid", "sign_type"):
        if getattr(merchant, name) != getattr(candidate, name):
            setattr(merchant, name, getattr(candidate, name))
            changed.append(name)
    merchant.client_key_sealed = candidate.client_key_sealed
    db.flush()
    details = {"changed": changed}
    write_down(db, actor=errand.actor, action=CHANGED, subject=merchant.id, details=details, now=errand.now)


def _note(db: Session, errand: Errand, verdict: Verdict, *, stored: bool) -> None:
    details = {"works": verdict.works, "code": verdict.code, "stored": stored}
    write_down(db, actor=errand.actor, action=CHECKED, subject=errand.merchant_id, details=details, now=errand.now)


def _spare_the_gateway(db: Session, errand: Errand) -> None:
    lately = exists().where(
        AuditEntry.subject == errand.merchant_id,
        AuditEntry.action.in_([CHECKED, CHANGED]),
        AuditEntry.at > errand.now - ONE_CHECK,
    )
    if db.scalar(select(lately)):
        raise TooManyAttempts("The credentials were checked a moment ago", ONE_CHECK.seconds)


def latest_verdict(db: Session, merchant_id: str) -> Verdict | None:
    """What the gateway last said of the stored credentials; None: nobody has asked."""
    query = select(AuditEntry).where(AuditEntry.subject == merchant_id, AuditEntry.action.in_([CHECKED, CHANGED]))
    for entry in db.scalars(query.order_by(AuditEntry.id.desc()).limit(50)):
        if entry.action == CHANGED:
            return Verdict(True, at=entry.at)
        if entry.details.get("stored"):
            code = str(entry.details.get("code", ""))
            return Verdict(entry.details.get("works"), code, look_up(code).text if code else "", entry.at)
    return None
