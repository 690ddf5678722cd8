"""Segment's request, from its signature to its answer."""

import json
from dataclasses import replace
from typing import Any

import pytest

from loops_destination.delivery import Breaker, Deliverer
from loops_destination.events import MAX_EVENT_BYTES
from loops_destination.http_api import Reply, WebhookRequest
from loops_destination.loops import Response
from loops_destination.messages import unpack
from loops_destination.observability import Telemetry
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Verifier
from loops_destination.webhook import MAX_DELIVERIES, Webhook
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
    """A webhook with its parts at hand."""

    def __init__(
        self,
        *answers: Response,
        subscriptions: list[Any] | None = None,
        action: str | None = "createOrUpdateContact",
        storage: Storage | None = None,
        seconds: float = 0.0,
    ) -> None:
        self.clock = ManualClock()
        self.loops = ScriptedLoops(*(answers or (DONE,)), clock=self.clock, seconds=seconds)
        self.storage = storage or Storage()
        secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.clock)
        self.webhook = Webhook(
            action=action,
            subscriptions=[CONTACT] if subscriptions is None else subscriptions,
            verifier=Verifier(secrets),
            deliverer=Deliverer(self.loops, secrets, self.clock),
            breaker=Breaker(self.clock),
            storage=self.storage,
            telemetry=Telemetry("test", lambda: "hash-key"),
            clock=self.clock,
            max_event_age_seconds=MAX_EVENT_AGE,
        )

    def subscribe(self, *subscriptions: Any) -> None:
        """Deliver under these subscriptions from now on."""
        self.webhook = replace(self.webhook, subscriptions=subscriptions)

    def post(self, body: Any, sent_at: float | None = None) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.webhook.receive(WebhookRequest(raw, sign(raw, "shared-1"), sent_at=sent_at))


def outcomes(reply: Reply) -> list[tuple[str | None, str | None]]:
    return [(result["outcome"], result.get("reason")) for result in reply.results]


def test_an_event_is_delivered() -> None:
    """An identify is brought to Loops and answered 200, with what became of it."""
    stand = Stand()
    reply = stand.post(IDENTIFY)
    assert reply.status == 200
    assert reply.results == [
        {"messageId": "m-1", "subscription": "contacts", "action": "createOrUpdateContact", "outcome": "delivered"}
    ]
    ((request, key, _),) = stand.loops.calls
    assert (request.path, key) == ("/api/v1/contacts/update", "key-1")
    assert stand.storage.parcels == []


def test_an_event_that_nobody_wants_is_filtered() -> None:
    """An event that no subscription matches is answered 200, and named."""
    reply = Stand().post(TRACK)
    assert reply.status == 200
    assert reply.results == [
        {"messageId": "m-2", "subscription": None, "action": "createOrUpdateContact", "outcome": "filtered"}
    ]


def test_every_subscription_that_matches_has_its_delivery() -> None:
    """One event under two subscriptions is two deliveries with keys of their own."""
    other = Subscription.from_json({"name": "more events", "action": "sendEvent"})
    stand = Stand(subscriptions=[EVENT, other], action="sendEvent")
    assert outcomes(stand.post(TRACK)) == [("delivered", None), ("delivered", None)]
    assert len(set(stand.loops.keys)) == 2


def test_trouble_at_loops_queues_the_event() -> None:
    """When Loops is down the event is on the RetryQueue before it is acknowledged with 202."""
    stand = Stand(DOWN, subscriptions=[EVENT], action="sendEvent")
    reply = stand.post(b'{"type":"track","messageId":"m-2","userId":"u-1","event":"E","properties":{"n":1.10}}')
    assert reply.status == 202
    assert outcomes(reply) == [("queued", "loops-error")]
    (message,) = stand.storage.on("retry")
    assert message["reason"] == "loops-error"
    assert message["attempts"] == 1
    assert message["key"] == stand.loops.keys[0]
    assert message["subscription"] == "events"
    assert '"n":1.10' in stand.storage.parcels[0].message.event


def test_segments_retry_has_the_key_of_the_first_try() -> None:
    """The same event gets the same Idempotency-Key each time it comes, alone or in a batch."""
    stand = Stand(DOWN, subscriptions=[EVENT], action="sendEvent")
    for body in (TRACK, TRACK, [TRACK]):
        stand.post(body)
    assert len(set(stand.loops.keys)) == 1


def test_a_refusal_is_a_dead_letter() -> None:
    """What Loops refuses for good is in the DeadLetterQueue before it is answered 400, with what Loops said."""
    stand = Stand(REFUSED)
    reply = stand.post(IDENTIFY)
    assert reply.status == 400
    assert reply.results[0]["detail"] == "no"
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"], letter["attempts"]) == ("refused", "no", 1)
    assert letter["event"] == IDENTIFY


