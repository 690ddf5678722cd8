"""The deliveries that the studio shows, with Loops' calls and responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from local.sandbox import Sandbox
from tests.integration.local.conftest import Clock
from tests.integration.studio.conftest import ADAM, Client

TRACK = {"type": "track", "messageId": "m-2", "userId": "u-1", "event": "Signed Up", "properties": {"plan": "pro"}}


def fail(client: Client, **fault: Any) -> None:
    client.api("POST", "/faults", {"kind": "status", "status": 500} | fault)


def test_a_delivery_shows_every_step(client: Client) -> None:
    """A delivery shows the event, the mapped payload, the request, and Loops' response."""
    client.segment(ADAM)
    (shown,) = client.deliveries()
    assert (shown["type"], shown["messageId"], shown["outcome"], shown["attempts"]) == (
        "identify",
        "m-1",
        "delivered",
        1,
    )
    assert json.loads(shown["event"]) == ADAM
    assert shown["preview"]["mapped"]["email"] == "adam@loops.so"
    assert shown["preview"]["request"]["body"]["userId"] == "u-1"
    assert [(call["status"], call["body"]) for call in shown["calls"]] == [(200, {"success": True, "id": "contact-1"})]


def test_a_batch_is_shown_event_by_event(client: Client) -> None:
    """Each result of a batch is shown with its own event, even without a messageId, and for elements that are not events."""
    unnamed = {key: value for key, value in TRACK.items() if key != "messageId"}
    events: list[Any] = [ADAM, {"type": "page"}, unnamed, unnamed | {"event": "Left"}, 5]
    assert client.segment(*events) == 207
    shown = [(each["outcome"], each["name"], json.loads(each["event"])) for each in client.deliveries()]
    assert list(reversed(shown)) == [
        ("delivered", "Create or update a contact", ADAM),
        ("filtered", None, {"type": "page"}),
        ("delivered", "Send an event", unnamed),
        ("delivered", "Send an event", unnamed | {"event": "Left"}),
        ("rejected", None, 5),
    ]


def test_an_object_without_a_type_is_a_rejected_delivery(client: Client) -> None:
    """An object without a type is a rejected delivery with its text; sent again, it is rejected again."""
    assert client.segment({"email": "adam@loops.so"}) == 400
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["event"]) == (
        "rejected", "not-an-event", '{\n  "email": "adam@loops.so"\n}',
    )  # fmt: skip
    assert client.api("POST", f"/deliveries/{shown['id']}/again", {})["status"] == 400


def test_a_denied_request_is_shown(client: Client) -> None:
    """A denied request is shown with its reason and its body."""
    client.call("POST", "/events", {"type": "track"})
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["status"]) == ("denied", "bad-signature", 401)
    assert json.loads(shown["event"]) == {"type": "track"}


def test_retries_belong_to_one_delivery(client: Client, clock: Clock) -> None:
    """A queued delivery stays one delivery until it is delivered, with Loops' response to every attempt."""
    fail(client, times=2)
    client.segment(ADAM)
    assert [(each["outcome"], each["reason"], each["attempts"]) for each in client.deliveries()] == [
        ("queued", "loops-error", 1)
    ]
    (waiting,) = client.api("GET", "/queues")["waiting"]
    assert waiting["nextAt"] > client.api("GET", "/status")["time"]
    for expected in (("queued", 2), ("delivered", 3)):
        clock.sleep(120)
        client.stack.redeliver()
        (shown,) = client.deliveries()
        assert (shown["outcome"], shown["attempts"]) == expected
    assert [call["status"] for call in shown["calls"]] == [500, 500, 200]
    assert shown["reason"] is None
    assert client.api("GET", "/queues")["waiting"] == []


def test_a_retry_that_ends_as_a_dead_letter_is_rejected(client: Client, clock: Clock) -> None:
    """A delivery that Loops refuses on a later attempt is shown as rejected, with the dead letter's reason."""
    fail(client)
    client.segment(ADAM)
    fail(client, status=422, body={"message": "No such thing."})
    clock.sleep(60)
    client.stack.redeliver()
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["detail"]) == ("rejected", "refused", "No such thing.")


def test_a_retry_that_is_superseded_is_shown_as_such(client: Client, clock: Clock) -> None:
    """A queued update that a newer one has overtaken is shown as superseded, with its own calls only."""
    fail(client)
    client.segment(ADAM)
    clock.sleep(60)
    client.segment(ADAM | {"messageId": "m-9", "traits": {"email": "ada@loops.so"}})
    client.stack.redeliver()
    newer, older = client.deliveries()
    assert (newer["outcome"], newer["attempts"]) == ("delivered", 1)
    assert (older["outcome"], older["reason"], older["attempts"]) == ("superseded", None, 1)
    assert [call["status"] for call in older["calls"]] == [500]


def test_a_retry_that_changes_nothing_is_shown_as_such(client: Client, clock: Clock) -> None:
    """A queued update whose values Loops has already is shown as unchanged, without an attempt."""
    client.segment(ADAM)
    clock.sleep(1)
    client.stack.aws.outage("dynamodb")
    client.segment(ADAM | {"messageId": "m-9"})
    client.stack.aws.recover()
    clock.sleep(60)
    client.stack.redeliver()
    shown, _ = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["attempts"], shown["calls"]) == ("unchanged", None, 0, [])


