"""QFPay's API in our words: typed orders in, typed outcomes and records out."""

import json
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from checkout.domain.bridge import trade_number
from checkout.domain.errors import GatewayGarbled, GatewayRefused, GatewayUnreachable
from checkout.domain.refunding import NOTHING_LEFT
from checkout.domain.signing import sign_request
from checkout.domain.wallets import PAY_TYPES
from checkout.gateway import notifications
from checkout.gateway.codes import NUMBER_USED, Class, Says, look_up, plain
from checkout.gateway.fields import payment_fields, refund_fields, txdtm
from checkout.gateway.links import LinkPolicy
from checkout.gateway.months import Window
from checkout.gateway.orders import Credentials, PaymentOrder, RefundOrder
from checkout.gateway.outcomes import Accepted, Kind, NotSent, Outcome, Refunded, RefundOutcome, Refused, Unknown
from checkout.gateway.records import Fields, Record, overlaid, read_amount, read_json, read_record, text
from checkout.gateway.signatures import is_signed
from checkout.gateway.transport import Answer, SentNothing, SentUnanswered, Transport

__all__ = [
    "NUMBER_USED", "Accepted", "Credentials", "Enquiry", "Gateway", "Kind", "LinkPolicy", "NotSent", "Outcome",
    "PaymentOrder", "Record", "RefundOrder", "RefundOutcome", "Refunded", "Refused", "Says", "Transport", "Unknown",
    "Window",
]  # fmt: skip

log = logging.getLogger(__name__)

PAGE_SIZE = 40  # of at most 100: a page with all documented fields must stay below the 64 KiB that we read
_MOST_PAGES = 20
_LONGEST_SYSSN = 64
_LONGEST_STATEMENT = 2500  # pages: a hundred thousand records a day
_OPENED_BY_BRIDGE = {code for code, pay_type in PAY_TYPES.items() if pay_type.answer == Kind.PAY_PARAMS.value}
_TOO_MANY = 429  # HTTP's, and QFPay's way to say that the minute's budget is spent


@dataclass(frozen=True)
class Enquiry:
    """`records` in the gateway's order; `raw` its answers as received, one page a line."""

    records: tuple[Record, ...]
    raw: bytes = field(repr=False)


