"""A pretend QFPay for development and tests. It shares nothing with the checkout but the signature rules."""

from .alipay_books import AlipayApp, Oddity, Platform, Visits
from .app import create_sandbox
from .context import Credential
from .ledger import Ledger
from .line import Trouble
from .notifier import Sent, deliver_due
from .portal import portal_refund
from .rows import Call, Notice, Order, Record
from .scenarios import MAGIC_AMOUNTS, TRICKS, Scenario

__all__ = [
    "MAGIC_AMOUNTS",
    "TRICKS",
    "AlipayApp",
    "Call",
    "Credential",
    "Ledger",
    "Notice",
    "Oddity",
    "Order",
    "Platform",
    "Record",
    "Scenario",
    "Sent",
    "Trouble",
    "Visits",
    "create_sandbox",
    "deliver_due",
    "portal_refund",
]