def test_a_deletion_is_shown_until_its_second_step(client: Client, clock: Clock) -> None:
    """A deletion is queued as begun, without an attempt, and delivered half a minute later."""
    client.segment({"type": "delete", "messageId": "m-3", "userId": "u-1"})
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["attempts"]) == ("queued", "deletion-begun", 0)
    clock.sleep(31)
    client.stack.redeliver()
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["reason"], shown["attempts"]) == ("delivered", None, 1)


def test_only_sent_requests_count_as_attempts(client: Client) -> None:
    """A filtered event, and one with an invalid payload, have no attempts."""
    client.segment({"type": "page", "messageId": "m-3"})
    client.segment(ADAM | {"traits": {"email": "nobody"}})
    assert [(each["outcome"], each["attempts"], each["calls"]) for each in client.deliveries()] == [
        ("rejected", 0, []),
        ("filtered", 0, []),
    ]


def test_a_message_put_on_the_queue_is_a_delivery(client: Client) -> None:
    """A message that did not arrive by the webhook is a delivery of its own."""
    message = {
        "version": 1,
        "action": "createOrUpdateContact",
        "subscription": "create-or-update-a-contact",
        "idempotencyKey": "k-1",
        "event": ADAM,
        "receivedAt": "2026-03-01T12:00:00.000Z",
        "reason": "timeout",
        "attempts": 1,
    }
    stack = client.stack
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=json.dumps(message))
    stack.redeliver()
    (shown,) = client.deliveries()
    assert (shown["path"], shown["outcome"], shown["attempts"], shown["idempotencyKey"]) == (
        "RetryQueue",
        "delivered",
        2,
        "k-1",
    )


def test_a_test_event_is_new_every_time(client: Client) -> None:
    """An event sent from the page gets a new messageId, is delivered, and shows Loops' response."""
    client.segment(ADAM)
    for _ in range(2):
        shown = client.api("POST", "/send", {"event": json.dumps(TRACK)})
        (made,) = shown["deliveries"]
        assert (shown["status"], made["outcome"], made["calls"][0]["status"]) == (200, "delivered", 200)
        assert made["messageId"].startswith("segment-test-message-")
    assert [event["occurrence"] for event in client.api("GET", "/events")["events"]] == [1, 1]


def test_sending_the_same_event_again_is_processed_once(client: Client) -> None:
    """A delivery that is sent again keeps its idempotency key, so the contact ledger knows it, and Loops is not called."""
    client.segment(ADAM)
    client.segment(TRACK)
    number = client.api("GET", "/deliveries")["deliveries"][0]["id"]
    shown = client.api("POST", f"/deliveries/{number}/again", {})
    assert [(each["outcome"], each["calls"]) for each in shown["deliveries"]] == [("delivered", [])]
    assert len(client.api("GET", "/events")["events"]) == 1


@pytest.mark.parametrize("path", ["/deliveries/99", "/deliveries/99/again"])
def test_a_forgotten_delivery_is_not_found(client: Client, path: str) -> None:
    """A delivery that is no longer remembered is answered 404."""
    method, body = ("POST", {}) if path.endswith("again") else ("GET", None)
    assert client.call(method, f"/studio/api{path}", body).status == 404


def test_the_real_loops_needs_a_confirmation(real: tuple[Client, Sandbox]) -> None:
    """With the real Loops, nothing is sent, repeated or redriven without a confirmation."""
    client, elsewhere = real
    event = json.dumps(ADAM)
    assert client.api("GET", "/status")["sandboxed"] is False
    for path, body in [("/send", {"event": event}), ("/queues/redrive", {"ids": []}), ("/deliveries/1/again", {})]:
        assert client.call("POST", f"/studio/api{path}", body).status == 409
    assert elsewhere.journal.all() == []
    shown = client.api("POST", "/send", {"event": event, "confirmed": True})
    assert [each["outcome"] for each in shown["deliveries"]] == ["delivered"]
    assert [contact.email for contact in elsewhere.contacts.all()] == ["adam@loops.so"]
    (delivery,) = client.deliveries()
    assert (delivery["attempts"], delivery["calls"]) == (1, [])


def test_faults_are_for_the_sandbox_only(real: tuple[Client, Sandbox]) -> None:
    """With the real Loops, faults cannot be simulated."""
    client, _ = real
    assert client.call("POST", "/studio/api/faults", {"kind": "reset"}).status == 409


def test_attempts_at_the_real_loops_are_counted(real: tuple[Client, Sandbox], clock: Clock) -> None:
    """With the real Loops, whose calls are unknown, every attempt at redelivery is counted."""
    client, elsewhere = real
    elsewhere.api_key = "another"
    client.segment(ADAM)
    clock.sleep(60)
    elsewhere.api_key = "real-key"
    client.stack.redeliver()
    (shown,) = client.deliveries()
    assert (shown["outcome"], shown["attempts"]) == ("delivered", 2)
