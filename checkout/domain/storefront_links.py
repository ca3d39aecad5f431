"""Links as merchants make them for QFPay's own hosted checkout: what they hold and who signed them (qfpay.md 10)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast
from urllib.parse import unquote_to_bytes

from checkout.domain.errors import CheckoutError
from checkout.domain.link_problems import Problem, Wrong
from checkout.domain.locales import Lang, lang_of
from checkout.domain.money import CURRENCIES
from checkout.domain.orders import MAX_AMOUNT, SESSION_MINUTES
from checkout.domain.signing import SignType, matches, sign_text
from checkout.domain.text import has_controls

LONGEST_LINK = 8000  # bytes of the query; gunicorn reads no longer line
MOST_PARAMETERS = 60
SIGN_DIGITS: dict[SignType, int] = {"sha256": 64, "md5": 32}

Params = Mapping[str, str]


@dataclass(frozen=True)
class Rule:
    longest: int
    required: bool = False
    digits: bool = False


# fmt: off
PARAMETERS = {
    "appcode":               Rule(64, required=True),
    "sign_type":             Rule(6, required=True),
    "sign":                  Rule(128, required=True),
    "paysource":             Rule(64, required=True),  # documented with 12; QFPay's own `remotepay_checkout` has 18
    "txamt":                 Rule(11, required=True, digits=True),
    "txcurrcd":              Rule(3, required=True),
    "out_trade_no":          Rule(128, required=True),
    "txdtm":                 Rule(32),                 # required on paper; QFPay's Magento plug-in works without it
    "return_url":            Rule(256, required=True),
    "failed_url":            Rule(256, required=True),
    "notify_url":            Rule(256, required=True),
    "cancel_url":            Rule(256),
    "mchntid":               Rule(16),
    "goods_name":            Rule(64),
    "udid":                  Rule(40),
    "expired_time":          Rule(3, digits=True),
    "checkout_expired_time": Rule(13, digits=True),
    "limit_pay":             Rule(16),
    "lang":                  Rule(35),                 # may be added by anyone, so a strange one is not worth a refusal
    "pay_tag":               Rule(16),
    "txzone":                Rule(5),
}
ADDRESSES = frozenset({"return_url", "failed_url", "notify_url", "cancel_url"})
MEANS_NOTHING = frozenset({"lang", "sign"})  # in an address: nothing is paid otherwise, and `sign` is in no signed text
MILLISECONDS = 13  # digits: from here on `checkout_expired_time` is a moment, below it is minutes (conflict 25)
FITS: dict[str, tuple[Wrong, Callable[[str], bool]]] = {
    "txamt":                 (Wrong.AMOUNT,    lambda value: 1 <= int(value) <= MAX_AMOUNT),
    "txcurrcd":              (Wrong.CURRENCY,  lambda value: value in CURRENCIES),
    "expired_time":          (Wrong.MINUTES,   lambda value: 5 <= int(value) <= 120),
    "checkout_expired_time": (Wrong.DEADLINE,  lambda value: len(value) <= 3 or len(value) == MILLISECONDS),
    "limit_pay":             (Wrong.LIMIT_PAY, lambda value: value == "no_credit"),
}
# fmt: on


class BadLink(CheckoutError):
    """`problems` says what is wrong, for the merchant's developer; the shopper is told in other words."""

    def __init__(self, *problems: Problem, status: int = 400) -> None:
        super().__init__("; ".join(f"{problem.kind} {problem.name}".strip() for problem in problems))
        self.problems, self.http_status = problems, status


@dataclass(frozen=True)
class LinkOrder:
    """What a link asks for. `amount` is in minor units; it can be paid for `minutes`, or `until` a moment."""

    number: str
    amount: int
    currency: str
    return_url: str
    cancel_url: str
    description: str
    mchid: str | None
    udid: str | None
    limit_pay: str | None
    locale: Lang | None
    minutes: int
    until: datetime | None


def read_link(query: bytes) -> tuple[Params, ...]:
    """The parameters of a link, for each way in which they may be meant. Raises BadLink with every mistake.

    A plus sign is a blank in a query and itself behind `#`: the signature tells which was meant, so both are read.
    """
    if len(query) > LONGEST_LINK:
        raise BadLink(Problem(Wrong.LONG, value=str(LONGEST_LINK)))
    found = [pairs_of(query, plus_is_blank=blank) for blank in ((True, False) if b"+" in query else (True,))]
    problems = [tuple(problems_of(pairs)) for pairs in found]
    readable = tuple(dict(pairs) for pairs, wrong in zip(found, problems, strict=True) if not wrong)
    if not readable:
        raise BadLink(*problems[0])
    return readable


def pairs_of(query: bytes, *, plus_is_blank: bool) -> list[tuple[str, str]]:
    """Names and values as they stand there, decoded once. Raises BadLink for what is no text."""
    pieces = [piece for piece in query.split(b"&") if piece]
    if len(pieces) > MOST_PARAMETERS:
        raise BadLink(Problem(Wrong.MANY, value=str(MOST_PARAMETERS)))
    try:
        return [
            (_text(name, plus_is_blank), _text(value, plus_is_blank))
            for name, _, value in (piece.partition(b"=") for piece in pieces)
        ]
    except UnicodeDecodeError:
        raise BadLink(Problem(Wrong.NOT_TEXT)) from None


def _text(raw: bytes, plus_is_blank: bool) -> str:
    return unquote_to_bytes(raw.replace(b"+", b" ") if plus_is_blank else raw).decode()


