"""F6, F8, F9 and F10: answers of the gateway that are no answers, not signed, or for somebody else."""

import gzip
from collections.abc import Callable
from typing import Any

import pytest
from werkzeug.wrappers import Response

from sandbox import Trouble
from tests.faults.wires import PAYMENT, QUERY, UNANSWERED, Serve, mended, on_the_wire
from tests.gateway.faults import Script, says
from tests.hostile.tricks import gateway_answers, mount
from tests.stories.cast import PHONE, Merchant, Shopper, World

# --- F6: something else than an API

LOGIN = b"<!doctype html><title>Sign in</title><form action=/login><input name=password type=password></form>"
ELSEWHERE = {
    "an error page": says(b"<html><h1>502 Bad Gateway</h1></html>", "200 OK", "Content-Type: text/html"),
    "a login page": says(LOGIN, "200 OK", "Content-Type: text/html"),
    "a gzip bomb": says(gzip.compress(b"0" * 50_000_000), "200 OK", "Content-Encoding: gzip"),
    "a redirect": says(b"", "302 Found", "Location: /elsewhere"),
    "a permanent redirect": says(b"", "308 Permanent Redirect", "Location: /elsewhere"),
    "an empty page": says(b"", "204 No Content"),
}


@pytest.mark.parametrize("script", ELSEWHERE.values(), ids=ELSEWHERE)
def test_f06_what_is_no_api_is_unknown_and_is_not_followed(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], serve: Serve, script: Script
) -> None:
    server = serve(script)
    with on_the_wire(world, bo, server.url):
        ada.picks("alipay_hk")
    assert (world.attempt(session).status, ada.sees()) == ("unknown", UNANSWERED)
    assert "type=password" not in ada.page()
    assert len(server.heard) == 1
    world.ledger.inject(QUERY, Trouble.HTML, 1)  # the enquiry meets the same page, and proves as little
    world.passes(3)
    assert world.attempt(session).status == "unknown"


# --- F8: a wrong signature


def missigned(world: World) -> None:
    """Every answer of the gateway carries a signature that does not fit it."""

    def between(environ: Any, start_response: Any) -> Any:
        answer = Response.from_app(world.sandbox, environ)
        answer.headers["X-QF-SIGN"] = "0" * 32
        return answer(environ, start_response)

    mount(world, between)


