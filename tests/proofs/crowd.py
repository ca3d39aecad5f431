"""Sixteen processes that live long and act at the same moment, each with an application of its own on shared books."""

import multiprocessing
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from types import TracebackType
from typing import Any, Self

from sqlalchemy.exc import DBAPIError, IntegrityError
from werkzeug.test import Client

from checkout.services import words
from checkout.services.hearing import hear
from checkout.services.returning import move_next_refund
from checkout.services.words import Said
from checkout.store.models import Attempt
from checkout.store.models import Merchant as Row
from tests.compiled import share
from tests.proofs.stage import Place, Stage
from tests.stories.cast import PUBLIC, Merchant

MEMBERS = 16
PATIENCE = 60.0  # seconds until the others are taken for dead
BUSY, FAILED = -1, -2  # instead of a status: the database gave up a transaction; something else was raised


@dataclass(frozen=True)
class Answer:
    """What came of one act: an HTTP status, or one of the two above, and what was said."""

    status: int
    text: str = ""


@dataclass(frozen=True)
class Act:
    """One thing to do at a moment of the shared clock: a verb of `Member`, and its words."""

    verb: str
    said: tuple[Any, ...] = ()


class Member:
    """One process of the crowd. Its verbs are what shoppers, shops, the gateway and our worker do."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    @property
    def bo(self) -> Merchant:
        return self.stage.shop()

    def does(self, act: Act) -> Answer:
        verb: Callable[..., Answer] = getattr(self, act.verb)
        try:
            return verb(*act.said)
        except DBAPIError as error:
            return Answer(BUSY, f"{type(error.orig).__name__}: {error.orig}")
        except Exception:
            return Answer(FAILED, traceback.format_exc())

    def picks(self, session: dict[str, Any], wallet: str) -> Answer:
        return _told(self.stage.shopper(session).picks(wallet))

    def cancels(self, session: dict[str, Any]) -> Answer:
        return _told(self.bo.api("POST", f"/v1/checkout-sessions/{session['id']}/cancel"))

    def refunds(self, session: dict[str, Any], wish: dict[str, Any], key: str) -> Answer:
        path = f"/v1/checkout-sessions/{session['id']}/refunds"
        return _told(self.bo.api("POST", path, wish, Idempotency_Key=key))

    def is_told(self, path: str, body: bytes, sign: str) -> Answer:
        """The gateway's notification, of which every process gets the same one."""
        client = Client(self.stage.app, use_cookies=False)
        headers = {"X-QF-SIGN": sign, "Content-Type": "application/json"}
        return _told(client.post(path, base_url=PUBLIC, data=body, headers=headers))

    def pays(self, number: str) -> Answer:
        """Ada's wallet pays this order, or finds that it has been paid."""
        try:
            self.stage.ledger.pay(number)
        except ValueError:
            return Answer(409)
        return Answer(200)

    def hears(self, attempt_id: str) -> Answer:
        """An enquiry without the lease that keeps two workers from asking at once: so all hear the same."""
        now, joined = self.stage.clock(), self.stage.parts
        with joined.sessions() as db:
            attempt = db.get_one(Attempt, attempt_id)
            merchant = db.get_one(Row, attempt.merchant_id)
            db.commit()
            answer = joined.gateways.of(merchant).enquire([attempt.out_trade_no], None)
            try:
                if hear(db, joined.terms, attempt_id, answer.records, asked_at=now, now=now):
                    said = Said(merchant.id, "enquiry", answer.raw, attempt.out_trade_no)
                    words.keep(db, joined.vault, said, now)
                db.commit()
            except IntegrityError:  # another process was quicker; the worker would ask again
                db.rollback()
                return Answer(409)
        return Answer(200)

    def returns(self) -> Answer:
        """The worker brings one refund to the gateway, if one is due."""
        return Answer(200 if move_next_refund(self.stage.refunding) else 204)


def _told(answer: Any) -> Answer:
    return Answer(answer.status_code, answer.text)


class Crowd:
    """The conductor's side, in the test's own process."""

    def __enter__(self) -> Self:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.proofs.crowd"])
        self._barrier = context.Barrier(MEMBERS)  # kept: its semaphores go with it
        self._members: list[BaseProcess] = []
        self._lines: list[Connection] = []
        for _ in range(MEMBERS):
            ours, theirs = context.Pipe()
            member = context.Process(target=_live, args=(theirs, self._barrier), daemon=True)
            member.start()
            theirs.close()
            self._members.append(member)
            self._lines.append(ours)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for line in self._lines:
            line.send(None)
            line.close()
        for member in self._members:
            member.join(PATIENCE)
            if member.is_alive():
                member.kill()

    def moves_to(self, place: Place) -> None:
        for line in self._lines:
            line.send(place)
        for line in self._lines:
            line.recv()

    def act(self, at: datetime, acts: Sequence[Act]) -> list[Answer]:
        """Every member does one of these, all at once."""
        assert len(acts) == MEMBERS
        for line, act in zip(self._lines, acts, strict=True):
            line.send((at, act))
        return [line.recv() for line in self._lines]


def _live(line: Connection, barrier: Barrier) -> None:
    share()
    member: Member | None = None
    while (said := line.recv()) is not None:
        if isinstance(said, Place):
            if member:
                member.stage.close()
            member = Member(Stage(said))
            line.send(Answer(200))
            continue
        assert member, "a crowd moves to a place before it acts"
        at, act = said
        member.stage.clock.now = at
        barrier.wait(PATIENCE)
        line.send(member.does(act))
