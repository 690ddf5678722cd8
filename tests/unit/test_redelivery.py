"""Redelivery, from a batch of messages to those that stay on the RetryQueue."""

import json
from dataclasses import replace
from typing import Any

import pytest

from loops_destination.delivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS, Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.loops import Response
from loops_destination.messages import Message, ascii_json, unpack
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage
from loops_destination.subscriptions import Subscription
from tests.fakes import (
    API_KEY_REFUSED,
    CONTACT,
    DONE,
    DOWN,
    EVENT,
    IDENTIFY,
    NOW,
    REFUSED,
    TOO_FAST,
    TRACK,
    UNKNOWN,
    USED,
    Keyring,
    ManualClock,
    ScriptedLoops,
    SlowSubscription,
    Storage,
    lines,
)

HOUR = 3600
RETRY_FOR = 72 * HOUR
MAX_EVENT_AGE = 72 * HOUR
DISABLED = Subscription.from_json({"name": "off", "action": "sendEvent", "enabled": False})

IDENTIFY_MESSAGE = Message(
    idempotency_key="key-1",
    received_at=NOW,
    reason=Reason.TIMEOUT,
    event=ascii_json(IDENTIFY),
    action="createOrUpdateContact",
    subscription="contacts",
)
TRACK_MESSAGE = Message(
    idempotency_key="key-2",
    received_at=NOW,
    reason=Reason.TIMEOUT,
    event=ascii_json(TRACK),
    action="sendEvent",
    subscription="events",
    attempts=1,
)


class Stand:
    """A redelivery and its fake parts; `age` is how long, in seconds, the messages have waited."""

    def __init__(
        self,
        *responses: Response,
        age: float = 60,
        storage: Storage | None = None,
        seconds: float = 0.0,
        max_event_age: float = MAX_EVENT_AGE,
    ) -> None:
        self.clock = ManualClock(NOW + age)
        self.loops = ScriptedLoops(*(responses or (DONE,)), clock=self.clock, seconds=seconds)
        self.storage = storage or Storage()
        self.telemetry = Telemetry("test", lambda: "hash-key")
        self.redelivery = self._redelivery(EVENT, max_event_age)

    def slow_down_events(self, *, mapping: float) -> SlowSubscription:
        """Make every mapping of `events` take this many seconds."""
        slow = SlowSubscription(self.clock, mapping=mapping)
        self.redelivery = self._redelivery(slow)
        return slow

    def _redelivery(self, events: Any, max_event_age: float = MAX_EVENT_AGE) -> Redelivery:
        return Redelivery(
            subscriptions=[CONTACT, events, DISABLED],
            deliverer=Deliverer(self.loops, Keyring("api-key"), self.clock),
            store=self.storage,
            telemetry=self.telemetry,
            clock=self.clock,
            pacer=Pacer(10, self.clock),
            calls_at_once=1,
            retry_for_seconds=RETRY_FOR,
            max_event_age_seconds=max_event_age,
        )

    def deliver(
        self, *messages: Message | str, sent_at: float = NOW, receives: int = 1, seconds: float = 30
    ) -> list[str]:
        bodies = [text if isinstance(text, str) else text.to_json() for text in messages]
        received = [
            ReceivedMessage(
                message_id=str(number), receipt=f"receipt-{number}", body=body, sent_at=sent_at, receives=receives
            )
            for number, body in enumerate(bodies)
        ]
        return self.redelivery.deliver(received, seconds)


def test_a_delivered_message_is_deleted() -> None:
    """A message whose event Loops takes, under the message's idempotency key, leaves the queue."""
    stand = Stand()
    assert stand.deliver(TRACK_MESSAGE) == []
    assert stand.loops.idempotency_keys == ["key-2"]
    assert stand.storage.messages == []


def test_a_409_after_a_lost_response_counts_as_delivered() -> None:
    """A message that is answered 409 after an attempt without a response leaves the queue: Loops has its event."""
    assert Stand(USED).deliver(TRACK_MESSAGE) == []


@pytest.mark.parametrize("response", [DOWN, API_KEY_REFUSED])
def test_a_message_stays_while_loops_is_in_trouble(response: Response) -> None:
    """When Loops does not take the event, the message stays on the queue and is hidden for half its age."""
    stand = Stand(response, age=1000)
    assert stand.deliver(IDENTIFY_MESSAGE) == ["0"]
    assert 375 <= stand.storage.postponed["receipt-0"] <= 625
    assert stand.storage.messages == []


