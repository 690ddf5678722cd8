"""Long outages and rotations, on the whole stack, in hours that only the tests let pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault
from local.stack import DEAD_LETTER_QUEUE, RETRY_QUEUE, SHARED_SECRET
from segment_loops.dead_letter_queue import DeadLetters, Fate, by_delivery

if TYPE_CHECKING:
    from local.stack import LocalStack
    from tests.integration.local.conftest import Clock, Segment

HOUR = 3600
EVERY = 2 * HOUR


def live_through(stack: LocalStack, segment: Segment, clock: Clock, hours: int) -> list[str]:
    """Loops is down for so long, while users sign up; the messageIds of their events, by when they came."""
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
    """The time as Segment writes it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def come_to_rest(stack: LocalStack, clock: Clock) -> None:
    """Time passes until nothing waits."""
    for _ in range(20):
        if stack.waiting():
            clock.sleep(HOUR)
            stack.redeliver()
    assert stack.waiting() == []


def test_after_twenty_hours_everything_arrives_by_itself(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """An outage of 20 hours delays every contact and every event, and loses none."""
    users = live_through(stack, segment, clock, hours=20)
    come_to_rest(stack, clock)
    assert {contact.user_id for contact in stack.sandbox.contacts.all()} == set(users)
    assert sorted(event.user_id or "" for event in stack.sandbox.events.all()) == sorted(users)
    assert stack.dead_letters() == []


def test_after_two_days_old_events_wait_for_one_command(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """After 48 hours every contact arrives, an event older than 23 hours is a dead letter, and a redrive sends each once."""
    users = live_through(stack, segment, clock, hours=48)
    ended = clock.now
    come_to_rest(stack, clock)
    assert {contact.user_id for contact in stack.sandbox.contacts.all()} == set(users)
    letters = [json.loads(letter) for letter in stack.dead_letters()]
    assert {letter["reason"] for letter in letters} == {"idempotency-key-expired"}
    sent = {event.user_id for event in stack.sandbox.events.all()}
    kept = {letter["event"]["userId"] for letter in letters}
    assert sent | kept == set(users)
    assert not sent & kept
    assert {f"u-{hour}" for hour in range(0, 24, 2)} <= kept
    assert {f"u-{hour}" for hour in range(30, 48, 2)} <= sent
    assert clock.now - ended < 24 * HOUR

    dead, retry = stack.outputs["DeadLetterQueueUrl"], stack.outputs["RetryQueueUrl"]
    console = DeadLetters(stack.sqs, dead, retry, clock)
    with console.opened() as found:
        fates = [console.redrive(delivery, repeat=True) for delivery in by_delivery(found)]
    assert fates == [Fate.REDRIVEN] * len(letters)
    come_to_rest(stack, clock)
    assert stack.dead_letters() == []
    assert sorted(event.user_id or "" for event in stack.sandbox.events.all()) == sorted(users)
    assert stack.sandbox.events.repeated() == {}


def test_the_api_key_is_rotated_without_losing_an_event(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """What comes between the change at Loops and the change of the secret waits, and arrives by itself."""
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
    """While Segment changes over, requests signed with the older secret and with the newer one are both taken."""
    assert segment.identify(userId="u", messageId="1", traits={"email": "u@example.com"}).status == 200
    stack.put_secret(apiKey=stack.sandbox.api_key, sharedSecret="newer")
    for number, secret in enumerate((SHARED_SECRET, "newer", SHARED_SECRET)):
        event = {"type": "identify", "userId": "u", "messageId": f"{number}", "traits": {"email": "u@example.com"}}
        assert segment.post("/contacts", event, secret=secret).status == 200


@pytest.mark.parametrize("order", ["identify first", "track first"])
def test_an_event_by_user_id_waits_for_its_contact(
    stack: LocalStack, segment: Segment, clock: Clock, order: str
) -> None:
    """Whichever of the two comes first, the contact is made and the event arrives once."""

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


def test_a_delivery_that_is_answered_429_comes_back_less_and_less_often(
    stack: LocalStack, segment: Segment, clock: Clock
) -> None:
    """The pause follows the receives that SQS counts: after forty of them it is five minutes or more."""
    stack.sandbox.faults.add(Fault(kind="status", status=429, times=None))
    assert segment.identify(userId="u-1", messageId="m-1", traits={"email": "a@example.com"}).status == 202
    pauses = []
    for _ in range(40):
        (held,) = stack.aws.held(RETRY_QUEUE)
        clock.sleep(held.next_at - clock.now + 1)
        assert stack.redeliver() == 1
        (held,) = stack.aws.held(RETRY_QUEUE)
        pauses.append(held.next_at - clock.now)
    assert 7 <= pauses[0] <= 13
    assert 300 <= pauses[-1] <= 500


def test_what_sqs_gives_up_is_listed_with_a_reason_of_its_own(
    stack: LocalStack, segment: Segment, clock: Clock
) -> None:
    """A delivery that SQS moves by itself, whose function dies each time, is `receives-exhausted` and can be redriven."""
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
    letters = DeadLetters(stack.sqs, dead, retry, clock)
    with letters.opened() as found:
        assert [letter.reason for letter in found] == ["receives-exhausted"]
        assert letters.redrive(found) is Fate.REDRIVEN
    stack.functions["RedeliveryFunction"].kill_next(10**9)
    come_to_rest(stack, clock)
    assert [contact.user_id for contact in stack.sandbox.contacts.all()] == ["u-1"]
