"""F18: the same words of the gateway in any order end the same."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import permutations
from typing import Any

from sqlalchemy import select
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

from checkout.domain.signing import sign_notification
from checkout.services.enquiries import enquire_next
from checkout.services.watching import make_number_due
from checkout.store.models import Attempt, Event, GatewayWord
from tests.faults.wires import KEY, QUERY, notice
from tests.hostile.tricks import mount
from tests.proofs.scale import scale
from tests.stories.cast import PHONE, PUBLIC, World

# --- F18: any order

WAP = "801512"  # AlipayHK on a phone, where no code need be drawn
WORDS = ("notice", "refund notice", "nothing", "pending", "paid", "comes back")


class Orderly:
    """Many sessions at once, each hearing the six words in an order of its own, step by step."""

    def __init__(self, world: World, orders: list[tuple[str, ...]]) -> None:
        self.world, self.bo, self.orders = world, world.merchant(webhooks=False), orders
        self.sessions: list[dict[str, Any]] = []
        self.attempts: list[Attempt] = []
        self.says: dict[str, str] = {}
        mount(world, self._gateway)

    def _gateway(self, environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != QUERY:
            return self.world.sandbox(environ, start_response)
        numbers = Request(environ).form["out_trade_no"].split(",")
        data = [self.record(number) for number in numbers if self.says.get(number) in {"pending", "paid"}]
        body = json.dumps({"respcd": "0000", "page": 1, "page_size": 40, "data": data})
        return Response(body, content_type="application/json")(environ, start_response)

    def record(self, number: str) -> dict[str, str]:
        code = {"pending": "1143", "paid": "0000"}[self.says[number]]
        fields: dict[str, str] = json.loads(notice(number, syssn=self.syssn(number), respcd=code, pay_type=WAP))
        return fields | {"order_type": "payment"}

    def syssn(self, number: str) -> str:
        return f"20260310{number[-20:]}"

    def begin(self) -> None:
        for index in range(len(self.orders)):
            self.sessions.append(self.bo.opens(reference=f"A-{index}"))
            assert self.world.shopper(self.sessions[-1], PHONE).picks("alipay_hk").status_code == 303
            self.attempts.append(self.world.attempt(self.sessions[-1]))
            self.world.clock.now += timedelta(seconds=0.3)

    def hears(self, index: int, word: str) -> None:
        number = self.attempts[index].out_trade_no
        if word == "notice":
            self.notified(notice(number, syssn=self.syssn(number), pay_type=WAP))
        elif word == "refund notice":  # made in the gateway's portal, under a number that is not ours
            mine = {
                "syssn": "9" + self.syssn(number),
                "notify_type": "refund",
                "txamt": "100",
                "orig_syssn": self.syssn(number),
            }
            self.notified(notice(f"P{index}", **mine))
        elif word == "comes back":
            self.world.shopper(self.sessions[index]).comes_back()
        else:
            self.says[number] = word
            with self.world.parts.sessions() as db:
                make_number_due(db, self.attempts[index].id, self.world.clock())
                db.commit()

    def notified(self, body: bytes) -> None:
        headers = {"X-QF-SIGN": sign_notification(body, KEY)}
        where = f"/notify/{self.bo.told.merchant_id}"
        answer = Client(self.world.app).post(where, data=body, base_url=PUBLIC, headers=headers)
        assert answer.data == b"SUCCESS"

    def step(self, words: Iterator[str] | list[str]) -> None:
        self.says.clear()  # what is asked about beside it has no record yet: "nothing" too is a word
        for index, word in enumerate(words):
            self.hears(index, word)
        self.world.clock.now += timedelta(seconds=3)
        while enquire_next(self.world.asking):
            pass

    def ends(self) -> set[str]:
        return {
            json.dumps(self._end(session, attempt))
            for session, attempt in zip(self.sessions, self.attempts, strict=True)
        }

    def _end(self, session: dict[str, Any], attempt: Attempt) -> list[Any]:
        with self.world.parts.sessions() as db:
            news = db.scalars(select(Event.type).where(Event.session_id == session["id"]).order_by(Event.type)).all()
            heard = select(GatewayWord.source).where(GatewayWord.out_trade_no == attempt.out_trade_no)
            sources = sorted(set(db.scalars(heard)))
        told = self.bo.reads(session)
        money = [(payment["role"], payment["amount"]) for payment in told["payments"]]
        return [told["status"], told["review"], money, told["refunds"], list(news), sources]


def test_f18_six_words_end_the_same_in_each_of_their_720_orders(world: World) -> None:
    orders = list(permutations(WORDS))
    orderly = Orderly(world, orders if scale().release else orders[::11])  # a sample has each word at each place too
    orderly.begin()
    for step in range(len(WORDS)):
        orderly.step([order[step] for order in orderly.orders])
    orderly.step(["paid"] * len(orderly.orders))
    ends = orderly.ends()
    assert len(ends) == 1, ends
    status, review, money, refunds, news, sources = json.loads(ends.pop())
    assert (status, review, money, refunds) == ("paid", False, [["accepted", 8800]], [])
    assert news == ["checkout_session.paid"]
    assert sources == ["enquiry", "notification", "payment"]
