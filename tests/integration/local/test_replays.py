"""Late and repeated events, from the webhook to Loops: nothing is sent twice or by accident."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault, Sandbox
from local.stack import LocalStack
from segment_loops.dead_letter_queue import DeadLetterQueue, RedriveResult
from tests.integration.local.conftest import Clock, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import urllib3

HOUR, MINUTE = 3600, 60
TRACK = {"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}


def dated(clock: Clock, hours_ago: float = 0) -> dict[str, Any]:
    """Return the event as Segment received it the given time ago."""
    date = datetime.fromtimestamp(clock.time() - hours_ago * HOUR, UTC).isoformat()
    return TRACK | {"receivedAt": date, "timestamp": date}


def emails(stack: LocalStack) -> int:
    """Return the number of events that Loops processed, each of which may be an email."""
    return len(stack.sandbox.events.all())


def reasons(stack: LocalStack) -> list[str]:
    return [json.loads(dead_letter)["reason"] for dead_letter in stack.dead_letters()]


def redrive(stack: LocalStack, clock: Clock, **options: bool) -> list[RedriveResult]:
    """Redrive all dead letters, and process them."""
    queue = DeadLetterQueue(stack.sqs, stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"], clock)
    with queue.opened() as found:
        results = [queue.redrive([dead_letter], **options) for dead_letter in found]
    stack.redeliver()
    return results


def test_a_replay_is_not_sent_again(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """The same signed request mails once: 25 hours later Loops is not called, and over 72 hours later it is a dead letter."""
    event = dated(clock)
    assert segment.post("/events", event).outcomes == ["delivered"]
    clock.sleep(25 * HOUR)
    assert segment.post("/events", event).outcomes == ["delivered"]
    assert len(stack.sandbox.journal.all()) == 1
    clock.sleep(47 * HOUR + 1)
    again = segment.post("/events", event)
    assert (again.status, again.outcomes) == (400, ["rejected"])
    assert (emails(stack), reasons(stack)) == (1, ["too-old"])


def test_the_age_limit_is_a_parameter(clock: Clock, pool: urllib3.PoolManager) -> None:
    """MaxEventAgeHours is the limit, in the webhook and in redelivery."""
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox, polling=False, parameters={"MaxEventAgeHours": "200"}) as stack:
        segment = Segment(stack, pool)
        sandbox.faults.add(Fault(kind="status", status=503))
        assert segment.post("/events", dated(clock, hours_ago=199)).outcomes == ["queued"]
        assert segment.post("/events", dated(clock, hours_ago=201)).outcomes == ["rejected"]
        clock.sleep(MINUTE)
        stack.redeliver()
        assert (emails(stack), reasons(stack), stack.waiting()) == (1, ["too-old"], [])


@pytest.mark.parametrize("days", [0.5, 10])
def test_an_old_event_is_sent_with_accept_old_only(
    stack: LocalStack, segment: Segment, clock: Clock, days: float
) -> None:
    """A redrive leaves an old event; one with `accept_old` sends it, however long it has been a dead letter."""
    segment.post("/events", dated(clock, hours_ago=1000))
    clock.sleep(days * 24 * HOUR)
    assert redrive(stack, clock, repeat=True) == [RedriveResult.TOO_OLD]
    clock.sleep(1)
    assert (emails(stack), reasons(stack)) == (0, ["too-old"])
    assert redrive(stack, clock, accept_old=True) == [RedriveResult.REDRIVEN]
    assert (emails(stack), reasons(stack), stack.waiting()) == (1, [], [])


def test_an_event_with_a_new_idempotency_key_is_not_too_old(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """An event that a person repeats after days is sent, although it is old by then."""
    stack.sandbox.faults.add(Fault(kind="status", status=422))
    assert segment.post("/events", dated(clock)).outcomes == ["rejected"]
    clock.sleep(100 * HOUR)
    assert redrive(stack, clock, repeat=True) == [RedriveResult.REDRIVEN]
    assert (emails(stack), reasons(stack)) == (1, [])


def test_an_old_event_that_sqs_moves_back_is_not_sent(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """SQS's own redrive, which asks nobody, sends no old event: it becomes a dead letter again."""
    segment.post("/events", dated(clock, hours_ago=1000))
    (dead_letter,) = stack.dead_letters()
    stack.sqs.purge_queue(QueueUrl=stack.outputs["DeadLetterQueueUrl"])
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=dead_letter)
    stack.redeliver()
    assert (emails(stack), reasons(stack), stack.waiting()) == (0, ["too-old"], [])


def test_a_retry_without_a_date_mails_once(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """An event without `receivedAt`, whose first try Loops took unheard, is not sent when Loops may have forgotten it.

    The first try's response is lost while SQS is down, Segment's last retry after 3 h 55 is queued, and the queue is
    drained 20 h 20 later, 24 h 15 after Loops took the event.
    """
    stack.sandbox.faults.add(Fault(kind="status", status=500, processed=True))
    stack.aws.outage("sqs")
    assert segment.post("/events", TRACK).status == 503
    stack.aws.recover()
    clock.sleep(3 * HOUR + 55 * MINUTE)
    stack.sandbox.faults.add(Fault(kind="status", status=503))
    assert segment.post("/events", TRACK).outcomes == ["queued"]
    clock.sleep(20 * HOUR + 20 * MINUTE)
    stack.redeliver()
    assert (emails(stack), reasons(stack), stack.waiting()) == (1, ["idempotency-key-expired"], [])


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    path = tmp_path / "mappings.json"
    path.write_text(json.dumps([{"id": "signed-up", "name": "Signed up", "action": "sendEvent"}]))
    return path


@pytest.fixture
def renamable(clock: Clock, mappings: Path) -> Iterator[LocalStack]:
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox, polling=False, mappings=mappings) as stack:
        yield stack


def test_renaming_a_subscription_sends_nothing_twice(
    renamable: LocalStack, mappings: Path, pool: urllib3.PoolManager
) -> None:
    """A renamed subscription with an id stays the same: repeated events are recognised, and waiting ones are sent."""
    segment = Segment(renamable, pool)
    segment.post("/events", TRACK)
    renamable.sandbox.faults.add(Fault(kind="status", status=503))
    assert segment.post("/events", TRACK | {"messageId": "m-2"}).outcomes == ["queued"]
    mappings.write_text(mappings.read_text().replace("Signed up", "Welcome"))
    renamable.freeze()
    assert segment.post("/events", TRACK).outcomes == ["delivered"]
    renamable.clock.sleep(MINUTE)
    renamable.redeliver()
    assert (emails(renamable), reasons(renamable), renamable.waiting()) == (2, [], [])


def test_an_opt_out_in_loops_stands(stack: LocalStack, segment: Segment) -> None:
    """With the default mapping no trait subscribes a person who unsubscribed in Loops; a trait can unsubscribe."""
    person = {"userId": "u-1", "traits": {"email": "a@b.co"}}
    segment.identify(**person)
    (contact,) = stack.sandbox.contacts.all()
    contact.leave(None)
    for value in (True, "true", 1):
        answer = segment.identify(userId="u-1", traits={"email": "a@b.co", "subscribed": value, "plan": str(value)})
        assert answer.outcomes == ["delivered"]
        assert (contact.subscribed, contact.properties["plan"]) == (False, str(value))
    contact.subscribed = True
    segment.identify(userId="u-1", traits={"email": "a@b.co", "subscribed": "false"})
    assert contact.subscribed is False