def problems_of(pairs: list[tuple[str, str]]) -> Iterator[Problem]:
    """Everything that can be said against these parameters without any key."""
    params = dict(pairs)
    names = [name for name, _ in pairs]
    yield from (Problem(Wrong.TWICE, name) for name in params if names.count(name) > 1)
    for name, rule in PARAMETERS.items():
        if rule.required and name not in params:
            yield Problem(Wrong.MISSING, name)
        elif rule.required and not params[name]:
            yield Problem(Wrong.EMPTY, name)
    for name, value in params.items():
        yield from _problems_with(name, value)
    if set(params) >= {"sign", "sign_type"}:
        yield from _problems_with_signature(params["sign_type"], params["sign"])


def _problems_with(name: str, value: str) -> Iterator[Problem]:
    rule = PARAMETERS.get(name)
    if has_controls(name) or has_controls(value):
        yield Problem(Wrong.CONTROL, name if rule else "")
    elif "&" in name or "=" in name:
        yield Problem(Wrong.NAME, name)
    elif _can_be_cut(name, value):
        yield Problem(Wrong.HOLDS_ANOTHER, name)
    if rule is None or not value:
        return
    if len(value) > rule.longest:
        yield Problem(Wrong.TOO_LONG, name, str(rule.longest))
    elif rule.digits and not (value.isascii() and value.isdigit()):
        yield Problem(Wrong.AMOUNT if name == "txamt" else Wrong.DIGITS, name)
    elif (fits := FITS.get(name)) and not fits[1](value):
        yield Problem(fits[0], name, ", ".join(sorted(CURRENCIES)) if name == "txcurrcd" else "")


def _can_be_cut(name: str, value: str) -> bool:
    """Whether a parameter of ours in this value could have been signed as one of its own, or be read as one.

    Values are signed raw, so `goods_name=Tea&txamt=1` has two readings; whatever the value's name is, it could
    swallow the shop's own `&txamt=8800`. Our addresses may have queries, and may hold what nobody can cut out
    there: a signed text is sorted and complete, so behind a name that sorts before an address that must be there,
    that address would be missing.
    """
    held = {other for other in PARAMETERS if f"&{other}=" in value}
    if name not in ADDRESSES:
        return bool(held)
    return any(other >= name or not PARAMETERS[name].required for other in held - MEANS_NOTHING)


def _problems_with_signature(sign_type: str, sign: str) -> Iterator[Problem]:
    digits = SIGN_DIGITS.get(cast(SignType, sign_type.lower()))
    if not sign_type or not sign:
        return
    if digits is None:
        yield Problem(Wrong.SIGN_TYPE, "sign_type")
    elif len(sign) != digits or not all(c in "0123456789abcdefABCDEF" for c in sign):
        yield Problem(Wrong.SIGN, "sign", str(digits))


def signed_texts(params: Params) -> tuple[str, ...]:
    """Each text that QFPay's documents and samples would have the merchant sign for these parameters.

    `lang` is signed by their samples and not by their prose; empty values are left out by their prose and
    not by their samples. All of them say the same about what is to be paid.
    """
    sent = {name: value for name, value in params.items() if name != "sign"}
    without_lang = {name: value for name, value in sent.items() if name != "lang"}
    texts = []
    for chosen in (without_lang, sent):
        names = sorted(chosen, key=str.encode)
        texts.append("&".join(f"{name}={chosen[name]}" for name in names if chosen[name]))
        texts.append("&".join(f"{name}={chosen[name]}" for name in names))
    return tuple(dict.fromkeys(texts))


def is_signed_with(params: Params, client_key: str) -> bool:
    """Whether the link's own signature is that of this key. As much work when it is as when it is not."""
    sign_type = cast(SignType, params["sign_type"].lower())
    found = [matches(sign_text(text, client_key, sign_type), params["sign"]) for text in signed_texts(params)]
    return any(found)


def order_of(params: Params) -> LinkOrder:
    """What a link asks for that has no problems."""
    deadline = params.get("checkout_expired_time", "")
    minutes = int(deadline if 0 < len(deadline) < MILLISECONDS else params.get("expired_time") or SESSION_MINUTES)
    udid = params.get("udid", "")
    return LinkOrder(
        number=params["out_trade_no"],
        amount=int(params["txamt"]),
        currency=params["txcurrcd"],
        return_url=params["return_url"],
        cancel_url=params.get("cancel_url") or params["failed_url"],
        description=params.get("goods_name", ""),
        mchid=params.get("mchntid") or None,
        udid=udid if udid.isascii() and udid.isprintable() and " " not in udid and udid else None,
        limit_pay=params.get("limit_pay") or None,
        locale=lang_of(params.get("lang", "")),
        minutes=max(minutes, 5),
        until=datetime.fromtimestamp(int(deadline) / 1000, UTC) if len(deadline) == MILLISECONDS else None,
    )


def deadline_of(order: LinkOrder, now: datetime) -> datetime:
    """When the session of a link ends that is opened now: at most a day from here, as sessions do. Raises BadLink."""
    if order.until is None:
        return now + timedelta(minutes=order.minutes)
    if order.until <= now:
        raise BadLink(Problem(Wrong.OVER, "checkout_expired_time", f"{order.until:%Y-%m-%d %H:%M} UTC"), status=410)
    return min(order.until, now + timedelta(days=1))