def test_f08_a_wrong_signature_is_logged_and_tls_vouches(
    world: World, ada: Shopper, session: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    missigned(world)
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"
    logged = [record for record in caplog.records if "signature of an answer does not match" in record.message]
    assert len(logged) == len(world.ledger.calls()), "each is counted"


def test_f08_strictly_a_wrong_signature_is_no_answer(make_world: Callable[..., World]) -> None:
    world = make_world(GATEWAY_STRICT_SIGNATURE="1")
    bo = world.merchant()
    session = bo.opens()
    ada = world.shopper(session)
    missigned(world)
    ada.picks("alipay_hk")
    assert (world.attempt(session).status, ada.sees()) == ("unknown", UNANSWERED)
    world.pays(session)
    world.passes(4)
    assert ada.sees() == UNANSWERED, "nor does an enquiry prove anything"
    mended(world)
    world.passes(20)
    assert ada.sees() == "Paid"


def test_f08_strictly_no_signature_at_all_is_fine(make_world: Callable[..., World]) -> None:
    world = make_world(GATEWAY_STRICT_SIGNATURE="1")
    session = world.merchant().opens()
    gateway = world.sandbox

    def unsigned(environ: Any, start_response: Any) -> Any:
        answer = Response.from_app(gateway, environ)
        answer.headers.pop("X-QF-SIGN", None)
        return answer(environ, start_response)

    mount(world, unsigned)
    ada = world.shopper(session)
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"


# --- F9: another order's answer

ECHOES: dict[str, tuple[Any, ...]] = {
    "out_trade_no": ("S20260310000000000000", "x", 7),
    "txamt": ("8799", "1", 88, "88.00", "-8800"),
    "txcurrcd": ("CNY", "USD", "hkd"),
    "pay_type": ("801101", "800107", 801510),
}


@pytest.mark.parametrize(("field", "value"), [(name, value) for name in ECHOES for value in ECHOES[name]])
@pytest.mark.parametrize("agent", ["desktop", PHONE], ids=["desktop", "phone"])
def test_f09_a_yes_to_something_else_shows_nothing_and_calls_for_a_person(
    world: World, bo: Merchant, session: dict[str, Any], field: str, value: Any, agent: str
) -> None:
    gateway_answers(world, PAYMENT, lambda answer: answer | {field: value})
    ada = world.shopper(session, agent)
    answer = ada.picks("alipay_hk")
    assert answer.location
    assert answer.location.endswith(f"/pay/{session['id']}"), "nobody is sent to a wallet"
    attempt = world.attempt(session)
    assert (attempt.status, attempt.target, attempt.qr_svg) == ("unknown", None, None)
    assert ada.stage() == "review"
    assert "data-qr" not in ada.page()
    told = bo.reads(session)
    assert (told["status"], told["review"]) == ("open", True)
    world.works()
    assert "checkout_session.review_opened" in [news["type"] for news in bo.heard()]


# --- F10: addresses that must not be shown

HOST = "https://qr.alipay.com"
ADDRESSES = [
    None, "", " ", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)",
    "javascript://qr.alipay.com/%0aalert(1)", "data:text/html,<script>alert(1)</script>", "vbscript:x",
    "file:///etc/passwd", "blob:https://qr.alipay.com/x", "http://qr.alipay.com/x", "HTTP://qr.alipay.com/x",
    "//qr.alipay.com/x", "/relative", "qr.alipay.com/x", "https:qr.alipay.com", "https:/qr.alipay.com",
    "https:///qr.alipay.com", "https://user@qr.alipay.com/x", "https://user:pass@qr.alipay.com/x",
    "https://qr.alipay.com@evil.example/x", "https://evil.example/x", "https://qr.alipay.com.evil.example/x",
    "https://evilalipay.com/x", "https://alipay.com.", "https://evil.example/?alipay.com",
    "https://evil.example#@qr.alipay.com", "https://evil.example\\@qr.alipay.com/x", "https://qr.alipay.com:8443/x",
    "https://qr.alipay.com:99999/x", "https://127.0.0.1/x", "https://[::1]/x", "https://qr%2ealipay.com/x",
    "https://qr.alipaу.com/x", "https://qr.alipay。com/x", HOST + "/\x00", HOST + "/\n", HOST + "/\r\nSet-Cookie: a=b",
    HOST + "/\u202egpj", HOST + "/ x", HOST + "/\\..", HOST + "/" + "a" * 8000, "alipays://platformapi/startapp",
    "https://",
]  # fmt: skip


def test_f10_the_corpus_has_forty_addresses() -> None:
    assert len(set(ADDRESSES)) >= 40


@pytest.mark.parametrize("address", ADDRESSES, ids=lambda address: repr(address)[:50])
def test_f10_an_address_that_is_not_the_wallets_is_not_shown(world: World, bo: Merchant, address: str | None) -> None:
    gateway_answers(world, PAYMENT, lambda answer: answer | {"pay_url": address})
    for agent in ("desktop", PHONE):
        session = bo.opens(reference=agent[:7])
        ada = world.shopper(session, agent)
        answer = ada.picks("alipay_hk")
        assert answer.location
        assert answer.location.endswith(f"/pay/{session['id']}")
        assert (world.attempt(session).status, world.attempt(session).target) == ("unknown", None)
        assert ada.stage() == "review"
        page = ada.page()
        assert "data-qr" not in page
        assert not (address and len(address) > 12 and address in page)
        assert bo.reads(session)["review"] is True


def test_f10_a_proper_address_is_shown(world: World, bo: Merchant, ada: Shopper) -> None:
    gateway_answers(world, PAYMENT, lambda answer: answer | {"pay_url": HOST + "/bax00001"})
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
