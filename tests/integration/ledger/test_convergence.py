"""The promises of `tests/unit/ledger/test_convergence.py`, kept by the table in DynamoDB."""

from collections.abc import Callable

import pytest

from loops_destination.clock import Clock
from loops_destination.ledger.store import DynamoStore
from tests.unit.ledger.simulation import DeletionRace, Simulation


@pytest.mark.parametrize("seed", range(12))
def test_contacts_converge(seed: int, make_store: Callable[[Clock], DynamoStore]) -> None:
    """With DynamoDB's conditional writes, Loops ends with what the events give in the order of their clocks."""
    Simulation(seed, make_store).run()


@pytest.mark.parametrize("seed", range(12))
def test_no_event_without_a_lease_arrives_after_a_deletion(
    seed: int, make_store: Callable[[Clock], DynamoStore]
) -> None:
    """With DynamoDB's conditional writes, a deletion is applied after every older event that took no lease."""
    DeletionRace(seed, make_store).run()
