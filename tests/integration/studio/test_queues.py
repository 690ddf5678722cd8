"""The queues and the switches that make things fail."""

from __future__ import annotations

import json
from typing import Any

from local.sandbox import Fault
from tests.integration.local.conftest import Clock
from tests.integration.studio.conftest import ADAM, Client

KEYED = {"type": "track", "messageId": "m-2", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}


def letters(client: Client) -> list[Any]:
    found: list[Any] = client.api("GET", "/queues")["letters"]
    return found


def bury(client: Client, *events: dict[str, Any]) -> list[str]:
    """Lets Loops refuse the events; the ids of their letters, the oldest first."""
    for event in events:
        client.api("POST", "/faults", {"kind": "status", "status": 422})
        assert client.segment(event) == 400
        client.stack.clock.sleep(1)
    return [letter["id"] for letter in reversed(letters(client))]


def test_looking_changes_nothing(client: Client) -> None:
    """Letters that are shown are not hidden from others, and do not count as received."""
    bury(client, ADAM)
    for _ in range(3):
        (letter,) = letters(client)
    assert (letter["reason"], letter["status"], letter["canBeRedriven"]) == ("refused", 422, True)
    queue = client.stack.outputs["DeadLetterQueueUrl"]
    (seen,) = client.stack.sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"]
    assert seen["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_letter_that_sqs_moved_has_a_reason_of_its_own(client: Client, clock: Clock) -> None:
    """A delivery that SQS gave up by itself is shown as `receives-exhausted`, whatever it waited for."""
    stack = client.stack
    stack.sandbox.faults.add(Fault(kind="status", status=429, times=None))
    assert client.segment(ADAM) == 202
    retry, arn = stack.outputs["RetryQueueUrl"], stack.aws.queue_values("DeadLetterQueue")["Arn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    stack.sqs.set_queue_attributes(QueueUrl=retry, Attributes={"RedrivePolicy": policy})
    for _ in range(2):
        clock.sleep(60)
        stack.redeliver()
    assert [(letter["reason"], letter["canBeRedriven"]) for letter in letters(client)] == [("receives-exhausted", True)]


def test_a_letter_is_redriven(client: Client) -> None:
    """The chosen letter goes back to the RetryQueue and is delivered; the others stay."""
    first, second = bury(client, ADAM, ADAM | {"messageId": "m-9", "userId": "u-9", "traits": {"email": "b@c.de"}})
    assert client.api("POST", "/queues/redrive", {"ids": [first]}) == {"redriven": 1}
    assert [letter["id"] for letter in letters(client)] == [second]
    client.stack.redeliver()
    assert [contact["email"] for contact in client.api("GET", "/audience")["contacts"]] == ["adam@loops.so"]
    assert {each["messageId"]: each["outcome"] for each in client.deliveries()} == {
        "m-1": "delivered",
        "m-9": "rejected",
    }


def test_what_could_mail_twice_needs_a_word(client: Client, clock: Clock) -> None:
    """A letter whose key Loops may have forgotten is redriven only when a repeat is allowed."""
    (letter,) = bury(client, KEYED)
    clock.sleep(24 * 3600)
    assert letters(client)[0]["needsNewIdempotencyKey"] is True
    assert client.api("POST", "/queues/redrive", {"ids": [letter]}) == {"needs-new-idempotency-key": 1}
    clock.sleep(1)
    assert len(letters(client)) == 1
    assert client.api("POST", "/queues/redrive", {"ids": [letter], "repeat": True}) == {"redriven": 1}


def test_an_old_event_needs_a_word(client: Client) -> None:
    """A letter of an event that was too old when it came says so, and is redriven only when that is accepted."""
    assert client.segment(KEYED | {"timestamp": "2020-01-01T00:00:00Z"}) == 400
    (letter,) = letters(client)
    assert (letter["reason"], letter["tooOld"], letter["needsNewIdempotencyKey"]) == ("too-old", True, False)
    ids = [letter["id"]]
    assert client.api("POST", "/queues/redrive", {"ids": ids, "repeat": True}) == {"too-old": 1}
    client.stack.clock.sleep(1)
    assert client.api("POST", "/queues/redrive", {"ids": ids, "acceptOld": True}) == {"redriven": 1}
    client.stack.redeliver()
    assert [event["name"] for event in client.api("GET", "/audience")["events"]] == ["Signed Up"]


def test_what_is_no_event_is_shown_and_stays(client: Client) -> None:
    """The letter for a body that is no event shows what came, and cannot be redriven."""
    client.segment({"json": 5})
    (letter,) = letters(client)
    assert (letter["reason"], letter["canBeRedriven"], letter["content"]) == ("not-an-event", False, '{"json": 5}')
    assert client.api("POST", "/queues/redrive", {"ids": [letter["id"]]}) == {"no-event": 1}
    assert len(letters(client)) == 1


def test_letters_are_dropped(client: Client) -> None:
    """The chosen letters are deleted, and no other; one that is gone is not counted."""
    first, second = bury(client, ADAM, KEYED)
    assert client.api("POST", "/queues/drop", {"ids": [first, "gone"]}) == {"dropped": 1}
    assert [letter["id"] for letter in letters(client)] == [second]


def test_faults_come_and_go(client: Client) -> None:
    """A fault is told until it has struck or all go; with SQS down, Segment is left to keep the event."""
    client.api("POST", "/faults", {"kind": "status", "status": 500, "times": None})
    client.api("POST", "/faults/sqs", {})
    status = client.api("GET", "/status")
    assert [(fault["status"], fault["times"]) for fault in status["faults"]] == [(500, None)]
    assert status["sqsIsDown"] is True
    assert client.segment(ADAM) == 503
    client.api("DELETE", "/faults", {})
    status = client.api("GET", "/status")
    assert (status["faults"], status["sqsIsDown"]) == ([], False)
    assert client.segment(ADAM) == 200
    assert [each["outcome"] for each in client.deliveries()] == ["delivered", "refused"]


def test_a_fault_that_is_none_is_refused(client: Client) -> None:
    """What is no fault of the sandbox is told so."""
    assert client.call("POST", "/studio/api/faults", {"kind": "nothing"}).status == 400
