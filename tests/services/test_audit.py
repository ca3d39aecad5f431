"""The audit: silent on what really happened, and each of its checks speaks when one row is broken by hand."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from checkout.services.audit import CHECKS, ELSEWHERE, audit, open_matters
from checkout.services.audit.evidence import unreadable_words
from checkout.store.models import Base
from sandbox import Scenario
from tests.servers import HttpServer
from tests.stories.cast import Inbox, Merchant, Shopper, World
from tests.stories.conftest import migrate

DAY = 86400


class Town:
    """Everything that can become of a payment, in one world; broken in transactions that are never committed."""

    def __init__(self, world: World) -> None:
        self.world, self.names = world, dict[str, str]()
        self.bo, self.dee = world.merchant("Bo's Tea"), world.merchant("Dee's Books", webhooks=False)
        self.names |= {"bo": self.bo.told.merchant_id, "dee": self.dee.told.merchant_id}
        self._last_week()
        self._yesterday()
        self._just_now()

    def opens(self, name: str, merchant: Merchant | None = None, **wishes: Any) -> dict[str, Any]:
        order = (merchant or self.bo).order(reference=name, **wishes)
        answer = (merchant or self.bo).api("POST", "/v1/checkout-sessions", order, Idempotency_Key=name)
        assert answer.status_code == 201, answer.text
        assert answer.json
        self.names[name] = answer.json["id"]
        return dict(answer.json)

    def _shows(self, session: dict[str, Any], wallet: str = "alipay", scenario: Scenario | None = None) -> Shopper:
        if scenario:
            self.world.next(scenario)
        ada = self.world.shopper(session)
        ada.picks(wallet)
        return ada

    def _pays_all(self, session: dict[str, Any]) -> None:
        for attempt in self.world.attempts(session):
            self.world.ledger.pay(attempt.out_trade_no)

    def _last_week(self) -> None:
        """Money that came twice, goes back for days in vain, and stays with a person."""
        stuck = self.opens("stuck")
        self._shows(stuck, "alipay_hk", Scenario.LOW_TAKINGS)
        self.world.passes(1)
        self._shows(stuck, "alipay", Scenario.LOW_TAKINGS)
        self._pays_all(stuck)
        self.world.passes(30, step=5)
        self.world.passes(10 * DAY, step=DAY / 2)
        assert self.bo.reads(stuck)["review_reason"] == "refund_surplus"

    def _yesterday(self) -> None:
        """Money that came too late, as each policy has it."""
        late = [self.opens(f"late_{policy}", late_payment=policy) for policy in ("hold", "accept", "refund")]
        for session in late:
            self._shows(session, scenario=Scenario.LATE_PAYMENT)
        self.world.passes(40 * 60, step=120)
        for session in late:
            self._pays_all(session)
        self.world.passes(7 * 3600, step=1800)
        self.world.passes(60, step=10)
        assert [self.bo.reads(session)["status"] for session in late] == ["expired", "paid", "expired"]

    def _just_now(self) -> None:
        expired = self.opens("expired")
        self._shows(expired)
        self.world.passes(40 * 60, step=60)
        for name, merchant in (("paid", self.bo), ("books", self.dee)):
            session = self.opens(name, merchant)
            self._shows(session, "alipay_hk")
            self._pays_all(session)
        surplus = self.opens("surplus")
        self._shows(surplus, "alipay_hk")
        self.world.passes(1)
        self._shows(surplus, "alipay")
        self._pays_all(surplus)
        self.world.passes(60, step=5)
        self._refunds("paid", "succeeded", amount=800)
        self.world.passes(15, step=5)
        self._refunds("paid", "reserved", amount=100)
        self.world.shopper(self.opens("cancelled")).cancels()
        self._shows(self.opens("declined"), scenario=Scenario.REFUSED_1104)
        self._shows(self.opens("pending"))

    def _refunds(self, name: str, key: str, **wish: Any) -> None:
        path = f"/v1/checkout-sessions/{self.names[name]}/refunds"
        answer = self.bo.api("POST", path, wish, Idempotency_Key=key)
        assert answer.json
        self.names[key] = answer.json["id"]

    def found_after(self, *statements: str) -> dict[str, list[str]]:
        """What each check says after these statements, which change one row each and are rolled back."""
        with self.world.parts.sessions() as db:
            sqlite = self.world.parts.engine.dialect.name == "sqlite"
            # What the database itself refuses, the audit has to notice without its help.
            db.execute(text("PRAGMA defer_foreign_keys=ON" if sqlite else "SET session_replication_role = replica"))
            for statement in statements:
                used = {name: row_id for name, row_id in self.names.items() if f":{name}" in statement}
                changed = db.connection().execute(text(statement), used).rowcount
                assert changed == 1 or statement.startswith("DROP INDEX"), f"{changed} rows: {statement}"
            found = {name: [f"{subject} {said}" for subject, said in check(db)] for name, check in CHECKS.items()}
            db.rollback()
            if not sqlite:
                db.execute(text("SET session_replication_role = DEFAULT"))
                db.commit()
        return {name: said for name, said in found.items() if said}


def copy_of(table: str, where: str, **changes: str) -> str:
    """Another row like the one, but for some columns, given in SQL."""
    columns = [column.name for column in Base.metadata.tables[table].columns]
    values = ", ".join(changes.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} WHERE {where}"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def town(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    hooks: HttpServer,
    inboxes: dict[str, Inbox],
) -> Iterator[Town]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path_factory.mktemp('town') / 'books.db'}"
        migrate(url)
    else:
        url = request.getfixturevalue("postgres").new_database(migrate)
    world = World(url, hooks, inboxes)
    yield Town(world)
    world.close()


OF = "WHERE session_id = :"
DONE = "(SELECT d.id FROM delivery d JOIN event e ON e.id = d.event_id WHERE e.session_id = :paid AND e.type = '{}')"
PAID_EVENT = "checkout_session.paid"
DELIVERED = f"WHERE id = {DONE.format(PAID_EVENT)}"
NUMBER = "(SELECT out_trade_no FROM attempt WHERE session_id = :{})"
NUMBERS = f"WHERE number = {NUMBER}"
HELD = "WHERE session_id = :surplus AND role = 'surplus'"
LATER = "(SELECT max(ends_at) FROM attempt)"

# fmt: off
BREAKS: list[tuple[str, str, tuple[str, ...]]] = [
    # what is found, a part of what it says, what is done to the books
    ("I1", "no payment is booked", (f"UPDATE attempt SET status = 'succeeded' {OF}expired",)),
    ("I1", "but its attempt is closed", (f"UPDATE attempt SET status = 'closed' {OF}books",)),
    ("I1", "is booked 2 times", (
        "UPDATE merchant SET app_code = (SELECT app_code FROM merchant WHERE id = :bo) WHERE id = :dee",
        f"UPDATE payment SET syssn = (SELECT syssn FROM payment {OF}paid) {OF}books")),
    ("I2", "2 accepted payments", (
        "DROP INDEX uq_payment_accepted",
        copy_of("payment", "session_id = :books", id="'py_copy'", syssn="'copy'"))),
    ("I2", "neither on its way back nor under review", ("UPDATE session SET review = NULL WHERE id = :stuck",)),
    ("I3", "not its own", (f"UPDATE trade_no SET owner_id = 'at_nobody' {NUMBERS.format('pending')}",)),
    ("I3", "not its own", (f"UPDATE trade_no SET kind = 'refund' {NUMBERS.format('pending')}",)),
    ("I3", "not its own", ("UPDATE trade_no SET owner_id = 'rf_nobody' WHERE owner_id = :reserved",)),
    ("I3", "used its number before", (f"UPDATE trade_no SET created_at = {LATER} {NUMBERS.format('pending')}",)),
    ("I3 I22", "not its own", (f"DELETE FROM trade_no {NUMBERS.format('pending')}",)),
    ("I4", "accepted payment, but is expired", ("UPDATE session SET status = 'expired' WHERE id = :late_accept",)),
    ("I4", "announced as paid, but is expired", ("UPDATE session SET status = 'expired' WHERE id = :late_accept",)),
    ("I5 I18", "paid without an accepted payment", ("UPDATE session SET status = 'paid' WHERE id = :pending",)),
    ("I5", "with the amount 8801, but 8800", (f"UPDATE payment SET amount = 8801 {OF}books",)),
    ("I5", "with the currency USD", (f"UPDATE payment SET currency = 'USD' {OF}books",)),
    ("I5", "with the pay type 801101", (f"UPDATE payment SET pay_type = '801101' {OF}books",)),
    ("I5", "with the number", (f"UPDATE payment SET out_trade_no = {NUMBER.format('paid')} {OF}books",)),
    ("I6", "without a word of the gateway by enquiry", (
        f"DELETE FROM gateway_word WHERE source = 'enquiry' AND out_trade_no = {NUMBER.format('books')}",)),
    ("I6", "but first heard of at", (
        f"UPDATE gateway_word SET heard_at = {LATER} WHERE source = 'enquiry' AND out_trade_no = "
        + NUMBER.format("books"),)),
    ("I6", "without a word of the gateway by notification", (f"UPDATE payment SET proof = 'notification' {OF}books",)),
    ("I7", "QR code without the address", (f"UPDATE attempt SET target = NULL {OF}pending",)),
    ("I7", "nobody has written down", (f"UPDATE attempt SET status = 'created' {OF}pending",)),
    ("I8", "is open, and nobody", ("UPDATE session SET due_at = NULL WHERE id = :pending",)),
    ("I8", "is pending, may still be paid", (f"UPDATE attempt SET next_at = NULL {OF}pending",)),
    ("I8", "is reserved, and nobody", ("UPDATE refund SET next_at = NULL WHERE id = :reserved",)),
    ("I8", "is succeeded, but still due", ("UPDATE refund SET next_at = created_at WHERE id = :succeeded",)),
    ("I9", "no word of the gateway says why", (f"UPDATE attempt SET failure = NULL {OF}declined",)),
    ("I9", "no word of the gateway says why", (
        f"UPDATE attempt SET failure = 'refused', failure_code = NULL {OF}declined",)),
    ("I9", "no word of the gateway says why", (f"UPDATE refund SET failure_code = NULL {OF}stuck",)),
    ("I9", "is unknown, but nobody has sent it", (
        "UPDATE refund SET status = 'unknown', sent_at = NULL WHERE id = :reserved",)),
    ("I10", "is pending and may still be paid", (f"UPDATE attempt SET status = 'pending' {OF}expired",)),
    ("I11", "has the amount 8801, but 8800 in event", ("UPDATE session SET amount = 8801 WHERE id = :declined",)),
    ("I11", "has the amount 880, but 8800 in event", ("UPDATE session SET amount = 880 WHERE id = :declined",)),
    ("I11", "has the currency USD, but HKD", ("UPDATE session SET currency = 'USD' WHERE id = :declined",)),
    ("I12", "has the amount -1", ("UPDATE session SET amount = -1 WHERE id = :pending",)),
    ("I12", "has the amount 0", (f"UPDATE payment SET amount = 0 {OF}late_hold",)),
    ("I12 I16", "has the amount 0", ("UPDATE refund SET amount = 0 WHERE id = :succeeded",)),
    ("I13", "has 8800 reserved for refunds, of 100", (f"UPDATE payment SET amount = 100 {OF}late_refund",)),
    ("I13 I16", "has -1 reserved", (f"UPDATE payment SET refunded = -1 {OF}books",)),
    ("I14", "does not exist", (
        "UPDATE idempotency SET answer = replace(answer, :succeeded, 'rf_nobody') WHERE key = 'succeeded'",)),
    ("I14", "another merchant's", ("UPDATE idempotency SET merchant_id = :dee WHERE key = 'succeeded'",)),
    ("I14", "under 2 idempotency keys", (copy_of("idempotency", "key = 'succeeded'", key="'again'"),)),
    ("I15", "was given 2 numbers", (copy_of("trade_no", "owner_id = :reserved", number="'S2'"),)),
    ("I15", "went back 2 times because of late", (
        f"UPDATE refund SET amount = 4400 {OF}late_refund",
        copy_of("refund", "session_id = :late_refund", id="'rf_copy'", out_trade_no="'S2'", status="'reserved'",
                next_at="created_at"),
        copy_of("trade_no", "owner_id = :reserved", number="'S2'", owner_id="'rf_copy'"))),
    ("I16", "has 0 reserved, but its refunds hold 900", (f"UPDATE payment SET refunded = 0 {OF}paid",)),
    ("I16", "announced as succeeded", (
        "UPDATE refund SET status = 'unknown', next_at = created_at WHERE id = :succeeded",)),
    ("I16", "announced as failed", (
        f"UPDATE refund SET status = 'reserved', next_at = created_at {OF}stuck",
        f"UPDATE payment SET refunded = amount {OF}stuck AND role = 'surplus'")),
    ("I17", "because of late, but its payment is surplus", (f"UPDATE refund SET cause = 'late' {OF}surplus",)),
    ("I17", "because of surplus, but its payment is accepted", (
        "UPDATE refund SET cause = 'surplus' WHERE id = :reserved",)),
    ("I18", "is paid, and no event", (f"DELETE FROM event {OF}books AND type = '{PAID_EVENT}'",)),
    ("I18", "is expired, and no event", (f"DELETE FROM event {OF}expired AND type = 'checkout_session.expired'",)),
    ("I18", "is cancelled, and no event", (
        f"DELETE FROM event {OF}cancelled AND type = 'checkout_session.cancelled'",)),
    ("I18", "under review for late", (
        f"DELETE FROM event {OF}late_hold AND type = 'checkout_session.review_opened'",)),
    ("I18", "never announced by attempt.failed", (f"DELETE FROM event {OF}declined AND type = 'attempt.failed'",)),
    ("I18", "never announced by payment.surplus", (f"DELETE FROM event {OF}surplus AND type = 'payment.surplus'",)),
    ("I18", "never announced by payment.late", (f"DELETE FROM event {OF}late_hold AND type = 'payment.late'",)),
    ("I18", "never announced by refund.succeeded", (f"DELETE FROM event {OF}paid AND type = 'refund.succeeded'",)),
    ("I18", "never announced by refund.failed", (f"DELETE FROM event {OF}stuck AND type = 'refund.failed'",)),
    ("I18", "announced as expired, but is open", (
        "UPDATE session SET status = 'open', due_at = created_at WHERE id = :expired",)),
    ("I18", "announced as cancelled, but is open", (
        "UPDATE session SET status = 'open', due_at = created_at WHERE id = :cancelled",)),
    ("I19", "not about what it tells", (f"UPDATE event SET about = 'x' {OF}books",)),
    ("I19", "told checkout_session.paid more than once", (
        copy_of("event", "session_id = :books", id="'evt_copy'", about="about || '2'"),)),
    ("I19", "its body says x of", (f"UPDATE event SET body = replace(body, '{PAID_EVENT}', 'x') {OF}books",)),
    ("I19", "of cs_x, version", (f"UPDATE event SET body = replace(body, :books, 'cs_x') {OF}books",)),
    ("I19", "version 1; its body says", (f"UPDATE event SET version = 1 {OF}books",)),
    ("I19", "has only reached", ("UPDATE session SET version = 1 WHERE id = :books",)),
    ("I19", "with a snapshot that says open", (
        f"""UPDATE event SET body = replace(body, '"status":"paid"', '"status":"open"') {OF}books""",)),
    ("I19", "after paid with version 0", (f"UPDATE event SET version = 0 {OF}late_accept AND type = 'payment.late'",)),
    ("I19", "after expired with version", (
        "UPDATE event SET version = (SELECT version FROM session WHERE id = :late_accept) "
        "WHERE session_id = :late_accept AND type = 'checkout_session.expired'",)),
    ("I20", "never queued", (f"DELETE FROM delivery {DELIVERED}",)),
    ("I20", "is due, and nobody will ever try it", (f"UPDATE delivery SET status = 'due' {DELIVERED}",)),
    ("I20", "is done, but still due", (f"UPDATE delivery SET next_at = delivered_at {DELIVERED}",)),
    ("I20", "is done, but the answer was 500", (f"UPDATE delivery SET answer_status = 500 {DELIVERED}",)),
    ("I20", "is done, but the answer was", (f"UPDATE delivery SET answer_status = NULL {DELIVERED}",)),
    ("I20", "is done, but the answer was", (f"UPDATE delivery SET delivered_at = NULL {DELIVERED}",)),
    ("I20", "given up before anybody tried", (f"UPDATE delivery SET status = 'dead', tries = 0 {DELIVERED}",)),
    ("I22", "at_", (f"UPDATE attempt SET merchant_id = :dee {OF}pending",)),
    ("I22", "py_", (f"UPDATE payment SET merchant_id = :dee {OF}paid",)),
    ("I22", "rf_", (f"UPDATE refund SET merchant_id = :dee {OF}late_refund",)),
    ("I22", "evt_", (f"UPDATE event SET merchant_id = :bo {OF}books",)),
    ("I22", "dlv_", (f"UPDATE delivery SET merchant_id = :dee {DELIVERED}",)),
    ("I22", "belongs to", (f"UPDATE trade_no SET merchant_id = :dee {NUMBERS.format('pending')}",)),
    ("I22", "belongs to", ("UPDATE trade_no SET merchant_id = :dee WHERE owner_id = :reserved",)),
    ("I22", "gw_", (f"UPDATE gateway_word SET merchant_id = :dee WHERE out_trade_no = {NUMBER.format('pending')}",)),
    ("I22", "gw_", (
        f"UPDATE gateway_word SET out_trade_no = 'S2' WHERE source = 'enquiry' AND out_trade_no = "
        f"{NUMBER.format('late_hold')}",
        f"UPDATE payment SET proof = 'payment' {OF}late_hold")),
    ("I18 I22", "py_", (f"UPDATE payment SET session_id = :expired {OF}late_hold",)),
    ("I18 I22", "rf_", ("UPDATE refund SET session_id = :expired WHERE id = :succeeded",)),
    ("I23", "does not exist", (
        "UPDATE idempotency SET answer = replace(answer, :pending, 'cs_nobody') WHERE key = 'pending'",)),
    ("I23", "another merchant's", ("UPDATE idempotency SET merchant_id = :dee WHERE key = 'pending'",)),
    ("I23", "under 2 idempotency keys", (copy_of("idempotency", "key = 'pending'", key="'again'"),)),
    ("I28", "was changed after it was written", ("UPDATE audit_log SET actor = 'nobody' WHERE id = 1",)),
    ("I28", "is missing", ("DELETE FROM audit_log WHERE id = 1",)),
    ("I25", "-1 thousandths are left", (
        "UPDATE budget SET tokens = -1 WHERE credential = (SELECT min(credential) FROM budget)",)),
    ("I26", "the answer that gave it was not kept", (
        f"DELETE FROM gateway_word WHERE out_trade_no = {NUMBER.format('pending')}",)),
    ("I26", "not kept with its digest", (
        f"UPDATE gateway_word SET digest = 'x' WHERE out_trade_no = {NUMBER.format('pending')}",)),
]
# fmt: on


def test_what_really_happened_breaks_nothing(town: Town) -> None:
    with town.world.parts.sessions() as db:
        assert audit(db) == []
        assert list(unreadable_words(db, town.world.parts.vault)) == []
    assert town.found_after() == {}


@pytest.mark.parametrize(("invariants", "says", "statements"), BREAKS, ids=[f"{b[0]} {b[1]}" for b in BREAKS])
def test_one_broken_row_is_found_as_what_it_is(
    town: Town, invariants: str, says: str, statements: tuple[str, ...]
) -> None:
    found = town.found_after(*statements)
    assert set(found) == set(invariants.split()), found
    assert any(says in sentence for sentences in found.values() for sentence in sentences), found


def test_every_check_has_been_heard() -> None:
    heard = {name for broken in BREAKS for name in broken[0].split()}
    assert heard == set(CHECKS)


def test_every_invariant_is_held_here_or_proven_elsewhere() -> None:
    assert sorted([*CHECKS, *ELSEWHERE]) == sorted(f"I{number}" for number in range(1, 30))
    places = [word.strip(",.;") for where in ELSEWHERE.values() for word in where.split() if "/" in word]
    assert [place for place in places if not (Path(__file__).parents[2] / place).exists()] == []


def test_a_fraction_of_a_cent_is_no_amount(town: Town) -> None:
    if town.world.parts.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's column takes whole numbers only")
    assert set(town.found_after("UPDATE session SET amount = 88.5 WHERE id = :pending")) == {"I12"}


@pytest.mark.parametrize(
    ("change", "says"),
    [("body_sealed = :junk", "cannot be opened"), ("digest = replace(digest, 'a', 'b')", "digest says")],
)
def test_a_kept_word_is_what_the_gateway_said(town: Town, change: str, says: str) -> None:
    with town.world.parts.sessions() as db:
        junk = {"junk": b"nobody sealed this"} if ":junk" in change else {}
        db.execute(text(f"UPDATE gateway_word SET {change}"), junk)
        found = list(unreadable_words(db, town.world.parts.vault))
        db.rollback()
    assert found
    assert {says in sentence for _, sentence in found} == {True}


def test_what_waits_for_a_person_is_counted_and_no_violation(town: Town) -> None:
    with town.world.parts.sessions() as db:
        told = open_matters(db, town.world.clock())
    assert told["sessions under review"] == 2
    assert told["surplus payments not back after a day"] == 1


def test_the_audit_sees_one_instant(town: Town) -> None:
    """A payment booked between two of its queries would be half a payment to it."""
    seen = []

    def looks_twice(db: Session) -> Iterator[tuple[str, str]]:
        for _ in range(2):
            seen.append(db.execute(text("SELECT count(*) FROM budget")).scalar())
            with town.world.parts.sessions() as other:
                other.execute(
                    text("INSERT INTO budget VALUES ('x' || :n, 1, :now)"), {"n": len(seen), "now": "2026-01-01"}
                )
                other.commit()
        yield from ()

    CHECKS["I99"] = looks_twice
    try:
        with town.world.parts.sessions() as db:
            assert audit(db) == []
    finally:
        del CHECKS["I99"]
        with town.world.parts.sessions() as db:
            db.execute(text("DELETE FROM budget WHERE credential IN ('x1', 'x2')"))
            db.commit()
    assert len(set(seen)) == 1


def test_the_audit_leaves_its_connection_as_it_was(town: Town) -> None:
    """The same connection writes again afterwards, and its statements have their limit back."""
    with town.world.parts.sessions() as db:
        assert audit(db) == []
        if town.world.parts.engine.dialect.name != "sqlite":
            assert db.execute(text("SHOW statement_timeout")).scalar() == "5s"
            assert db.execute(text("SHOW transaction_read_only")).scalar() == "off"
            assert db.execute(text("SHOW transaction_isolation")).scalar() == "read committed"
        db.execute(text("UPDATE budget SET tokens = tokens"))
        db.rollback()


def test_the_command_says_what_was_held_and_what_is_proven_elsewhere(town: Town) -> None:
    result = town.world.app.test_cli_runner().invoke(args=["audit"])
    assert result.exit_code == 0, result.output
    assert "All hold: I1, I2, " in result.output
    assert "I21  one merchant's trouble" in result.output
    assert "2 sessions under review" in result.output
