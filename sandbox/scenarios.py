"""What can be made to go wrong, and the amounts and words that choose it."""

from dataclasses import dataclass
from enum import StrEnum

from .line import Trouble


class Scenario(StrEnum):
    """One scripted course of events for one order."""

    NEVER_ANSWERS = "never_answers"
    LOST_ANSWER = "lost_answer"
    SLOW = "slow"
    PENDING_1143 = "pending_1143"
    PROCESSING_1145 = "processing_1145"
    WRONG_AMOUNT = "wrong_amount"
    WRONG_CURRENCY = "wrong_currency"
    WRONG_PAY_TYPE = "wrong_pay_type"
    DUPLICATE_NOTIFICATION = "duplicate_notification"
    NOTIFICATION_LOST = "notification_lost"
    NOTIFICATION_EARLY = "notification_early"
    REFUSED_1104 = "refused_1104"
    NOT_ENOUGH_BALANCE = "not_enough_balance"
    BUSY_1298 = "busy_1298"
    HTTP_500 = "http_500"
    HTML_ANSWER = "html_answer"
    GARBAGE_JSON = "garbage_json"
    NO_PAY_URL = "no_pay_url"
    EVIL_PAY_URL = "evil_pay_url"
    DOUBLE = "double"
    PAID_TWICE = "paid_twice"
    RETURNED = "returned"
    WRONG_ECHO = "wrong_echo"
    LATE_PAYMENT = "late_payment"
    LOW_TAKINGS = "low_takings"
    REFUND_PROCESSING = "refund_processing"
    REFUND_DONE_1146 = "refund_done_1146"
    REFUND_DONE_1264 = "refund_done_1264"
    REFUND_DONE_1296 = "refund_done_1296"
    REFUND_DONE_1297 = "refund_done_1297"
    REFUND_REFUSED_1297 = "refund_refused_1297"
    REFUNDED_1125 = "refunded_1125"
    REFUNDED_1264 = "refunded_1264"


@dataclass(frozen=True)
class Trick:
    """How a person asks for a scenario: the last five digits of the amount, or words in the goods name."""

    scenario: Scenario
    amount: int
    words: str
    does: str


# fmt: off
TRICKS = tuple(Trick(Scenario(name), amount, f"try {words}", does) for name, amount, words, does in (
    ("never_answers",          55501, "never answers",  "the order is taken; no answer, closed after 30 s"),
    ("lost_answer",            55502, "lost answer",    "the order is taken; the connection closes without an answer"),
    ("slow",                   55503, "slow",           "the answer takes 4 s"),
    ("pending_1143",           55504, "pending",        "after paying, enquiries say 1143 for 20 s more"),
    ("processing_1145",        55505, "processing",     "after paying, enquiries say 1145 for 20 s, then 0000"),
    ("wrong_amount",           55506, "wrong amount",   "the paid record shows one minor unit less"),
    ("wrong_currency",         55507, "wrong currency", "the paid record shows another currency"),
    ("wrong_pay_type",         55508, "wrong pay type", "the paid record shows another pay type"),
    ("duplicate_notification", 55509, "notify thrice",  "the notification comes three times"),
    ("notification_lost",      55510, "notify never",   "the notification never comes"),
    ("notification_early",     55511, "notify early",   "paid and notified before the payment call is answered"),
    ("refused_1104",           55512, "refused",        "the payment call is refused with 1104"),
    ("not_enough_balance",     55513, "no balance",     "the payment call is refused with 1201"),
    ("busy_1298",              55514, "busy",           "the order is taken; the answer is 1298 and leads nowhere"),
    ("http_500",               55515, "http 500",       "the order is taken; the answer is HTTP 500"),
    ("html_answer",            55516, "html",           "the order is taken; the answer is a web page"),
    ("garbage_json",           55517, "garbage",        "the order is taken; the answer is broken JSON"),
    ("no_pay_url",             55518, "no pay url",     "0000 without pay_url, qrcode or pay_params"),
    ("evil_pay_url",           55519, "evil pay url",   "pay_url is a javascript: address"),
    ("double",                 55520, "double",         "each opening of the wallet is a scan that can be paid"),
    ("paid_twice",             55521, "paid twice",     "one press of the button pays two scans"),
    ("returned",               55522, "returned",       "paid, but the record says cancel=3: the money went back"),
    ("wrong_echo",             55523, "wrong echo",     "the payment answer echoes one minor unit less"),
    ("late_payment",           55524, "late",           "the wallet still pays after the code's end of life"),
    ("low_takings",            55525, "low takings",    "refunds of it are refused with 1269"),
    ("refund_processing",      55526, "refund later",   "refunds of it say 1145 for 20 s, then 0000"),
    ("refund_done_1146",       55527, "refund 1146",    "refunds of it are done; the answer is 1146"),
    ("refund_done_1264",       55528, "refund 1264",    "refunds of it are done; the answer is 1264"),
    ("refund_done_1296",       55529, "refund 1296",    "refunds of it are done; the answer is 1296"),
    ("refund_done_1297",       55530, "refund 1297",    "refunds of it are done; the answer is 1297"),
    ("refund_refused_1297",    55531, "no refund 1297", "refunds of it are refused with 1297"),
    ("refunded_1125",          55532, "refunded 1125",  "when nothing is left, refunds say 1125, not 1262"),
    ("refunded_1264",          55533, "refunded 1264",  "when nothing is left, refunds say 1264, not 1262"),
))
# fmt: on

