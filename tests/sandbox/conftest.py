"""A sandbox with a clock that stands still, and a merchant who calls it."""

from typing import Any

import pytest

from sandbox import Credential, create_sandbox
from tests.sandbox.cast import KEY, Clock, Ear, Merchant, SandboxMaker
from tests.wsgi import session_to

PUBLIC_URL = "http://127.0.0.1:8000/sandbox"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ear() -> Ear:
    return Ear()


@pytest.fixture
def make_sandbox(clock: Clock, ear: Ear) -> SandboxMaker:
    """Make a sandbox with other settings than the usual ones."""

    def make(**settings: Any) -> Merchant:
        usual: dict[str, Any] = {
            "ledger": ":memory:",
            "public_url": PUBLIC_URL,
            "credentials": {"APP1": Credential(KEY), "APP2": Credential("another key")},
            "clock": clock,
            "http": session_to(ear),
            "run_notifier": False,
        }
        return Merchant(create_sandbox(**usual | settings), clock)

    return make


@pytest.fixture
def bo(make_sandbox: SandboxMaker) -> Merchant:
    return make_sandbox()
