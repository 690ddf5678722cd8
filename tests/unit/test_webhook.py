"""The webhook, from an HTTP request to its answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from loops_destination.breaker import Breaker
from loops_destination.delivery import Deliverer
from loops_destination.events import MAX_EVENT_BYTES
from loops_destination.handlers.webhook import MAX_DELIVERIES, Webhook
from loops_destination.http_api import Reply, WebhookRequest
from loops_destination.loops import Response
from loops_destination.messages import unpack
from loops_destination.observability import Telemetry
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Verifier
from tests.fakes import (
    CONTACT,
    DELETION,
    DONE,
    DOWN,
    EVENT,
    IDENTIFY,
    NOW,
    REFUSED,
    TOO_FAST,
    TRACK,
    UNKNOWN,
    ManualClock,
    ScriptedLoops,
    SlowSubscription,
    Storage,
)

HOUR = 3600
MAX_EVENT_AGE = 72 * HOUR
SECRET = json.dumps({"apiKey": "key-1", "sharedSecret": "shared-1", "bearerToken": "token-1"})


class Stand:
    """A webhook and its fake parts."""

    def __init__(
        self,
        *responses: Response,
        subscriptions: list[Any] | None = None,
        action: str | None = "createOrUpdateContact",
        storage: Storage | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.clock = ManualClock()
        self.loops = ScriptedLoops(*(responses or (DONE,)), clock=self.clock, seconds=seconds)
        self.storage = storage or Storage()
        secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.clock)
        self.webhook = Webhook(
            action=action,
            subscriptions=[CONTACT] if subscriptions is None else subscriptions,
            verifier=Verifier(secrets),
            deliverer=Deliverer(self.loops, secrets, self.clock),
            breaker=Breaker(self.clock),
            store=self.storage,
            telemetry=Telemetry("test", lambda: "hash-key"),
            clock=self.clock,
            max_event_age_seconds=MAX_EVENT_AGE,
        )

    def subscribe(self, *subscriptions: Any) -> None:
        """Use these subscriptions from now on."""
        self.webhook = replace(self.webhook, subscriptions=subscriptions)

    def post(self, body: Any, sent_at: float | None = None) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.webhook.receive(WebhookRequest(raw, sign(raw, "shared-1"), sent_at=sent_at))


def outcomes(reply: Reply) -> list[tuple[str | None, str | None]]:
    return [(result["outcome"], result.get("reason")) for result in reply.results]


def test_an_event_is_delivered() -> None:
    """An identify that Loops takes is answered 200, with its outcome."""
    stand = Stand()
    reply = stand.post(IDENTIFY)
    assert reply.status == 200
    assert reply.results == [
        {"messageId": "m-1", "subscription": "contacts", "action": "createOrUpdateContact", "outcome": "delivered"}
    ]
    ((request, key, _),) = stand.loops.calls
    assert (request.path, key) == ("/api/v1/contacts/update", "key-1")
    assert stand.storage.messages == []


def test_an_event_that_matches_no_subscription_is_filtered() -> None:
    """An event that matches no subscription is answered 200, with the outcome `filtered`."""
    reply = Stand().post(TRACK)
    assert reply.status == 200
    assert reply.results == [
        {"messageId": "m-2", "subscription": None, "action": "createOrUpdateContact", "outcome": "filtered"}
    ]


def test_each_matching_subscription_has_a_delivery() -> None:
    """An event that matches two subscriptions is two deliveries with different idempotency keys."""
    other = Subscription.from_json({"name": "more events", "action": "sendEvent"})
    stand = Stand(subscriptions=[EVENT, other], action="sendEvent")
    assert outcomes(stand.post(TRACK)) == [("delivered", None), ("delivered", None)]
    assert len(set(stand.loops.idempotency_keys)) == 2


def test_an_event_is_queued_while_loops_is_down() -> None:
    """While Loops is down, an event is stored on the RetryQueue, byte for byte, before it is answered 202."""
    stand = Stand(DOWN, subscriptions=[EVENT], action="sendEvent")
    reply = stand.post(b'{"type":"track","messageId":"m-2","userId":"u-1","event":"E","properties":{"n":1.10}}')
    assert reply.status == 202
    assert outcomes(reply) == [("queued", "loops-error")]
    (message,) = stand.storage.on("retry")
    assert message["reason"] == "loops-error"
    assert message["attempts"] == 1
    assert message["idempotencyKey"] == stand.loops.idempotency_keys[0]
    assert message["subscription"] == "events"
    assert '"n":1.10' in stand.storage.messages[0].message.event


def test_a_retry_by_segment_has_the_same_idempotency_key() -> None:
    """An event has the same idempotency key each time that it arrives, alone or in a batch."""
    stand = Stand(DOWN, subscriptions=[EVENT], action="sendEvent")
    for body in (TRACK, TRACK, [TRACK]):
        stand.post(body)
    assert len(set(stand.loops.idempotency_keys)) == 1


def test_an_event_that_loops_refuses_is_a_dead_letter() -> None:
    """An event that Loops refuses is stored on the DeadLetterQueue, with Loops' message, before it is answered 400."""
    stand = Stand(REFUSED)
    reply = stand.post(IDENTIFY)
    assert reply.status == 400
    assert reply.results[0]["detail"] == "no"
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"], letter["attempts"]) == ("refused", "no", 1)
    assert letter["event"] == IDENTIFY


