"""The client speaks with the sandbox, which knows nothing of it but the documents."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from checkout.gateway.client import (
    Accepted,
    Credentials,
    Gateway,
    LinkPolicy,
    PaymentOrder,
    Record,
    Refused,
    Says,
    Transport,
)
from checkout.gateway.months import windows_for
from sandbox import Credential, create_sandbox
from tests.wsgi import session_to

NOW = datetime(2026, 3, 31, 15, 59, tzinfo=UTC)  # a minute before midnight and the end of a month in Hong Kong
URL = "https://gateway.example/sandbox"
ORDER = PaymentOrder(
    out_trade_no="ORD1",
    pay_type="801514",
    amount=8800,
    currency="HKD",
    created_at=NOW,
    minutes=30,
    goods_name="測試商品 & more",
    return_url="https://pay.example.com/pay/cs_1/return",
    notify_url="https://pay.example.com/notify/m_1",
)


@pytest.fixture
def sandbox() -> Flask:
    keys = {"APP1": Credential("the key")}
    return create_sandbox(ledger=":memory:", public_url=URL, credentials=keys, clock=lambda: NOW, run_notifier=False)


def gateway_of(app: Flask, key: str = "the key") -> Gateway:
    credentials = Credentials("APP1", key, "https://gateway.example", None, "sha256")
    return Gateway(credentials, Transport(session_to(app)), LinkPolicy((), also=(URL,)))


def enquired(gateway: Gateway) -> list[Record]:
    windows = windows_for(NOW, NOW, NOW)
    return [record for window in windows for record in gateway.enquire(["ORD1", "ORD2"], window).records]


def test_an_order_that_nobody_opened_has_no_record_yet(sandbox: Flask) -> None:
    gateway = gateway_of(sandbox)
    assert isinstance(gateway.create_payment(ORDER), Accepted)
    assert enquired(gateway) == []


def test_a_paid_order_is_found_around_the_end_of_a_month(sandbox: Flask) -> None:
    gateway = gateway_of(sandbox)
    made = gateway.create_payment(ORDER)
    sandbox.extensions["sandbox"].ledger.pay("ORD1")
    (found,) = enquired(gateway)
    assert isinstance(made, Accepted)
    assert (found.syssn, found.amount, found.currency, found.pay_type) == (made.syssn, 8800, "HKD", "801514")
    assert (found.says, found.system_at) == (Says.SUCCEEDED, NOW)


def test_a_wrong_key_is_refused(sandbox: Flask) -> None:
    refused = gateway_of(sandbox, "another key").create_payment(ORDER)
    assert isinstance(refused, Refused)
    assert refused.code == "1108"
