"""F5: answers that are no proper JSON, or not the JSON that we know."""

import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.wrappers import Response

from checkout.domain.errors import CheckoutError
from checkout.gateway.client import Accepted, NotSent, Refused, Unknown
from tests.faults.malformed import corpus
from tests.faults.wires import PAYMENT, UNANSWERED, Serve, instead, mended, on_the_wire
from tests.gateway.faults import says
from tests.gateway.test_create_payment import ANSWER, ORDER
from tests.gateway.wire import LINKS, Wire
from tests.hostile.tricks import gateway_answers
from tests.proofs.scale import scale
from tests.stories.cast import Merchant, Shopper, World


def genuine(world: World, bo: Merchant) -> dict[str, Any]:
    """What the gateway answers in this world, to be spoilt."""
    seen: list[dict[str, Any]] = []

    def copied(answer: dict[str, Any]) -> dict[str, Any]:
        seen.append(answer)
        return answer

    gateway_answers(world, PAYMENT, copied)
    world.shopper(bo.opens(reference="a proper one")).picks("alipay_hk")
    mended(world)
    return seen[0]


SPOILT = dict(corpus(ANSWER))


def test_f05_the_corpus_has_two_hundred_answers() -> None:
    assert len(SPOILT) >= 200


@pytest.mark.parametrize("body", SPOILT.values(), ids=SPOILT)
def test_f05_a_malformed_answer_is_unknown(body: bytes) -> None:
    assert isinstance(Wire(body).gateway().create_payment(ORDER), Unknown)


def test_f05_malformed_answers_never_reach_a_shopper(
    world: World, bo: Merchant, caplog: pytest.LogCaptureFixture
) -> None:
    """Through the whole application: half of the corpus, the whole of it at release, each to an order of its own."""
    answer = genuine(world, bo)
    wrong, spoilt = [], corpus(answer)
    for number, (name, body) in enumerate(spoilt[:: 1 if scale().release else 2]):
        ours = {"out_trade_no": "", "syssn": f"2026031000020002{number:010d}"}
        mine = body.replace(answer["out_trade_no"].encode(), b"").replace(
            answer["syssn"].encode(), ours["syssn"].encode()
        )
        session = bo.opens(reference=f"A-{number}")
        ada = world.shopper(session)
        instead(world, PAYMENT, lambda mine=mine: Response(mine, content_type="application/json"))  # type: ignore[misc]
        caplog.clear()
        answered = ada.picks("alipay_hk").status_code
        attempt = world.attempt(session)
        seen = (answered, attempt.status, attempt.target, ada.stage() in {"unknown", "review"}, "data-qr" in ada.page())
        logged = any("outcome unknown" in record.message for record in caplog.records)
        if (*seen, logged) != (303, "unknown", None, True, False, True):
            wrong.append((name, *seen, logged))
        world.clock.now += timedelta(seconds=1)
    mended(world)
    world.passes(5)
    assert wrong == []


def test_f05_a_data_object_instead_of_a_flat_answer_is_read(
    world: World, ada: Shopper, session: dict[str, Any]
) -> None:
    """One page of QFPay's documents shows this shape: it is strange, and says the same."""

    def nested(answer: dict[str, Any]) -> dict[str, Any]:
        return {"respcd": answer.pop("respcd"), "data": answer}

    gateway_answers(world, PAYMENT, nested)
    ada.picks("alipay_hk")
    assert ada.stage() == "scan"
    world.pays(session)
    world.passes(5)
    assert ada.sees() == "Paid"


def test_f05_of_an_endless_answer_64_kib_are_read(
    world: World, bo: Merchant, ada: Shopper, session: dict[str, Any], serve: Serve
) -> None:
    body = json.dumps(ANSWER | {"out_trade_no": "", "padding": "x" * 64 * 1024}).encode()
    with on_the_wire(world, bo, serve(says(body)).url):
        ada.picks("alipay_hk")
    assert (world.attempt(session).status, ada.sees()) == ("unknown", UNANSWERED)


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
fields = st.sampled_from([*ANSWER, "data", "qrcode", "pay_params", "qf_trade_no", "unheard_of"])


@st.composite
def mutants(draw: st.DrawFn, origin: dict[str, Any]) -> bytes:
    """A genuine message with some fields replaced or gone, then with some bytes of it replaced, gone or doubled."""
    changed = dict(origin)
    for name in draw(st.lists(fields, max_size=4)):
        changed[name] = draw(values)
    for name in draw(st.lists(st.sampled_from(sorted(origin)), max_size=2)):
        changed.pop(name, None)
    body = bytearray(json.dumps(changed).encode())
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(body)))
        body[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(body)


fuzzed = settings(
    max_examples=50_000 if scale().release else 2_500, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip


@fuzzed
@given(mutants(ANSWER))
def test_f05_no_mutant_of_a_payment_answer_is_more_than_an_outcome(body: bytes) -> None:
    outcome = Wire(body).gateway().create_payment(ORDER)
    assert isinstance(outcome, Accepted | Refused | NotSent | Unknown)
    if isinstance(outcome, Accepted):
        assert LINKS.allows(outcome.target) or outcome.kind == "pay_params"


@fuzzed
@given(mutants({**ANSWER, "order_type": "payment"}))
def test_f05_no_mutant_of_an_enquiry_or_notification_is_more_than_a_known_error(body: bytes) -> None:
    for answer in (body, b'{"respcd": "0000", "data": [' + body + b"]}"):
        try:
            found = Wire(answer).gateway().enquire([ORDER.out_trade_no], None).records
        except CheckoutError:
            continue
        assert all(record.out_trade_no == ORDER.out_trade_no for record in found)
    gateway = Wire(b"").gateway()
    with pytest.raises(CheckoutError):
        gateway.read_notification(body, "0" * 32)
