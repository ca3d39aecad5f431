"""What a merchant wants paid: read strictly, with every mistake told at once."""

import json
import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from checkout.domain.errors import Invalid
from checkout.domain.links import LONGEST_URL, WEB_ADDRESS
from checkout.domain.locales import lang_of
from checkout.domain.money import CURRENCIES
from checkout.domain.text import has_controls
from checkout.domain.wallets import WALLETS

SESSION_MINUTES = 30
DEEPEST = 20
LONGEST_NUMBER = 40  # digits: far beyond any amount, far below what is slow to read
# Of a body: the characters, of which ASCII has one a byte, and the bytes. An order at all its limits has 45,000
# characters, and 377 KiB if each is written as \uXXXX, as json.dumps and PHP's json_encode do.
MOST_CHARACTERS, LONGEST_BODY = 64 * 1024, 512 * 1024
_ESCAPE = re.compile(rb"\\u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|[0-9a-fA-F]{4})")
MOST_TOLD = 100  # mistakes: who reads so many reads no more
MAX_AMOUNT = 10**9  # safety.md S20: far above any checkout, far below what the gateway can hold


def _without_controls(text: str) -> str:
    if has_controls(text):
        raise PydanticCustomError("control", "must not contain control characters")
    return text


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError("nul", "must not contain a NUL character")
    return text


def _listed(known: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError("listed", "must be one of {known}", {"known": ", ".join(known)})
        return value

    return AfterValidator(check)


def _ours(tag: str) -> str:
    if not (lang := lang_of(tag)):
        raise PydanticCustomError("locale", "must be en, zh-HK or zh-CN")
    return lang


def _once_each(codes: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(codes)) != len(codes):
        raise PydanticCustomError("twice", "must name each wallet once")
    return codes


def _matching(pattern: str) -> Any:
    """For the published schema: what the validator beside it accepts, as a regular expression."""
    return Field(json_schema_extra={"pattern": pattern})


_WITHOUT_CONTROLS = r"^[^\u0000-\u001f\u007f-\u009f]*$"
_LOCALES = r"^\s*([eE][nN]|[zZ][hH]|[yY][uU][eE]|[cC][mM][nN])([-_][\s\S]*)?\s*$"

Text = Annotated[str, AfterValidator(_without_controls), _matching(_WITHOUT_CONTROLS)]
Amount = Annotated[int, Field(ge=1, le=MAX_AMOUNT)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_URL), _matching(f"^{WEB_ADDRESS}$")]
WalletCode = Annotated[str, _listed(tuple(WALLETS)), WithJsonSchema({"type": "string", "enum": list(WALLETS)})]
CurrencyCode = Annotated[
    str, _listed(tuple(sorted(CURRENCIES))), WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES)})
]


class Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    @classmethod
    def read(cls, data: object) -> Self:
        """Raise Invalid with every mistake at once, so that one round trip is enough."""
        if not isinstance(data, dict):
            raise Invalid({"body": "must be a JSON object"})
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise Invalid(_mistakes(error.errors(include_url=False, include_input=False))) from None


class Item(Strict):
    name: Annotated[Text, StringConstraints(min_length=1, max_length=200)]
    quantity: Annotated[int, Field(ge=1, le=100_000)] = 1
    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT)]


class Order(Strict):
    """The body of POST /v1/checkout-sessions. Amounts are minor units; `expires_in` is minutes."""

    amount: Amount
    currency: CurrencyCode
    reference: Annotated[Text, StringConstraints(min_length=1, max_length=128)]
    return_url: Url
    description: Annotated[Text, StringConstraints(max_length=500)] = ""
    items: Annotated[list[Item], Field(max_length=100)] = []
    cancel_url: Url | None = None
    wallets: Annotated[
        list[WalletCode],
        Field(max_length=len(WALLETS), json_schema_extra={"uniqueItems": True}),
        AfterValidator(_once_each),
    ] = []
    locale: Annotated[str, StringConstraints(max_length=35), AfterValidator(_ours), _matching(_LOCALES)] | None = None
    metadata: Annotated[
        dict[
            Annotated[Text, StringConstraints(min_length=1, max_length=40)],
            Annotated[str, StringConstraints(max_length=500), AfterValidator(_without_nul), _matching("^[^\\u0000]*$")],
        ],
        Field(max_length=20, json_schema_extra={"additionalProperties": False}),
    ] = {}  # fmt: skip
    expires_in: Annotated[int, Field(ge=5, le=1440)] = SESSION_MINUTES
    limit_pay: Literal["no_credit"] | None = None
    udid: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=r"^[\x21-\x7e]+$")] | None = None
    late_payment: Literal["hold", "accept", "refund"] = "hold"

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in data.items() if value is not None or name not in optional}


class Nothing(Strict):
    """The body of a call that says everything by its address: no field at all."""


class RefundWish(Strict):
    """The body of POST …/refunds. Amounts are minor units; `amount` is by default all that is left.

    They have no upper limit: whatever is more than what is left is refused as just that.
    """

    amount: Annotated[int, Field(ge=1)] | None = None
    amount_left: Annotated[int, Field(ge=0)] | None = None
    reason: Annotated[Text, StringConstraints(max_length=500)] = ""


def read_json(body: bytes) -> object:
    """Parse strictly: no repeated names, no NaN, no numbers that overflow, no great depth. Raises Invalid."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) != len(pairs):
            raise ValueError("a name stands twice in one object")
        return found

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON number")

    def whole(digits: str) -> int:
        if len(digits) > LONGEST_NUMBER:
            raise ValueError(f"a number has more than {LONGEST_NUMBER} digits")
        return int(digits)

    try:
        data = json.loads(body.decode(), object_pairs_hook=once, parse_constant=refuse, parse_int=whole)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        reason = "it is not encoded as UTF-8" if isinstance(error, UnicodeDecodeError) else reason
        raise Invalid({"body": f"must be JSON: {reason}"}) from None
    if _depth(data) > DEEPEST:
        raise Invalid({"body": f"must not be nested deeper than {DEEPEST}"})
    return data


def _depth(data: object) -> int:
    deepest, rows = 0, [data]
    while rows:
        deepest += 1
        rows = [
            child
            for row in rows
            if isinstance(row, dict | list)
            for child in (row.values() if isinstance(row, dict) else row)
        ]
    return deepest


_WORDS = {
    "missing": "is required",
    "extra_forbidden": "is not a field of this call; remove it",
    "string_type": "must be text",
    "list_type": "must be a list",
    "dict_type": "must be an object of text values",
    "literal_error": "must be {expected}",
    "string_pattern_mismatch": "must be printable ASCII without blanks",
    "int_type": "must be a whole number, such as 1234",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "too_long": "must have at most {max_length} entries",
}


def is_too_long(body: bytes) -> bool:
    """By its characters, however they are written: safety.md S21 has 64 KiB, and names in Chinese are no longer."""
    if len(body) <= MOST_CHARACTERS:
        return False
    return len(_ESCAPE.sub(b"x", body).decode("utf-8", "replace")) > MOST_CHARACTERS


def _mistakes(errors: list[ErrorDetails]) -> dict[str, str]:
    found: dict[str, str] = {}
    for error in errors[:MOST_TOLD]:
        field = ".".join(str(part) for part in error["loc"]) or "body"
        known, filling = error["type"], error.get("ctx", {})
        if filling.get("field_type") == "Value":  # a text whose characters were looked at before its length
            known = f"string_{known}"
        words = _WORDS.get(known)
        found.setdefault(field, words.format(**filling) if words else error["msg"])
    return found
