"""Long outages and rotations on the whole stack, with a clock that only the tests move."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault
from local.stack import DEAD_LETTER_QUEUE, RETRY_QUEUE, SHARED_SECRET
from segment_loops.dead_letter_queue import DeadLetterQueue, RedriveResult, by_delivery

if TYPE_CHECKING:
    from local.stack import LocalStack
    from tests.integration.local.conftest import Clock, Segment

HOUR = 3600
EVERY = 4 * HOUR


def live_through(stack: LocalStack, segment: Segment, clock: Clock, hours: int) -> list[str]:
    """Let users sign up while Loops is down; return the messageIds of their events by time of arrival."""
    stack.loops.stop()
    users = [f"u-{hour}" for hour in range(0, hours, EVERY // HOUR)]
    for user in users:
        email = f"{user}@example.com"
        assert segment.identify(userId=user, messageId=f"i-{user}", traits={"email": email}).status == 202
        event: dict[str, Any] = {
            "userId": user,
            "messageId": f"t-{user}",
            "properties": {"email": email},
            "receivedAt": utc(clock.now),
        }
        assert segment.track("Signed Up", **event).status == 202
        for _ in range(EVERY // (30 * 60)):
            clock.sleep(30 * 60)
            stack.redeliver()
    stack.loops.start()
    return users


def utc(seconds: float) -> str:
    """Return the time in Segment's format."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def come_to_rest(stack: LocalStack, clock: Clock) -> None:
    """Let time pass until the RetryQueue is empty."""
    for _ in range(80):
        if stack.waiting():
            clock.sleep(HOUR / 4)
            stack.redeliver()
    assert stack.waiting() == []


