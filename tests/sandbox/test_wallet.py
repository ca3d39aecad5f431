"""The wallet's page: opening is a scan, a press of a button pays or declines, nothing pays twice."""

import base64
import hashlib
import re

import pytest

from tests.sandbox.cast import Merchant


def shown(bo: Merchant, path: str) -> str:
    answer = bo.app.test_client().get(path)
    assert answer.status_code == 200
    return answer.text


def test_the_page_says_what_it_is_and_what_it_asks(bo: Merchant) -> None:
    page = shown(bo, bo.wallet(bo.order(txamt="123450", goods_name="茶 Tea")))
    assert "Sandbox wallet, no real money" in page
    assert "HKD 1,234.50" in page
    assert "茶 Tea" in page
    assert page.count("<form") == 1
    assert 'name="action" value="pay"' in page
    assert 'name="action" value="decline"' in page


def test_yen_have_no_fraction(bo: Merchant) -> None:
    assert "JPY 1,980<" in shown(bo, bo.wallet(bo.order(pay_type="801101", txcurrcd="JPY", txamt="1980")))


@pytest.mark.parametrize(("pay_type", "name"), [("801101", "Alipay"), ("801514", "AlipayHK")])
def test_each_brand_has_its_look(bo: Merchant, pay_type: str, name: str) -> None:
    page = shown(bo, bo.wallet(bo.order(pay_type=pay_type)))
    assert f"<title>{name} sandbox wallet</title>" in page
    assert ('class="hk"' in page) == (name == "AlipayHK")


def test_the_policy_allows_this_style_the_way_back_and_nothing_else(bo: Merchant) -> None:
    answer = bo.app.test_client().get(bo.wallet(bo.order(return_url="https://bo.example/return")))
    found = re.search(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert found
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    assert answer.headers["Content-Security-Policy"] == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'self' https://bo.example"
    )
    assert "X-Frame-Options" not in answer.headers
    assert "style=" not in answer.text
    assert "<script" not in answer.text


def test_looking_again_is_the_same_scan(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A"))
    for _ in range(3):
        shown(bo, path)
    assert bo.codes("A") == ["1143"]


@pytest.mark.parametrize("pay_type", ["801101", "801514", "801501"])
def test_a_desktop_code_ends_with_the_phone_put_away(bo: Merchant, pay_type: str) -> None:
    answer = bo.order(out_trade_no="A", pay_type=pay_type)
    browser = bo.app.test_client()
    page = browser.post(bo.wallet(answer), data={"action": "pay"}, follow_redirects=True).text
    assert "Paid" in page
    assert "put your phone away" in page
    assert 'href="http://127.0.0.1:8000/return/abc?syssn=' in page
    assert bo.codes("A") == ["0000"]


@pytest.mark.parametrize("pay_type", ["801107", "801512"])
def test_a_phone_goes_back_to_the_merchant(bo: Merchant, pay_type: str) -> None:
    answer = bo.order(out_trade_no="A", pay_type=pay_type)
    back = bo.app.test_client().post(bo.wallet(answer), data={"action": "pay"})
    assert back.status_code == 303
    assert back.location == (
        f"http://127.0.0.1:8000/return/abc?syssn={answer['syssn']}&out_trade_no=A&pay_type={pay_type}"
        "&txamt=8800&txdtm=2026-03-15+12%3A00%3A00&respcd=0000&respmsg="
    )


def test_a_second_press_is_refused_nicely(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A"))
    browser = bo.app.test_client()
    browser.post(path, data={"action": "pay"})
    again = browser.post(path, data={"action": "pay"})
    assert (again.status_code, "Already paid" in again.text) == (409, True)
    assert browser.post(path, data={"action": "decline"}).status_code == 409
    assert bo.codes("A") == ["0000"]
    assert len(bo.ledger.notices("A")) == 1


def test_a_declined_code_can_be_scanned_again(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A"))
    browser = bo.app.test_client()
    page = browser.post(path, data={"action": "decline"}, follow_redirects=True).text
    assert "Declined" in page
    assert bo.codes("A") == ["1201"]
    browser.post(path, data={"action": "pay"})
    assert bo.codes("A") == ["0000", "1201"]


def test_an_expired_code_takes_no_money(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A"))
    shown(bo, path)
    bo.clock.pass_by(minutes=30)
    late = bo.app.test_client().post(path, data={"action": "pay"})
    assert (late.status_code, "has expired" in late.text) == (409, True)
    assert bo.codes("A") == ["1181"]


def test_paid_stays_paid_after_the_end_of_the_code(bo: Merchant) -> None:
    path = bo.wallet(bo.order(out_trade_no="A"))
    bo.ledger.pay("A")
    bo.clock.pass_by(hours=2)
    assert "Paid" in shown(bo, path)


def test_strangers_and_nonsense_get_nothing(bo: Merchant) -> None:
    browser = bo.app.test_client()
    assert browser.get("/wallet/nobody").status_code == 404
    path = bo.wallet(bo.order(out_trade_no="A"))
    assert browser.post(path, data={"action": "steal"}).status_code == 400
    assert bo.ledger.order("A").payments == ()
