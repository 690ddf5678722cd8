"""The events that were processed, each as often as it was."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local.sandbox.contacts import Contact


@dataclass(frozen=True, slots=True)
class Event:
    """One processed event, and the contact that triggered it as it was known then; `time` in seconds."""

    name: str
    properties: Mapping[str, Any]
    contact_id: str
    email: str
    user_id: str | None
    key: str | None
    occurrence: int
    """1, or 2 and more when its idempotency key was processed before: the person was mailed twice."""
    time: float

    def as_json(self) -> dict[str, Any]:
        """All that is known of the event."""
        return {
            "name": self.name,
            "properties": self.properties,
            "contactId": self.contact_id,
            "email": self.email,
            "userId": self.user_id,
            "key": self.key,
            "occurrence": self.occurrence,
            "time": self.time,
        }


class Events:
    """All events, in the order in which they were processed."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._processed: Counter[str] = Counter()

    def all(self) -> list[Event]:
        """Every event so far."""
        return list(self._events)

    def processed(self, key: str) -> int:
        """How often an event with this idempotency key took effect, whatever was answered."""
        return self._processed[key]

    def repeated(self) -> dict[str, int]:
        """The keys that took effect more than once, and how often: empty unless somebody was mailed twice."""
        return {key: count for key, count in self._processed.items() if count > 1}

    def add(self, name: str, properties: Mapping[str, Any], contact: Contact, key: str | None, now: float) -> None:
        """Records that the event took effect."""
        if key is not None:
            self._processed[key] += 1
        occurrence = 1 if key is None else self._processed[key]
        self._events.append(
            Event(name, properties, contact.id, contact.email, contact.user_id, key, occurrence, time=now)
        )
