"""A notification counts only if its raw bytes were signed with this merchant's key."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from checkout.domain.errors import GatewayGarbled, NotAuthentic
from checkout.domain.signing import sign_notification
from checkout.gateway.client import Record, Says
from tests.gateway.test_records import GARBLED, ITEM
from tests.gateway.wire import KEY, Wire

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "qfpay.json").read_text())["notifications"]
GENUINE = VECTORS[0]["body"].encode()
SIGNATURE = VECTORS[0]["x_qf_sign"]


def read(body: bytes, signature: str | None, mchid: str | None = "TESTMCH01") -> Record:
    return Wire(b"").gateway(mchid).read_notification(body, signature)


def signed(mchid: str | None = "TESTMCH01", /, **fields: Any) -> Record:
    body = json.dumps({**ITEM, **fields}).encode()
    return read(body, sign_notification(body, KEY), mchid)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_a_genuine_notification_is_read(vector: dict[str, Any]) -> None:
    for signature in (vector["x_qf_sign"], vector["x_qf_sign"].lower()):
        record = read(vector["body"].encode(), signature)
        assert record == Record(
            kind="payment",
            out_trade_no="ORD20260301000002",
            syssn="20260301000200020000000001",
            orig_syssn=None,
            amount=8800,
            currency="HKD",
            pay_type="801514",
            code="0000",
            cancel="0",
            paid_at=datetime(2026, 3, 1, 10, 30, 44, tzinfo=UTC),
            system_at=datetime(2026, 3, 1, 10, 30, 1, tzinfo=UTC),
            mchid="TESTMCH01",
        )
        assert record.says is Says.SUCCEEDED


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        pytest.param(GENUINE, None, id="no header"),
        pytest.param(GENUINE, "", id="empty"),
        pytest.param(GENUINE, "0" * 32, id="made up"),
        pytest.param(GENUINE, "é\udcff", id="not ASCII"),
        pytest.param(GENUINE, "x" * 100_000, id="long"),
        pytest.param(GENUINE, sign_notification(GENUINE, "another merchant's key"), id="another key"),
        pytest.param(GENUINE + b" ", SIGNATURE, id="a blank more"),
        pytest.param(GENUINE.replace(b'"8800"', b'"8801"'), SIGNATURE, id="another amount"),
        pytest.param(json.dumps(json.loads(GENUINE), separators=(",", ":")).encode(), SIGNATURE, id="written anew"),
        pytest.param(json.dumps(json.loads(GENUINE), sort_keys=True).encode(), SIGNATURE, id="another order"),
        pytest.param(b"", SIGNATURE, id="nothing"),
        pytest.param(b"x" * 1_000_000, SIGNATURE, id="large"),
        *(pytest.param(GENUINE, wrong, id=why) for why, wrong in VECTORS[0]["negative"].items()),
    ],
)
def test_a_forged_notification_is_not_authentic(body: bytes, signature: str | None) -> None:
    with pytest.raises(NotAuthentic, match=r"^notification: the signature does not match"):
        read(body, signature)


@pytest.mark.parametrize("body", GARBLED, ids=range(len(GARBLED)))
def test_signed_rubbish_is_garbled(body: bytes) -> None:
    with pytest.raises(GatewayGarbled):
        read(body, sign_notification(body, KEY))


@pytest.mark.parametrize("missing", ["out_trade_no", "syssn"])
def test_a_notification_without_a_number_is_garbled(missing: str) -> None:
    with pytest.raises(GatewayGarbled, match=r"^notification: no number"):
        signed(**{missing: ""})


def test_a_notification_for_another_merchant_of_the_account_is_not_ours() -> None:
    with pytest.raises(NotAuthentic, match=r"^notification: of another merchant of this account"):
        signed(mchid="TESTMCH02")


@pytest.mark.parametrize(("ours", "theirs"), [("TESTMCH01", ""), ("TESTMCH01", None), (None, "TESTMCH02")])
def test_a_side_that_names_no_merchant_contradicts_none(ours: str | None, theirs: str | None) -> None:
    assert signed(ours, mchid=theirs).out_trade_no == "ORD1"


@pytest.mark.parametrize(
    ("notify_type", "order_type", "kind"),
    [
        ("refund", "payment", "refund"),
        ("payment", "", "payment"),
        ("", "refund", "refund"),
        (None, None, "payment"),
        ("close", None, "close"),
        ("subscription_payment", None, "subscription_payment"),
    ],
)
def test_its_kind_is_the_notify_type_else_the_order_type(notify_type: object, order_type: object, kind: str) -> None:
    assert signed(notify_type=notify_type, order_type=order_type).kind == kind


def test_a_notification_without_a_code_proves_nothing() -> None:
    assert signed(respcd=None).says is Says.PENDING


def test_what_was_kept_reads_as_it_did_when_it_came() -> None:
    """Its signature was checked then; whose it is and what it names is checked again."""
    gateway = Wire(b"").gateway("TESTMCH01")
    assert gateway.read_stored_notification(GENUINE) == gateway.read_notification(GENUINE, SIGNATURE)
    with pytest.raises(NotAuthentic):
        Wire(b"").gateway("M2").read_stored_notification(GENUINE)
    with pytest.raises(GatewayGarbled):
        gateway.read_stored_notification(b"{}")
