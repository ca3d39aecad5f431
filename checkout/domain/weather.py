"""How a wallet has done of late: whether a shopper is told of its troubles before choosing it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from checkout.domain.lifecycle import AttemptStatus

LOOKS_BACK = timedelta(minutes=10)
LOOKS_AT = 40  # tries of a merchant, the latest first
MOST_FAILURES = 3  # of as many shoppers: one of them may have a trouble of their own
# Reasons that lie with the wallet or the road to it. Too little money, a refusal, a code not used: the shopper's own.
ITS_OWN = frozenset({"unavailable", "busy"})


@dataclass(frozen=True)
class Outing:
    """One try, as much as the weather needs. `reached`: the wallet gave something to pay with."""

    wallet: str
    shopper: str  # their session
    status: AttemptStatus
    failure: str | None
    reached: bool

    @property
    def fair(self) -> bool:
        return self.reached or self.status is AttemptStatus.SUCCEEDED

    @property
    def foul(self) -> bool:
        unanswered = self.status is AttemptStatus.UNKNOWN
        return not self.fair and (unanswered or (self.status is AttemptStatus.FAILED and self.failure in ITS_OWN))


@dataclass(frozen=True)
class Weather:
    """What a shopper should know before choosing."""

    foul: frozenset[str] = frozenset()  # wallets whose last shoppers did not get through
    silent: bool = False  # the gateway answers nobody: no wallet is better off than another

    def of(self, wallet: str) -> str:
        """One word for the templates; empty: nothing to say."""
        return "silent" if self.silent else "trouble" if wallet in self.foul else ""


def in_trouble(outings: Iterable[Outing]) -> frozenset[str]:
    """The wallets to warn of; `outings` come latest first.

    Three shoppers failed one after another, or three did and at least as many as got through. The first who
    gets through ends it at once, since a warning that outlives the trouble costs sales.
    """
    latest: dict[str, Outing] = {}
    failed: dict[str, set[str]] = {}
    reached: dict[str, set[str]] = {}
    for one in outings:
        if not (one.fair or one.foul):
            continue
        latest.setdefault(one.wallet, one)
        (failed if one.foul else reached).setdefault(one.wallet, set()).add(one.shopper)
    return frozenset(
        wallet
        for wallet, last in latest.items()
        if last.foul and len(failed[wallet]) >= MOST_FAILURES and len(failed[wallet]) >= len(reached.get(wallet, ()))
    )
