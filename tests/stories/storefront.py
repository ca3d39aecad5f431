"""A shop that links to QFPay's hosted checkout, written from QFPay's published samples and nothing of ours."""

import hashlib
from urllib.parse import quote

ALGORITHMS = {"sha256": hashlib.sha256, "md5": hashlib.md5}


def order(app_code: str, **changes: str) -> dict[str, str]:
    """What such a shop asks for; an empty change leaves the parameter out."""
    asked = {
        "appcode": app_code,
        "sign_type": "sha256",
        "paysource": "remotepay_checkout",
        "txamt": "8800",
        "txcurrcd": "HKD",
        "out_trade_no": "ORD20260301000007",
        "txdtm": "2026-03-01 18:30:00",
        "return_url": "https://shop.example/ok?o=7&t=a",
        "failed_url": "https://shop.example/fail",
        "notify_url": "https://shop.example/n",
        "goods_name": "測試商品",
    } | changes
    return {name: value for name, value in asked.items() if value}


def sign(asked: dict[str, str], key: str) -> str:
    """Sorted by name, joined raw, the key behind it, hashed; upper-case hex for MD5, as their samples print it."""
    text = "&".join(f"{name}={asked[name]}" for name in sorted(asked)) + key
    made = ALGORITHMS[asked["sign_type"]](text.encode()).hexdigest()
    return made.upper() if asked["sign_type"] == "md5" else made


def encode(asked: dict[str, str]) -> str:
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in asked.items())


def link(asked: dict[str, str], key: str, **unsigned: str) -> str:
    """The query of a finished link; `unsigned` is added behind the signature, as `lang` may be."""
    return encode(asked | {"sign": sign(asked, key)} | unsigned)