@pytest.mark.parametrize(("age", "lowest", "highest"), [(0, 5, 5), (6, 5, 5), (10**5, 3600, 3600)])
def test_a_pause_is_between_five_seconds_and_an_hour(age: float, lowest: int, highest: int) -> None:
    """Whatever its age, a message is hidden for at least five seconds and at most an hour."""
    stand = Stand(DOWN, age=age)
    stand.deliver(IDENTIFY_MESSAGE)
    assert lowest <= stand.storage.postponed["receipt-0"] <= highest


def test_a_429_stops_the_rest_of_the_batch() -> None:
    """After a 429 no other message of the batch is sent, and all of them wait about ten seconds whatever their age."""
    stand = Stand(DONE, TOO_FAST, DONE, age=10_000)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 5) == ["1", "2", "3", "4"]
    assert len(stand.loops.calls) == 2
    assert all(7 <= seconds <= 13 for seconds in stand.storage.postponed.values())


@pytest.mark.parametrize(("receives", "lowest", "highest"), [(1, 7, 13), (30, 225, 375), (500, 3600, 3600)])
def test_pauses_for_a_turn_grow_with_each_receive(receives: int, lowest: int, highest: int) -> None:
    """After a 429, the pauses of the messages grow with the number of their receives, up to an hour."""
    stand = Stand(TOO_FAST, age=10_000)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 2, receives=receives) == ["0", "1"]
    assert len(stand.loops.calls) == 1
    assert all(lowest <= seconds <= highest for seconds in stand.storage.postponed.values())


def test_the_last_attempt_is_made_despite_a_429() -> None:
    """A delivery that has waited for RetryForHours makes its last attempt even after a 429 in its batch."""
    stand = Stand(TOO_FAST, age=RETRY_FOR)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 3) == []
    assert len(stand.loops.calls) == 3
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["retries-exhausted"] * 3


def test_the_log_and_loops_latency_carry_the_duration_of_the_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    """The duration is that of the call to Loops, without the wait for a turn."""
    stand = Stand(DOWN, DONE, seconds=0.25)
    stand.deliver(*[IDENTIFY_MESSAGE] * 3)
    stand.telemetry.flush()
    *deliveries, metrics = lines(capsys.readouterr().out)
    assert [line["latency_ms"] for line in deliveries] == [250.0] * 3
    assert metrics["LoopsLatency"] == pytest.approx([250.0] * 3)


def test_the_oldest_delivery_of_an_invocation_is_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    """The metric is the wait of the oldest delivery in the batch; an invocation without messages writes none."""
    stand = Stand(DONE, age=5000)
    stand.redelivery.deliver(
        [
            ReceivedMessage(message_id="young", receipt="r-1", body=IDENTIFY_MESSAGE.to_json(), sent_at=NOW + 4000),
            ReceivedMessage(message_id="old", receipt="r-2", body=IDENTIFY_MESSAGE.to_json(), sent_at=NOW),
        ],
        30,
    )
    stand.telemetry.flush()
    stand.deliver()
    stand.telemetry.flush()
    (metrics,) = [line for line in lines(capsys.readouterr().out) if "_aws" in line]
    assert metrics["OldestDeliverySeconds"] == [5000.0]
    (declared,) = metrics["_aws"]["CloudWatchMetrics"]
    assert {"Name": "OldestDeliverySeconds", "Unit": "Seconds"} in declared["Metrics"]


def test_an_event_that_loops_refuses_is_a_dead_letter() -> None:
    """An event that Loops refuses moves to the DeadLetterQueue, with Loops' message and status."""
    stand = Stand(REFUSED)
    assert stand.deliver(TRACK_MESSAGE) == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"], letter["attempts"], letter["idempotencyKey"]) == (
        "refused",
        "no",
        2,
        "key-2",
    )
    assert letter["event"] == TRACK
    assert stand.storage.messages[0].attributes["status"] == "400"


@pytest.mark.parametrize("message", ["no json", replace(TRACK_MESSAGE, subscription="gone")])
def test_a_message_is_not_deleted_before_its_dead_letter_is_stored(message: Message | str) -> None:
    """When SQS does not take a dead letter, the message stays on the RetryQueue."""
    stand = Stand(storage=Storage(down=True))
    assert stand.deliver(message) == ["0"]
    assert "receipt-0" in stand.storage.postponed


def test_an_unreadable_message_is_a_dead_letter() -> None:
    """An unreadable message becomes a dead letter with its bytes as they are, and affects no other message."""
    stand = Stand()
    unreadable = json.dumps(json.loads(TRACK_MESSAGE.to_json()) | {"version": 2})
    assert stand.deliver("no json \ud83d", unreadable, TRACK_MESSAGE) == []
    letters = stand.storage.on("dead-letter")
    assert [letter["reason"] for letter in letters] == ["unreadable-message"] * 2
    assert unpack(letters[1]) == unreadable.encode()
    assert len(stand.loops.calls) == 1


