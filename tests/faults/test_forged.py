"""F19 and F20: forged notifications, and genuine ones that come again."""

import json
from typing import Any

from werkzeug.test import Client

from checkout.domain.signing import sign_notification
from checkout.store.models import GatewayWord, Payment
from tests.faults.wires import HOUR, KEY, at_once, count, fingerprint, notify, paid_notice
from tests.stories.cast import PUBLIC, Merchant, Shopper, World

# --- F19: forged


def signed(body: bytes, key: str = KEY) -> str:
    return sign_notification(body, key)


def test_f19_no_forgery_changes_anything_and_the_genuine_one_counts(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    world.merchant("Cy's Shop")
    ada.picks("alipay_hk")
    body = paid_notice(world, session)
    told = json.loads(body)
    compact = json.dumps(told, separators=(",", ":")).encode()
    swapped = json.dumps(dict(reversed(told.items()))).encode()
    more = json.dumps(told | {"extra": "1"}).encode()
    form = "&".join(f"{name}={value}" for name, value in told.items()).encode()
    forgeries: list[tuple[str, bytes, str | None]] = [
        ("no header", body, None),
        ("an empty header", body, ""),
        ("a wrong key", body, signed(body, "key-of-nobody")),
        ("no key", body, signed(body, "")),
        ("lower-case key", body, signed(body, KEY.lower())),
        ("another merchant's key", body, signed(body, "key-of-APP2")),
        ("another body re-serialised", compact, signed(body)),
        ("an added field", more, signed(body)),
        ("swapped order", swapped, signed(body)),
        ("a non-ASCII header", body, "é" * 16),
        ("full-width digits", body, "０" * 32),
        ("a header twice as long", body, signed(body) * 2),
        ("SHA256 instead of MD5", body, "a" * 64),
        ("1 MB", b" " * 1_000_000 + body, signed(b" " * 1_000_000 + body)),
        ("a form", form, signed(body)),
        ("nothing", b"", signed(body)),
        ("an old rule: sorted fields", body, signed("&".join(f"{k}={told[k]}" for k in sorted(told)).encode())),
    ]
    before = fingerprint(world)
    seen = {}
    for name, sent, signature in forgeries:
        headers = {} if signature is None else {"X-QF-SIGN": signature}
        where = f"/notify/{bo.told.merchant_id}"
        kind = "application/x-www-form-urlencoded" if name == "a form" else "application/json"
        seen[name] = (
            Client(world.app).post(where, data=sent, base_url=PUBLIC, headers=headers, content_type=kind).status_code
        )
    assert set(seen.values()) <= {401, 403, 413}, seen
    assert fingerprint(world) == before
    assert notify(world, bo, body, signed(body).lower()).data == b"SUCCESS"
    world.passes(5)
    assert ada.sees() == "Paid"


# --- F20: replayed


def test_f20_a_replayed_notice_has_no_effect_on_this_or_any_later_session(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    body = paid_notice(world, session)
    notify(world, bo, body)
    world.passes(10)
    paid = bo.reads(session)
    later = bo.opens()  # the same order once more, under a number of its own
    world.shopper(later).picks("alipay_hk")
    world.passes(3)
    answers = at_once(*[lambda: notify(world, bo, body)] * 8)
    assert {answer.data for answer in answers} == {b"SUCCESS"}
    world.passes(2 * HOUR, step=30)
    assert bo.reads(session) == paid
    assert bo.reads(later)["status"] == "expired"
    assert count(world, Payment) == 1
    assert count(world, GatewayWord, GatewayWord.source == "notification") == 1


def test_f20_a_genuine_notice_of_one_merchant_is_no_word_at_anothers_address(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    cy = world.merchant("Cy's Shop")
    ada.picks("alipay_hk")
    body = paid_notice(world, session)
    before = fingerprint(world)
    assert notify(world, cy, body).status_code == 401
    assert fingerprint(world) == before
