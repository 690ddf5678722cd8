"""The closed sets of outcomes and reasons."""

from pathlib import Path

import pytest

from loops_destination.outcomes import Reason

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
NOT_OF_A_DEAD_LETTER = {
    Reason.RATE_LIMITED,
    Reason.LOOPS_ERROR,
    Reason.TIMEOUT,
    Reason.CONNECTION_FAILED,
    Reason.UNREADABLE_ANSWER,
    Reason.KEY_REFUSED,
    Reason.KEY_UNAVAILABLE,
    Reason.UNEXPECTED_ERROR,
    Reason.NO_TIME_LEFT,
    Reason.PAUSED,
    Reason.NOT_STORED,
}


@pytest.mark.parametrize("reason", sorted(set(Reason) - NOT_OF_A_DEAD_LETTER))
def test_every_reason_of_a_dead_letter_says_what_to_do(reason: Reason) -> None:
    """Each reason that a dead letter can have has its row in docs/operations.md."""
    assert f"\n| `{reason}` | " in OPERATIONS.read_text("utf-8")
