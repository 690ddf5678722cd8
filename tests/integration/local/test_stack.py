"""The whole stack: from Segment's request to the contacts at Loops, also while a part of it is down."""

from __future__ import annotations

import json
import os
import threading
from typing import TYPE_CHECKING, Any

import pytest

from local.sandbox import Fault, PortInUse, Sandbox
from local.stack import LocalStack
from tests.integration.local.conftest import Clock, Segment

if TYPE_CHECKING:
    from local.gateway import Exchange
    from local.runtime import Invocation

ADAM = {
    "userId": "test-user-a5h7xb",
    "traits": {"email": "adam@loops.so", "firstName": "Adam", "favoriteColor": "blue", "favoriteNumber": 42},
}


def _contacts(stack: LocalStack) -> list[dict[str, Any]]:
    return [contact.as_json() for contact in stack.sandbox.contacts.all()]


def test_an_identify_creates_a_contact(stack: LocalStack, segment: Segment) -> None:
    """An identify of an unknown user creates a contact with its email, userId and traits."""
    answer = segment.identify(**ADAM)
    assert (answer.status, answer.outcomes) == (200, ["delivered"])
    (contact,) = _contacts(stack)
    assert (contact["email"], contact["userId"]) == ("adam@loops.so", "test-user-a5h7xb")
    assert (
        contact["properties"] | {"firstName": "Adam", "favoriteColor": "blue", "favoriteNumber": 42}
        == (contact["properties"])
    )


@pytest.mark.parametrize(
    "second",
    [
        {"userId": "test-user-a5h7xb", "traits": {"favoriteColor": "green"}},
        {"userId": "another-user", "traits": {"email": "adam@loops.so", "favoriteColor": "green"}},
    ],
    ids=["by userId", "by email"],
)
def test_a_second_identify_updates_the_same_contact(
    stack: LocalStack, segment: Segment, clock: Clock, second: dict[str, Any]
) -> None:
    """A later identify with a known email or userId updates that contact."""
    segment.identify(**ADAM)
    clock.sleep(1)
    assert segment.identify(messageId="m-2", **second).status == 200
    (contact,) = _contacts(stack)
    assert contact["email"] == "adam@loops.so"
    assert contact["userId"] == second["userId"]
    assert (contact["properties"]["favoriteColor"], contact["properties"]["favoriteNumber"]) == ("green", 42)


def test_a_track_sends_an_event(stack: LocalStack, segment: Segment) -> None:
    """A track sends an event with its name and properties, for its contact."""
    segment.identify(**ADAM)
    answer = segment.track("User Registered", userId="test-user-a5h7xb", properties={"plan": "Pro Annual"})
    assert (answer.status, answer.outcomes) == (200, ["delivered"])
    (event,) = stack.sandbox.events.all()
    assert (event.name, event.properties, event.email) == ("User Registered", {"plan": "Pro Annual"}, "adam@loops.so")


def test_every_route_of_the_template_is_served(stack: LocalStack, segment: Segment) -> None:
    """Each of the three URLs accepts POST, PUT and PATCH, also with a slash or a longer path at its end."""
    for name in ("ContactsUrl", "EventsUrl", "SegmentUrl"):
        for method in ("POST", "PUT", "PATCH"):
            for rest in ("", "/", "/more"):
                response = segment.pool.request(method, stack.outputs[name] + rest, body=b"{}")
                assert (response.status, response.json()["reason"]) == (401, "bad-signature")


