"""Pretend Alipay: as strict about apps, signatures, clocks and codes as the original, so that our client is right."""

import base64
import json
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from flask import Flask
from werkzeug.test import TestResponse

from sandbox import AlipayApp, Oddity, Platform, Visits
from sandbox.facts import stamp
from tests.sandbox.cast import Merchant, SandboxMaker
from tests.stories.alipay import key_of

BACK = "https://pay.example/alipay/callback"
ASKED = {"app_id": "2021001", "scope": "auth_base", "redirect_uri": BACK, "state": "s-1_"}
ANSWER = "alipay_system_oauth_token_response"


@pytest.fixture
def bo(make_sandbox: SandboxMaker) -> Merchant:
    app = AlipayApp(key_of("app").public_key(), BACK)
    return make_sandbox(alipay=Platform({"2021001": app, "2021002": app}, key_of("alipay")))


def comes(app: Flask, asked: dict[str, str]) -> TestResponse:
    return app.test_client().get("/alipay/authorize", query_string=asked)


def code(bo: Merchant) -> str:
    return parse_qs(urlsplit(comes(bo.app, ASKED).headers["Location"]).query)["auth_code"][0]


def exchange(bo: Merchant, auth_code: str, *, signed_by: str = "app", **changes: str) -> TestResponse:
    params = {
        "app_id": "2021001", "method": "alipay.system.oauth.token", "format": "JSON", "charset": "utf-8",
        "sign_type": "RSA2", "timestamp": stamp(bo.clock()), "version": "1.0",
        "grant_type": "authorization_code", "code": auth_code,
    } | changes  # fmt: skip
    text = "&".join(f"{name}={params[name]}" for name in sorted(params))
    params["sign"] = base64.b64encode(key_of(signed_by).sign(text.encode(), PKCS1v15(), SHA256())).decode()
    kind = "application/x-www-form-urlencoded; charset=UTF-8"
    return bo.app.test_client().post("/alipay/gateway.do", data=urlencode(params), content_type=kind)


def told(bo: Merchant, auth_code: str, **how: str) -> Any:
    """The user id, or Alipay's sub_code."""
    answer = json.loads(exchange(bo, auth_code, **how).data)
    return answer.get(ANSWER, {}).get("user_id") or answer.get("error_response", {}).get("sub_code")


def test_a_shopper_comes_back_at_once_with_a_code(bo: Merchant) -> None:
    answer = comes(bo.app, ASKED)
    address, _, query = answer.headers["Location"].partition("?")
    said = {name: values[0] for name, values in parse_qs(query).items()}
    assert (answer.status_code, address) == (302, BACK)
    assert len(said.pop("auth_code")) == 32
    assert said == {"app_id": "2021001", "source": "alipay_wallet", "scope": "auth_base", "state": "s-1_"}


@pytest.mark.parametrize("change", [
    {"app_id": "2021009"}, {"scope": "auth_user"}, {"redirect_uri": f"{BACK}/"}, {"redirect_uri": "https://evil.example"},
    {"state": ""}, {"state": "a b"}, {"state": "x" * 101}, {"more": "1"},
])  # fmt: skip
def test_it_takes_no_other_request(bo: Merchant, change: dict[str, str]) -> None:
    assert comes(bo.app, ASKED | change).status_code == 400
    assert Visits(bo.ledger.store).user_ids() == []


def test_a_code_works_once_for_its_app_within_three_minutes(bo: Merchant) -> None:
    first, second, third = code(bo), code(bo), code(bo)
    assert told(bo, first) == Visits(bo.ledger.store).user_ids()[0]
    assert told(bo, first) == "isv.code-invalid"
    assert told(bo, second, app_id="2021002") == "isv.code-invalid"
    bo.clock.pass_by(minutes=3)
    assert told(bo, third) == "isv.code-invalid"
    assert told(bo, "unheard-of") == "isv.code-invalid"


@pytest.mark.parametrize(("change", "sub_code"), [
    ({"app_id": "2021009"},                    "isv.invalid-app-id"),
    ({"signed_by": "stranger"},                "isv.invalid-signature"),
    ({"sign_type": "RSA"},                     "isv.invalid-parameter"),
    ({"charset": "GBK"},                       "isv.invalid-parameter"),
    ({"grant_type": "refresh_token"},          "isv.invalid-parameter"),
    ({"app_auth_token": "1"},                  "isv.invalid-parameter"),
    ({"timestamp": "2026-03-15 04:00:00"},     "isv.invalid-timestamp"),  # UTC
    ({"timestamp": "yesterday"},               "isv.invalid-timestamp"),
])  # fmt: skip
def test_a_call_that_is_not_quite_right_gets_no_user(bo: Merchant, change: dict[str, str], sub_code: str) -> None:
    one = code(bo)
    assert told(bo, one, **change) == sub_code
    assert told(bo, one)  # and costs no code


def test_its_answer_is_signed_as_it_stands(bo: Merchant) -> None:
    body = exchange(bo, code(bo)).get_data(as_text=True)
    inner = body.removeprefix(f'{{"{ANSWER}":').partition(',"sign"')[0]
    sign = base64.b64decode(json.loads(body)["sign"])
    key_of("alipay").public_key().verify(sign, inner.encode(), PKCS1v15(), SHA256())


def test_it_can_be_odd(bo: Merchant) -> None:
    visits = Visits(bo.ledger.store)
    for oddity in (Oddity.REFUSES, Oddity.WRONG_STATE, Oddity.STAYS):
        visits.set_next(oddity)
    assert "auth_code" not in comes(bo.app, ASKED).headers["Location"]
    assert "state=_1-s" in comes(bo.app, ASKED).headers["Location"]
    assert comes(bo.app, ASKED).status_code == 503
    visits.set_next(Oddity.OPEN_ID_ONLY)
    assert told(bo, code(bo)) is None
    set_by = bo.app.test_client().post
    assert set_by("/admin/alipay", json={"next": "refuses"}).status_code == 200
    assert set_by("/admin/alipay", json={"next": "laughs"}).status_code == 422


def test_the_sheet_pays_the_trade_once_and_no_other_kind(bo: Merchant) -> None:
    trade = bo.order(pay_type="800107", openid="2088000000000001")["pay_params"]["tradeNO"]
    client = bo.app.test_client()
    assert client.get(f"/alipay/sheet/{trade}").json == {"amount": "HKD 88.00", "goods": "Tea"}
    assert client.post(f"/alipay/sheet/{trade}", data={"action": "pay"}).json == {"resultCode": "9000"}
    assert bo.codes("N1") == ["0000"]
    assert client.post(f"/alipay/sheet/{trade}", data={"action": "pay"}).json == {"resultCode": "4000"}
    assert client.post("/alipay/sheet/20260310").status_code == 404
    page = bo.order(pay_type="801107", return_url="https://pay.example/r")
    token = bo.wallet(page).rpartition("/")[2].partition("?")[0]
    assert client.post(f"/alipay/sheet/{token}", data={"action": "pay"}).status_code == 404


@pytest.mark.parametrize("openid", ["1", "2088", "20880000000000012", "1088000000000001", "074a1CcTG1LelxKe4xQC0zgN"])
def test_only_a_user_id_pays_inside_alipay(bo: Merchant, openid: str) -> None:
    assert bo.order(pay_type="800107", openid=openid)["respcd"] == "1104"
