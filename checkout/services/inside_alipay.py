"""A shopper inside Alipay's own app: who it is, asked silently and once, and the attempt that this makes possible."""

import base64
import binascii
import logging
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial

from sqlalchemy import update
from sqlalchemy.orm import Session

from checkout.crash_points import crash_point
from checkout.domain.devices import Device
from checkout.domain.errors import GatewayError, Invalid, NotAuthentic, SessionClosed, TooManyAttempts
from checkout.domain.lifecycle import SessionStatus
from checkout.domain.vault import CannotOpen, Vault
from checkout.domain.wallets import WALLETS
from checkout.gateway.accounts import Gateways
from checkout.gateway.alipay import Alipay
from checkout.services.attempts import start_attempt
from checkout.services.terms import Terms
from checkout.store import retrying
from checkout.store.models import CheckoutSession

log = logging.getLogger(__name__)

CALLBACK = "/alipay/callback"
STATE_LIVES = timedelta(minutes=10)
WALLET = next(code for code, wallet in WALLETS.items() if wallet.in_wallet)
_OWNER = "alipay/state"  # what is sealed for another purpose opens no door here
_SECONDS = struct.Struct(">I")


@dataclass(frozen=True)
class State:
    """What Alipay carries to and fro for us: for which session, in which language, and until when."""

    session_id: str
    lang: str
    ends_at: datetime

    def seal(self, vault: Vault) -> str:
        """Random, at most 100 characters, and unreadable: the session's id is the key to its page."""
        text = f"{self.lang}/{self.session_id}".encode()
        sealed = vault.seal(_SECONDS.pack(int(self.ends_at.timestamp())) + text, owner=_OWNER)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    @classmethod
    def open(cls, vault: Vault, state: str) -> "State":
        """Raises NotAuthentic for whatever we did not seal."""
        try:
            opened = vault.open(base64.b64decode(state + "=" * (-len(state) % 4), b"-_", validate=True), owner=_OWNER)
        except (CannotOpen, binascii.Error, ValueError):
            raise NotAuthentic("state") from None
        lang, _, session_id = opened[_SECONDS.size :].decode().partition("/")
        return cls(session_id, lang, datetime.fromtimestamp(_SECONDS.unpack_from(opened)[0], UTC))


def authorise_url(alipay: Alipay, vault: Vault, terms: Terms, session_id: str, *, lang: str, now: datetime) -> str:
    """Where to ask Alipay about the shopper of this session. Nothing is written down until the answer comes."""
    state = State(session_id, lang, now + STATE_LIVES)
    return alipay.authorise_url(redirect_uri=terms.public_url + CALLBACK, state=state.seal(vault))


def arrive(
    db: Session,
    gateways: Gateways,
    terms: Terms,
    alipay: Alipay,
    state: State,
    *,
    auth_code: str | None,
    clock: Callable[[], datetime],
) -> None:
    """Take in Alipay's answer, once per session; with a user id, start the attempt that its bridge can open.

    Whatever is missing on the way, no attempt comes of it, and the shopper pays by the wallet's page as on any
    phone. The user id lives in this call's memory, and in what is sent to QFPay; it is stored nowhere.
    """
    now = clock()
    if not retrying.run(db, partial(_take_answer, db, state, now), finds_itself=False):
        return
    crash_point("alipay.answer_taken")
    if not auth_code:
        log.info("Alipay told no code", extra={"session": state.session_id})
        return
    try:
        openid = alipay.user_id(auth_code, now=now)
    except GatewayError as fault:
        log.warning("Alipay did not tell who pays: %s", fault, extra={"session": state.session_id})
        return
    crash_point("alipay.user_known")
    with suppress(SessionClosed, Invalid, TooManyAttempts, CannotOpen):  # the page says what has become of it
        start_attempt(
            db, gateways, terms, state.session_id, WALLET,
            device=Device.IN_WALLET, clock=clock, openid=openid, lang=state.lang,
        )  # fmt: skip


def _take_answer(db: Session, state: State, now: datetime) -> bool:
    """Note that this session has its answer, before anybody is called. True for the one caller who may go on."""
    taken = db.execute(
        update(CheckoutSession)
        .where(
            CheckoutSession.id == state.session_id,
            CheckoutSession.status == SessionStatus.OPEN,
            CheckoutSession.alipay_answered_at.is_(None),
        )
        .values(alipay_answered_at=now)
        .returning(CheckoutSession.id)
        .execution_options(synchronize_session=False)
    ).scalar()
    db.commit()
    return taken is not None and now < state.ends_at