@pytest.mark.parametrize(
    ("subscription", "reason"), [("gone", "unknown-subscription"), ("off", "subscription-disabled")]
)
def test_a_removed_or_disabled_subscription_sends_nothing(subscription: str, reason: str) -> None:
    """A message of a subscription that was removed or disabled becomes a dead letter, without a call to Loops."""
    stand = Stand()
    assert stand.deliver(replace(TRACK_MESSAGE, subscription=subscription)) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == [reason]
    assert stand.loops.calls == []


def test_an_event_is_mapped_again() -> None:
    """An event that is invalid under the current mapping becomes a dead letter, without a call to Loops."""
    stand = Stand()
    assert stand.deliver(replace(IDENTIFY_MESSAGE, event='{"type":"identify"}')) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["invalid-payload"]


def test_an_event_whose_idempotency_key_expired_is_not_sent() -> None:
    """A sendEvent delivery becomes a dead letter 23 hours after Segment received its event; a second earlier it is sent."""
    message = replace(TRACK_MESSAGE, event=ascii_json(TRACK | {"receivedAt": "2026-03-01T12:00:00.000Z"}))
    late = Stand(age=IDEMPOTENCY_KEY_REMEMBERED_SECONDS)
    assert late.deliver(message) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]
    in_time = Stand(age=IDEMPOTENCY_KEY_REMEMBERED_SECONDS - 1)
    assert in_time.deliver(message) == []
    assert len(in_time.loops.calls) == 1


def test_without_received_at_an_idempotency_key_counts_as_four_hours_older() -> None:
    """An event without `receivedAt` is not sent 19 hours after its arrival; a second earlier it is."""
    late = Stand(age=19 * HOUR)
    assert late.deliver(TRACK_MESSAGE) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]
    in_time = Stand(age=19 * HOUR - 1)
    assert in_time.deliver(TRACK_MESSAGE) == []
    assert len(in_time.loops.calls) == 1


def test_a_contact_update_is_tried_for_all_of_retry_for_hours() -> None:
    """A contact update is tried until RetryForHours have passed, and then becomes a dead letter if it fails again."""
    assert Stand(age=RETRY_FOR).deliver(IDENTIFY_MESSAGE) == []
    stand = Stand(DOWN, age=RETRY_FOR - 1)
    assert stand.deliver(IDENTIFY_MESSAGE) == ["0"]
    stand = Stand(DOWN, age=RETRY_FOR)
    assert stand.deliver(IDENTIFY_MESSAGE) == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"]) == ("retries-exhausted", "last: loops-error")


def test_a_redrive_starts_a_new_wait() -> None:
    """RetryForHours count from when a message was put on the RetryQueue, not from the arrival of its event."""
    stand = Stand(DOWN, age=RETRY_FOR * 2)
    assert stand.deliver(IDENTIFY_MESSAGE, sent_at=stand.clock.now - 60) == ["0"]


def test_a_first_refusal_by_loops_is_recorded_in_a_new_message() -> None:
    """After a first `unknown-contact`, a new message that says so replaces the received one."""
    stand = Stand(UNKNOWN)
    assert stand.deliver(TRACK_MESSAGE) == []
    (message,) = stand.storage.on("retry")
    assert (message["reason"], message["attempts"], message["idempotencyKey"]) == ("unknown-contact", 2, "key-2")


def test_a_further_refusal_by_loops_makes_no_new_message() -> None:
    """A message that already says that Loops refused its event stays as it is."""
    stand = Stand(UNKNOWN)
    assert stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT)) == ["0"]
    assert stand.storage.messages == []


def test_a_message_stays_if_its_replacement_is_not_stored() -> None:
    """When SQS does not take the message that records a refusal, the received one stays."""
    stand = Stand(UNKNOWN, storage=Storage(down=True))
    assert stand.deliver(TRACK_MESSAGE) == ["0"]


def test_an_already_used_idempotency_key_becomes_a_dead_letter() -> None:
    """A 409 for an event that Loops refused before makes it a dead letter: it may never have been sent."""
    stand = Stand(USED)
    assert stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT)) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["idempotency-key-already-used"]


def test_an_unknown_contact_is_waited_for_an_hour() -> None:
    """An event of an unknown contact becomes a dead letter an hour after its arrival."""
    stand = Stand(UNKNOWN, age=HOUR)
    assert stand.deliver(TRACK_MESSAGE) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["unknown-contact"]