def test_after_twenty_hours_everything_is_delivered(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """An outage of 20 hours delays every contact and event, and loses none."""
    users = live_through(stack, segment, clock, hours=20)
    come_to_rest(stack, clock)
    assert {contact.user_id for contact in stack.sandbox.contacts.all()} == set(users)
    assert sorted(event.user_id or "" for event in stack.sandbox.events.all()) == sorted(users)
    assert stack.dead_letters() == []


def test_after_two_days_old_events_wait_for_a_redrive(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """After 48 hours every contact arrives, an event older than 23 hours is a dead letter, and a redrive sends it once."""
    users = live_through(stack, segment, clock, hours=48)
    ended = clock.now
    come_to_rest(stack, clock)
    assert {contact.user_id for contact in stack.sandbox.contacts.all()} == set(users)
    dead_letters = [json.loads(dead_letter) for dead_letter in stack.dead_letters()]
    assert {dead_letter["reason"] for dead_letter in dead_letters} == {"idempotency-key-expired"}
    sent = {event.user_id for event in stack.sandbox.events.all()}
    kept = {dead_letter["event"]["userId"] for dead_letter in dead_letters}
    assert sent | kept == set(users)
    assert not sent & kept
    assert {f"u-{hour}" for hour in range(0, 24, 4)} <= kept
    assert {f"u-{hour}" for hour in range(32, 48, 4)} <= sent
    assert clock.now - ended < 24 * HOUR

    dead, retry = stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"]
    queue = DeadLetterQueue(stack.sqs, dead, retry, clock)
    with queue.opened() as found:
        results = [queue.redrive(delivery, repeat=True) for delivery in by_delivery(found)]
    assert results == [RedriveResult.REDRIVEN] * len(dead_letters)
    come_to_rest(stack, clock)
    assert stack.dead_letters() == []
    assert sorted(event.user_id or "" for event in stack.sandbox.events.all()) == sorted(users)
    assert stack.sandbox.events.repeated() == {}


def test_the_api_key_is_rotated_without_losing_an_event(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """Events between the change of the API key at Loops and in the secret wait, and are delivered afterwards."""
    assert segment.identify(userId="before", messageId="1", traits={"email": "before@example.com"}).status == 200
    stack.sandbox.api_key = "key-2"
    between = segment.identify(userId="between", messageId="2", traits={"email": "between@example.com"})
    assert between.status == 202
    assert between.json["results"][0]["reason"] == "api-key-refused"
    stack.put_secret(apiKey="key-2", sharedSecret=SHARED_SECRET)
    clock.sleep(70)
    assert segment.identify(userId="after", messageId="3", traits={"email": "after@example.com"}).status == 200
    come_to_rest(stack, clock)
    assert {contact.user_id for contact in stack.sandbox.contacts.all()} == {"before", "between", "after"}


def test_the_shared_secret_is_rotated_without_losing_an_event(stack: LocalStack, segment: Segment) -> None:
    """During a rotation, requests signed with the old and with the new shared secret are accepted."""
    assert segment.identify(userId="u", messageId="1", traits={"email": "u@example.com"}).status == 200
    stack.put_secret(apiKey=stack.sandbox.api_key, sharedSecret="newer")
    for number, secret in enumerate((SHARED_SECRET, "newer", SHARED_SECRET)):
        event = {"type": "identify", "userId": "u", "messageId": f"{number}", "traits": {"email": "u@example.com"}}
        assert segment.post("/contacts", event, secret=secret).status == 200


@pytest.mark.parametrize("order", ["identify first", "track first"])
def test_an_event_by_user_id_waits_for_its_contact(
    stack: LocalStack, segment: Segment, clock: Clock, order: str
) -> None:
    """In either order of arrival, the contact is created and the event delivered once."""

    def identify() -> None:
        assert segment.identify(userId="u", traits={"email": "u@example.com"}).status == 200

    if order == "identify first":
        identify()
    answer = segment.track("Signed Up", userId="u", properties={})
    assert answer.status == (200 if order == "identify first" else 202)
    if order == "track first":
        identify()
    come_to_rest(stack, clock)
    assert [event.user_id for event in stack.sandbox.events.all()] == ["u"]


def test_a_delivery_answered_429_is_retried_less_and_less_often(
    stack: LocalStack, segment: Segment, clock: Clock
) -> None:
    """The pause is at first 30 s, in which a newer update may overtake, and at least five minutes after forty receives."""
    stack.sandbox.faults.add(Fault(kind="status", status=429, times=None))
    assert segment.identify(userId="u-1", messageId="m-1", traits={"email": "a@example.com"}).status == 202
    pauses = []
    for _ in range(40):
        (held,) = stack.aws.queued(RETRY_QUEUE)
        clock.sleep(held.next_at - clock.now + 1)
        assert stack.redeliver() == 1
        (held,) = stack.aws.queued(RETRY_QUEUE)
        pauses.append(held.next_at - clock.now)
    assert pauses[0] == pytest.approx(30)
    assert 300 <= pauses[-1] <= 500


def test_a_message_that_sqs_moves_is_receives_exhausted(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """A delivery that SQS moves, because its function dies each time, is `receives-exhausted` and can be redriven."""
    stack.loops.stop()
    retry, dead = stack.outputs["RetryQueueUrl"], stack.outputs["DeadLetterQueueUrl"]
    arn = stack.aws.queue_values(DEAD_LETTER_QUEUE)["Arn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
    stack.sqs.set_queue_attributes(QueueUrl=retry, Attributes={"RedrivePolicy": policy})
    assert segment.identify(userId="u-1", messageId="m-1", traits={"email": "a@example.com"}).status == 202
    for _ in range(3):
        clock.sleep(HOUR)
        stack.functions["RedeliveryFunction"].kill_next(0)
        stack.redeliver()
    stack.loops.start()
    queue = DeadLetterQueue(stack.sqs, dead, retry, clock)
    with queue.opened() as found:
        assert [dead_letter.reason for dead_letter in found] == ["receives-exhausted"]
        assert queue.redrive(found) is RedriveResult.REDRIVEN
    stack.functions["RedeliveryFunction"].kill_next(10**9)
    come_to_rest(stack, clock)
    assert [contact.user_id for contact in stack.sandbox.contacts.all()] == ["u-1"]
