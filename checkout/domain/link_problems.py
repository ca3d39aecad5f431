"""What can be wrong with a storefront link, in words for the merchant's developer."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    LONG = "long"
    MANY = "many"
    NOT_TEXT = "not_text"
    TWICE = "twice"
    MISSING = "missing"
    EMPTY = "empty"
    CONTROL = "control"
    TOO_LONG = "too_long"
    DIGITS = "digits"
    AMOUNT = "amount"
    MINUTES = "minutes"
    DEADLINE = "deadline"
    CURRENCY = "currency"
    LIMIT_PAY = "limit_pay"
    NAME = "name"
    HOLDS_ANOTHER = "holds_another"
    SIGN_TYPE = "sign_type"
    SIGN = "sign"
    SIGNATURE = "signature"
    SUB_MERCHANT = "sub_merchant"
    OVER = "over"
    KNOWN = "known"
    UNFIT = "unfit"


def N_(text: str) -> str:  # noqa: N802 - the name by which the extraction of translations knows it
    """Marks a text for translators; it is translated where it is shown."""
    return text


WORDS = {
    Wrong.LONG: N_("The link has more than %(value)s bytes."),
    Wrong.MANY: N_("The link has more than %(value)s parameters."),
    Wrong.NOT_TEXT: N_("The link holds bytes that are not UTF-8."),
    Wrong.TWICE: N_("%(name)s is there twice."),
    Wrong.MISSING: N_("%(name)s is missing."),
    Wrong.EMPTY: N_("%(name)s is empty."),
    Wrong.CONTROL: N_("%(name)s holds control characters, such as a line end."),
    Wrong.TOO_LONG: N_("%(name)s is longer than %(value)s characters."),
    Wrong.DIGITS: N_("%(name)s must be digits only."),
    Wrong.AMOUNT: N_("%(name)s must be the amount in cents, digits only: 8800 for 88.00."),
    Wrong.MINUTES: N_("%(name)s must be 5 to 120 minutes."),
    Wrong.DEADLINE: N_("%(name)s must be minutes (up to 3 digits) or a moment in milliseconds (13 digits)."),
    Wrong.CURRENCY: N_("%(name)s must be one of %(value)s."),
    Wrong.LIMIT_PAY: N_("%(name)s must be no_credit, or be left out."),
    Wrong.NAME: N_("%(name)s is no name of a parameter: it holds “&” or “=”."),
    Wrong.HOLDS_ANOTHER: N_("%(name)s holds “&” and the name of another parameter; it could be read in two ways."),
    Wrong.SIGN_TYPE: N_("%(name)s must be sha256 or md5."),
    Wrong.SIGN: N_("%(name)s must be %(value)s hexadecimal digits for this sign_type."),
    Wrong.SIGNATURE: N_("The signature does not belong to this link and appcode."),
    Wrong.SUB_MERCHANT: N_("%(name)s does not say which of the merchants with this appcode is meant."),
    Wrong.OVER: N_("%(name)s has passed: %(value)s."),
    Wrong.KNOWN: N_("%(name)s was used before, for another amount or currency."),
    Wrong.UNFIT: N_("%(name)s: %(value)s"),
}


@dataclass(frozen=True)
class Problem:
    """`name` is the parameter, `value` what it should be or was: never a secret, and shown as text."""

    kind: Wrong
    name: str = ""
    value: str = ""

    @property
    def words(self) -> str:
        return WORDS[self.kind]

    @property
    def blanks(self) -> dict[str, str]:
        """What fills the blanks of the words."""
        return {"name": self.name or "?", "value": self.value}

    def __str__(self) -> str:
        return self.words % self.blanks
