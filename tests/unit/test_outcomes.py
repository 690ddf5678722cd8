"""The closed sets of outcomes and reasons, and their documentation."""

import re
from pathlib import Path

import pytest

from loops_destination.outcomes import Reason

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
NOT_OF_A_DEAD_LETTER = {
    Reason.RATE_LIMITED,
    Reason.LOOPS_ERROR,
    Reason.TIMEOUT,
    Reason.CONNECTION_FAILED,
    Reason.UNREADABLE_RESPONSE,
    Reason.API_KEY_REFUSED,
    Reason.API_KEY_UNAVAILABLE,
    Reason.UNEXPECTED_ERROR,
    Reason.NO_TIME_LEFT,
    Reason.PAUSED,
    Reason.NOT_STORED,
}
"""Deliveries with these are tried again; when that ends, their dead letters have `retries-exhausted`."""


@pytest.mark.parametrize("reason", sorted(set(Reason) - NOT_OF_A_DEAD_LETTER))
def test_every_reason_of_a_dead_letter_is_explained(reason: Reason) -> None:
    """Each reason that a dead letter can have has a line in docs/operations.md with what happened and what to do."""
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    assert [bool(happened and to_do) for name, happened, to_do in rows if name == reason] == [True]
