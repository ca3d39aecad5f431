"""SIGTERM under load: what is under way is finished or leased, and the process is gone in time."""

import time
from concurrent.futures import ThreadPoolExecutor

from checkout.domain.lifecycle import AttemptStatus
from sandbox import Trouble
from tests.processes.cast import PATIENCE, PAY, QUERY, Deployment
from tests.servers import wait_until

SHOPPERS = 6
MOST_SECONDS = 25.0


def test_a_web_process_answers_what_it_has_taken_before_it_leaves(deployment: Deployment) -> None:
    deployment.ledger.inject(PAY, Trouble.SLOW, SHOPPERS)  # each call takes two seconds
    with deployment.gunicorn() as web, ThreadPoolExecutor(SHOPPERS) as shoppers:
        sessions = [deployment.opens() for _ in range(SHOPPERS)]
        presses = [shoppers.submit(deployment.picks, session) for session in sessions]
        wait_until(lambda: len(deployment.ledger.calls(PAY)) == SHOPPERS, PATIENCE, web.output)
        stopped = time.monotonic()
        assert web.stop(MOST_SECONDS) == 0, web.output()
        assert time.monotonic() - stopped < MOST_SECONDS
        assert [press.result().status_code for press in presses] == [303] * SHOPPERS

    with deployment.fresh() as instance:
        assert {attempt.status for attempt in deployment.attempts(instance)} == {AttemptStatus.PENDING}
        assert all("data-qr" in deployment.page(session) for session in sessions)
        deployment.assert_nothing_lost_or_doubled(instance)


def test_a_worker_leaves_in_time_and_its_leases_end_by_themselves(deployment: Deployment) -> None:
    with deployment.fresh(-10):
        sessions = [deployment.opens() for _ in range(SHOPPERS)]
        for session in sessions:
            deployment.picks(session)
    for order in deployment.ledger.orders():
        deployment.ledger.pay(order.out_trade_no)
    deployment.ledger.inject(QUERY, Trouble.HANG)
    with deployment.worker() as worker:
        wait_until(lambda: len(deployment.ledger.calls(QUERY)) == 1, PATIENCE, worker.output)
        stopped = time.monotonic()
        assert worker.stop(MOST_SECONDS) == 0, worker.output()
        assert time.monotonic() - stopped < MOST_SECONDS

    with deployment.fresh(50) as instance:
        instance.works()
        assert {deployment.status(session) for session in sessions} == {"paid"}
        assert len(deployment.heard()) == SHOPPERS
        deployment.assert_nothing_lost_or_doubled(instance)
