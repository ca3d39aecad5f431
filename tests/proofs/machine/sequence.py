"""One sequence: an empty world, a hundred steps, then the ordinary worker until all is at rest, and the judgement."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from hypothesis.stateful import Rule, RuleStrategy, initialize, invariant

from checkout.domain.devices import Device
from checkout.services.audit import audit
from tests.proofs.machine.machinery import Machinery
from tests.proofs.machine.truth import Eye, judge
from tests.proofs.machine.world import HardWorld
from tests.stories.cast import NOON

STARTS = (
    NOON,
    datetime(2026, 3, 10, 15, 20, tzinfo=UTC),  # 23:20 in Hong Kong, ten minutes before refunds pause
    datetime(2026, 3, 31, 15, 50, tzinfo=UTC),  # the last minutes of a month there
    datetime(2026, 12, 31, 15, 55, tzinfo=UTC),
)
AUDITED_AT, AUDITED_EACH = 50, 3  # in the middle, every third sequence; at its end, each
# How time goes on at the end: long enough for a code that is paid at its end, for refunds that wait for a day.
RESTING = tuple(timedelta(minutes=minutes) for minutes in (30 * 60, 10, 30 * 60, 10) + (30 * 60,) * 10)


class Even(RuleStrategy):
    """Every rule has its chance in every sequence. Hypothesis's own way switches many off for a whole sequence."""

    def _rule_is_enabled(self, rule: Rule) -> bool:
        return bool(self.is_valid(rule))


class Sequence(Machinery):
    """What Hypothesis drives. A violation is an assertion that says what is wrong in plain words."""

    def __init__(self, world: HardWorld, counted: Counter[str], *, even: bool = True) -> None:
        super().__init__()
        if even:
            self._rules_strategy = Even(self)
        self.world, self.counted = world, counted
        self.world.empties()
        self.opened, self.session_keys, self.refund_keys = [], [], []
        self.payments = self.forged = 0
        self.deceived = False
        self.steps = -1  # Hypothesis looks once before the first step
        self.eye = Eye(world)

    @initialize(start=st.sampled_from(STARTS), shape=st.integers(0, 5), far=st.sampled_from((0, 0, 1, 2, 3)))
    def the_first_session(self, start: datetime, shape: int, far: int) -> None:
        """A new one, one with a code, one that is paid, or one that we know to be paid."""
        self.world.clock.now = start
        self._open(shape, None)
        if far > 0:
            self.pick(self.opened[0], "alipay_hk", Device.MOBILE)
        if far > 1:
            self.pay(0)
        if far > 2:
            self.world.goes_on(timedelta(seconds=3))
            self.world.asks()

    @invariant()
    def nothing_is_wrong(self) -> None:
        self.steps += 1
        wrong = self.eye.look()
        assert not wrong, wrong
        if self.steps == AUDITED_AT and self.counted["sequences"] % AUDITED_EACH == 0:
            self.audits()

    def audits(self) -> None:
        self.counted["audits"] += 1
        with self.world.parts.sessions() as db:
            found = audit(db)
        assert not found, found

    def teardown(self) -> None:
        self.counted["steps"] += max(self.steps, 0)
        if self.steps <= 0:
            return
        self.rests()
        wrong = [*self.eye.look(), *judge(self.world, deceived=self.deceived or self.forgot)]
        assert not wrong, wrong
        self.audits()
        self.counts()

    @property
    def forgot(self) -> bool:
        return self.world.waiting.struck["enquiry: young records missing"] > 0

    def rests(self) -> None:
        """Only what would happen by itself: no fault any more, and nobody's hand."""
        self.world.waiting.armed.clear()
        self.world.meanwhile.acts.clear()
        for wait in RESTING:
            self.world.goes_on(wait)
            for notice in self.world.queued():
                self.world.notifies_about(notice)
            self.world.works()
            if self.world.at_rest():
                return

    def counts(self) -> None:
        books = self.world.eye
        self.counted["sequences"] += 1
        self.counted["forgeries refused"] += self.forged
        for name, table in (
            ("sessions", "session"),
            ("payments", "payment"),
            ("refunds", "refund"),
            ("webhooks", "delivery"),
        ):
            self.counted[name] += books.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
        self.counted["faults"] += self.world.waiting.struck.total()
        for name, times in self.world.waiting.struck.items():
            self.counted[f"fault, {name}"] += times
