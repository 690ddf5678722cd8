"""The RetryQueue's messages, brought to Loops."""

import json
from dataclasses import replace
from typing import Any

import pytest

from loops_destination.delivery import Deliverer
from loops_destination.loops import Response
from loops_destination.messages import Message, ascii_json, unpack
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.redelivery import IDEMPOTENCY_KEY_REMEMBERED_SECONDS, Record, Redelivery
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
    "key-1", NOW, Reason.TIMEOUT, event=ascii_json(IDENTIFY), action="createOrUpdateContact", subscription="contacts"
)
TRACK_MESSAGE = Message(
    "key-2", NOW, Reason.TIMEOUT, event=ascii_json(TRACK), action="sendEvent", subscription="events", attempts=1
)


class Stand:
    """A redelivery with its parts at hand; `age` is how long the messages have waited."""

    def __init__(
        self,
        *answers: Response,
        age: float = 60,
        storage: Storage | None = None,
        seconds: float = 0.0,
        max_event_age: float = MAX_EVENT_AGE,
    ) -> None:
        self.clock = ManualClock(NOW + age)
        self.loops = ScriptedLoops(*(answers or (DONE,)), clock=self.clock, seconds=seconds)
        self.storage = storage or Storage()
        self.telemetry = Telemetry("test", lambda: "hash-key")
        self.redelivery = self._redelivery(EVENT, max_event_age)

    def slow_down_events(self, *, mapping: float) -> SlowSubscription:
        """Make the mapping of every sendEvent take so many seconds."""
        slow = SlowSubscription(self.clock, mapping=mapping)
        self.redelivery = self._redelivery(slow)
        return slow

    def _redelivery(self, events: Any, max_event_age: float = MAX_EVENT_AGE) -> Redelivery:
        return Redelivery(
            subscriptions=[CONTACT, events, DISABLED],
            deliverer=Deliverer(self.loops, Keyring("api-key"), self.clock),
            storage=self.storage,
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
        records = [
            Record(str(number), f"receipt-{number}", body, sent_at, receives) for number, body in enumerate(bodies)
        ]
        return self.redelivery.deliver(records, seconds)


def test_what_loops_takes_is_let_go() -> None:
    """A delivered message leaves the queue, having been sent with the key it came with."""
    stand = Stand()
    assert stand.deliver(TRACK_MESSAGE) == []
    assert stand.loops.keys == ["key-2"]
    assert stand.storage.parcels == []


def test_an_event_that_loops_already_has_is_let_go() -> None:
    """A used key after trouble proves that the event arrived."""
    assert Stand(USED).deliver(TRACK_MESSAGE) == []


@pytest.mark.parametrize("answer", [DOWN, API_KEY_REFUSED])
def test_what_loops_does_not_take_stays(answer: Response) -> None:
    """Trouble keeps the message on the queue, hidden for half its age."""
    stand = Stand(answer, age=1000)
    assert stand.deliver(IDENTIFY_MESSAGE) == ["0"]
    assert 375 <= stand.storage.postponed["receipt-0"] <= 625
    assert stand.storage.parcels == []


@pytest.mark.parametrize(("age", "lowest", "highest"), [(0, 5, 5), (6, 5, 5), (10**5, 3600, 3600)])
def test_backoff_has_bounds(age: float, lowest: int, highest: int) -> None:
    """The next try comes after five seconds at least and an hour at most."""
    stand = Stand(DOWN, age=age)
    stand.deliver(IDENTIFY_MESSAGE)
    assert lowest <= stand.storage.postponed["receipt-0"] <= highest


def test_a_429_stops_the_rest_of_the_batch() -> None:
    """When Loops asks for less, the rest waits a moment: how old a message is says nothing about the pace."""
    stand = Stand(DONE, TOO_FAST, DONE, age=10_000)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 5) == ["1", "2", "3", "4"]
    assert len(stand.loops.calls) == 2
    assert all(7 <= seconds <= 13 for seconds in stand.storage.postponed.values())