def test_an_event_without_a_user_id_is_a_dead_letter() -> None:
    """What can never succeed is not sent, kept, and answered 400 with the field."""
    stand = Stand()
    reply = stand.post({"type": "identify", "messageId": "m", "traits": {"email": "adam@loops.so"}})
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "invalid-payload")]
    assert "userId" in reply.results[0]["detail"]
    assert stand.loops.calls == []
    assert [letter["attempts"] for letter in stand.storage.on("dead-letter")] == [0]


@pytest.mark.parametrize("body", [b"", b"no json", b"5", b"\xff\xfe", b"[" * 100_000, b"[1", b'{"a":NaN}'])
def test_a_trusted_body_that_is_no_event_is_a_dead_letter(body: bytes) -> None:
    """What was signed but cannot be read is kept byte for byte, and answered 400."""
    stand = Stand()
    reply = stand.post(body)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "not-an-event")]
    (letter,) = stand.storage.on("dead-letter")
    assert unpack(letter) == body


def test_a_number_in_a_batch_is_a_dead_letter_and_the_others_go_on() -> None:
    """One bad element takes no other with it: 207, the rest is delivered."""
    stand = Stand()
    reply = stand.post([IDENTIFY, 5])
    assert reply.status == 207
    assert outcomes(reply) == [("delivered", None), ("rejected", "not-an-event")]
    assert unpack(stand.storage.on("dead-letter")[0]) == b"5"


def test_an_event_too_large_is_refused_alone_and_kept_in_a_batch() -> None:
    """An event over 256 KB is answered 413; in a batch, where the others count, it is a dead letter."""
    large = {"type": "identify", "traits": {"x": "y" * MAX_EVENT_BYTES}}
    stand = Stand()
    assert stand.post(large).status == 413
    assert stand.storage.parcels == []
    reply = stand.post([large, IDENTIFY])
    assert reply.status == 207
    assert outcomes(reply) == [("rejected", "too-large"), ("delivered", None)]
    assert json.loads(unpack(stand.storage.on("dead-letter")[0])) == large


@pytest.mark.parametrize("answer", [DOWN, REFUSED])
def test_what_is_stored_nowhere_stays_with_segment(answer: Response) -> None:
    """When neither Loops nor SQS takes an event, the answer is 503 and no outcome is claimed."""
    stand = Stand(answer, storage=Storage(down=True))
    reply = stand.post(IDENTIFY)
    assert reply.status == 503
    assert outcomes(reply) == [(None, "not-stored")]


def test_one_event_that_is_stored_nowhere_keeps_the_whole_batch_with_segment() -> None:
    """A batch has one answer: 503 as soon as one of its events is stored nowhere."""
    stand = Stand(DONE, DOWN, storage=Storage(down=True))
    assert stand.post([IDENTIFY, IDENTIFY | {"messageId": "m-3"}]).status == 503


def test_the_breaker_queues_without_trying() -> None:
    """After a 429 the next events are queued at once, without another call, for ten seconds."""
    stand = Stand(TOO_FAST, DONE)
    assert outcomes(stand.post(IDENTIFY)) == [("queued", "rate-limited")]
    assert outcomes(stand.post(IDENTIFY)) == [("queued", "paused")]
    assert len(stand.loops.calls) == 1
    stand.clock.sleep(10)
    assert outcomes(stand.post(IDENTIFY)) == [("delivered", None)]


def test_an_invalid_event_is_rejected_while_loops_is_left_alone() -> None:
    """An invalid event is answered 400 whatever the state of Loops, as long as there is time to map it."""
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
def test_a_call_of_loops_ends_in_time_for_sqs(late: float) -> None:
    """However long Loops takes, the event is stored from 2.5 s after the arrival of its request on."""
    stand = Stand(DOWN, seconds=60)
    reply = stand.post(IDENTIFY, sent_at=NOW - late)
    assert reply.status == 202
    assert stand.clock.now <= NOW - late + 2.5
    assert NOW - late + 3.5 < stand.storage.deadlines[0] < NOW - late + 4


def test_what_cannot_be_tried_in_time_is_not_mapped() -> None:
    """Once the time for trying is over, the rest of a batch is queued unmapped, even if its mappings are slow."""
    stand = Stand()
    subscription = SlowSubscription(stand.clock, mapping=0.7)
    stand.subscribe(subscription)
    reply = stand.post([TRACK | {"messageId": f"m-{number}"} for number in range(20)])
    assert reply.status == 202
    assert subscription.mapped == 4
    assert outcomes(reply)[4:] == [("queued", "no-time-left")] * 16
    assert stand.clock.now <= NOW + 3
    assert len(stand.storage.on("retry")) == 17