def test_an_event_waits_while_loops_is_down(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """While Loops is down an event is answered 202 and waits on the RetryQueue for half a minute; then it is delivered."""
    stack.loops.stop()
    answer = segment.identify(**ADAM)
    assert (answer.status, answer.outcomes) == (202, ["queued"])
    (message,) = map(json.loads, stack.waiting())
    assert message["event"]["userId"] == "test-user-a5h7xb"
    assert stack.redeliver() == 0
    stack.loops.start()
    clock.sleep(31)
    assert stack.redeliver() == 1
    assert [contact["email"] for contact in _contacts(stack)] == ["adam@loops.so"]
    assert stack.waiting() == stack.dead_letters() == []


def test_a_delivery_that_fails_again_stays(stack: LocalStack, segment: Segment, clock: Clock) -> None:
    """A delivery that fails again stays on the RetryQueue, hidden for a while."""
    stack.loops.stop()
    segment.identify(**ADAM)
    clock.sleep(31)
    assert (stack.redeliver(), stack.redeliver(), len(stack.waiting())) == (1, 0, 1)


def test_an_invalid_payload_is_a_dead_letter(stack: LocalStack, segment: Segment) -> None:
    """An event with an invalid payload is answered 400, and is on the DeadLetterQueue."""
    answer = segment.identify(userId="test-user-a5h7xb", traits={"email": "no address"})
    assert (answer.status, answer.outcomes) == (400, ["rejected"])
    assert [json.loads(dead_letter)["reason"] for dead_letter in stack.dead_letters()] == ["invalid-payload"]


def test_with_loops_and_sqs_down_segment_keeps_the_event(stack: LocalStack, segment: Segment) -> None:
    """An event that neither Loops nor SQS accepts is answered 503, so that Segment sends it again."""
    stack.loops.stop()
    stack.aws.outage("sqs")
    assert segment.identify(**ADAM).status == 503
    stack.aws.recover()
    assert stack.waiting() == []
    assert segment.identify(**ADAM).status == 202


@pytest.mark.parametrize("kind", ["reset", "garbage", "truncated"])
def test_an_event_that_sqs_may_not_have_stored_is_not_acknowledged(
    stack: LocalStack, segment: Segment, kind: Any
) -> None:
    """Without a valid answer of SQS the event is answered 503."""
    stack.loops.stop()
    stack.aws.faults["sqs"].add(Fault(kind=kind, path="/SendMessageBatch", times=None))
    assert segment.identify(**ADAM).status == 503


def test_a_lost_answer_of_sqs_loses_no_event(stack: LocalStack, segment: Segment) -> None:
    """If SQS stores a message but its answer is lost, the event is stored again and acknowledged."""
    stack.loops.stop()
    stack.aws.faults["sqs"].add(Fault(kind="reset", processed=True))
    assert segment.identify(**ADAM).status == 202
    assert len({json.loads(message)["idempotencyKey"] for message in stack.waiting()}) == 1


def test_with_secrets_manager_down_segment_keeps_the_event(stack: LocalStack, segment: Segment) -> None:
    """A cold function that cannot read its secret answers 503; once it can, it delivers."""
    stack.aws.outage("secretsmanager")
    answer = segment.identify(**ADAM)
    assert (answer.status, answer.json["reason"]) == (503, "secret-unavailable")
    stack.aws.recover()
    assert segment.identify(**ADAM).status == 200


def test_a_warm_function_works_during_an_outage_of_secrets_manager(
    stack: LocalStack, segment: Segment, clock: Clock
) -> None:
    """A function that has read its secret keeps using it; a new environment answers 503."""
    segment.identify(**ADAM)
    stack.aws.outage("secretsmanager")
    clock.sleep(600)
    assert segment.identify(**ADAM).status == 200
    stack.freeze()
    assert segment.identify(**ADAM).status == 503


def test_a_rotated_secret_is_picked_up(stack: LocalStack, segment: Segment) -> None:
    """After a rotation the new and the previous shared secret are valid, and no other."""
    stack.put_secret(apiKey=stack.sandbox.api_key, sharedSecret="the-new-one")
    event = {"type": "page", "messageId": "m-1"}
    assert segment.post("/segment", event, "the-new-one").status == 200
    assert segment.post("/segment", event).status == 200
    assert segment.post("/segment", event, "another").status == 401


def test_concurrent_events_are_all_delivered(clock: Clock, pool: Any) -> None:
    """Concurrent requests are processed by several environments, and all events are delivered."""
    sandbox = Sandbox(clock=clock.time, sleep=clock.sleep, limit=None)
    with LocalStack(clock=clock, sandbox=sandbox, polling=False, environments=4) as stack:
        segment = Segment(stack, pool)
        statuses: list[int] = []

        def identify(number: int) -> None:
            traits = {"email": f"person-{number}@example.com"}
            statuses.append(segment.identify(messageId=f"m-{number}", userId=f"u-{number}", traits=traits).status)

        threads = [threading.Thread(target=identify, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert statuses == [200] * 8
        assert len(sandbox.contacts.all()) == 8


def test_the_poller_delivers_waiting_messages() -> None:
    """A stack with `polling` delivers a waiting message without `redeliver()`."""
    arrived = threading.Event()
    stack = LocalStack()
    stack.on_invocation.append(lambda _: arrived.set())
    with stack:
        event = {"type": "identify", "userId": "u-1", "traits": {"email": "ada@example.com"}}
        message = {
            "version": 1,
            "action": "createOrUpdateContact",
            "subscription": "create-or-update-a-contact",
            "idempotencyKey": "k-1",
            "event": event,
            "receivedAt": "2026-03-01T12:00:00.000Z",
            "reason": "timeout",
            "attempts": 1,
        }
        stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=json.dumps(message))
        assert arrived.wait(10)
        assert [contact.email for contact in stack.sandbox.contacts.all()] == ["ada@example.com"]
    assert stack.pollers
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("poller")]


def test_listeners_are_called_after_everything(clock: Clock, pool: Any) -> None:
    """Listeners are called with every request and its answer, and with every invocation and its result."""
    exchanges: list[Exchange] = []
    invocations: list[Invocation] = []
    stack = LocalStack(clock=clock, polling=False)
    stack.on_exchange.append(exchanges.append)
    stack.on_invocation.append(invocations.append)
    with stack:
        Segment(stack, pool).identify(**ADAM)
        pool.request("GET", f"{stack.gateway.root}/nowhere")
    first, second = exchanges
    assert (first.method, first.path, first.function, first.status) == (
        "POST",
        "/contacts",
        "ContactUpsertFunction",
        200,
    )
    assert json.loads(first.body)["results"][0]["outcome"] == "delivered"
    assert (second.path, second.function, second.status) == ("/nowhere", None, 404)
    assert [(call.function, call.failed) for call in invocations] == [("ContactUpsertFunction", False)]


def test_a_port_in_use_leaves_nothing_running(stack: LocalStack, clock: Clock) -> None:
    """A stack that cannot get one of its ports raises, and stops what it has started."""
    environment = dict(os.environ)
    with pytest.raises(PortInUse) as caught, LocalStack(clock=clock, gateway_port=stack.gateway.port):
        pass
    assert caught.value.port == stack.gateway.port
    assert dict(os.environ) == environment


def test_the_outputs_lead_to_this_machine(stack: LocalStack) -> None:
    """The outputs have the names of a deployed stack's, and the URLs of this machine."""
    assert set(stack.outputs) >= {"ContactsUrl", "EventsUrl", "SegmentUrl", "RetryQueueUrl", "DeadLetterQueueUrl"}
    assert stack.outputs["SegmentUrl"] == f"{stack.gateway.root}/segment"
    assert stack.outputs["SecretArn"] == stack.secret_arn
