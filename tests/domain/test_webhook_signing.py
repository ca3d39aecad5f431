"""Why a signature does not fit, told from what receivers really do to requests."""

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from checkout.domain.webhook_signing import judge, new_key_pair, sign_v1a

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
NOON = datetime(2026, 3, 10, 4, tzinfo=UTC)
BODY = json.dumps(
    {"type": "checkout_session.paid", "data": {"description": "茶"}}, ensure_ascii=False, separators=(",", ":")
)
RAW = BODY.encode()
PRIVATE, PUBLIC = new_key_pair()
_, STRANGERS = new_key_pair()


def headers(**changes: str | None) -> dict[str, str]:
    sent: dict[str, str | None] = {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(NOON.timestamp())),
        "Webhook-Signature": Webhook(SECRET).sign("evt_1", NOON, BODY),
    }
    sent |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in sent.items() if value is not None}


def test_what_is_right_is_right() -> None:
    assert judge(headers(), RAW, SECRET, NOON).ok
    both = f"{Webhook(OTHER).sign('evt_1', NOON, BODY)} {headers()['Webhook-Signature']}"
    assert judge(headers(Webhook_Signature=both), RAW, SECRET, NOON).ok
    upper = {name.upper(): f" {value} " for name, value in headers().items()}
    assert judge(upper, RAW, SECRET, NOON + timedelta(seconds=299)).ok


def test_an_ed25519_signature_fits_the_public_key_and_no_other() -> None:
    signed = headers(Webhook_Signature=sign_v1a(PRIVATE, "evt_1", int(NOON.timestamp()), BODY))
    assert judge(signed, RAW, PUBLIC, NOON).ok
    assert not judge(signed, RAW + b" x", PUBLIC, NOON).ok
    assert not judge(signed, RAW, STRANGERS, NOON).ok
    assert "checks v1" in judge(signed, RAW, SECRET, NOON).reason
    assert "public key" in judge(signed, RAW, SECRET, NOON).reason
    assert "checks v1a" in judge(headers(), RAW, PUBLIC, NOON).reason
    garbled = headers(Webhook_Signature="v1a,not base64!")
    assert not judge(garbled, RAW, PUBLIC, NOON).ok


REASONS: dict[str, tuple[Callable[[], tuple[dict[str, str], bytes, str]], str]] = {
    "no id": (lambda: (headers(Webhook_Id=None), RAW, SECRET), "webhook-id is missing"),
    "no headers": (lambda: ({}, RAW, SECRET), "webhook-id and webhook-timestamp and webhook-signature is missing"),
    "a date": (lambda: (headers(Webhook_Timestamp="2026-03-10"), RAW, SECRET), "no whole number"),
    "milliseconds": (lambda: (headers(Webhook_Timestamp="1773115200000"), RAW, SECRET), "milliseconds"),
    "digits without end": (lambda: (headers(Webhook_Timestamp="9" * 5000), RAW, SECRET), "milliseconds"),
    "digits of another script": (lambda: (headers(Webhook_Timestamp="１２"), RAW, SECRET), "no whole number"),
    "the API key": (lambda: (headers(), RAW, "sk_123"), "API key"),
    "no prefix": (lambda: (headers(), RAW, SECRET.removeprefix("whsec_")), "begin with whsec_"),
    "a line end": (lambda: (headers(), RAW, SECRET + "\n"), "blanks or a line end"),
    "cut off": (lambda: (headers(), RAW, SECRET[:-1]), "cut off"),
    "half a public key": (lambda: (headers(), RAW, PUBLIC[:29] + "="), "32 bytes"),
    "another service": (lambda: (headers(Webhook_Signature="sha256=abc"), RAW, SECRET), "another service"),
    "another secret": (lambda: (headers(), RAW, OTHER), "secret or the body is another"),
    "empty": (lambda: (headers(), b"", SECRET), "body is empty"),
    "a line more": (lambda: (headers(), RAW + b"\r\n", SECRET), "blanks or line ends"),
    "a byte order mark": (lambda: (headers(), b"\xef\xbb\xbf" + RAW, SECRET), "byte order mark"),
    "latin-1": (lambda: (headers(), RAW.decode("latin-1").encode(), SECRET), "Latin-1"),
    "pretty": (lambda: (headers(), json.dumps(json.loads(RAW), indent=2).encode(), SECRET), "written again"),
    "escaped": (lambda: (headers(), json.dumps(json.loads(RAW)).encode(), SECRET), "written again"),
    "changed": (lambda: (headers(), RAW.replace(b"paid", b"open"), SECRET), "secret or the body is another"),
    "not text": (lambda: (headers(), b"\xff\xfe", SECRET), "secret or the body is another"),
    "not base64 in the header": (lambda: (headers(Webhook_Signature="v1,é"), RAW, SECRET), "secret or the body"),
}


@pytest.mark.parametrize("case", REASONS)
def test_each_mistake_has_its_own_words(case: str) -> None:
    make, words = REASONS[case]
    sent, body, secret = make()
    verdict = judge(sent, body, secret, NOON)
    assert not verdict.ok
    assert words in verdict.reason
    assert secret.strip() not in verdict.reason or len(secret) < 8


@pytest.mark.parametrize(("seconds", "words"), [(301, "301 s old"), (-301, "301 s in the future")])
def test_a_clock_that_is_wrong_is_told_from_a_wrong_signature(seconds: int, words: str) -> None:
    verdict = judge(headers(), RAW, SECRET, NOON + timedelta(seconds=seconds))
    assert (verdict.ok, words in verdict.reason, "signature is right" in verdict.reason) == (False, True, True)
    assert not judge(headers(), RAW, OTHER, NOON + timedelta(seconds=seconds)).ok


def test_a_public_key_is_written_as_standard_webhooks_does() -> None:
    assert PUBLIC.startswith("whpk_")
    assert len(base64.b64decode(PUBLIC.removeprefix("whpk_"))) == len(PRIVATE) == 32