def test_the_time_for_trying_shrinks_with_the_number_of_deliveries() -> None:
    """Each delivery of a request takes half a millisecond from the time for trying, for it may have to be stored."""
    tried = []
    for subscriptions in (1, 2, 4, 9):
        definitions = [{"name": f"s{number}", "action": "sendEvent"} for number in range(subscriptions)]
        stand = Stand(subscriptions=[Subscription.from_json(each) for each in definitions], seconds=0.1)
        stand.post([TRACK | {"messageId": f"m-{number}"} for number in range(1000)])
        tried.append(stand.clock.now - NOW)
    assert tried == pytest.approx([1.8, 1.3, 0.3, 0], abs=0.11)


def test_too_many_deliveries_stay_with_segment_untouched() -> None:
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


def test_triggers_that_take_too_long_leave_the_request_with_segment() -> None:
    """When the triggers alone use up the time, the request is answered 503 in time, and nothing of it is sent."""
    stand = Stand()
    subscription = SlowSubscription(stand.clock, matching=0.1)
    stand.subscribe(*[subscription] * 3)
    assert stand.post([TRACK] * 1000).status == 503
    assert stand.clock.now <= NOW + 3
    assert (subscription.mapped, stand.loops.calls) == (0, [])


def test_without_time_left_nothing_is_tried() -> None:
    """A request that waited for a cold start is queued, not tried in a hurry."""
    stand = Stand()
    reply = stand.post(IDENTIFY, sent_at=NOW - 2.4)
    assert outcomes(reply) == [("queued", "no-time-left")]
    assert stand.loops.calls == []


@pytest.mark.parametrize("sent_at", [None, NOW - 10**8, NOW + 5])
def test_a_time_that_cannot_be_true_is_not_counted(sent_at: float | None) -> None:
    """A sample event's old time, or a clock ahead of ours, leaves the event its try."""
    assert outcomes(Stand().post(IDENTIFY, sent_at=sent_at)) == [("delivered", None)]


OLD = TRACK | {"receivedAt": "2026-02-26T11:59:00.000Z", "timestamp": "2026-03-01T12:00:00.000Z"}
"""Got by Segment 72 hours and a minute before the tests' time."""


def test_a_replayed_event_is_rejected() -> None:
    """An event of sendEvent that Segment got over 72 hours before it arrived is a dead letter: it mails nobody again."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    reply = stand.post(OLD)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "too-old")]
    assert reply.results[0]["detail"] == "72 hours old on arrival; MaxEventAgeHours is 72"
    assert stand.loops.calls == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["attempts"], letter["event"]) == ("too-old", 0, OLD)


def test_an_event_at_the_limit_of_its_age_is_sent() -> None:
    """Not until MaxEventAgeHours have passed is an event too old."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    at_the_limit = TRACK | {"receivedAt": "2026-02-26T12:00:00.000Z"}
    assert outcomes(stand.post(at_the_limit)) == [("delivered", None)]


