"""A statement is all that the gateway holds of a stretch of time, page by page: never a part taken for the whole."""

import json
from typing import Any

import pytest

from checkout.domain.errors import GatewayError, GatewayGarbled, GatewayRefused, GatewayUnreachable
from checkout.gateway.client import PAGE_SIZE
from checkout.gateway.transport import SentUnanswered
from tests.gateway.test_enquire import MARCH, full_page, page
from tests.gateway.test_records import ITEM
from tests.gateway.wire import Reply, Wire


def read(wire: Wire, mchid: str | None = None) -> list[list[str]]:
    """The gateway's numbers on each page."""
    return [[record.syssn for record in part.records] for part in wire.gateway(mchid).statement(MARCH)]


def item(syssn: str, **fields: Any) -> dict[str, Any]:
    return {**ITEM, "syssn": syssn, **fields}


def test_it_names_no_number_and_turns_pages_until_one_brings_nothing() -> None:
    wire = Wire(full_page(0), page(item("S40")), page())
    assert read(wire) == [[f"S{number}" for number in range(PAGE_SIZE)], ["S40"]]
    forms = [form for _, form, _ in wire.asked]
    assert [form.pop("page") for form in forms] == ["1", "2", "3"]
    assert all(
        form == {"page_size": str(PAGE_SIZE), "start_time": "2026-03-01 00:00:00", "end_time": "2026-03-31 23:59:59"}
        for form in forms
    )


def test_a_page_is_a_call_that_is_made_only_when_it_is_wanted() -> None:
    wire = Wire(full_page(0), page())
    parts = wire.gateway().statement(MARCH)
    assert not wire.asked
    assert next(parts).raw == json.dumps(full_page(0)).encode()
    assert len(wire.asked) == 1


def test_records_under_any_number_count_once_and_another_merchants_not_at_all() -> None:
    wire = Wire(
        page(item("S1", out_trade_no="from the portal", mchid="M1"), item("S2", mchid="M2"), item("S3")),
        page(item("S1", out_trade_no="from the portal", mchid="M1"), item("S4", mchid="M1")),
        page(),
    )
    assert read(wire, "M1") == [["S1", "S3"], ["S4"]]


def test_a_page_of_strangers_is_not_the_end() -> None:
    assert read(Wire(page(item("S1", mchid="M2")), page(item("S2", mchid="M1")), page()), "M1") == [[], ["S2"]]


@pytest.mark.parametrize(
    ("answers", "status", "error", "told"),
    [
        ((full_page(0),), "200 OK", GatewayGarbled, "a statement that does not turn its pages"),
        ((page(item("S1")), page(respcd="1108")), "200 OK", GatewayRefused, "1108 signature error"),
        ((page(item("S1")), SentUnanswered("cut")), "200 OK", GatewayUnreachable, "cut"),
        ((page(item("S1")), b"<html>"), "200 OK", GatewayGarbled, "not proper JSON: JSONDecodeError"),
        ((page(item("S1")),), "429 X", GatewayRefused, "429 too many calls"),
    ],
)
def test_one_that_breaks_off_says_so(
    answers: tuple[Reply, ...], status: str, error: type[GatewayError], told: str
) -> None:
    with pytest.raises(error, match=f"^{told}$"):
        read(Wire(*answers, status=status))


def test_one_without_end_is_given_up() -> None:
    class Endless(Wire):
        """A new record on each page."""

        def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
            self.answers = [page(item(f"S{len(self.asked)}"))]
            return super().__call__(environ, start_response)

    wire = Endless(page())
    with pytest.raises(GatewayGarbled, match=r"^a statement without end$"):
        read(wire)
    assert len(wire.asked) == 2500  # a hundred thousand records, on full pages
