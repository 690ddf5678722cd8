from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loops_destination.ledger.event_clock import EventClock
from loops_destination.messages import Message
from loops_destination.outcomes import Reason
from loops_destination.received_messages import read_message

ARRIVED = 1_772_366_400.0  # 2026-03-01T12:00:00Z
NOON = 1_772_366_400_000_000


def clock(subscription: str = "s", **event: Any) -> EventClock:
    return EventClock.of({"messageId": "m", **event}, subscription, "idempotency-key", ARRIVED)


@pytest.mark.parametrize(
    ("event", "time", "received_at"),
    [
        ({"timestamp": "2026-03-01T11:00:00.000Z", "receivedAt": "2026-03-01T11:59:59Z"}, -3_600_000_000, -1_000_000),
        ({"timestamp": "2026-03-01T12:00:00Z", "receivedAt": "2026-03-01T11:00:00Z"}, -3_600_000_000, -3_600_000_000),
        ({"timestamp": "2027-03-01T12:00:00Z"}, 0, 0),
        ({"timestamp": "2027-03-01T12:00:00Z", "receivedAt": "2027-03-01T12:00:00Z"}, 0, 0),
        ({"timestamp": "2026-03-01T11:59:59Z", "receivedAt": "soon"}, -1_000_000, -1_000_000),
        ({"timestamp": 5, "receivedAt": "2026-03-01T11:59:59Z"}, -1_000_000, -1_000_000),
        ({"timestamp": "2026-03-01T13:00:00.000001+02:00"}, -3_599_999_999, -3_599_999_999),
        ({"timestamp": "2026-03-01T11:00:00"}, -3_600_000_000, -3_600_000_000),
        ({}, 0, 0),
    ],
    ids=[
        "timestamp",
        "never later than receivedAt",
        "never later than the arrival",
        "a receivedAt that is not credible",
        "an unreadable receivedAt",
        "an unreadable timestamp",
        "another time zone",
        "no time zone",
        "neither",
    ],
)
def test_event_time(event: dict[str, Any], time: int, received_at: int) -> None:
    """The event time is `timestamp`, but never later than `receivedAt`, or than the arrival without a credible one."""
    found = clock(**event)
    assert (found.time - NOON, found.received_at - NOON) == (time, received_at)


def test_order() -> None:
    """Clocks are ordered by event time, then by `receivedAt`, messageId and subscription."""
    clocks = [
        EventClock(1, 9, "z", "z"),
        EventClock(2, 1, "z", "z"),
        EventClock(2, 2, "a", "z"),
        EventClock(2, 2, "b", "a"),
        EventClock(2, 2, "b", "b"),
    ]
    shuffled = [clocks[place] for place in (3, 0, 4, 2, 1)]
    assert sorted(shuffled) == clocks


def test_an_event_without_a_message_id_has_its_own_clock() -> None:
    """Without a messageId, the idempotency key orders events of the same instant."""
    assert clock(messageId=None).message_id == "idempotency-key"


@pytest.mark.parametrize("stated", ["john.doe@example.com", "m-1", "é" * 100_000])
def test_a_message_id_that_the_sender_chose_is_not_kept(stated: str) -> None:
    """A clock has the idempotency key in place of a messageId that Segment did not generate."""
    assert clock(messageId=stated).message_id == "idempotency-key"


def test_a_message_id_of_segment_is_kept() -> None:
    """A messageId in a form that Segment generates is part of the clock as it is."""
    stated = "ajs-next-1772366400000-507f191e-810c-4972-9de8-60ea00000000"
    assert clock(messageId=stated).message_id == stated


def test_a_second_post_of_an_event_has_the_same_clock() -> None:
    """The clock of an event with a timestamp does not depend on when it arrives."""
    event = {"messageId": "m", "timestamp": "2026-03-01T11:00:00Z"}
    assert EventClock.of(event, "s", "k", ARRIVED) == EventClock.of(event, "s", "k", ARRIVED + 3600)


@given(st.floats(ARRIVED - 1e6, ARRIVED + 1e6))
def test_a_queued_event_keeps_its_clock(arrived_at: float) -> None:
    """An event without a date has the same clock in a web function and, read from the RetryQueue, in redelivery."""
    message = Message("key", arrived_at, Reason.TIMEOUT, '{"type":"delete"}', action="a", subscription="s")
    received, event = read_message(message.to_json())
    assert EventClock.of(event, "s", "key", received.received_at) == EventClock.of(event, "s", "key", arrived_at)


def test_text() -> None:
    """A clock is written as compact ASCII, and read as it was."""
    written = EventClock(-1, 2, 'm"é\ud800', "s")
    assert written.to_text().isascii()
    assert EventClock.from_text(written.to_text()) == written
    assert EventClock(1, 2, "m", "s").to_text() == '[1,2,"m","s"]'
