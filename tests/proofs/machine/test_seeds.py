"""Seeds at which the machine once found something wrong, played again; each has a plain story too."""

from collections import Counter

import pytest

from tests.proofs.machine.test_machine import hard_world, run
from tests.proofs.machine.world import HardWorld

__all__ = ["hard_world"]

FOUND = {  # with the number of steps that a sequence had then: another number makes other sequences of the same seed
    # The answer to the payment call was lost and a first scan declined: the session ended while the code could be paid.
    1373454524: (50, "tests/stories/test_not_knowing.py"),
    # The answer to a worker that had slept past its lease closed a code, and nothing said when it had asked.
    1800122373: (100, "tests/proofs/machine/test_found.py"),
}


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_once_stays_mended(hard_world: HardWorld, seed: int) -> None:
    steps, _ = FOUND[seed]
    run(hard_world, Counter(), seed, even=True, steps=steps)
