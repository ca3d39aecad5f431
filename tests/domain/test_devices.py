"""User agents as they are sent, and what we think of them: which way comes first, never which ways there are."""

import json
import time
from pathlib import Path

import pytest

from checkout.domain.devices import Device, device_of, read_agent

# As they were really sent, each with where it was written down; `expected` is what `data-agent` says.
AGENTS = json.loads(Path(__file__).with_name("agents.json").read_text("utf-8"))
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8; wv) AppleWebKit/537.36 Version/4.0 Chrome/140.0 Mobile Safari/537.36"
)


@pytest.mark.parametrize("row", AGENTS, ids=[f"{n}-{row['expected']}" for n, row in enumerate(AGENTS)])
def test_an_agent_is_read_as(row: dict[str, str]) -> None:
    assert str(read_agent(row["agent"])) == row["expected"]


def test_the_table_is_long_enough_to_be_trusted_and_says_where_each_row_comes_from() -> None:
    assert len({row["agent"] for row in AGENTS}) == len(AGENTS) >= 60
    assert all(row["source"] for row in AGENTS)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "x" * 512 + "iPhone",
        "Mozilla/5.0 (Windows NT 10.0; Android 14) Chrome/140.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 14; like iPhone) Mobile Safari/537.36",
    ],
)
def test_no_signal_and_mixed_signals_are_unknown(agent: str) -> None:
    assert device_of(agent) is Device.UNKNOWN
    assert not read_agent(agent).jumps


def test_a_phone_of_cubot_is_no_robot() -> None:
    agent = "Mozilla/5.0 (Linux; Android 9; CUBOT X19) AppleWebKit/537.36 Chrome/96.0 Mobile Safari/537.36"
    assert device_of(agent) is Device.MOBILE


@pytest.mark.parametrize(
    ("agent", "name", "by", "corner"),
    [
        (f"{IPHONE} Mobile/15E148 MicroMessenger/8.0.50", "WeChat", "menu", "top"),
        (f"{IPHONE} Mobile/15E148 Safari Line/14.0.0", "LINE", "line", "top"),
        (f"{IPHONE} Mobile/15E148 [FBAN/FBIOS;FBAV/470.0]", "Facebook", "intent", "bottom"),
        (f"{ANDROID} [FB_IAB/FB4A;FBAV/470.0]", "Facebook", "intent", "top"),
    ],
)
def test_an_app_that_keeps_wallets_out_has_a_way_out(agent: str, name: str, by: str, corner: str) -> None:
    read = read_agent(agent)
    way = read.way_out
    assert way
    assert (way.name, way.by) == (name, by)
    assert (way.android_corner if read.android else way.ios_corner) == corner


@pytest.mark.parametrize(
    "agent",
    [
        f"{IPHONE} Version/18.0 Mobile/15E148 Safari/604.1",
        f"{IPHONE} Mobile/15E148",
        f"{IPHONE} AliApp(APHK/5.8.0) AlipayClientHK/5.8.0 AlipayClient/5.8.0",
        "Mozilla/5.0 (Windows NT 10.0) Chrome/107.0 Safari/537.36 MicroMessenger/7.0.20 WindowsWechat(0x63090819)",
    ],
)
def test_nobody_else_is_told_to_leave(agent: str) -> None:
    assert read_agent(agent).way_out is None


def test_an_agent_of_any_length_is_read_quickly() -> None:
    started = time.thread_time()
    for agent in ("iPhone" + "x" * 10**6, "iPhone " * 10**5, "Android" * 10**5, "(" * 10**6):
        device_of(agent)
    assert time.thread_time() - started < 0.5
