"""SECRET_KEY has lost the key under which Bo's secrets were sealed: what everybody sees until it is back."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import update

from checkout.domain.signing import sign_notification
from checkout.store.models import Merchant as MerchantRow
from tests.stories.alipay import Inside, world_with_alipay
from tests.stories.cast import Merchant, Shopper, World
from tests.stories.test_notifications import KEY, body_for, post, words
from tests.stories.test_refunds import pay


def lost(world: World, bo: Merchant, column: str) -> Callable[[], None]:
    """No SECRET_KEY opens it any more; what is returned mends it."""
    with world.parts.sessions() as db:
        sealed = getattr(db.get_one(MerchantRow, bo.told.merchant_id), column)

    def put(value: bytes) -> None:
        with world.parts.sessions() as db:
            db.execute(update(MerchantRow).values({column: value}))
            db.commit()

    put(b"x" * 60)
    return lambda: put(sealed)


def test_a_notice_is_neither_believed_nor_refused_and_comes_again(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any]
) -> None:
    ada.picks("alipay_hk")
    body = body_for(world.attempt(session).out_trade_no)
    mend = lost(world, bo, "client_key_sealed")
    for signature in (sign_notification(body, KEY), "0" * 32):
        answer = post(world, bo, body, signature)
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert words(world) == []
    mend()
    assert post(world, bo, body, sign_notification(body, KEY)).data == b"SUCCESS"


@pytest.mark.parametrize(("language", "said"), [
    ("en", "AlipayHK is not available at the moment. Wait a few minutes, then try again."),
    ("zh-HK", "暫時未能使用。"),
    ("zh-CN", "暂时无法使用。"),
])  # fmt: skip
def test_who_picks_a_wallet_is_told_to_try_later_and_nothing_is_lost(
    world: World, bo: Merchant, session: dict[str, Any], language: str, said: str
) -> None:
    ada = world.shopper(session, language=language)
    mend = lost(world, bo, "client_key_sealed")
    answer = ada.picks("alipay_hk")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert said in answer.text
    assert "data-support-code" in answer.text
    assert f'href="{ada.path}"' in answer.text
    assert world.attempts(session) == []
    assert ada.stage() == "choose"
    mend()
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"


def test_inside_alipay_the_answer_leads_to_the_page_all_the_same(make_world: Callable[..., World]) -> None:
    world = world_with_alipay(make_world)
    bo = world.merchant()
    session = bo.opens()
    ada = Inside(world, session["url"])
    address = ada.is_told_apart()
    mend = lost(world, bo, "client_key_sealed")
    assert ada.arrives(address).headers["Location"] == ada.path
    assert (ada.stage(), world.attempts(session)) == ("choose", [])
    mend()
    ada.picks("alipay")
    assert ada.stage() == "wallet"


def test_without_the_webhook_secret_a_page_has_no_way_back_and_is_a_page_all_the_same(
    world: World, bo: Merchant, caplog: pytest.LogCaptureFixture
) -> None:
    session = pay(world, bo)
    ada = world.shopper(session)
    mend = lost(world, bo, "webhook_secret_sealed")
    for _ in range(2):
        assert ada.sees() == "Paid"
        assert " data-return href=" not in ada.page()
        assert ada.polls()["status"] == "paid"
        assert ada.asks("GET", f"{ada.path}/receipt").status_code == 200
    told = [record for record in caplog.records if record.message == "the webhook secret cannot be opened"]
    assert [record.levelname for record in told] == ["ERROR"]
    mend()
    assert ada.way_back().startswith("https://shop.example/thanks?session_id=")
