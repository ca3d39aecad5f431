"""What the clients repeat and what they never repeat, against a server that is told how to fail."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from tests.integrations.cast import Driver, driving
from tests.servers import HttpServer, free_port

SESSION = {"id": "cs_1", "status": "open"}
PAGE: dict[str, object] = {"data": [], "next_cursor": None}
RETRY = {"Retry-After": "0"}


class Moody:
    """Answers as told, one entry a request; then with a session, and with an empty page to a list."""

    def __init__(self) -> None:
        self.heard: list[Request] = []
        self.answers: list[Response] = []

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        request.get_data()
        self.heard.append(request)
        is_list = request.method == "GET" and request.path in ("/v1/checkout-sessions", "/v1/events")
        good = Response(json.dumps(PAGE if is_list else SESSION), 201, mimetype="application/json")
        return (self.answers.pop(0) if self.answers else good)(environ, start_response)


@pytest.fixture(scope="module", params=("python", "php", "javascript"))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Driver, Moody]]:
    """One process for each language: what one test leaves behind must not matter to the next."""
    moody = Moody()
    with HttpServer(moody) as server, driving(request.param, server.url) as driver:
        yield driver, moody


@pytest.fixture
def moody(running: tuple[Driver, Moody]) -> Moody:
    running[1].heard.clear()
    running[1].answers.clear()
    return running[1]


@pytest.fixture
def shop(running: tuple[Driver, Moody], moody: Moody) -> Driver:
    return running[0]


def refusal(status: int, **headers: str) -> Response:
    body = json.dumps({"title": "No", "detail": "not now", "status": status})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(body, status, named, mimetype="application/problem+json")


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
def test_what_may_pass_is_tried_again_with_the_same_key_and_bytes(shop: Driver, moody: Moody, status: int) -> None:
    moody.answers = [refusal(status, Retry_After="0"), refusal(503, Retry_After="0")]

    assert shop.result("create", order={"amount": 1, "reference": "茶"}) == SESSION
    assert len(moody.heard) == 3
    assert len({(one.headers["Idempotency-Key"], one.get_data()) for one in moody.heard}) == 1


def test_two_orders_have_two_keys(shop: Driver, moody: Moody) -> None:
    shop.result("create", order={"amount": 1})
    shop.result("create", order={"amount": 1})

    assert len({one.headers["Idempotency-Key"] for one in moody.heard}) == 2


def test_retry_after_is_obeyed(shop: Driver, moody: Moody) -> None:
    moody.answers = [refusal(429, Retry_After="1")]
    started = time.monotonic()

    shop.result("get", id="cs_1")
    assert time.monotonic() - started >= 1


def test_who_must_wait_for_long_is_told_at_once(shop: Driver, moody: Moody) -> None:
    moody.answers = [refusal(429, Retry_After="3600")]

    assert shop("create", order={"amount": 1})["status"] == 429
    assert len(moody.heard) == 1


def test_it_gives_up_after_three(shop: Driver, moody: Moody) -> None:
    moody.answers = [refusal(503, Retry_After="0") for _ in range(9)]

    assert shop("refund", id="cs_1", key="refund-1", wish={"amount": 1})["status"] == 503
    assert [one.headers["Idempotency-Key"] for one in moody.heard] == ["refund-1"] * 3


@pytest.mark.parametrize("status", [400, 401, 404, 412, 422])
def test_a_refusal_is_final(shop: Driver, moody: Moody, status: int) -> None:
    moody.answers = [refusal(status, Retry_After="0")]

    answer = shop("create", order={"amount": 1})
    assert (answer["status"], answer["detail"]) == (status, "not now")
    assert len(moody.heard) == 1


def test_a_conflict_that_does_not_say_when_is_final(shop: Driver, moody: Moody) -> None:
    """Nothing was paid, for example: only a first request that still runs is told from it by Retry-After."""
    moody.answers = [refusal(409)]

    assert shop("refund", id="cs_1", key="refund-1", wish={"amount": 1})["status"] == 409
    assert len(moody.heard) == 1


def test_sending_an_event_again_is_asked_for_once(shop: Driver, moody: Moody) -> None:
    moody.answers = [refusal(503, Retry_After="0")]

    assert shop("redeliver", id="evt_1")["status"] == 503
    assert len(moody.heard) == 1


def test_the_words_of_a_proxy_are_survived(shop: Driver, moody: Moody) -> None:
    moody.answers = [Response("<h1>Bad gateway</h1>", 502, RETRY) for _ in range(3)]
    assert shop("create", order={"amount": 1})["status"] == 502

    moody.answers = [Response("<h1>Hotel wifi</h1>", 200) for _ in range(3)]
    assert shop("get", id="cs_1")["error"] == "unreachable"


def test_a_redirect_is_not_followed(shop: Driver, moody: Moody) -> None:
    moody.answers = [Response("", 302, {"Location": "/elsewhere"})]

    assert shop("get", id="cs_1")["status"] == 302
    assert [one.path for one in moody.heard] == ["/v1/checkout-sessions/cs_1"]


def test_strange_ids_and_filters_stay_in_their_place(shop: Driver, moody: Moody) -> None:
    shop.result("get", id="../refunds?x=1")
    shop.result("list", filters={"reference": "a&status=paid 茶"})

    assert moody.heard[0].environ["RAW_URI"] == "/v1/checkout-sessions/..%2Frefunds%3Fx%3D1"
    assert moody.heard[1].args.to_dict() == {"reference": "a&status=paid 茶"}


@pytest.mark.parametrize("language", ["python", "php", "javascript"])
def test_nobody_there_is_said_calmly(language: str) -> None:
    with driving(language, f"http://127.0.0.1:{free_port()}", "sk_secret") as shop:
        answer = shop("redeliver", id="evt_1")

    assert answer["error"] == "unreachable"
    assert "sk_secret" not in str(answer)
