"""Where an outgoing webhook may go."""

import pytest

from checkout.domain.addresses import check_endpoint, forbidden_reason, is_loopback

PUBLIC = ["93.184.216.34", "1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2a00:1450:4001:81b::200e", "240e::1"]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:93.184.216.34",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::5db8:d822",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:10::1",
    "2001:20::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "2002:5db8:d822::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "ff0e::1",
    "",
    "localhost",
    "127.1",
    "010.8.8.8",
]


@pytest.mark.parametrize("ip", PUBLIC)
def test_a_public_address_may_be_connected_to(ip: str) -> None:
    assert forbidden_reason(ip) is None


@pytest.mark.parametrize("ip", NOT_PUBLIC)
def test_any_other_address_may_not(ip: str) -> None:
    assert forbidden_reason(ip)


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", False),
        ("10.0.0.1", False),
        ("localhost", False),
    ],
)
def test_loopback_is_known_by_its_own_name_only(ip: str, expected: bool) -> None:
    assert is_loopback(ip) is expected


GOOD = [
    "https://shop.example/webhook",
    "https://shop.example",
    "https://shop.example:443/",
    "https://shop.example:8443/hooks/sampan?key=1",
    "https://SHOP.Example/x",
    "https://xn--fiqs8s.example/",
    "https://93.184.216.34/hook",
    "https://[2606:4700:4700::1111]/hook",
    "https://a.b.c.d.example/%E8%8C%B6",
]

BAD = [
    "",
    "shop.example",
    "//shop.example/x",
    "/webhook",
    "https://",
    "https:///x",
    "https://:443/",
    "http://shop.example/",
    "gopher://shop.example/",
    "file:///etc/passwd",
    "ftp://shop.example/",
    "javascript:alert(1)",
    "https://shop.example:22/",
    "https://shop.example:80/",
    "https://shop.example:0/",
    "https://shop.example:65536/",
    "https://shop.example:x/",
    "https://shop.example:/",
    "https://shop.example:-443/",
    "https://bo@shop.example/",
    "https://bo:secret@shop.example/",
    "https://@shop.example/",
    "https://shop.example@10.0.0.1/",
    "https://shop.example#@10.0.0.1/",
    "https://shop.example/#part",
    "https://shop.example/#",
    "https://shop.example\\@10.0.0.1/",
    "https:\\\\shop.example/",
    "https://shop.example/a b",
    " https://shop.example/",
    "https://shop.example/\t",
    "https://shop.ex\nample/",
    "https://shop.example/\x00",
    "https://shop.example/\u2028",
    "https://shop.example/\u202e",
    "https://sh\u00f6p.example/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://127\u30020\u30020\u30021/",
    "https://shop.example./",
    "https://localhost./",
    "https://-shop.example/",
    "https://shop..example/",
    "https://shop_1.example/",
    "https://shop%2eexample/",
    "https://intranet/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.1/",
    "https://0x7f.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.01/",
    "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://shop.0x7f/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data/",
    "https://0.0.0.0/",
    "https://[::]/",
    "https://[fc00::1]/",
    "https://[::ffff:169.254.169.254]/",
    "https://[64:ff9b::a9fe:a9fe]/",
    "https://[fe80::1%25eth0]/",
    "https://[::1",
    "https://[::1]shop.example/",
    "https://[v1.x]/",
    "https://" + "a" * 64 + ".example/",
    "https://" + "a." * 127 + "example/",
    "https://shop.example/" + "a" * 2048,
]

LOOPBACK = [
    "http://127.0.0.1:5001/webhook",
    "http://localhost/webhook",
    "http://localhost:8000/demo/webhook",
    "http://shop.localhost:1/",
    "https://127.0.0.1:22/",
    "http://[::1]:9/",
]


@pytest.mark.parametrize("loopback_allowed", [True, False])
@pytest.mark.parametrize("url", GOOD)
def test_an_https_address_on_the_internet_is_fine(url: str, loopback_allowed: bool) -> None:
    assert check_endpoint(url, loopback_allowed=loopback_allowed) is None


@pytest.mark.parametrize("loopback_allowed", [True, False])
@pytest.mark.parametrize("url", BAD)
def test_anything_doubtful_is_refused_with_a_reason(url: str, loopback_allowed: bool) -> None:
    assert check_endpoint(url, loopback_allowed=loopback_allowed)


@pytest.mark.parametrize("url", LOOPBACK)
def test_this_machine_is_for_development_only(url: str) -> None:
    assert check_endpoint(url, loopback_allowed=True) is None
    assert check_endpoint(url, loopback_allowed=False) == "must be reachable from the internet"


@pytest.mark.parametrize("url", ["ftp://localhost/", "gopher://127.0.0.1:70/", "//localhost/"])
def test_this_machine_too_is_reached_by_http_only(url: str) -> None:
    assert check_endpoint(url, loopback_allowed=True)