def test_an_event_without_a_user_id_is_a_dead_letter() -> None:
    """An event without a required field is not sent; it becomes a dead letter and is answered 400 with the field."""
    stand = Stand()
    reply = stand.post({"type": "identify", "messageId": "m", "traits": {"email": "adam@loops.so"}})
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "invalid-payload")]
    assert "userId" in reply.results[0]["detail"]
    assert stand.loops.calls == []
    assert [letter["attempts"] for letter in stand.storage.on("dead-letter")] == [0]


@pytest.mark.parametrize("body", [b"", b"no json", b"5", b"\xff\xfe", b"[" * 100_000, b"[1", b'{"a":NaN}'])
def test_a_trusted_body_that_is_no_event_is_a_dead_letter(body: bytes) -> None:
    """A signed body that is not an event is kept byte for byte, and answered 400."""
    stand = Stand()
    reply = stand.post(body)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "not-an-event")]
    (letter,) = stand.storage.on("dead-letter")
    assert unpack(letter) == body


def test_an_invalid_element_of_a_batch_affects_no_other() -> None:
    """An element that is not an event becomes a dead letter; the other events are delivered, and the answer is 207."""
    stand = Stand()
    reply = stand.post([IDENTIFY, 5])
    assert reply.status == 207
    assert outcomes(reply) == [("delivered", None), ("rejected", "not-an-event")]
    assert unpack(stand.storage.on("dead-letter")[0]) == b"5"


def test_an_event_that_is_too_large_is_denied_alone_and_kept_in_a_batch() -> None:
    """An event over 256 KB is answered 413; in a batch it becomes a dead letter, so that the others are delivered."""
    large = {"type": "identify", "traits": {"x": "y" * MAX_EVENT_BYTES}}
    stand = Stand()
    assert stand.post(large).status == 413
    assert stand.storage.messages == []
    reply = stand.post([large, IDENTIFY])
    assert reply.status == 207
    assert outcomes(reply) == [("rejected", "too-large"), ("delivered", None)]
    assert json.loads(unpack(stand.storage.on("dead-letter")[0])) == large


@pytest.mark.parametrize("response", [DOWN, REFUSED])
def test_an_event_that_cannot_be_stored_stays_with_segment(response: Response) -> None:
    """When neither Loops nor SQS takes an event, the answer is 503, and the result has no outcome."""
    stand = Stand(response, storage=Storage(down=True))
    reply = stand.post(IDENTIFY)
    assert reply.status == 503
    assert outcomes(reply) == [(None, "not-stored")]


def test_one_event_that_cannot_be_stored_keeps_the_whole_batch_with_segment() -> None:
    """A batch is answered 503 if one of its events cannot be stored."""
    stand = Stand(DONE, DOWN, storage=Storage(down=True))
    assert stand.post([IDENTIFY, IDENTIFY | {"messageId": "m-3"}]).status == 503


def test_while_the_breaker_is_open_events_are_queued_without_a_call() -> None:
    """For ten seconds after a 429, events are queued without a call to Loops."""
    stand = Stand(TOO_FAST, DONE)
    assert outcomes(stand.post(IDENTIFY)) == [("queued", "rate-limited")]
    assert outcomes(stand.post(IDENTIFY)) == [("queued", "paused")]
    assert len(stand.loops.calls) == 1
    stand.clock.sleep(10)
    assert outcomes(stand.post(IDENTIFY)) == [("delivered", None)]