@pytest.mark.parametrize(("receives", "lowest", "highest"), [(1, 7, 13), (30, 225, 375), (500, 3600, 3600)])
def test_a_message_without_a_turn_waits_longer_each_time(receives: int, lowest: int, highest: int) -> None:
    """After a 429 the pauses of the refused message and of the untried one grow with their receives, to an hour."""
    stand = Stand(TOO_FAST, age=10_000)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 2, receives=receives) == ["0", "1"]
    assert len(stand.loops.calls) == 1
    assert all(lowest <= seconds <= highest for seconds in stand.storage.postponed.values())


def test_the_last_attempt_is_not_put_off() -> None:
    """A delivery whose time is over is attempted after a 429 to another one too, so that SQS does not drop it unsaid."""
    stand = Stand(TOO_FAST, age=RETRY_FOR)
    assert stand.deliver(*[IDENTIFY_MESSAGE] * 3) == []
    assert len(stand.loops.calls) == 3
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["retries-exhausted"] * 3


def test_the_log_and_loops_latency_carry_the_duration_of_the_attempt(capsys: pytest.CaptureFixture[str]) -> None:
    """The duration is that of the call of Loops: the wait for a turn does not count, and what made no call has none."""
    stand = Stand(DOWN, DONE, seconds=0.25)
    stand.deliver(*[IDENTIFY_MESSAGE] * 3)
    stand.telemetry.flush()
    *deliveries, metrics = lines(capsys.readouterr().out)
    assert [line["latency_ms"] for line in deliveries] == [250.0] * 3
    assert metrics["LoopsLatency"] == pytest.approx([250.0] * 3)


def test_the_oldest_delivery_of_an_invocation_is_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    """Each invocation tells how long the oldest delivery it handled has waited, whatever became of it; none, nothing."""
    stand = Stand(DONE, age=5000)
    stand.redelivery.deliver(
        [
            Record("young", "r-1", IDENTIFY_MESSAGE.to_json(), NOW + 4000),
            Record("old", "r-2", IDENTIFY_MESSAGE.to_json(), NOW),
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


def test_a_refusal_is_a_dead_letter_before_the_message_is_let_go() -> None:
    """What Loops refuses for good moves to the DeadLetterQueue with its cause."""
    stand = Stand(REFUSED)
    assert stand.deliver(TRACK_MESSAGE) == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"], letter["attempts"], letter["key"]) == ("refused", "no", 2, "key-2")
    assert letter["event"] == TRACK
    assert stand.storage.parcels[0].attributes["status"] == "400"


@pytest.mark.parametrize("message", ["no json", replace(TRACK_MESSAGE, subscription="gone")])
def test_without_its_dead_letter_a_message_is_not_let_go(message: Message | str) -> None:
    """When the DeadLetterQueue does not take the letter, the message stays on the RetryQueue."""
    stand = Stand(storage=Storage(down=True))
    assert stand.deliver(message) == ["0"]
    assert "receipt-0" in stand.storage.postponed


def test_a_message_that_is_not_ours_is_a_dead_letter() -> None:
    """A poisonous message leaves the queue at once, byte for byte in its dead letter."""
    stand = Stand()
    poison = json.dumps(json.loads(TRACK_MESSAGE.to_json()) | {"version": 2})
    assert stand.deliver("no json \ud83d", poison, TRACK_MESSAGE) == []
    letters = stand.storage.on("dead-letter")
    assert [letter["reason"] for letter in letters] == ["unreadable-message"] * 2
    assert unpack(letters[1]) == poison.encode()
    assert len(stand.loops.calls) == 1


@pytest.mark.parametrize(
    ("subscription", "reason"), [("gone", "unknown-subscription"), ("off", "subscription-disabled")]
)
def test_a_subscription_that_is_gone_or_off_sends_nothing(subscription: str, reason: str) -> None:
    """What was queued for a subscription that no longer runs waits for a person."""
    stand = Stand()
    assert stand.deliver(replace(TRACK_MESSAGE, subscription=subscription)) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == [reason]
    assert stand.loops.calls == []


def test_todays_mapping_applies() -> None:
    """An event that the mapping of today cannot send is a dead letter, and Loops is not asked."""
    stand = Stand()
    assert stand.deliver(replace(IDENTIFY_MESSAGE, event='{"type":"identify"}')) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["invalid-payload"]


def test_an_event_whose_key_loops_forgets_is_not_sent() -> None:
    """A sendEvent of 23 hours could be a second mail, so a person decides; one second earlier it is sent."""
    message = replace(TRACK_MESSAGE, event=ascii_json(TRACK | {"receivedAt": "2026-03-01T12:00:00.000Z"}))
    late = Stand(age=IDEMPOTENCY_KEY_REMEMBERED_SECONDS)
    assert late.deliver(message) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]
    in_time = Stand(age=IDEMPOTENCY_KEY_REMEMBERED_SECONDS - 1)
    assert in_time.deliver(message) == []
    assert len(in_time.loops.calls) == 1


def test_a_key_without_a_date_is_four_hours_older() -> None:
    """An event that may be Segment's last retry is not sent 19 hours after its arrival; one second earlier it is."""
    late = Stand(age=19 * HOUR)
    assert late.deliver(TRACK_MESSAGE) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]
    in_time = Stand(age=19 * HOUR - 1)
    assert in_time.deliver(TRACK_MESSAGE) == []
    assert len(in_time.loops.calls) == 1


