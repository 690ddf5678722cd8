"""The redrives that people started on the page, so that it can show the result of each."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from loops_destination.events import message_id
from segment_loops.dead_letter_queue import DeadLetter, RedriveResult
from segment_loops.studio.backend import DeliveryRecord

KEPT = 200
"""The number of redrives remembered."""


@dataclass(frozen=True, slots=True)
class Redrive:
    """A delivery that was to be put back on the RetryQueue at `time`, in seconds since 1970."""

    id: int
    time: float
    result: RedriveResult
    dead_letter: DeadLetter = field(repr=False)

    def attempt(self, records: Iterable[DeliveryRecord]) -> DeliveryRecord | None:
        """Return the delivery's record once there was an attempt after the redrive; `records` are the newest first."""
        if self.result is not RedriveResult.REDRIVEN:
            return None
        return next((each for each in records if each.last >= self.time and self._is_of(each)), None)

    def _is_of(self, record: DeliveryRecord) -> bool:
        letter = self.dead_letter
        if record.subscription != letter.subscription:
            return False
        known_as = message_id(letter.event or {})
        if known_as is not None:  # the idempotency key may be a new one
            return record.message_id == known_as
        return record.idempotency_key == letter.idempotency_key

    def as_json(self, records: Iterable[DeliveryRecord]) -> dict[str, Any]:
        """Return the redrive with the outcome of the attempt that followed; its members are null until then."""
        attempt = self.attempt(records)
        return {
            "id": self.id,
            "time": self.time,
            "result": self.result,
            "deadLetter": self.dead_letter.id,
            "subscription": self.dead_letter.subscription,
            "messageId": message_id(self.dead_letter.event or {}),
            "delivery": attempt.id if attempt else None,
            "outcome": attempt.outcome if attempt else None,
            "reason": attempt.reason if attempt else None,
            "detail": attempt.detail if attempt else None,
        }


class Redrives:
    """The latest redrives, the newest first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: deque[Redrive] = deque(maxlen=KEPT)
        self._made = 0

    def add(self, time: float, result: RedriveResult, dead_letter: DeadLetter) -> Redrive:
        """Remember a redrive."""
        with self._lock:
            self._made += 1
            redrive = Redrive(self._made, time, result, dead_letter)
            self._kept.appendleft(redrive)
        return redrive

    def all(self) -> list[Redrive]:
        """Return the redrives."""
        with self._lock:
            return list(self._kept)