def test_calls_are_paced() -> None:
    """Calls to Loops keep the pace of five a second: ten messages take 1.8 s."""
    stand = Stand()
    began = stand.clock.now
    stand.deliver(*[IDENTIFY_MESSAGE] * 10)
    assert stand.clock.now - began == pytest.approx(1.8, rel=0.03)


def test_no_call_begins_without_time_to_end() -> None:
    """With Loops slow, no call begins that might end too late for storing; those messages stay."""
    stand = Stand(DOWN, seconds=8)
    began = stand.clock.now
    assert len(stand.deliver(*[IDENTIFY_MESSAGE] * 10)) == 10
    assert stand.clock.now - began <= 25
    assert 0 < len(stand.loops.calls) < 10


def test_a_message_that_cannot_begin_in_time_stays_unmapped() -> None:
    """With slow mappings, messages that can no longer be handled in time stay unmapped on the queue, and are hidden."""
    stand = Stand()
    began = stand.clock.now
    slow = stand.slow_down_events(mapping=3)
    assert len(stand.deliver(*[TRACK_MESSAGE] * 10, seconds=20)) == 8
    assert slow.mapped == 3
    assert len(stand.loops.calls) == 2
    assert len(stand.storage.postponed) == 8
    assert stand.clock.now <= began + 20


@pytest.mark.parametrize("seconds", [60, 20, 13, 5])
def test_an_invocation_ends_in_its_time(seconds: float) -> None:
    """With slow mappings, and Loops and SQS hanging, an invocation ends within its remaining time."""
    stand = Stand(REFUSED, seconds=60)
    stand.storage.hang(stand.clock)
    began = stand.clock.now
    stand.slow_down_events(mapping=1)
    assert len(stand.deliver(*[TRACK_MESSAGE] * 10, seconds=seconds)) == 10
    assert stand.clock.now <= began + seconds
    storing, hiding = stand.storage.deadlines
    assert storing < hiding < began + seconds


def test_an_empty_batch_is_handled() -> None:
    """A batch without messages leaves none on the queue."""
    assert Stand().deliver() == []


def test_an_idempotency_key_is_as_old_as_segments_first_attempt() -> None:
    """The age of an idempotency key counts from the event's `receivedAt`, up to four hours before its arrival here."""
    event = ascii_json(TRACK | {"receivedAt": "2026-03-01T08:30:00.000Z"})
    late = Stand(age=20 * HOUR)
    assert late.deliver(replace(TRACK_MESSAGE, event=event)) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]


OLD_MESSAGE = replace(TRACK_MESSAGE, event=ascii_json(TRACK | {"receivedAt": "2026-02-20T12:00:00.000Z"}))


def test_an_event_that_was_too_old_on_arrival_is_not_sent() -> None:
    """An event that was too old comes back by SQS' own redrive: it becomes a dead letter again, without a call to Loops."""
    stand = Stand()
    assert stand.deliver(replace(OLD_MESSAGE, reason=Reason.TOO_OLD, attempts=0)) == []
    assert stand.loops.calls == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["attempts"]) == ("too-old", 0)
    assert letter["detail"] == "216 hours old on arrival; MaxEventAgeHours is 72"


def test_an_old_event_that_a_person_accepted_is_sent() -> None:
    """An old event is sent if its message says that a person accepted it; its later messages say so too."""
    accepted = replace(OLD_MESSAGE, old_is_accepted=True)
    stand = Stand()
    assert stand.deliver(accepted) == []
    assert (stand.loops.idempotency_keys, stand.storage.messages) == (["key-2"], [])
    refused = Stand(REFUSED)
    refused.deliver(accepted)
    (letter,) = refused.storage.on("dead-letter")
    assert (letter["reason"], letter["oldIsAccepted"]) == ("refused", True)


def test_waiting_makes_no_event_too_old() -> None:
    """The age of an event is that on arrival, so time on the RetryQueue makes no event too old."""
    event = ascii_json(TRACK | {"receivedAt": "2026-03-01T11:00:00.000Z"})
    stand = Stand(age=10 * HOUR, max_event_age=2 * HOUR)
    assert stand.deliver(replace(TRACK_MESSAGE, event=event)) == []
    assert len(stand.loops.calls) == 1


def test_a_dead_letter_still_says_that_loops_refused_the_event() -> None:
    """An event that Loops refused, and that became a dead letter for another reason, does not count as sent after a 409."""
    stand = Stand()
    stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT, subscription="off"))
    (letter,) = stand.storage.on("dead-letter")
    again = Stand(USED)
    again.deliver(json.dumps(letter | {"subscription": "events"}))
    assert [letter["reason"] for letter in again.storage.on("dead-letter")] == ["idempotency-key-already-used"]
