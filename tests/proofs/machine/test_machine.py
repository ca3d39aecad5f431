"""Merchants, shoppers, wallets, workers, time and faults in any order, by Hypothesis: no step may break an invariant.

The sandbox's own ledger is the truth. A sequence that breaks something is printed with its seed, and becomes a
plain test in test_found.py.
"""

import gc
import logging
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.proofs.machine.faults import FAULTS
from tests.proofs.machine.sequence import Sequence
from tests.proofs.machine.world import HardWorld
from tests.proofs.scale import SEED, Scale, Tally

# What it has caught in copies that were broken on purpose, and after how many steps: the median of three seeds.
#   a session ends while a code of it can be paid                495
#   refunds are reserved without looking at what is left         618
#   a surplus is announced and not sent back                     990
#   another amount, currency or pay type is accepted           2,277
#   a refund that is not found is sent under a new number      3,306
#   a refund without an answer counts as failed                4,851
#   a payment call without an answer counts as failed          5,148

SAMPLE_SEED = 20_261_122
STEPS = 100  # of a sequence: half as many cost two fifths more CPU seconds until those copies were caught
SHARDS = 32  # test cases of their own, so that several processes share the work
BATCH = 15  # sequences of one seed: after ten good ones Hypothesis begins to vary those that it has had
MOST_BATCHES = 10_000
KINDS, FEW_KINDS = 24, 12  # of faults that each shard must have met: a long one, or a short one
LONG = 12_500

HYPOTHESIS = settings(
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate,),  # shrinking may take longer than everything else; the steps are printed as they were
    verbosity=Verbosity.normal,
    print_blob=False,
)


@pytest.fixture
def hard_world(tmp_path: Path, empty_books: Path) -> Iterator[HardWorld]:
    world = HardWorld(tmp_path, empty_books)
    logging.disable(logging.CRITICAL)  # a fault a step: nobody reads that
    gc.collect()
    gc.freeze()
    usual = gc.get_threshold()
    gc.set_threshold(50_000, 20, 20)
    yield world
    gc.set_threshold(*usual)
    gc.unfreeze()
    logging.disable(logging.NOTSET)
    world.close()


@pytest.mark.parametrize("shard", range(SHARDS))
def test_no_order_of_steps_and_faults_breaks_an_invariant(
    hard_world: HardWorld, scale: Scale, seed: int, tally: Tally, shard: int
) -> None:
    counted: Counter[str] = Counter()
    for batch in range(MOST_BATCHES):
        if counted["steps"] >= scale.steps / SHARDS:
            break
        left = math.ceil((scale.steps / SHARDS - counted["steps"]) / STEPS)
        # The sample is the same each time, so that a change is to blame for what it finds; the whole seeks anew.
        begin = seed if scale.release or SEED else SAMPLE_SEED
        number = begin + shard * MOST_BATCHES + batch
        run(hard_world, counted, number, even=shard % 4 != 0, sequences=min(max(left, 2), BATCH))
    for name, number in sorted(counted.items()):
        tally.add(name, number)
    tally.add("deaths", hard_world.deaths.total())
    tally.add("violations", 0)
    struck = {name for name in FAULTS if counted[f"fault, {name}"]}
    assert counted["steps"] >= scale.steps / SHARDS
    assert len(struck) >= (KINDS if counted["steps"] >= LONG else FEW_KINDS), f"only {sorted(struck)} struck"


def run(
    world: HardWorld, counted: Counter[str], number: int, *, even: bool, sequences: int = BATCH, steps: int = STEPS
) -> None:
    """One batch of sequences. `number` and how many `steps` each has decide them."""

    def sequence() -> Sequence:
        return Sequence(world, counted, even=even)

    seed(number)(sequence)
    try:
        wanted = settings(HYPOTHESIS, max_examples=sequences, stateful_step_count=steps)
        run_state_machine_as_test(sequence, settings=wanted)  # type: ignore[arg-type]
    except BaseException as broken:
        broken.add_note(f"seed {number}, even={even}, steps={steps}: found after {counted['steps']} of this shard")
        raise
