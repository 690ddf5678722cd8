"""The timeline of a delivery, from lines that the product wrote."""

from __future__ import annotations

import contextlib
import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from loops_destination.messages import Message
from loops_destination.observability import Telemetry, log_hash
from loops_destination.outcomes import Outcome, Reason, Result
from segment_loops.dead_letter_queue import DeadLetter
from segment_loops.delivery_trace import State, of_message, of_user, trace
from tests.fakes import NOW

MESSAGE_ID = str(uuid.UUID(int=7))
EVENT = {"type": "track", "messageId": MESSAGE_ID, "userId": "u-1", "event": "Signed Up"}
KEY = "idempotency-key"


def _line(at: int, service: str, write: Callable[[Telemetry], None]) -> dict[str, Any]:
    """Return the line that a function writes, `at` seconds after the event arrived."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        write(Telemetry(service, lambda: "shared-secret"))
    stamp = datetime.fromtimestamp(NOW + at, UTC).isoformat(timespec="milliseconds")
    line: dict[str, Any] = json.loads(output.getvalue()) | {"timestamp": stamp}
    return line


def _tried(at: int, outcome: Outcome | None, reason: Reason | None = None, **given: Any) -> dict[str, Any]:
    """Return the line of an attempt; `given` may name another function, subscription or event."""
    service, event = given.pop("service", "redelivery"), given.pop("event", EVENT)
    result = Result(outcome, reason, action="sendEvent", **{"subscription": "events", **given})
    return _line(at, service, lambda telemetry: telemetry.result(result, event, 1))


def _arrived(at: int, outcome: Outcome | None, reason: Reason | None = None, **given: Any) -> dict[str, Any]:
    return _tried(at, outcome, reason, service="send_event", **given)


def _message(reason: Reason, event: dict[str, Any] = EVENT) -> Message:
    return Message(KEY, NOW, reason, event=json.dumps(event), action="sendEvent", subscription="events", attempts=3)


def _buried(at: int, reason: Reason) -> dict[str, Any]:
    return _line(at, "redelivery", lambda telemetry: telemetry.buried(_message(reason)))


def _on_queue(at: int, reason: Reason = Reason.REFUSED) -> DeadLetter:
    sent = {"SentTimestamp": str(round((NOW + at) * 1000))}
    return DeadLetter.from_sqs(
        {"MessageId": "1", "ReceiptHandle": "", "Body": _message(reason).to_json(), "Attributes": sent}  # type: ignore[typeddict-item]
    )


def test_a_timeline_leads_from_arrival_to_the_last_attempt() -> None:
    """Arrival, retries, dead letter, redrive and the attempt after it are steps, in the order of time."""
    lines = [
        _arrived(0, Outcome.QUEUED, Reason.RATE_LIMITED, status=429),
        _tried(5, Outcome.QUEUED, Reason.LOOPS_ERROR, status=503),
        _buried(60, Reason.REFUSED),
        _tried(3600, Outcome.DELIVERED, status=200),
    ]
    [delivery] = trace(lines)
    assert [(step.kind, step.result, round(step.time - NOW)) for step in delivery.steps] == [
        ("arrived", "queued: rate-limited", 0),
        ("tried", "queued: loops-error", 5),
        ("dead letter", "dead letter: refused", 60),
        ("redriven", "put back on the RetryQueue before the next attempt", 3600),
        ("tried", "delivered", 3600),
    ]
    assert (delivery.event, delivery.subscription, delivery.state) == (MESSAGE_ID, "events", "delivered")
    assert delivery.steps[3].as_json() == {"step": "redriven", "before": delivery.steps[4].as_json()["time"]}


def test_the_rule_of_the_ledger_explains_what_was_not_sent() -> None:
    """A step that sent nothing names the contact ledger's rule."""
    lines = [
        _arrived(0, Outcome.QUEUED, Reason.CONTACT_BUSY, rule="contact-leased"),
        _tried(5, Outcome.SUPERSEDED, rule="newer-values"),
    ]
    [delivery] = trace(lines)
    assert [step.result for step in delivery.steps] == [
        "queued: contact-busy (contact-leased)",
        "superseded (newer-values)",
    ]
    assert (delivery.state, delivery.steps[1].as_json()["rule"]) == ("superseded", "newer-values")


