"""Outcomes, reasons and the status of an answer."""

import re
from pathlib import Path

import pytest

from loops_destination.outcomes import Outcome, Reason, Result, answer_status

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"
NEVER_IN_A_DEAD_LETTER = {
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
    Reason.CONTACT_BUSY,
    Reason.DELETION_BEGUN,
    Reason.LEDGER_UNAVAILABLE,
    Reason.NOT_STORED,
}
"""The reasons of deliveries that are tried again; in the end their dead letters have `retries-exhausted`."""


@pytest.mark.parametrize("reason", sorted(set(Reason) - NEVER_IN_A_DEAD_LETTER))
def test_every_reason_of_a_dead_letter_is_explained(reason: Reason) -> None:
    """Each reason of a dead letter has a row in docs/operations.md that says what happened and what to do."""
    rows = re.findall(r"^\| `([\w-]+)` \| (.+) \| (.+) \|$", OPERATIONS.read_text("utf-8"), re.MULTILINE)
    assert [bool(happened and to_do) for name, happened, to_do in rows if name == reason] == [True]


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([], 200),
        ([Outcome.DELIVERED, Outcome.FILTERED], 200),
        ([Outcome.UNCHANGED, Outcome.SUPERSEDED], 200),
        ([Outcome.DELIVERED, Outcome.QUEUED], 202),
        ([Outcome.REJECTED], 400),
        ([Outcome.REJECTED, Outcome.REJECTED], 400),
        ([Outcome.REJECTED, Outcome.FILTERED], 207),
        ([Outcome.REJECTED, Outcome.QUEUED], 207),
        ([Outcome.DELIVERED, None], 503),
        ([Outcome.REJECTED, None], 503),
        ([None], 503),
    ],
)
def test_a_request_has_one_status_for_all_results(outcomes: list[Outcome | None], status: int) -> None:
    """Any result that is not stored makes it 503; else all rejected 400, some rejected 207, any queued 202, else 200."""
    assert answer_status([Result(outcome=outcome) for outcome in outcomes]) == status


def test_a_result_is_shown_with_its_event_and_subscription() -> None:
    """The JSON of a result has messageId, subscription, action, outcome, reason and detail."""
    result = Result(
        outcome=Outcome.REJECTED,
        reason=Reason.REFUSED,
        detail="no",
        status=400,
        message_id="m-2",
        subscription="events",
        action="sendEvent",
    )
    assert result.as_json() == {
        "messageId": "m-2",
        "subscription": "events",
        "action": "sendEvent",
        "outcome": "rejected",
        "reason": "refused",
        "detail": "no",
    }
