"""The ledger's promises under every failure that its assumptions allow; `simulation.py` says which."""

import pytest

from tests.unit.ledger.fake_store import FakeStore
from tests.unit.ledger.simulation import DeletionRace, Simulation


@pytest.mark.parametrize("first", range(0, 1200, 100))
def test_contacts_converge(first: int) -> None:
    """Loops ends with what the events give in the order of their clocks, and nothing older than a deletion arrives.

    Consent flags are sent once per change, no event is sent twice, and a replay two days later sends nothing.
    """
    for seed in range(first, first + 100):
        run(Simulation(seed, FakeStore), seed)


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_no_event_without_a_lease_arrives_after_a_deletion(first: int) -> None:
    """Loops applies a deletion after the calls of older events that took no lease, however late it applies those."""
    for seed in range(first, first + 100):
        run(DeletionRace(seed, FakeStore), seed)


def run(simulation: Simulation, seed: int) -> None:
    try:
        simulation.run()
    except AssertionError as error:
        error.add_note(f"seed {seed}")
        raise