def test_a_redrive_shows_after_a_rejection_too() -> None:
    """An event that the webhook rejected has a dead letter, so an attempt of redelivery proves a redrive."""
    [delivery] = trace([_arrived(0, Outcome.REJECTED, Reason.TOO_OLD), _tried(60, Outcome.DELIVERED)])
    assert [step.kind for step in delivery.steps] == ["arrived", "redriven", "tried"]


def test_a_retry_of_segment_is_no_redrive() -> None:
    """An event that arrives again after a rejection was sent again by Segment."""
    lines = [_arrived(0, Outcome.REJECTED, Reason.REFUSED), _arrived(60, Outcome.DELIVERED)]
    assert [step.kind for step in trace(lines)[0].steps] == ["arrived", "arrived"]


def test_each_subscription_is_a_delivery() -> None:
    """An event under two subscriptions has two deliveries; one that matches none has a delivery without one."""
    lines = [
        _arrived(0, Outcome.DELIVERED),
        _arrived(1, Outcome.QUEUED, Reason.TIMEOUT, subscription="other"),
        _arrived(2, Outcome.FILTERED, subscription=None, event=EVENT | {"messageId": str(uuid.UUID(int=8))}),
    ]
    found = [(each.subscription, each.state) for each in trace(lines)]
    assert found == [("events", "delivered"), ("other", State.WAITING), (None, "filtered")]


def test_an_event_that_was_not_stored_is_one_that_segment_keeps() -> None:
    """A delivery without an outcome was stored nowhere, and its state says that Segment tries again."""
    [delivery] = trace([_arrived(0, None, Reason.NOT_STORED)])
    assert (delivery.steps[0].result, delivery.state) == ("not stored", State.NOT_STORED)


def test_a_dead_letter_on_the_queue_is_the_one_in_the_log() -> None:
    """A dead letter that the log has too is one step, marked as being on the queue."""
    lines = [_arrived(0, Outcome.QUEUED, Reason.TIMEOUT), _buried(60, Reason.REFUSED)]
    [delivery] = trace(lines, [_on_queue(61)])
    assert [(step.kind, step.seen_on_queue) for step in delivery.steps] == [("arrived", False), ("dead letter", True)]
    assert delivery.state == State.DEAD_LETTER


def test_a_dead_letter_that_the_log_does_not_have_is_a_step() -> None:
    """A dead letter of a rejected event, or of one whose lines are gone, is a step of its delivery."""
    [rejected] = trace([_arrived(0, Outcome.REJECTED, Reason.REFUSED)], [_on_queue(1)])
    assert [(step.kind, step.seen_on_queue) for step in rejected.steps] == [("arrived", False), ("dead letter", True)]
    [alone] = trace([], [_on_queue(1)])
    assert (alone.message_id, alone.subscription, alone.state) == (MESSAGE_ID, "events", State.DEAD_LETTER)


def test_a_dead_letter_that_left_the_queue_was_redriven_or_dropped() -> None:
    """Once the queue was read, a dead letter that is not on it any more has the state that says so."""
    lines = [_buried(60, Reason.REFUSED)]
    assert trace(lines)[0].state == State.DEAD_LETTER
    assert trace(lines, [])[0].state == State.GONE


@pytest.mark.parametrize(
    ("message_id", "condition"),
    [
        (MESSAGE_ID, f'messageId = "{MESSAGE_ID}"'),
        ('m" or 1=1', f'messageIdHash = "{log_hash(chr(109) + chr(34) + " or 1=1", "k")}"'),
    ],
)
def test_an_event_is_selected_as_the_log_names_it(message_id: str, condition: str) -> None:
    """A messageId of Segment is searched for as it is, any other by its hash; nothing typed reaches the query."""
    assert of_message(message_id, ["k"]) == condition


def test_a_user_is_selected_by_the_hashes_of_both_secrets() -> None:
    """A userId is searched for by its hash under the current and the previous shared secret."""
    assert of_user("u-1", ["new", "old"]) == f'user = "{log_hash("u-1", "new")}" or user = "{log_hash("u-1", "old")}"'