def test_an_invalid_event_is_rejected_while_the_breaker_is_open() -> None:
    """An invalid event is answered 400 even while the breaker is open, as long as there is time to map it."""
    stand = Stand(TOO_FAST)
    stand.post(IDENTIFY)
    assert stand.post({"type": "identify"}).status == 400
    assert outcomes(stand.post({"type": "identify"}, sent_at=NOW - 2.4)) == [("queued", "no-time-left")]


@pytest.mark.parametrize("late", [0.0, 1.0, 2.4, 3.9])
@pytest.mark.parametrize("count", [1, 400])
def test_every_answer_leaves_within_four_seconds(late: float, count: int) -> None:
    """With Loops and SQS both hanging, a request is answered 503 within 4 s of its arrival at API Gateway."""
    stand = Stand(DOWN, seconds=60)
    stand.storage.hang(stand.clock)
    reply = stand.post([IDENTIFY | {"messageId": f"m-{number}"} for number in range(count)], sent_at=NOW - late)
    assert reply.status == 503
    assert stand.clock.now <= NOW - late + 4


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_a_call_to_loops_ends_in_time_for_sqs(late: float) -> None:
    """A call to Loops ends within 2.5 s of the request's arrival, so there is time to store the event."""
    stand = Stand(DOWN, seconds=60)
    reply = stand.post(IDENTIFY, sent_at=NOW - late)
    assert reply.status == 202
    assert stand.clock.now <= NOW - late + 2.5
    assert NOW - late + 3.5 < stand.storage.deadlines[0] < NOW - late + 4


def test_what_cannot_be_tried_in_time_is_not_mapped() -> None:
    """Once the time for attempts is over, the rest of a batch is queued unmapped, so slow mappings delay no answer."""
    stand = Stand()
    subscription = SlowSubscription(stand.clock, mapping=0.7)
    stand.subscribe(subscription)
    reply = stand.post([TRACK | {"messageId": f"m-{number}"} for number in range(20)])
    assert reply.status == 202
    assert subscription.mapped == 4
    assert outcomes(reply)[4:] == [("queued", "no-time-left")] * 16
    assert stand.clock.now <= NOW + 3
    assert len(stand.storage.on("retry")) == 17


def test_more_deliveries_leave_less_time_for_attempts() -> None:
    """Each delivery of a request shortens the time for attempts by half a millisecond, because it may have to be stored."""
    tried = []
    for subscriptions in (1, 2, 4, 9):
        definitions = [{"name": f"s{number}", "action": "sendEvent"} for number in range(subscriptions)]
        stand = Stand(subscriptions=[Subscription.from_json(each) for each in definitions], seconds=0.1)
        stand.post([TRACK | {"messageId": f"m-{number}"} for number in range(1000)])
        tried.append(stand.clock.now - NOW)
    assert tried == pytest.approx([1.8, 1.3, 0.3, 0], abs=0.11)


def test_a_request_of_too_many_deliveries_stays_with_segment() -> None:
    """A request of more deliveries than can be stored in time is answered 503 before any of them is mapped or stored."""
    stand = Stand()
    subscription = SlowSubscription(stand.clock)
    stand.subscribe(*[subscription] * 50)
    reply = stand.post([TRACK] * 1000)
    assert reply.status == 503
    assert outcomes(reply) == [(None, "not-stored")]
    assert "10,000 deliveries" in reply.results[0]["detail"]
    assert subscription.matched <= MAX_DELIVERIES + 50
    assert (subscription.mapped, stand.loops.calls, stand.storage.deadlines) == (0, [], [])


def test_a_request_whose_triggers_take_too_long_stays_with_segment() -> None:
    """When its triggers alone use up the time, a request is answered 503 in time, and none of its events is sent."""
    stand = Stand()
    subscription = SlowSubscription(stand.clock, matching=0.1)
    stand.subscribe(*[subscription] * 3)
    assert stand.post([TRACK] * 1000).status == 503
    assert stand.clock.now <= NOW + 3
    assert (subscription.mapped, stand.loops.calls) == (0, [])


def test_without_time_left_an_event_is_queued_without_a_call() -> None:
    """An event whose request waited long for a cold start is queued without a call to Loops."""
    stand = Stand()
    reply = stand.post(IDENTIFY, sent_at=NOW - 2.4)
    assert outcomes(reply) == [("queued", "no-time-left")]
    assert stand.loops.calls == []


