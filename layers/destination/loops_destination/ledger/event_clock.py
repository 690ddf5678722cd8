"""The clock of an event: its place in the one order that decides which value of a property is the newest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from loops_destination.events import CLOCK_SKEW_SECONDS, is_segment_id, message_id

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, order=True)
class EventClock:
    """A point in the order of events. Times are microseconds since 1970.

    Two events of one instant, and one event under two subscriptions, still have an order, so that every path that a
    delivery can take ends with the same value.
    """

    time: int
    received_at: int
    message_id: str
    subscription: str

    @classmethod
    def of(cls, event: dict[str, Any], subscription: str, idempotency_key: str, arrived_at: float) -> Self:
        """Return the clock of an event under a subscription; `arrived_at` is in seconds since 1970.

        The event time is Segment's `timestamp`, but never later than `receivedAt`: a device whose clock runs ahead
        must not win against everything that comes after it. Without a credible `receivedAt`, the arrival bounds it.
        The idempotency key replaces a messageId that is missing, or that the sender chose: it may name a person, and has
        any length.
        """
        arrived = _arrival(arrived_at)
        received = _microseconds(event.get("receivedAt"))
        if received is not None and received > arrived + CLOCK_SKEW_SECONDS * 1_000_000:
            received = None
        latest = arrived if received is None else received
        stated = _microseconds(event.get("timestamp"))
        time = latest if stated is None else min(stated, latest)
        # The arrival differs between two posts of one event, so it decides nothing that the event itself can decide.
        return cls(time, time if received is None else received, _identity(event, idempotency_key), subscription)

    def to_text(self) -> str:
        """Write the clock as compact JSON, in ASCII."""
        return json.dumps([self.time, self.received_at, self.message_id, self.subscription], separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        return cls(*json.loads(text))


def _identity(event: dict[str, Any], idempotency_key: str) -> str:
    stated = message_id(event)
    return stated if stated is not None and is_segment_id(stated) else idempotency_key


def _arrival(seconds: float) -> int:
    """Return microseconds, cut to whole milliseconds as on the RetryQueue, so that a retry has the same clock."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return (moment.replace(microsecond=moment.microsecond // 1000 * 1000) - _EPOCH) // _MICROSECOND


def _microseconds(value: Any) -> int | None:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return (aware - _EPOCH) // _MICROSECOND