class Gateway:
    """One merchant's account. Holds no state of its own, so that it may be shared between threads."""

    def __init__(
        self, credentials: Credentials, transport: Transport, links: LinkPolicy, *, strict_signatures: bool = False
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._links = links
        self._strict = strict_signatures

    @property
    def budget_key(self) -> str:
        """What the limit of calls a minute is counted for."""
        return self._credentials.budget_key

    def create_payment(self, order: PaymentOrder) -> Outcome:
        """Have an order made for one attempt. Whatever the wire does is an outcome, never an exception.

        Raises ValueError for an order that breaks the wire's own rules: that is our mistake, and nothing was sent.
        """
        answer = self._exchange("/trade/v1/payment", payment_fields(order))
        if not isinstance(answer, Answer):
            return answer
        try:
            return self._outcome(order, overlaid(read_json(answer.body)), answer.body)
        except GatewayGarbled as fault:
            return Unknown(str(fault), answer.body)

    def _outcome(self, order: PaymentOrder, said: Fields, raw: bytes) -> Outcome:
        code = plain(said.get("respcd"))
        if not code:
            return Unknown("no code", raw)
        meaning = look_up(code)
        if meaning.klass is Class.OK:
            return self._accepted(order, said, raw)
        if meaning.listed and meaning.klass in (Class.PEND, Class.STATE):
            return Unknown(f"code {code}", raw, code)
        # No address was shown yet, so that nobody can pay, also if we do not know the code.
        return Refused(code, meaning, text(said, "resperr", "respmsg"), raw)

    def _accepted(self, order: PaymentOrder, said: Fields, raw: bytes) -> Accepted | Unknown:
        if differing := _differing(order, said):
            return Unknown(f"the answer is for another {differing}", raw, suspicious=True)
        syssn = text(said, "syssn", "qf_trade_no")
        found = next(self._targets(order, said), None)
        if not _is_a_number(syssn) or found is None:
            return Unknown("the answer has no address that we may show", raw, suspicious=True)
        kind, target = found
        return Accepted(syssn, target, kind, raw)

    def _targets(self, order: PaymentOrder, said: Fields) -> Iterator[tuple[Kind, str]]:
        if order.pay_type in _OPENED_BY_BRIDGE:  # no browser can be sent to these
            if trade_number(said.get(Kind.PAY_PARAMS)):
                yield Kind.PAY_PARAMS, json.dumps(said[Kind.PAY_PARAMS], ensure_ascii=True, default=str)
            return
        for kind in (Kind.PAY_URL, Kind.QRCODE):
            if self._links.allows(target := text(said, kind)):
                yield kind, target

    def refund(self, order: RefundOrder, *, seconds: float = 30.0) -> RefundOutcome:
        """Have money sent back. Whatever the wire does is an outcome; Unknown is enquired about, never sent anew."""
        answer = self._exchange("/trade/v1/refund", refund_fields(order), seconds=seconds)
        if not isinstance(answer, Answer):
            return answer
        try:
            return _refund_outcome(order, overlaid(read_json(answer.body)), answer.body)
        except GatewayGarbled as fault:
            return Unknown(str(fault), answer.body)

    def _exchange(
        self, path: str, fields: Mapping[str, str], seconds: float | None = None
    ) -> Answer | NotSent | Unknown:
        """Send what moves money, once; an answer only when there is one to read."""
        try:
            answer = self._post(path, fields, seconds=seconds)
        except SentNothing as fault:
            return NotSent(str(fault), silent=True)
        except SentUnanswered as fault:
            return Unknown(str(fault), silent=True)
        if answer.status == _TOO_MANY:
            return NotSent("http 429")
        if answer.status != 200:
            return Unknown(f"http {answer.status}", answer.body, silent=answer.status >= 500)
        return answer

    def enquire(self, numbers: Sequence[str], window: Window | None, *, deadline: float = 10.0) -> Enquiry:
        """Ask what became of these out_trade_nos, all pages within `deadline` seconds.

        A number without a record is one the gateway does not know in that window: this proves nothing yet. Records of
        numbers we did not ask for are dropped. Raises GatewayUnreachable, GatewayGarbled, or GatewayRefused, whose
        code is `"429"` when there were too many calls.
        """
        ends = time.monotonic() + deadline
        pages: list[bytes] = []
        records: list[Record] = []
        for page in range(1, _MOST_PAGES + 1):
            answer = self._ask(_enquiry_fields(numbers, window, page), ends - time.monotonic())
            items = _items(answer.body)
            fresh = [record for record in map(_listed, items) if record not in records]
            pages.append(answer.body)
            records += fresh
            if len(items) < PAGE_SIZE or not fresh:  # a full page of nothing new: it does not turn pages
                return Enquiry(tuple(self._ours(records, numbers)), b"\n".join(pages))
        raise GatewayGarbled("an enquiry without end")

    def statement(self, window: Window) -> Iterator[Enquiry]:
        """All that the gateway holds in this window, under whatever numbers: a page for each `next`, and a call each.

        Records of another merchant are dropped. It ends where a page brings nothing new. Raises as `enquire` does; what
        was yielded before is then only a part.
        """
        seen: set[Record] = set()
        for page in range(1, _LONGEST_STATEMENT + 1):
            answer = self._ask(_enquiry_fields((), window, page), 10.0)
            items = _items(answer.body)
            fresh = [record for record in map(_listed, items) if record not in seen]
            if not fresh and len(items) >= PAGE_SIZE:
                raise GatewayGarbled("a statement that does not turn its pages")
            if not fresh:
                return
            seen.update(fresh)
            mine = tuple(record for record in fresh if not record.foreign_to(self._credentials.mchid))
            yield Enquiry(mine, answer.body)
        raise GatewayGarbled("a statement without end")

    def _ask(self, fields: Mapping[str, str], seconds: float) -> Answer:
        if seconds <= 0:
            raise GatewayUnreachable("no time is left")
        try:
            answer = self._post("/trade/v1/query", fields, seconds=seconds)
        except (SentNothing, SentUnanswered) as fault:
            raise GatewayUnreachable(str(fault)) from fault
        if answer.status == _TOO_MANY:
            raise GatewayRefused(str(_TOO_MANY), "too many calls")
        if answer.status >= 500:
            raise GatewayUnreachable(f"http {answer.status}")
        if answer.status != 200:
            raise GatewayGarbled(f"http {answer.status}")
        return answer

    def _ours(self, records: list[Record], numbers: Sequence[str]) -> Iterator[Record]:
        for record in records:
            if record.out_trade_no in numbers and not record.foreign_to(self._credentials.mchid):
                yield record
            else:
                log.warning("an enquiry listed a record that is not ours", extra={"syssn": record.syssn})

    def read_notification(self, body: bytes, signature: str | None) -> Record:
        """Check the raw bytes, then read them. Raises NotAuthentic, or GatewayGarbled for signed rubbish."""
        return notifications.read_notification(body, signature, self._credentials)

    def read_stored_notification(self, body: bytes) -> Record:
        """Read what was checked when it came. Raises NotAuthentic or GatewayGarbled."""
        return notifications.read_stored(body, self._credentials)

    def _post(self, path: str, fields: Mapping[str, str], seconds: float | None = None) -> Answer:
        """The only place that signs and sends."""
        mine = self._credentials
        sent = {**fields, "mchid": mine.mchid} if mine.mchid else dict(fields)
        sign = sign_request(sent, mine.client_key, mine.sign_type)
        headers = {"X-QF-APPCODE": mine.app_code, "X-QF-SIGN": sign}
        if mine.sign_type == "sha256":
            headers["X-QF-SIGNTYPE"] = "SHA256"
        answer = self._transport.post(mine.base_url.rstrip("/") + path, sent, headers, seconds=seconds)
        if answer.signature and not is_signed(answer, mine.client_key, sent=sign):
            # TLS vouches for the answer; QFPay's own documents contradict each other about this header.
            log.warning("the signature of an answer does not match", extra={"path": path})
            if self._strict:
                raise SentUnanswered("the signature of the answer does not match")
        return answer


def _refund_outcome(order: RefundOrder, said: Fields, raw: bytes) -> RefundOutcome:
    code = plain(said.get("respcd"))
    meaning = look_up(code) if code else None
    if meaning is None or not meaning.listed:
        return Unknown(f"code {code or 'missing'}", raw)
    if meaning.klass in (Class.PEND, Class.STATE) or code in NOTHING_LEFT:
        return Unknown(f"code {code}", raw, code)
    if meaning.klass is not Class.OK:
        return Refused(code, meaning, text(said, "resperr", "respmsg"), raw)
    echoes = (
        ("orig_syssn", text(said, "orig_syssn") == order.payment_syssn),
        ("out_trade_no", text(said, "out_trade_no") == order.out_trade_no),
        ("txcurrcd", text(said, "txcurrcd") == order.currency),
        ("txamt", read_amount(said) == order.amount),
    )
    if any(not same and said.get(name) not in (None, "") for name, same in echoes):
        return Unknown("the answer is for another refund", raw, suspicious=True)
    syssn = text(said, "syssn", "qf_trade_no")
    return Refunded(syssn if _is_a_number(syssn) else "", raw)  # the money is on its way, whatever it is called


def _differing(order: PaymentOrder, said: Fields) -> str | None:
    """What the answer echoes otherwise than we sent it. A missing echo proves nothing."""
    echoes = {
        "out_trade_no": ("out_trade_no", text(said, "out_trade_no") == order.out_trade_no),
        "amount": ("txamt", read_amount(said) == order.amount),
        "currency": ("txcurrcd", text(said, "txcurrcd") == order.currency),
        "pay type": ("pay_type", text(said, "pay_type") == order.pay_type),
    }
    return next((what for what, (name, same) in echoes.items() if not same and said.get(name) not in (None, "")), None)


def _is_a_number(syssn: str) -> bool:
    """Whether our column, and PostgreSQL, can hold it letter for letter."""
    return 0 < len(syssn) <= _LONGEST_SYSSN and syssn.isascii() and syssn.isprintable()


def _enquiry_fields(numbers: Sequence[str], window: Window | None, page: int) -> dict[str, str]:
    fields = {"page": str(page), "page_size": str(PAGE_SIZE)}
    if numbers:
        fields["out_trade_no"] = ",".join(numbers)
    if window is not None:
        fields |= {"start_time": txdtm(window.start), "end_time": txdtm(window.end)}
    return fields


def _items(body: bytes) -> list[Fields]:
    """The records of one page. The outer 0000 says only that the call worked, so it is never taken for a record's."""
    answer = read_json(body)
    code = plain(answer.get("respcd"))
    if not code:
        raise GatewayGarbled("an enquiry's answer without a code")
    if look_up(code).klass is not Class.OK:
        raise GatewayRefused(code, look_up(code).text)
    if "data" not in answer:
        raise GatewayGarbled("an enquiry's answer without data")
    data = answer["data"]
    items = [data] if isinstance(data, dict) else data or []
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise GatewayGarbled("an enquiry's answer lists no records")
    return items


def _listed(fields: Fields) -> Record:
    return read_record(fields, text(fields, "order_type") or "payment")
