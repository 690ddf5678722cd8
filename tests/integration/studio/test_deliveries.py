"""What became of each event, what Loops was asked and what it answered."""

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


def test_a_delivery_shows_its_whole_way(client: Client) -> None:
    """Of an event there are the event, the mapped payload, the request, and Loops' answer."""
    client.segment(ADAM)
    (told,) = client.deliveries()
    assert (told["type"], told["messageId"], told["outcome"], told["attempts"]) == ("identify", "m-1", "delivered", 1)
    assert json.loads(told["event"]) == ADAM
    assert told["preview"]["mapped"]["email"] == "adam@loops.so"
    assert told["preview"]["request"]["body"]["userId"] == "u-1"
    assert [(call["status"], call["body"]) for call in told["calls"]] == [(200, {"success": True, "id": "contact-1"})]


def test_a_batch_is_told_event_by_event(client: Client) -> None:
    """Each result of a batch stands with its own event, without a messageId too, and for what is no event."""
    unnamed = {key: value for key, value in TRACK.items() if key != "messageId"}
    events: list[Any] = [ADAM, {"type": "page"}, unnamed, unnamed | {"event": "Left"}, 5]
    assert client.segment(*events) == 207
    told = [(each["outcome"], each["name"], json.loads(each["event"])) for each in client.deliveries()]
    assert list(reversed(told)) == [
        ("delivered", "Create or update a contact", ADAM),
        ("filtered", None, {"type": "page"}),
        ("delivered", "Send an event", unnamed),
        ("delivered", "Send an event", unnamed | {"event": "Left"}),
        ("rejected", None, 5),
    ]


def test_an_object_without_a_type_is_told(client: Client) -> None:
    """What a wrong data mapping sends is a rejected delivery with its text; sent again it is rejected again."""
    assert client.segment({"email": "adam@loops.so"}) == 400
    (told,) = client.deliveries()
    assert (told["outcome"], told["reason"], told["event"]) == (
        "rejected", "not-an-event", '{\n  "email": "adam@loops.so"\n}',
    )  # fmt: skip
    assert client.api("POST", f"/deliveries/{told['id']}/again", {})["status"] == 400


def test_an_unsigned_request_is_told(client: Client) -> None:
    """A request that was not let in is there with its reason and what was sent."""
    client.call("POST", "/events", {"type": "track"})
    (told,) = client.deliveries()
    assert (told["outcome"], told["reason"], told["status"]) == ("refused", "bad-signature", 401)
    assert json.loads(told["event"]) == {"type": "track"}


def test_a_retry_is_seen_until_it_arrives(client: Client, clock: Clock) -> None:
    """A queued delivery stays one delivery over its tries, each with Loops' answer, until it is delivered."""
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
        (told,) = client.deliveries()
        assert (told["outcome"], told["attempts"]) == expected
    assert [call["status"] for call in told["calls"]] == [500, 500, 200]
    assert told["reason"] is None
    assert client.api("GET", "/queues")["waiting"] == []


def test_a_retry_that_ends_as_a_dead_letter_is_rejected(client: Client, clock: Clock) -> None:
    """A delivery that Loops refuses at a later try is told as rejected, with the reason of its letter."""
    fail(client)
    client.segment(ADAM)
    fail(client, status=422, body={"message": "No such thing."})
    clock.sleep(60)
    client.stack.redeliver()
    (told,) = client.deliveries()
    assert (told["outcome"], told["reason"], told["detail"]) == ("rejected", "refused", "No such thing.")


def test_what_was_not_tried_counts_as_no_attempt(client: Client) -> None:
    """An event that no subscription takes, and one with an invalid payload, were never sent."""
    client.segment({"type": "page", "messageId": "m-3"})
    client.segment(ADAM | {"traits": {"email": "nobody"}})
    assert [(each["outcome"], each["attempts"], each["calls"]) for each in client.deliveries()] == [
        ("rejected", 0, []),
        ("filtered", 0, []),
    ]


def test_what_was_put_on_the_queue_is_told_too(client: Client) -> None:
    """A message that did not come by the webhook is a delivery of its own."""
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
    (told,) = client.deliveries()
    assert (told["path"], told["outcome"], told["attempts"], told["key"]) == ("RetryQueue", "delivered", 2, "k-1")


def test_a_test_event_is_new_every_time(client: Client) -> None:
    """What is sent from the page goes the whole way under a messageId of its own, and shows Loops' answer."""
    client.segment(ADAM)
    for _ in range(2):
        told = client.api("POST", "/send", {"event": json.dumps(TRACK)})
        (made,) = told["deliveries"]
        assert (told["status"], made["outcome"], made["calls"][0]["status"]) == (200, "delivered", 200)
        assert made["messageId"].startswith("segment-test-message-")
    assert [event["occurrence"] for event in client.api("GET", "/audience")["events"]] == [1, 1]


def test_the_same_event_again_mails_nobody_twice(client: Client) -> None:
    """A delivery that is sent again has its own key, so that Loops, which has it, says 409, and takes it once."""
    client.segment(ADAM)
    client.segment(TRACK)
    number = client.api("GET", "/deliveries")["deliveries"][0]["id"]
    told = client.api("POST", f"/deliveries/{number}/again", {})
    assert [(each["outcome"], each["calls"][0]["status"]) for each in told["deliveries"]] == [("delivered", 409)]
    assert len(client.api("GET", "/audience")["events"]) == 1


@pytest.mark.parametrize("path", ["/deliveries/99", "/deliveries/99/again"])
def test_what_is_forgotten_is_not_found(client: Client, path: str) -> None:
    """A delivery that is not remembered is told so."""
    method, body = ("POST", {}) if path.endswith("again") else ("GET", None)
    assert client.call(method, f"/studio/api{path}", body).status == 404


def test_the_real_loops_is_asked_only_with_a_word(real: tuple[Client, Sandbox]) -> None:
    """Against a Loops that is not the sandbox, nothing is sent, repeated or redriven unless that is confirmed."""
    client, elsewhere = real
    event = json.dumps(ADAM)
    assert client.api("GET", "/status")["sandboxed"] is False
    for path, body in [("/send", {"event": event}), ("/queues/redrive", {"ids": []}), ("/deliveries/1/again", {})]:
        assert client.call("POST", f"/studio/api{path}", body).status == 409
    assert elsewhere.journal.all() == []
    told = client.api("POST", "/send", {"event": event, "confirmed": True})
    assert [each["outcome"] for each in told["deliveries"]] == ["delivered"]
    assert [contact.email for contact in elsewhere.contacts.all()] == ["adam@loops.so"]
    (delivery,) = client.deliveries()
    assert (delivery["attempts"], delivery["calls"]) == (1, [])


def test_the_real_loops_is_not_made_to_fail(real: tuple[Client, Sandbox]) -> None:
    """The switches are for the sandbox."""
    client, _ = real
    assert client.call("POST", "/studio/api/faults", {"kind": "reset"}).status == 409


def test_a_delivery_to_the_real_loops_counts_its_tries(real: tuple[Client, Sandbox], clock: Clock) -> None:
    """Where nobody sees Loops' side, every try of the queue is counted."""
    client, elsewhere = real
    elsewhere.api_key = "another"
    client.segment(ADAM)
    clock.sleep(60)
    elsewhere.api_key = "real-key"
    client.stack.redeliver()
    (told,) = client.deliveries()
    assert (told["outcome"], told["attempts"]) == ("delivered", 2)
