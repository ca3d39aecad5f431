"""What machines do, as rules: the gateway's notifications, workers, time, and everything that fails."""

import json
from collections.abc import Callable
from datetime import UTC, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from checkout.domain.devices import Device
from checkout.domain.errors import CheckoutError, NotAuthentic
from checkout.domain.refunding import HONG_KONG
from checkout.domain.signing import sign_notification
from tests.proofs.machine.faults import FAULTS, KILLED, Strikes
from tests.proofs.machine.people import ANY, People
from tests.proofs.machine.roads import Notice

SOON = tuple(timedelta(seconds=seconds) for seconds in (1, 2, 3, 5, 15, 30, 61))
LATER = tuple(timedelta(minutes=minutes) for minutes in (3, 5, 10, 31, 45, 125, 12 * 60, 2 * 24 * 60))
OF_ORDERS = [name for name, trouble in FAULTS.items() if trouble.strikes is Strikes.PAYMENT]
OTHERS = [name for name in FAULTS if name not in OF_ORDERS and name != KILLED]
FORGERIES = ("unsigned", "other key", "altered", "reordered", "other merchant")


class Machinery(People):
    """Each step of a worker is one of a process of its own; two at once where one waits for the gateway."""

    # --- the gateway tells us

    @precondition(lambda self: self.payments > 0)
    @rule(which=ANY)
    def notifies(self, which: int) -> None:
        """Of all that is due, any first: news overtakes news."""
        if queue := self.world.queued():
            self.world.notifies_about(queue[which % len(queue)])

    @precondition(lambda self: self.world.notice_road.sent)
    @rule(which=ANY)
    def replays(self, which: int) -> None:
        """Somebody has listened, and says again what is genuine."""
        sent = self.world.notice_road.sent
        answer = self.world.hears(sent[-1 - which % len(sent)])
        assert not isinstance(answer, CheckoutError), f"a genuine notification was refused: {answer}"

    @precondition(lambda self: self.world.notice_road.sent)
    @rule(how=st.sampled_from(FORGERIES))
    def forges(self, how: str) -> None:
        self.world.waiting.armed.pop(Strikes.PROCESS, None)  # who dies does not refuse
        self.world.waiting.armed.pop(Strikes.DATABASE, None)
        genuine, merchants = self.world.notice_road.sent[-1], [shop.told.merchant_id for shop in self.world.shops]
        addressed = genuine.url.rsplit("/", 1)[-1]
        if how == "other merchant":
            addressed = next(one for one in merchants if one != addressed)
        answer = self.world.hears(_forged(genuine, how), addressed)
        assert isinstance(answer, NotAuthentic), f"a forged notification ({how}) was answered {answer!r}"
        self.forged += 1

    # --- workers

    @rule()
    def worker_asks(self) -> None:
        self.world.asks()

    @rule()
    def worker_closes(self) -> None:
        self.world.closes()

    @rule()
    def worker_moves_a_refund(self) -> None:
        self.world.moves()

    @rule()
    def worker_delivers(self) -> None:
        self.world.delivers()

    @rule()
    def worker_reconciles(self) -> None:
        self.world.reconciles()

    @rule(act=st.integers(0, 8), before=st.booleans(), which=ANY)
    def meanwhile(self, act: int, before: bool, which: int) -> None:
        """While the next call to the gateway is under way, somebody else does something."""
        session_id = self.a_session(which)
        acts: tuple[Callable[[], object], ...] = (
            self.world.asks,
            self.world.closes,
            self.world.moves,
            self.world.delivers,
            lambda: self.pay(which),
            lambda: self.pay(0),
            lambda: self.cancel(session_id),
            lambda: self.pick(session_id, "alipay", Device.MOBILE),
            self.sleeps,
        )
        self.world.meanwhile.acts.append((before, acts[act]))

    def sleeps(self) -> None:
        """The caller is stopped for five minutes, past every lease, and others go on with its work."""
        self.world.goes_on(timedelta(minutes=5))
        self.world.asks()
        self.world.moves()

    # --- time

    @rule(time=st.sampled_from(SOON))
    def time_passes(self, time: timedelta) -> None:
        self.world.goes_on(time)

    @rule(time=st.sampled_from(SOON))
    def time_goes_by(self, time: timedelta) -> None:
        self.world.goes_on(time)

    @rule(seconds=st.sampled_from((1, 2, 3)))
    def a_moment_passes(self, seconds: int) -> None:
        self.world.goes_on(timedelta(seconds=seconds))

    @rule(minutes=st.sampled_from((1, 2, 5)))
    def minutes_pass(self, minutes: int) -> None:
        self.world.goes_on(timedelta(minutes=minutes))

    @rule(how=st.integers(0, 9), time=st.sampled_from(LATER), minutes=st.sampled_from((-36, -29, -1, 1, 34)))
    def much_time_passes(self, how: int, time: timedelta, minutes: int) -> None:
        if how < 6:
            self.world.goes_on(time)
        elif how < 9:
            self.night_comes(minutes, month=how == 8)
        else:
            self.our_clock_is_set(timedelta(minutes=max(minutes, -3)))

    def night_comes(self, minutes: int, *, month: bool) -> None:
        """Around midnight in Hong Kong there are no refunds; at a month's end enquiries look into two months."""
        here = self.world.clock.now.astimezone(HONG_KONG)
        midnight = here.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        if month:
            midnight = (midnight.replace(day=1) + timedelta(days=32)).replace(day=1)
        self.world.clock.now = max(self.world.clock.now, (midnight + timedelta(minutes=minutes)).astimezone(UTC))

    def our_clock_is_set(self, off: timedelta) -> None:
        """Forward or back by minutes; the gateway's goes on as it should."""
        self.world.ours.off = min(off, timedelta(minutes=3))
        self.deceived = True

    # --- trouble

    @rule(name=st.sampled_from(OTHERS))
    def trouble_waits(self, name: str) -> None:
        self.world.waiting.arm(name)

    @rule(name=st.sampled_from(OF_ORDERS))
    def trouble_waits_for_an_order(self, name: str) -> None:
        self.world.waiting.arm(name)

    @rule(passed=st.integers(1, 12))
    def somebody_will_die(self, passed: int) -> None:
        """Whoever passes so many crash points from here."""
        self.world.waiting.arm(KILLED)
        self.world.steps_to_death = passed


def _forged(genuine: Notice, how: str) -> Notice:
    fields = json.loads(genuine.body)
    match how:
        case "unsigned":
            return Notice(genuine.url, genuine.body, "")
        case "other key":
            return Notice(genuine.url, genuine.body, sign_notification(genuine.body, "a key of nobody"))
        case "altered":
            altered = json.dumps(fields | {"txamt": str(int(fields["txamt"]) + 1)}).encode()
            return Notice(genuine.url, altered, genuine.sign)
        case "reordered":
            return Notice(genuine.url, json.dumps(dict(reversed(fields.items()))).encode(), genuine.sign)
        case _:
            return genuine
