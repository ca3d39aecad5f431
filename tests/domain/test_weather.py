"""When a wallet's troubles are worth a warning: rows of what its last shoppers met, the latest first."""

import pytest

from checkout.domain.lifecycle import AttemptStatus
from checkout.domain.weather import Outing, in_trouble

# fmt: off
MET = {
    "code":    (AttemptStatus.PENDING, None, True),
    "paid":    (AttemptStatus.SUCCEEDED, None, True),
    "down":    (AttemptStatus.FAILED, "unavailable", False),
    "busy":    (AttemptStatus.FAILED, "busy", False),
    "silent":  (AttemptStatus.UNKNOWN, None, False),
    "poor":    (AttemptStatus.FAILED, "balance", False),
    "refused": (AttemptStatus.FAILED, "refused", False),
    "late":    (AttemptStatus.FAILED, "expired", True),
    "asking":  (AttemptStatus.CREATED, None, False),
}
CASES = [
    ("",                                  False),
    ("down",                              False),
    ("down down",                         False),
    ("down down down",                    True),
    ("busy silent down",                  True),
    ("poor poor poor poor",               False),
    ("refused refused refused",           False),
    ("late late late",                    False),
    ("poor down asking down refused down", True),   # what says nothing about the wallet changes nothing
    ("code down down down",               False),   # the first who gets through ends it
    ("down code down code down",          True),    # it comes and goes
    ("down down down code paid code",     True),
    ("down down down code code paid code", False),  # three of many
]
# fmt: on


def outings(met: str, wallet: str = "alipay_hk", shopper: str = "") -> list[Outing]:
    return [Outing(wallet, shopper or f"{wallet}{n}", *MET[one]) for n, one in enumerate(met.split())]


@pytest.mark.parametrize(("met", "trouble"), CASES)
def test_the_weather_is_as_its_last_shoppers_met_it(met: str, trouble: bool) -> None:
    assert in_trouble(outings(met)) == ({"alipay_hk"} if trouble else set())


def test_one_unlucky_shopper_is_no_weather() -> None:
    assert in_trouble(outings("down down down down", shopper="ada")) == set()


def test_each_wallet_has_its_own() -> None:
    both = outings("down down down") + outings("paid code down", "alipay")
    assert in_trouble(both) == {"alipay_hk"}
