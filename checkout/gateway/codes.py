"""What QFPay's four digits mean (qfpay.md section 7): one row for each documented code."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Class(StrEnum):
    """What to do about a code, whatever the call was."""

    OK = "ok"  # on creating a payment: the order was made, nothing is paid
    PEND = "pend"  # ask again; never guess
    RETRY = "retry"  # the same call may be repeated later
    NEW = "new"  # the shopper may try again, with a new attempt
    FINAL = "final"  # it has ended
    CONF = "conf"  # the account or the integration is wrong: somebody must act
    STATE = "state"  # the order is not in the state we thought: enquire first


class Says(StrEnum):
    """What a record says about the money."""

    SUCCEEDED = "succeeded"
    RETURNED = "returned"  # it was paid, and has gone back
    PENDING = "pending"
    CLOSED = "closed"
    FAILED = "failed"


@dataclass(frozen=True)
class Meaning:
    """`says` reads the code on a record; `text` is for operators, never for shoppers."""

    code: str
    says: Says
    klass: Class
    text: str
    listed: bool = True


OK, PEND, RETRY, NEW, FINAL, CONF, STATE = Class
NUMBER_USED = frozenset({"1102", "1251", "2011"})  # on creating a payment
_CLOSED = {"1142", "1181", "1263", "1264"}

# fmt: off
_ROWS = (
    ("0000", OK,    "success"),
    ("1100", RETRY, "under maintenance"),
    ("1101", PEND,  "reversal error; a reversal is needed"),
    ("1102", STATE, "duplicate request"),
    ("1103", CONF,  "request format error"),
    ("1104", CONF,  "parameter error, or the pay type is not enabled"),
    ("1105", CONF,  "device not active"),
    ("1106", CONF,  "wrong device"),
    ("1107", CONF,  "device barred"),
    ("1108", CONF,  "signature error"),
    ("1109", CONF,  "encryption error"),
    ("1110", CONF,  "client was reset, or its serial is wrong"),
    ("1111", RETRY, "outer service down"),
    ("1112", RETRY, "inner service down"),
    ("1113", CONF,  "merchant does not exist"),
    ("1114", CONF,  "merchant is barred"),
    ("1115", CONF,  "merchant is limited"),
    ("1116", CONF,  "merchant's password is wrong"),
    ("1117", CONF,  "merchant is offline"),
    ("1118", FINAL, "stopped by risk control"),
    ("1119", CONF,  "this type of transaction is not allowed"),
    ("1120", CONF,  "not allowed at this time"),
    ("1121", CONF,  "this type of card is not allowed"),
    ("1122", CONF,  "this currency is not allowed"),
    ("1123", NEW,   "amount over a limit"),
    ("1124", FINAL, "not valid; a void of a card must be whole"),
    ("1125", STATE, "already refunded"),
    ("1126", FINAL, "does not match the original"),
    ("1127", RETRY, "gateway's database error"),
    ("1128", RETRY, "gateway's file system error"),
    ("1129", FINAL, "voucher already uploaded"),
    ("1130", FINAL, "date not allowed"),
    ("1131", PEND,  "channel error or time-out"),
    ("1132", CONF,  "client version not supported"),
    ("1133", CONF,  "channel information missing"),
    ("1134", CONF,  "card not accepted"),
    ("1135", CONF,  "merchant not set up"),
    ("1136", STATE, "does not exist, or cannot be operated on"),
    ("1137", CONF,  "account not set up"),
    ("1138", CONF,  "keys missing"),
    ("1139", CONF,  "keys wrong"),
    ("1140", CONF,  "account not reviewed yet"),
    ("1141", CONF,  "channel's message code is wrong"),
    ("1142", FINAL, "order closed"),
    ("1143", PEND,  "not paid yet; a password is being entered"),
    ("1144", RETRY, "protocol failure"),
    ("1145", PEND,  "being processed"),
    ("1146", NEW,   "business failure"),
    ("1147", NEW,   "WeChat error"),
    ("1148", RETRY, "account system error"),
    ("1149", CONF,  "access to the API is limited"),
    ("1150", FINAL, "cannot be cancelled under T0 billing"),
    ("1151", FINAL, "pre-authorisation does not match"),
    ("1152", FINAL, "pre-authorisation date is wrong"),
    ("1153", FINAL, "pre-authorisation amount is wrong"),
    ("1154", RETRY, "internal error"),
    ("1155", FINAL, "refund denied: it cannot be reversed"),
    ("1161", PEND,  "result unknown"),
    ("1170", RETRY, "channel's service is off"),
    ("1180", RETRY, "channel is being re-routed"),
    ("1181", FINAL, "order expired"),
    ("1201", NEW,   "balance too low"),
    ("1202", NEW,   "shopper's code is wrong or expired"),
    ("1203", CONF,  "merchant's account error"),
    ("1204", NEW,   "bank error"),
    ("1205", NEW,   "failed; try later"),
    ("1212", NEW,   "use the overseas code of UnionPay"),
    ("1241", CONF,  "store does not exist"),
    ("1242", CONF,  "store not configured"),
    ("1243", CONF,  "store disabled"),
    ("1250", CONF,  "forbidden, or this type is limited"),
    ("1251", STATE, "number already used, or a parameter error"),
    ("1252", RETRY, "system error while the order was made"),
    ("1254", RETRY, "a problem is being solved"),
    ("1260", STATE, "already paid"),
    ("1261", STATE, "not paid"),
    ("1262", STATE, "refunded"),
    ("1263", FINAL, "order cancelled or closed"),
    ("1264", FINAL, "order closed, cancelled, or already refunded"),
    ("1265", RETRY, "no refunds between 23:30 and 00:30, or the refund window is over"),
    ("1266", STATE, "amounts do not match"),
    ("1267", STATE, "information does not match"),
    ("1268", STATE, "order does not exist"),
    ("1269", RETRY, "takings not yet settled are too low for this refund"),
    ("1270", FINAL, "no partial refunds in this currency"),
    ("1271", FINAL, "no partial refund of this transaction"),
    ("1272", FINAL, "more than can be refunded"),
    ("1294", FINAL, "barred by the bank"),
    ("1295", PEND,  "slow; or the channel's signature is wrong"),
    ("1296", NEW,   "slow; or a channel system error"),
    ("1297", NEW,   "bank is busy; or the amount is over a limit"),
    ("1298", PEND,  "slow: who has paid must not pay again"),
    ("2001", CONF,  "institution error"),
    ("2002", CONF,  "binding error"),
    ("2003", CONF,  "sign-on error"),
    ("2004", NEW,   "shopper's balance too low"),
    ("2005", NEW,   "shopper's code is wrong or expired"),
    ("2006", NEW,   "shopper's code is not legal"),
    ("2007", NEW,   "shopper closed it"),
    ("2008", CONF,  "channel parameters are wrong"),
    ("2009", PEND,  "channel cannot be reached"),
    ("2010", PEND,  "channel's result unknown"),
    ("2011", STATE, "number already used"),
    ("2012", CONF,  "channel certificate is wrong"),
    ("2999", PEND,  "channel is processing"),
)
# fmt: on

# A clash of states on a record settles nothing either: "already paid" may be, "refunded" may be. Ask again.
_SAYS = {OK: Says.SUCCEEDED, PEND: Says.PENDING, STATE: Says.PENDING}


def _says(code: str, klass: Class) -> Says:
    return Says.CLOSED if code in _CLOSED else _SAYS.get(klass, Says.FAILED)


MEANINGS = {code: Meaning(code, _says(code, klass), klass, text) for code, klass, text in _ROWS}

_DIGITS = re.compile(r"[0-9]{1,4}", re.ASCII)


def plain(respcd: object) -> str:
    """The code as four digits; `""` for anything that is no code. QFPay sends `"0000"`, and sometimes a bare 0.

    Nothing must not look like `0000`: a missing, empty or boolean code stays `""`.
    """
    text = "" if isinstance(respcd, bool) else str(respcd).strip()
    return text.zfill(4) if _DIGITS.fullmatch(text) else ""


def look_up(respcd: object) -> Meaning:
    """The meaning of a code as received. An unlisted one says nothing, so it is to be asked about."""
    code = plain(respcd)
    return MEANINGS.get(code) or Meaning(code, Says.PENDING, PEND, "not a documented code", listed=False)
