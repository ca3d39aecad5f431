"""Only addresses of the wallet's own hosts are ever shown to a shopper."""

import pytest

from checkout.gateway.links import LinkPolicy

POLICY = LinkPolicy(("alipay.com",), also=("http://127.0.0.1:8000/sandbox/",))

ALLOWED = [
    "https://alipay.com",
    "https://alipay.com/",
    "https://alipay.com?x=1",
    "https://alipay.com#x",
    "https://globalmapi.alipay.com/gateway.do?service=create_forex_trade&_input_charset=UTF-8",
    "https://qr.alipay.com/bax03190uxd47wbekffy6033",
    "https://a.b.c.alipay.com/",
    "https://QR.AliPay.COM/x",
    "HTTPS://qr.alipay.com/x",
    "https://qr.alipay.com:443/x",
    "https://qr.alipay.com/x?return_url=https%3A%2F%2Fshop.example%2F",
    "https://qr.alipay.com/x?a=https://evil.example/@b",
    "https://qr.alipay.com/?subject=茶",
    "https://alipay.com/" + "a" * 2029,
    "http://127.0.0.1:8000/sandbox/wallet/1",
]
REFUSED = [
    "",
    " ",
    "alipay.com",
    "//alipay.com/",
    "/x",
    "http://alipay.com/",
    "http://qr.alipay.com:443/",
    "javascript:alert(1)",
    "javascript://alipay.com/%0aalert(1)",
    "data:text/html,x",
    "alipays://platformapi/startapp",
    "ftp://alipay.com/",
    "https:alipay.com",
    "https:/alipay.com/",
    "https:///alipay.com/",
    "https://",
    "https://evil.example/",
    "https://evil.example/alipay.com",
    "https://evil.example?alipay.com",
    "https://evil.example#alipay.com",
    "https://alipay.com.evil.example/",
    "https://evilalipay.com/",
    "https://alipay.com@evil.example/",
    "https://user@alipay.com/",
    "https://user:word@alipay.com/",
    "https://evil.example\\@alipay.com/",
    "https://alipay.com\\.evil.example/",
    "https://alipay.com/\\x",
    "https://alipay.com:8443/",
    "https://alipay.com:80/",
    "https://alipay.com:/",
    "https://alipay.com:0443/",
    "https://alipay.com:443evil/",
    "https://alipay.com./",
    "https://.alipay.com/",
    "https://a..alipay.com/",
    "https://-a.alipay.com/",
    "https://alipаy.com/",  # a Cyrillic letter
    "https://alipay。com/",
    "https://ａlipay.com/",  # a wide letter
    "https://alıpay.com/",  # a dotless letter
    "https://xn--alipy-tfe.com/",
    "https://%61lipay.com/",
    "https://[::1]/",
    "https://127.0.0.1/",
    "https://alipay.com/\n",
    "https://alipay.com/\x00",
    "https://alipay.com/\tx",
    "https://ali\tpay.com/",
    "https://ali\npay.com/",
    "https://alipay.com/a b",
    "https://alipay.com/\u202e",
    "https://alipay.com/\u200b",
    "https://alipay.com/\u2028",
    "https://alipay.com/\ud800",
    "\nhttps://alipay.com/",
    " https://alipay.com/",
    "https://alipay.com/" + "a" * 2030,
    "https://alipay.com/" + "a" * 8000,
    "http://127.0.0.1:8000/",
    "http://127.0.0.1:8000/sandbox",
    "http://127.0.0.1:80001/sandbox/",
    "http://127.0.0.1:8000@evil.example/sandbox/",
    "https://127.0.0.1:8000/sandbox/",
    "http://localhost:8000/sandbox/",
]


@pytest.mark.parametrize("url", ALLOWED)
def test_the_wallets_own_addresses_are_allowed(url: str) -> None:
    assert POLICY.allows(url)


@pytest.mark.parametrize("url", REFUSED)
def test_every_other_address_is_refused(url: str) -> None:
    assert not POLICY.allows(url)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8000.evil.example/", "http://127.0.0.1:80001/", "http://127.0.0.1:8000@e/"]
)
def test_a_prefix_without_a_path_stands_for_its_origin_only(url: str) -> None:
    policy = LinkPolicy((), also=("http://127.0.0.1:8000",))
    assert policy.allows("http://127.0.0.1:8000/wallet")
    assert not policy.allows(url)


def test_without_hosts_nothing_is_allowed() -> None:
    assert not any(LinkPolicy(()).allows(url) for url in ALLOWED)


def test_hosts_may_be_configured_in_any_case() -> None:
    assert LinkPolicy(("AliPay.com",)).allows("https://qr.alipay.com/x")


def test_the_same_hosts_stand_in_the_content_security_policy() -> None:
    assert POLICY.sources() == ("https://alipay.com", "https://*.alipay.com", "http://127.0.0.1:8000")
