"""What comes late or again, from the webhook to Loops: nobody is mailed twice, and nothing is sent by accident."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault, Sandbox
from local.stack import LocalStack
from segment_loops.dead_letter_queue import DeadLetters, Fate
from tests.integration.local.conftest import Clock, Segment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import urllib3

HOUR, MINUTE = 3600, 60
TRACK = {"type": "track", "messageId": "m-1", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}


def dated(clock: Clock, hours_ago: float = 0) -> dict[str, Any]:
    """The event as Segment got it so long ago."""
    date = datetime.fromtimestamp(clock.time() - hours_ago * HOUR, UTC).isoformat()
    return TRACK | {"receivedAt": date, "timestamp": date}


def emails(stack: LocalStack) -> int:
    """The events that Loops took, each of which may be an email."""
    return len(stack.sandbox.events.all())


def reasons(stack: LocalStack) -> list[str]:
    return [json.loads(letter)["reason"] for letter in stack.dead_letters()]


def redrive(stack: LocalStack, clock: Clock, **options: bool) -> list[Fate]:
    """Puts all dead letters back, and lets redelivery see them through."""
    letters = DeadLetters(stack.sqs, stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"], clock)
    with letters.opened() as found:
        fates = [letters.redrive([letter], **options) for letter in found]
    stack.redeliver()
    return fates


def test_a_replay_mails_nobody_again(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """The same signed bytes are sent once; 72 hours after Segment got the event they are a dead letter."""
    event = dated(clock)
    assert segment.post("/events", event).outcomes == ["delivered"]
    clock.sleep(72 * HOUR + 1)
    again = segment.post("/events", event)
    assert (again.status, again.outcomes) == (400, ["rejected"])
    assert (emails(stack), reasons(stack)) == (1, ["too-old"])


def test_the_stack_says_how_old_an_event_may_be(clock: Clock, pool: urllib3.PoolManager) -> None:
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
def test_an_old_event_is_sent_on_purpose_only(stack: LocalStack, segment: Segment, clock: Clock, days: float) -> None:
    """A redrive leaves an old event where it is; one that accepts it sends it, however long its letter has waited."""
    segment.post("/events", dated(clock, hours_ago=1000))
    clock.sleep(days * 24 * HOUR)
    assert redrive(stack, clock, repeat=True) == [Fate.TOO_OLD]
    clock.sleep(1)
    assert (emails(stack), reasons(stack)) == (0, ["too-old"])
    assert redrive(stack, clock, accept_old=True) == [Fate.REDRIVEN]
    assert (emails(stack), reasons(stack), stack.waiting()) == (1, [], [])


def test_an_event_under_a_new_key_is_not_too_old(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """An event that a person repeats after days is sent, although it is old by then: the person knows."""
    stack.sandbox.faults.add(Fault(kind="status", status=422))
    assert segment.post("/events", dated(clock)).outcomes == ["rejected"]
    clock.sleep(100 * HOUR)
    assert redrive(stack, clock, repeat=True) == [Fate.REDRIVEN]
    assert (emails(stack), reasons(stack)) == (1, [])


def test_an_old_event_that_sqs_moves_back_is_not_sent(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """SQS' own redrive, which asks nobody, sends no old event: it is a dead letter again."""
    segment.post("/events", dated(clock, hours_ago=1000))
    (letter,) = stack.dead_letters()
    stack.sqs.purge_queue(QueueUrl=stack.outputs["DeadLetterQueueUrl"])
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=letter)
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


def test_renaming_a_subscription_mails_nobody_again(
    renamable: LocalStack, mappings: Path, pool: urllib3.PoolManager
) -> None:
    """Under its id a subscription is the same after it was renamed: what comes again is known, what waits is sent."""
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


def test_a_person_who_opted_out_stays_so(stack: LocalStack, segment: Segment) -> None:
    """With the default mapping no trait subscribes a person again who unsubscribed in Loops; a trait can opt out."""
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