def test_a_contact_is_tried_for_three_days() -> None:
    """A contact can be written again at any age; only what fails after RetryFor becomes a dead letter."""
    assert Stand(age=RETRY_FOR).deliver(IDENTIFY_MESSAGE) == []
    stand = Stand(DOWN, age=RETRY_FOR - 1)
    assert stand.deliver(IDENTIFY_MESSAGE) == ["0"]
    stand = Stand(DOWN, age=RETRY_FOR)
    assert stand.deliver(IDENTIFY_MESSAGE) == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["detail"]) == ("retries-exhausted", "last: loops-error")


def test_a_redrive_starts_afresh() -> None:
    """How long a message has waited counts from when it was put on the queue, not from when the event came."""
    stand = Stand(DOWN, age=RETRY_FOR * 2)
    assert stand.deliver(IDENTIFY_MESSAGE, sent_at=stand.clock.now - 60) == ["0"]


def test_a_first_refusal_is_remembered() -> None:
    """An event refused for its unknown contact is replaced by a message that knows it, since 409 then means less."""
    stand = Stand(UNKNOWN)
    assert stand.deliver(TRACK_MESSAGE) == []
    (message,) = stand.storage.on("retry")
    assert (message["reason"], message["attempts"], message["key"]) == ("unknown-contact", 2, "key-2")


def test_a_further_refusal_changes_nothing() -> None:
    """A message that knows of the refusal stays as it is."""
    stand = Stand(UNKNOWN)
    assert stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT)) == ["0"]
    assert stand.storage.parcels == []


def test_a_refusal_that_cannot_be_remembered_keeps_the_message() -> None:
    """When SQS does not take the message that knows, the one that does not know stays."""
    stand = Stand(UNKNOWN, storage=Storage(down=True))
    assert stand.deliver(TRACK_MESSAGE) == ["0"]


def test_a_used_key_after_a_refusal_is_for_a_person() -> None:
    """A 409 after a refusal proves nothing: the event may never have been sent."""
    stand = Stand(USED)
    assert stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT)) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["idempotency-key-already-used"]


def test_an_unknown_contact_is_waited_for_an_hour() -> None:
    """After an hour an unknown contact is a dead letter."""
    stand = Stand(UNKNOWN, age=HOUR)
    assert stand.deliver(TRACK_MESSAGE) == []
    assert [letter["reason"] for letter in stand.storage.on("dead-letter")] == ["unknown-contact"]


def test_calls_are_paced() -> None:
    """Ten messages at five calls a second take nearly two seconds."""
    stand = Stand()
    began = stand.clock.now
    stand.deliver(*[IDENTIFY_MESSAGE] * 10)
    assert stand.clock.now - began == pytest.approx(1.8, rel=0.03)