def test_the_timestamp_tells_the_age_otherwise() -> None:
    """An event without `receivedAt` is too old by its `timestamp`; one without either cannot be shown to be old."""
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
def test_age_matters_only_to_what_may_mail(event: dict[str, Any]) -> None:
    """Contacts, deletions and Segment's test events are sent at any age."""
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
def test_the_age_counts_until_the_request_arrived(sent_at: float, outcome: tuple[str, str | None]) -> None:
    """The age ends when API Gateway took the request, so a sample request of long ago has events of its own time."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    assert outcomes(stand.post(OLD, sent_at=sent_at)) == [outcome]


def test_an_old_event_takes_no_other_with_it() -> None:
    """In a batch the events of today are sent, and each old one is a dead letter."""
    stand = Stand(subscriptions=[EVENT], action="sendEvent")
    reply = stand.post([OLD, TRACK | {"messageId": "m-3"}])
    assert reply.status == 207
    assert outcomes(reply) == [("rejected", "too-old"), ("delivered", None)]


@pytest.mark.parametrize("body", [{"email": "adam@loops.so"}, {}, {"type": None}, {"json": {"plan": "pro"}}])
def test_a_body_without_a_type_is_a_dead_letter(body: dict[str, Any]) -> None:
    """What a wrong `data` mapping in Segment sends is kept and answered 400, not filtered in silence."""
    stand = Stand()
    reply = stand.post(body)
    assert reply.status == 400
    assert outcomes(reply) == [("rejected", "not-an-event")]
    assert "data mapping" in reply.results[0]["detail"]
    assert json.loads(unpack(stand.storage.on("dead-letter")[0])) == body


@pytest.mark.parametrize("authorization", ["", "Bearer token-1"])
def test_a_batch_of_segments_http_api_is_taken_apart(authorization: str) -> None:
    """`{"batch": […]}` is delivered event by event when its signature or a bearer token vouches for all of it."""
    stand = Stand(subscriptions=[CONTACT, EVENT], action=None)
    raw = json.dumps({"batch": [IDENTIFY, TRACK, 5], "sentAt": "2026-03-01T12:00:00Z"}).encode()
    signature = "" if authorization else sign(raw, "shared-1")
    reply = stand.webhook.receive(WebhookRequest(raw, signature, authorization))
    assert reply.status == 207
    assert outcomes(reply) == [("delivered", None), ("delivered", None), ("rejected", "not-an-event")]
    assert [result["messageId"] for result in reply.results] == ["m-1", "m-2", None]


def test_a_batch_of_segments_http_api_needs_a_proof_of_all_of_it() -> None:
    """A signature over the first event of `{"batch": […]}` lets nothing in."""
    stand = Stand()
    raw = json.dumps({"batch": [IDENTIFY]}).encode()
    reply = stand.webhook.receive(WebhookRequest(raw, sign(json.dumps(IDENTIFY).encode(), "shared-1")))
    assert (reply.status, reply.reason) == (401, "bad-signature")


def test_a_batch_is_tried_until_its_time_is_over() -> None:
    """A batch is tried for nearly 2.5 s, and the rest is queued."""
    stand = Stand(seconds=0.5)
    reply = stand.post([IDENTIFY | {"messageId": f"m-{number}"} for number in range(20)])
    assert reply.status == 202
    assert [outcome for outcome, _ in outcomes(reply)].count("delivered") == 5
    assert len(stand.storage.on("retry")) == 15


def test_a_batch_stops_at_the_first_429() -> None:
    """One 429 in a batch leaves Loops alone for the rest of it."""
    stand = Stand(DONE, TOO_FAST)
    reply = stand.post([IDENTIFY | {"messageId": f"m-{number}"} for number in range(5)])
    assert [reason for _, reason in outcomes(reply)] == [None, "rate-limited", "paused", "paused", "paused"]
    assert len(stand.loops.calls) == 2


def test_an_empty_batch_is_answered() -> None:
    """Nothing to do is done."""
    reply = Stand().post([])
    assert (reply.status, reply.results) == (200, [])


def test_an_untrusted_request_has_no_results() -> None:
    """A request without a valid signature is refused without a look at its events, and stored nowhere."""
    stand = Stand()
    reply = stand.webhook.receive(WebhookRequest(json.dumps(IDENTIFY).encode(), "0" * 40))
    assert (reply.status, reply.results, reply.reason) == (401, [], "bad-signature")
    assert stand.storage.parcels == []
    assert stand.loops.calls == []


def test_the_one_route_runs_every_action() -> None:
    """With all actions, each event finds its own, a deletion too; what nobody wants names no action."""
    stand = Stand(subscriptions=[CONTACT, EVENT, DELETION], action=None)
    reply = stand.post([IDENTIFY, TRACK, {"type": "delete", "userId": 5}, {"type": "page"}])
    assert [result["action"] for result in reply.results] == [
        "createOrUpdateContact",
        "sendEvent",
        "deleteContact",
        None,
    ]
    assert [request.body for request, _, _ in stand.loops.calls][2] == {"userId": "5"}


def test_an_unknown_contact_is_queued_for_its_identify() -> None:
    """A delivery by userId only waits for the contact; a deletion has nothing to wait for."""
    stand = Stand(UNKNOWN, subscriptions=[EVENT], action="sendEvent")
    assert outcomes(stand.post(TRACK)) == [("queued", "unknown-contact")]


def test_an_event_of_any_text_can_be_stored() -> None:
    """Lone surrogates and all of Unicode are stored in ASCII, and come out as they went in."""
    stand = Stand(DOWN)
    body = '{"type":"identify","userId":"用户 😀","traits":{"email":"a@b.co","x":"\\ud800"}}'
    stand.post(body.encode())
    assert stand.storage.parcels[0].message.to_json().isascii()
    assert stand.storage.on("retry")[0]["event"] == json.loads(body)


def test_a_long_thing_that_is_no_event_is_kept() -> None:
    """Only an event can be too large; what is none, of whatever length, is a dead letter."""
    stand = Stand()
    assert stand.post(["x" * MAX_EVENT_BYTES]).status == 400
    assert len(stand.storage.on("dead-letter")) == 1
