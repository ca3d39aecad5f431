"""Takings by the gateway's own day, and the file that opens in Excel without running anything."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from checkout.web.back_office.charts import HEIGHT, bars
from checkout.web.back_office.exports import safe
from checkout.web.back_office.searches import amounts_in
from tests.office.cast import Clerk, pays
from tests.stories.cast import Merchant, World

PAIRS = {"table": "7", "=1+1": '一號, "main"\nhall'}


def opened(clerk: Clerk, query: str) -> list[dict[str, str]]:
    """The export as a spreadsheet reads it."""
    clerk.asks("GET", clerk.at(f"/takings/export.csv?{query}"))
    assert clerk.page
    assert clerk.status == 200
    assert clerk.page.data.startswith(b"\xef\xbb\xbf"), "without it Excel takes Chinese for something else"
    assert clerk.page.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(clerk.page.data.decode("utf-8-sig"), newline="")))


@pytest.fixture
def sold(world: World, bo: Merchant) -> list[dict[str, Any]]:
    """One payment just before midnight in Hong Kong, one just after, and a refund."""
    world.clock.now = datetime(2026, 3, 10, 15, 59, 30, tzinfo=UTC)
    late = pays(world, bo.opens(reference="=1+1", description='普洱, "old" leaves', metadata=PAIRS))
    world.clock.now = datetime(2026, 3, 10, 16, 0, 30, tzinfo=UTC)
    early = pays(world, bo.opens(reference="A-2", amount=1200), "alipay")
    world.clock.now += timedelta(hours=10)
    bo.api("POST", f"/v1/checkout-sessions/{late['id']}/refunds", {"amount": 300}, Idempotency_Key="r")
    world.passes(10)
    return [late, early]


def test_a_day_ends_at_midnight_in_hong_kong(sold: list[Any], viewer: Clerk) -> None:
    viewer.opens(viewer.at("/takings"))
    said = viewer.sees()
    assert "Today HK$12.00 1 payment This month HK$100.00 2 payments Given back HK$3.00 Left HK$97.00" in said
    assert "Wed 11 Mar · Today 1 HK$12.00 HK$3.00 Tue 10 Mar 1 HK$88.00 –" in said
    assert viewer.text.count("<rect ") == 2
    viewer.opens(viewer.at("/takings?month=2026-02"))
    assert "Nothing was taken" in viewer.sees()
    for rubbish in ("2026-13", "x", "9999999-01", "0000-00"):
        viewer.opens(viewer.at(f"/takings?month={rubbish}"))
        assert viewer.status == 200


def test_the_export_opens_in_a_spreadsheet(bo: Merchant, sold: list[Any], viewer: Clerk) -> None:
    rows = opened(viewer, "month=2026-03")
    assert [(row["Kind"], row["Reference"], row["Amount"], row["Currency"]) for row in rows] == [
        ("payment", "'=1+1", "88.00", "HKD"), ("payment", "A-2", "12.00", "HKD"), ("refund", "'=1+1", "3.00", "HKD"),
    ]  # fmt: skip
    assert rows[0]["Hong Kong time"].startswith("2026-03-10 23:59:3")
    assert rows[0]["UTC time"].startswith("2026-03-10 15:59:3")
    assert rows[0]["syssn"] == "'" + bo.reads(sold[0])["payments"][0]["syssn"]
    assert rows[0]["Description"] == '普洱, "old" leaves'
    assert [json.loads(row["Metadata"] or "{}") for row in rows] == [PAIRS, {}, PAIRS]
    assert rows[0]["Metadata"].startswith("{"), "nothing that a spreadsheet runs"
    assert [row["Reference"] for row in opened(viewer, "day=2026-03-10")] == ["'=1+1"]
    assert viewer.asks("GET", viewer.at("/takings/export.csv?day=never")).status_code == 400


@pytest.mark.parametrize(
    "text",
    ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", "\r=1", " =1", "＝1", "＠SUM", "\u200b=1", "\0=1", "\n=1",
     "20261122220300115810965119", "000123", "1E5", "1.5e300", "1E-5", "2026-01",
     "3/4", "12.50", "1,234", "12:30"],
)  # fmt: skip
def test_no_text_is_run_or_changed_by_a_spreadsheet(text: str) -> None:
    assert safe(text).startswith("'")


@pytest.mark.parametrize("text", ["A-1001", "3 tins", "a=b", "港式奶茶", "", "1234", "0", "E5", "１２３"])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert safe(text) == text


def test_a_chart_fits_its_frame_and_shows_small_days_too() -> None:
    drawn = bars([0, 1, 1_000_000], today=3)
    assert [bar.height for bar in drawn] == [0.0, 2.0, HEIGHT]
    assert [bar.now for bar in drawn] == [False, False, True]
    assert bars([], 0) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("88", {8800, 88}),
        ("HK$1,088.00", {108800}),
        ("hkd 12.5", {1250}),
        ("A-88", set()),
        ("8.888", set()),
        ("", set()),
    ],
)
def test_an_amount_is_read_as_people_write_it(text: str, found: set[int]) -> None:
    assert amounts_in(text) == found
