"""A try that ends at once, or in its own time, or in an error of ours: the step that began it is held up by none."""

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest

from checkout.services import deliveries
from checkout.services.deliveries import Crew


class InLine(threading.Thread):
    """A thread that has ended before whoever started it looks."""

    def start(self) -> None:
        self.run()


class TooMany(threading.Thread):
    """As when the system has no more of them."""

    def start(self) -> None:
        raise RuntimeError("can't start new thread")


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Busy as this machine may be, what ends at once has ended."""
    monkeypatch.setattr(deliveries, "PATIENCE", 30.0)


def fails() -> None:
    raise ValueError("ours")


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("thread", [threading.Thread, InLine])
def test_a_try_that_has_ended_is_not_under_way(monkeypatch: pytest.MonkeyPatch, thread: Any) -> None:
    crew, done = Crew(), []
    monkeypatch.setattr(threading, "Thread", thread)
    crew.send_off(lambda: done.append(True))
    assert done == [True]
    assert not crew.wait(crew.under_way())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("thread", [threading.Thread, InLine])
def test_an_error_that_comes_at_once_is_the_steps(monkeypatch: pytest.MonkeyPatch, thread: Any) -> None:
    crew = Crew()
    monkeypatch.setattr(threading, "Thread", thread)
    with pytest.raises(ValueError, match="ours"):
        crew.send_off(fails)
    assert not crew.wait(crew.under_way())


@pytest.mark.parametrize(("ends", "logged"), [(fails, ["a delivery failed on our side"]), (lambda: None, [])])
def test_an_error_that_comes_later_is_logged(
    ends: Callable[[], None], logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    crew, may_end = Crew(), threading.Event()

    def slow() -> None:
        may_end.wait(10)
        ends()

    crew.send_off(slow)
    assert crew.wait(crew.under_way())
    may_end.set()
    while crew.wait(crew.under_way()):
        pass
    assert [record.message for record in caplog.records if record.levelno == logging.ERROR] == logged


def test_without_a_thread_nothing_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew()
    monkeypatch.setattr(threading, "Thread", TooMany)
    with pytest.raises(RuntimeError):
        crew.send_off(fails)
    assert not crew.wait(crew.under_way())
