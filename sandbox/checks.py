"""Who calls, whether the signature fits, and whether each parameter is as QFPay documents it."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import parse_qsl, urlsplit

from flask import Request

from checkout.domain.signing import matches, sign_request

from .context import Credential
from .facts import HONG_KONG, STAMP, Refusal

SIGN_TYPES: dict[str, Literal["md5", "sha256"]] = {"MD5": "md5", "SHA256": "sha256"}
CLOCK_SKEW = timedelta(minutes=10)
FORM = re.compile(r'application/x-www-form-urlencoded(\s*;\s*charset="?utf-8"?)?', re.IGNORECASE)

Rule = Callable[[str], bool]


@dataclass(frozen=True)
class Call:
    """One authentic call: who made it, with which parameters, at which moment."""

    app_code: str
    credential: Credential
    params: Mapping[str, str]
    now: datetime

    def get(self, name: str) -> str:
        """The parameter, or "" when it was not sent (empty ones are refused)."""
        return self.params.get(name, "")


def like(pattern: str) -> Rule:
    """A rule that the whole value must match; ASCII classes only."""
    compiled = re.compile(pattern, re.ASCII)
    return lambda value: compiled.fullmatch(value) is not None


def plain_text(value: str) -> bool:
    """At most 20 letters of any script, digits and single blanks, trimmed."""
    kinds = (unicodedata.category(sign) for sign in value if sign != " ")
    plain = all(kind.startswith("L") or kind == "Nd" for kind in kinds)
    return plain and 0 < len(value) <= 20 and value == " ".join(value.split())


def web_address(longest: int, *, query: bool) -> Rule:
    """An absolute http(s) address without a fragment or user-info; with a query only where one may be."""

    def allows(value: str) -> bool:
        if len(value) > longest or not re.fullmatch(r"[\x21-\x7e]+", value):
            return False
        parts = urlsplit(value)
        bare = not parts.fragment and "@" not in parts.netloc and (query or "?" not in value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and bare

    return allows


NUMBER = r"[A-Za-z0-9_|*]{1,128}"
DATE = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"

# fmt: off
RULES: dict[str, tuple[Rule, str]] = {
    "txamt":        (like(r"[1-9]\d{0,10}"), "a whole number of minor units, above 0, at most 11 digits"),
    "txcurrcd":     (like(r"[A-Z]{3}"), "a currency code"),
    "pay_type":     (like(r"\d{6}"), "six digits"),
    "out_trade_no": (like(NUMBER), "at most 128 letters, digits, _, | and *"),
    "txdtm":        (like(DATE), "YYYY-MM-DD HH:MM:SS"),
    "expired_time": (like(r"[5-9]|[1-9]\d|1[01]\d|120"), "minutes, 5 to 120"),
    "goods_name":   (plain_text, "at most 20 letters, digits and single blanks"),
    "mchid":        (like(r"[A-Za-z0-9]{1,16}"), "at most 16 letters and digits"),
    "udid":         (lambda value: len(value) <= 40, "at most 40 characters"),
    "return_url":   (web_address(200, query=False), "an absolute address of at most 200 characters without a query"),
    "notify_url":   (web_address(255, query=True), "an absolute address of at most 255 characters"),
    "limit_pay":    (like("no_credit"), "no_credit"),
    "txzone":       (like(r"\+0800"), "+0800"),
    "pay_tag":      (like("ALIPAYHK|ALIPAYCN"), "ALIPAYHK or ALIPAYCN"),
    "openid":       (like(r"2088\d{12}"), "an Alipay user id: 2088 and 12 digits"),
    "syssn":        (like(r"\d{8,40}"), "digits"),
    "respcd":       (like(r"\d{4}"), "four digits"),
    "start_time":   (like(DATE), "YYYY-MM-DD HH:MM:SS"),
    "end_time":     (like(DATE), "YYYY-MM-DD HH:MM:SS"),
    "page":         (like(r"[1-9]\d{0,5}"), "a number from 1"),
    "page_size":    (like(r"[1-9]\d?|100"), "1 to 100"),
}
# fmt: on


def read_form(request: Request) -> list[tuple[str, str]]:
    """The parameters exactly as sent. Refusal(1103) for another shape than the documented one."""
    if not FORM.fullmatch(request.headers.get("Content-Type", "")):
        raise Refusal("1103", "Content-Type: must be application/x-www-form-urlencoded")
    if request.query_string:
        raise Refusal("1103", "parameters belong into the body, not into the address")
    try:
        body = request.get_data().decode("ascii")
        return parse_qsl(body, keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except ValueError:
        raise Refusal("1103", "body: must be percent-encoded UTF-8") from None


def authenticate(request: Request, credentials: Mapping[str, Credential], now: datetime) -> Call:
    """Refusal 1203 for a stranger, 1104 for empty or repeated parameters, 1108 for a wrong signature."""
    pairs = read_form(request)
    app_code = request.headers.get("X-QF-APPCODE", "")
    credential = credentials.get(app_code)
    if credential is None:
        raise Refusal("1203", "X-QF-APPCODE: unknown")
    params = dict(pairs)
    for name, value in pairs:
        if not value:
            raise Refusal("1104", f"{name}: is empty, so it must not be sent")
    if len(params) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise Refusal("1104", f"{twice}: sent more than once")
    sign_type = SIGN_TYPES.get(request.headers.get("X-QF-SIGNTYPE", "MD5"))
    if sign_type is None:
        raise Refusal("1108", "X-QF-SIGNTYPE: must be MD5 or SHA256")
    if not matches(sign_request(params, credential.client_key, sign_type), request.headers.get("X-QF-SIGN")):
        raise Refusal("1108", "X-QF-SIGN: does not fit")
    return Call(app_code, credential, params, now)


def require(call: Call, *, needs: frozenset[str], takes: frozenset[str], lists: frozenset[str] = frozenset()) -> None:
    """Refusal(1104) for what is missing, unknown or malformed. In `lists` each comma-separated part must fit."""
    for name in sorted(needs - call.params.keys()):
        raise Refusal("1104", f"{name}: is missing")
    for name, value in call.params.items():
        if name not in needs | takes:
            raise Refusal("1104", f"{name}: is not a parameter of this call")
        allows, wanted = RULES[name]
        parts = value.split(",") if name in lists else [value]
        if not all(map(allows, parts)):
            raise Refusal("1104", f"{name}: must be {wanted}")
    _check_mchid(call)


def hong_kong(name: str, value: str) -> datetime:
    """Read Hong Kong wall time that has the right form; Refusal(1104) for a day that does not exist."""
    try:
        return datetime.strptime(value, STAMP).replace(tzinfo=HONG_KONG)
    except ValueError:
        raise Refusal("1104", f"{name}: no such time") from None


def check_txdtm(call: Call) -> None:
    """Refusal(1104) unless `txdtm` is about now in Hong Kong: a caller who sends UTC is eight hours off."""
    if abs(hong_kong("txdtm", call.get("txdtm")) - call.now) > CLOCK_SKEW:
        raise Refusal("1104", "txdtm: is not the present time in Hong Kong")


def _check_mchid(call: Call) -> None:
    issued, sent = call.credential.mchid, call.get("mchid")
    if sent and not issued:
        raise Refusal("1104", "mchid: none was issued, so none must be sent")
    if issued and not sent:
        raise Refusal("1104", "mchid: is missing")
    if sent != (issued or ""):
        raise Refusal("1203", "mchid: is not yours")
