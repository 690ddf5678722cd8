"""The queues and the simulated faults."""

from __future__ import annotations

import json
from typing import Any

from local.sandbox import Fault
from tests.integration.local.conftest import Clock
from tests.integration.studio.conftest import ADAM, Client

KEYED = {"type": "track", "messageId": "m-2", "userId": "u-1", "event": "Signed Up", "properties": {"email": "a@b.co"}}


def dead_letters(client: Client) -> list[Any]:
    found: list[Any] = client.api("GET", "/queues")["deadLetters"]
    return found


def redrive(client: Client, body: dict[str, Any]) -> list[str]:
    """Redrive dead letters; return the result of each."""
    return [each["result"] for each in client.api("POST", "/queues/redrive", body)["redrives"]]


def bury(client: Client, *events: dict[str, Any]) -> list[str]:
    """Make Loops refuse the events; return the ids of their dead letters, the oldest first."""
    for event in events:
        client.api("POST", "/faults", {"kind": "status", "status": 422})
        assert client.segment(event) == 400
        client.stack.clock.sleep(1)
    return [dead_letter["id"] for dead_letter in reversed(dead_letters(client))]


def test_showing_the_queues_changes_nothing(client: Client) -> None:
    """Dead letters that are shown stay visible to other programs, and do not count as received."""
    bury(client, ADAM)
    for _ in range(3):
        (dead_letter,) = dead_letters(client)
    assert (dead_letter["reason"], dead_letter["status"], dead_letter["canBeRedriven"]) == ("refused", 422, True)
    queue = client.stack.outputs["DeadLetterQueueUrl"]
    (seen,) = client.stack.sqs.receive_message(QueueUrl=queue, MessageSystemAttributeNames=["All"])["Messages"]
    assert seen["Attributes"]["ApproximateReceiveCount"] == "1"


def test_a_message_that_sqs_moved_has_a_reason_of_its_own(client: Client, clock: Clock) -> None:
    """A dead letter that SQS moved from the RetryQueue is shown as `receives-exhausted`."""
    stack = client.stack
    stack.sandbox.faults.add(Fault(kind="status", status=429, times=None))
    assert client.segment(ADAM) == 202
    retry, arn = stack.outputs["RetryQueueUrl"], stack.aws.queue_values("DeadLetterQueue")["Arn"]
    policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 1})
    stack.sqs.set_queue_attributes(QueueUrl=retry, Attributes={"RedrivePolicy": policy})
    for _ in range(2):
        clock.sleep(60)
        stack.redeliver()
    assert [(dead_letter["reason"], dead_letter["canBeRedriven"]) for dead_letter in dead_letters(client)] == [
        ("receives-exhausted", True)
    ]


def test_a_dead_letter_is_redriven(client: Client) -> None:
    """The selected dead letter is put back on the RetryQueue and delivered; the others stay."""
    first, second = bury(client, ADAM, ADAM | {"messageId": "m-9", "userId": "u-9", "traits": {"email": "b@c.de"}})
    assert redrive(client, {"ids": [first]}) == ["redriven"]
    assert [dead_letter["id"] for dead_letter in dead_letters(client)] == [second]
    client.stack.redeliver()
    assert [contact["email"] for contact in client.api("GET", "/contacts")["contacts"]] == ["adam@loops.so"]
    assert {each["messageId"]: each["outcome"] for each in client.deliveries()} == {
        "m-1": "delivered",
        "m-9": "rejected",
    }


def test_an_event_that_needs_a_new_idempotency_key_needs_permission(client: Client, clock: Clock) -> None:
    """A dead letter whose idempotency key Loops may have forgotten is redriven only with `repeat`."""
    (dead_letter,) = bury(client, KEYED)
    clock.sleep(24 * 3600)
    assert dead_letters(client)[0]["needsNewIdempotencyKey"] is True
    assert redrive(client, {"ids": [dead_letter]}) == ["needs-new-idempotency-key"]
    clock.sleep(1)
    assert len(dead_letters(client)) == 1
    assert redrive(client, {"ids": [dead_letter], "repeat": True}) == ["redriven"]


def test_an_event_that_was_too_old_needs_permission(client: Client) -> None:
    """A dead letter of an event that was too old on arrival is marked, and redriven only with `acceptOld`."""
    assert client.segment(KEYED | {"timestamp": "2020-01-01T00:00:00Z"}) == 400
    (dead_letter,) = dead_letters(client)
    assert (dead_letter["reason"], dead_letter["tooOld"], dead_letter["needsNewIdempotencyKey"]) == (
        "too-old",
        True,
        False,
    )
    ids = [dead_letter["id"]]
    assert redrive(client, {"ids": ids, "repeat": True}) == ["too-old"]
    client.stack.clock.sleep(1)
    assert redrive(client, {"ids": ids, "acceptOld": True}) == ["redriven"]
    client.stack.redeliver()
    assert [event["name"] for event in client.api("GET", "/events")["events"]] == ["Signed Up"]


def test_a_body_that_is_not_an_event_is_shown_and_stays(client: Client) -> None:
    """The dead letter of a body that is not an event shows the body, and cannot be redriven."""
    client.segment({"json": 5})
    (dead_letter,) = dead_letters(client)
    assert (dead_letter["reason"], dead_letter["canBeRedriven"], dead_letter["content"]) == (
        "not-an-event",
        False,
        '{"json": 5}',
    )
    assert redrive(client, {"ids": [dead_letter["id"]]}) == ["no-event"]
    assert len(dead_letters(client)) == 1


def test_dead_letters_are_dropped(client: Client) -> None:
    """Only the selected dead letters are deleted; an id that no longer exists is not counted."""
    first, second = bury(client, ADAM, KEYED)
    assert client.api("POST", "/queues/drop", {"ids": [first, "gone"]}) == {"dropped": 1}
    assert [dead_letter["id"] for dead_letter in dead_letters(client)] == [second]


def test_faults_are_simulated_until_they_are_cleared(client: Client, clock: Clock) -> None:
    """Faults are listed and simulated until they are cleared; with SQS and Loops down, the answer is 503."""
    client.api("POST", "/faults", {"kind": "status", "status": 500, "times": None})
    client.api("POST", "/faults/sqs", {})
    status = client.api("GET", "/status")
    assert [(fault["status"], fault["times"]) for fault in status["faults"]] == [(500, None)]
    assert status["sqsIsDown"] is True
    assert client.segment(ADAM) == 503
    client.api("DELETE", "/faults", {})
    status = client.api("GET", "/status")
    assert (status["faults"], status["sqsIsDown"]) == ([], False)
    clock.sleep(60)  # until no call that Loops may still apply is under way
    assert client.segment(ADAM) == 200
    assert [each["outcome"] for each in client.deliveries()] == ["delivered", "denied"]


def test_an_invalid_fault_is_answered_400(client: Client) -> None:
    """A fault of an unknown kind is answered 400."""
    assert client.call("POST", "/studio/api/faults", {"kind": "nothing"}).status == 400
