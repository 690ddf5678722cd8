"""The events that the sandbox processed; one that it processed twice is here twice."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.sandbox.contacts import Contact


@dataclass(frozen=True, slots=True)
class LoopsEvent:
    """A processed event with its contact at that moment; `time` in seconds by the sandbox's clock."""

    name: str
    properties: Mapping[str, Any]
    contact_id: str
    email: str
    user_id: str | None
    idempotency_key: str | None
    occurrence: int
    """1, or more if its idempotency key was processed before: the contact got the email again."""
    time: float

    def as_json(self) -> dict[str, Any]:
        """Return everything known of the event."""
        return {
            "name": self.name,
            "properties": self.properties,
            "contactId": self.contact_id,
            "email": self.email,
            "userId": self.user_id,
            "idempotencyKey": self.idempotency_key,
            "occurrence": self.occurrence,
            "time": self.time,
        }


class LoopsEvents:
    """All events, in the order in which they were processed."""

    def __init__(self) -> None:
        self._events: list[LoopsEvent] = []
        self._processed: Counter[str] = Counter()

    def all(self) -> list[LoopsEvent]:
        """Return every event so far."""
        return list(self._events)

    def processed(self, idempotency_key: str) -> int:
        """Return how often an event with this idempotency key was processed, whatever was answered."""
        return self._processed[idempotency_key]

    def repeated(self) -> dict[str, int]:
        """Return the idempotency keys that were processed more than once, and how often."""
        return {key: count for key, count in self._processed.items() if count > 1}

    def add(
        self, name: str, properties: Mapping[str, Any], contact: Contact, idempotency_key: str | None, now: float
    ) -> None:
        """Record that the event was processed."""
        occurrence = 1
        if idempotency_key is not None:
            self._processed[idempotency_key] += 1
            occurrence = self._processed[idempotency_key]
        self._events.append(
            LoopsEvent(
                name, properties, contact.id, contact.email, contact.user_id, idempotency_key, occurrence, time=now
            )
        )