@pytest.mark.parametrize("sent_at", [None, NOW - 10**8, NOW + 5])
def test_an_implausible_time_of_arrival_is_ignored(sent_at: float | None) -> None:
    """A request that arrived long ago, as a sample does, or in the future has all the time for its attempt."""
    assert outcomes(Stand().post(IDENTIFY, sent_at=sent_at)) == [("delivered", None)]


OLD = TRACK | {"receivedAt": "2026-02-26T11:59:00.000Z", "timestamp": "2026-03-01T12:00:00.000Z"}
"""An event that Segment received 72 hours and a minute before `NOW`."""


def test_a_replayed_event_is_rejected() -> None:
    """A sendEvent delivery whose event Segment received over 72 hours before its arrival becomes a dead letter."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    reply = stand.post(OLD)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "too-old")]
    assert reply.results[0]["detail"] == "72 hours old on arrival; MaxEventAgeHours is 72"
    assert stand.loops.calls == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["attempts"], letter["event"]) == ("too-old", 0, OLD)


def test_an_event_of_exactly_the_maximum_age_is_sent() -> None:
    """An event is not too old until it is older than MaxEventAgeHours."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    at_the_limit = TRACK | {"receivedAt": "2026-02-26T12:00:00.000Z"}
    assert outcomes(stand.post(at_the_limit)) == [("delivered", None)]


def test_without_received_at_the_timestamp_gives_the_age() -> None:
    """Without `receivedAt`, the age of an event counts from its `timestamp`; an event without either is sent."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    assert outcomes(stand.post(TRACK | {"timestamp": "2026-02-01T12:00:00Z"})) == [("rejected", "too-old")]
    assert outcomes(stand.post(TRACK)) == [("delivered", None)]


@pytest.mark.parametrize(
    "event",
    [
        IDENTIFY | {"receivedAt": "2025-03-01T12:00:00Z"},
        {"type": "delete", "userId": "u-1", "receivedAt": "2025-03-01T12:00:00Z"},
        OLD | {"messageId": "segment-test-message-1"},
    ],
    ids=["contact", "deletion", "test event"],
)
def test_contacts_deletions_and_test_events_are_sent_at_any_age(event: dict[str, Any]) -> None:
    """No age is too old for a contact update, a deletion or a test event of Segment."""
    stand = Stand(subscriptions=[CONTACT, EVENT, DELETION], action=None)
    assert outcomes(stand.post(event)) == [("delivered", None)]


@pytest.mark.parametrize(
    ("sent_at", "outcome"),
    [
        (NOW - 2, ("rejected", "too-old")),
        (NOW + 5, ("rejected", "too-old")),
        (NOW - 3600, ("delivered", None)),
        (NOW - 10**8, ("delivered", None)),
    ],
    ids=["live", "ahead of our clock", "an hour ago", "a sample of years ago"],
)
def test_the_age_of_an_event_ends_with_the_arrival_of_its_request(
    sent_at: float, outcome: tuple[str, str | None]
) -> None:
    """The age is that on arrival at API Gateway, so the events of a sample request of long ago are not too old."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    assert outcomes(stand.post(OLD, sent_at=sent_at)) == [outcome]