def test_no_call_begins_without_time_to_end() -> None:
    """With Loops slow, calls stop early enough to store what must be stored; the rest stays."""
    stand = Stand(DOWN, seconds=8)
    began = stand.clock.now
    assert len(stand.deliver(*[IDENTIFY_MESSAGE] * 10)) == 10
    assert stand.clock.now - began <= 25
    assert 0 < len(stand.loops.calls) < 10


def test_what_cannot_begin_in_time_stays_unmapped() -> None:
    """However slow the mappings are, no message is mapped after the time for beginning; the rest stays and is hidden."""
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
    """With mappings slow, and Loops and SQS hanging, mapping, attempts, storing and hiding fit the time that remains."""
    stand = Stand(REFUSED, seconds=60)
    stand.storage.hang(stand.clock)
    began = stand.clock.now
    stand.slow_down_events(mapping=1)
    assert len(stand.deliver(*[TRACK_MESSAGE] * 10, seconds=seconds)) == 10
    assert stand.clock.now <= began + seconds
    storing, hiding = stand.storage.deadlines
    assert storing < hiding < began + seconds


def test_an_empty_batch_is_nothing() -> None:
    """No records, no work."""
    assert Stand().deliver() == []


def test_a_key_is_as_old_as_segments_first_try() -> None:
    """An event that Segment had received hours before it came here last is not sent when its key may be forgotten."""
    event = ascii_json(TRACK | {"receivedAt": "2026-03-01T08:30:00.000Z"})
    late = Stand(age=20 * HOUR)
    assert late.deliver(replace(TRACK_MESSAGE, event=event)) == []
    assert late.loops.calls == []
    assert [letter["reason"] for letter in late.storage.on("dead-letter")] == ["idempotency-key-expired"]


OLD_MESSAGE = replace(TRACK_MESSAGE, event=ascii_json(TRACK | {"receivedAt": "2026-02-20T12:00:00.000Z"}))


def test_an_event_that_was_too_old_on_arrival_is_not_sent() -> None:
    """An event that comes back unasked, as by SQS' own redrive, is a dead letter again, and Loops is not asked."""
    stand = Stand()
    assert stand.deliver(replace(OLD_MESSAGE, reason=Reason.TOO_OLD, attempts=0)) == []
    assert stand.loops.calls == []
    (letter,) = stand.storage.on("dead-letter")
    assert (letter["reason"], letter["attempts"]) == ("too-old", 0)
    assert letter["detail"] == "216 hours old on arrival; MaxEventAgeHours is 72"


def test_an_old_event_that_a_person_accepted_is_sent() -> None:
    """An old event goes to Loops when its message carries a person's decision, and keeps it as long as it waits."""
    accepted = replace(OLD_MESSAGE, old_is_accepted=True)
    stand = Stand()
    assert stand.deliver(accepted) == []
    assert (stand.loops.keys, stand.storage.parcels) == (["key-2"], [])
    refused = Stand(REFUSED)
    refused.deliver(accepted)
    (letter,) = refused.storage.on("dead-letter")
    assert (letter["reason"], letter["oldIsAccepted"]) == ("refused", True)


def test_waiting_makes_no_event_too_old() -> None:
    """The age of an event ends at its arrival, so time on the RetryQueue does not count."""
    event = ascii_json(TRACK | {"receivedAt": "2026-03-01T11:00:00.000Z"})
    stand = Stand(age=10 * HOUR, max_event_age=2 * HOUR)
    assert stand.deliver(replace(TRACK_MESSAGE, event=event)) == []
    assert len(stand.loops.calls) == 1


def test_a_refusal_is_remembered_through_a_dead_letter() -> None:
    """A refused event that was buried because its subscription was off is not taken for sent at a later 409."""
    stand = Stand()
    stand.deliver(replace(TRACK_MESSAGE, reason=Reason.UNKNOWN_CONTACT, subscription="off"))
    (letter,) = stand.storage.on("dead-letter")
    again = Stand(USED)
    again.deliver(json.dumps(letter | {"subscription": "events"}))
    assert [letter["reason"] for letter in again.storage.on("dead-letter")] == ["idempotency-key-already-used"]