MAGIC_AMOUNTS = {trick.amount: trick.scenario for trick in TRICKS}
MAGIC_WORDS = {trick.words: trick.scenario for trick in TRICKS}

LAG_SECONDS = 20.0

# What enquiries say between the moment of paying and the moment at which the gateway notices.
LAG = {Scenario.PENDING_1143: "1143", Scenario.PROCESSING_1145: "1145"}

# Orders that the gateway writes down although it refuses to start them: the record's status code.
REFUSED_WITH_RECORD = {Scenario.NOT_ENOUGH_BALANCE: "1201", Scenario.BUSY_1298: "1298"}

SPOILS_ANSWER = {
    Scenario.NEVER_ANSWERS: Trouble.HANG,
    Scenario.LOST_ANSWER: Trouble.DROP,
    Scenario.SLOW: Trouble.SLOW,
    Scenario.HTTP_500: Trouble.HTTP_500,
    Scenario.HTML_ANSWER: Trouble.HTML,
    Scenario.GARBAGE_JSON: Trouble.GARBAGE,
}

NOTICES = {Scenario.NOTIFICATION_LOST: 0, Scenario.DUPLICATE_NOTIFICATION: 3}
SEVERAL_PAY = frozenset({Scenario.DOUBLE, Scenario.PAID_TWICE})

# What the answer to a refund call says although the refund is done, instead of it, and when nothing is left.
REFUND_DONE = {
    Scenario.REFUND_DONE_1146: "1146",
    Scenario.REFUND_DONE_1264: "1264",
    Scenario.REFUND_DONE_1296: "1296",
    Scenario.REFUND_DONE_1297: "1297",
}
REFUND_REFUSED = {Scenario.LOW_TAKINGS: "1269", Scenario.REFUND_REFUSED_1297: "1297"}
REFUNDED = {Scenario.REFUNDED_1125: "1125", Scenario.REFUNDED_1264: "1264"}
REFUND_SCENARIOS = frozenset({Scenario.REFUND_PROCESSING, *REFUND_DONE, *REFUND_REFUSED, *REFUNDED})


def asked_for(amount: int, goods_name: str) -> Scenario | None:
    """The scenario that the order itself asks for. Words win over the amount."""
    for words, scenario in MAGIC_WORDS.items():
        if words in goods_name.lower():
            return scenario
    return MAGIC_AMOUNTS.get(amount % 100_000)