def test_an_old_event_in_a_batch_affects_no_other() -> None:
    """In a batch, old events become dead letters and the others are sent."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    reply = stand.post([OLD, TRACK | {"messageId": "m-3"}])
    assert reply.status == 207
    assert outcomes(reply) == [("rejected", "too-old"), ("delivered", None)]


@pytest.mark.parametrize("body", [{"email": "adam@loops.so"}, {}, {"type": None}, {"json": {"plan": "pro"}}])
def test_a_body_without_a_type_is_a_dead_letter(body: dict[str, Any]) -> None:
    """An object without a `type`, as a wrong `data` mapping in Segment sends it, becomes a dead letter and is not filtered."""
    stand = Stand()
    reply = stand.post(body)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "not-an-event")]
    assert "data mapping" in reply.results[0]["detail"]
    assert json.loads(unpack(stand.storage.on("dead-letter")[0])) == body


@pytest.mark.parametrize("authorization", ["", "Bearer token-1"])
def test_a_batch_object_is_delivered_event_by_event(authorization: str) -> None:
    """The events in `{"batch": […]}` are delivered if a signature of the whole body, or a bearer token, vouches for them."""
    stand = Stand(subscriptions=[CONTACT, EVENT], action=None)
    raw = json.dumps({"batch": [IDENTIFY, TRACK, 5], "sentAt": "2026-03-01T12:00:00Z"}).encode()
    signature = "" if authorization else sign(raw, "shared-1")
    reply = stand.webhook.receive(WebhookRequest(raw, signature, authorization))
    assert reply.status == 207
    assert outcomes(reply) == [("delivered", None), ("delivered", None), ("rejected", "not-an-event")]
    assert [result["messageId"] for result in reply.results] == ["m-1", "m-2", None]


def test_a_batch_object_needs_a_signature_of_the_whole_body() -> None:
    """A signature of the first event in `{"batch": […]}` is not enough: the request is denied."""
    stand = Stand()
    raw = json.dumps({"batch": [IDENTIFY]}).encode()
    reply = stand.webhook.receive(WebhookRequest(raw, sign(json.dumps(IDENTIFY).encode(), "shared-1")))
    assert (reply.status, reply.reason) == (401, "bad-signature")


def test_a_batch_is_queued_when_its_time_for_attempts_is_over() -> None:
    """Events of a batch are tried for 2.5 s at most, and the rest is queued."""
    stand = Stand(seconds=0.5)
    reply = stand.post([IDENTIFY | {"messageId": f"m-{number}"} for number in range(20)])
    assert reply.status == 202
    assert [outcome for outcome, _ in outcomes(reply)].count("delivered") == 5
    assert len(stand.storage.on("retry")) == 15


def test_a_batch_stops_at_the_first_429() -> None:
    """After a 429, the rest of a batch is queued without a call."""
    stand = Stand(DONE, TOO_FAST)
    reply = stand.post([IDENTIFY | {"messageId": f"m-{number}"} for number in range(5)])
    assert [reason for _, reason in outcomes(reply)] == [None, "rate-limited", "paused", "paused", "paused"]
    assert len(stand.loops.calls) == 2


def test_an_empty_batch_is_answered() -> None:
    """An empty batch is answered 200, without results."""
    reply = Stand().post([])
    assert (reply.status, reply.results) == (200, [])


def test_an_untrusted_request_is_denied() -> None:
    """A request without a valid signature is answered 401; none of its events is sent or stored."""
    stand = Stand()
    reply = stand.webhook.receive(WebhookRequest(json.dumps(IDENTIFY).encode(), "0" * 40))
    assert (reply.status, reply.results, reply.reason) == (401, [], "bad-signature")
    assert stand.storage.messages == []
    assert stand.loops.calls == []


def test_a_web_function_with_all_actions_delivers_by_each() -> None:
    """With all actions, each event is delivered by the action that it matches; a filtered event names no action."""
    stand = Stand(subscriptions=[CONTACT, EVENT, DELETION], action=None)
    reply = stand.post([IDENTIFY, TRACK, {"type": "delete", "userId": 5}, {"type": "page"}])
    assert [result["action"] for result in reply.results] == [
        "createOrUpdateContact",
        "sendEvent",
        "deleteContact",
        None,
    ]
    assert [request.body for request, _, _ in stand.loops.calls][2] == {"userId": "5"}


def test_an_event_of_an_unknown_contact_is_queued() -> None:
    """An event that names its contact by userId only waits for the contact's identify."""
    stand = Stand(UNKNOWN, subscriptions=[EVENT], action="sendEvent")
    assert outcomes(stand.post(TRACK)) == [("queued", "unknown-contact")]


def test_an_event_with_any_text_can_be_stored() -> None:
    """Events with lone surrogates and any Unicode text are stored in ASCII, and are read back unchanged."""
    stand = Stand(DOWN)
    body = '{"type":"identify","userId":"用户 😀","traits":{"email":"a@b.co","x":"\\ud800"}}'
    stand.post(body.encode())
    assert stand.storage.messages[0].message.to_json().isascii()
    assert stand.storage.on("retry")[0]["event"] == json.loads(body)


def test_a_large_element_that_is_not_an_event_is_kept() -> None:
    """An element that is not an event becomes a dead letter, even if it is large."""
    stand = Stand()
    assert stand.post(["x" * MAX_EVENT_BYTES]).status == 400
    assert len(stand.storage.on("dead-letter")) == 1
