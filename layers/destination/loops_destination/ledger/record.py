"""The items of the ledger: frozen values here, JSON objects in the table. They hold hashes and clocks, never a value.

All times are milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from loops_destination.ledger.event_clock import EventClock

Item = dict[str, Any]
"""The attributes of an item, as JSON: text, whole numbers, booleans, lists and objects."""

CONTACT_KEPT_SECONDS = 400 * 24 * 3600
EVENT_KEPT_SECONDS = 35 * 24 * 3600
MAX_ITEM_BYTES = 100_000  # DynamoDB takes 400 KB, but each write is billed by the KB

_NO_HASH = "-"


@dataclass(frozen=True, slots=True)
class Property:
    """The newest known value of a property; `hash` is None while a call that changes it is unconfirmed."""

    clock: EventClock
    hash: str | None = None
    confirmed_at: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to call Loops about a contact, for one call at a time."""

    id: str
    until: int


@dataclass(frozen=True, slots=True)
class Mark:
    """The clock of a delivery that others must respect; `since` is when that began."""

    clock: EventClock
    since: int


@dataclass(frozen=True, slots=True)
class ContactRecord:
    """One contact: its properties, and the calls and deliveries under way.

    `version` 0: there is no item yet. `deleted_at` is the newest confirmed deletion, `deleting` one that is not
    confirmed. `waiting` is the newest update that waits for its turn. `untracked`: the item would be too large, so
    properties are neither remembered nor compared.
    """

    properties: Mapping[str, Property] = field(default_factory=dict)
    version: int = 0
    lease: Lease | None = None
    deleted_at: EventClock | None = None
    deleting: Mark | None = None
    waiting: Mark | None = None
    untracked: bool = False

    def to_item(self) -> Item:
        """Write the contact as an item. Properties refer to their clock by its index, since most share one."""
        clocks = list(dict.fromkeys(known.clock for known in self.properties.values()))
        places = {clock: place for place, clock in enumerate(clocks)}
        item: Item = {
            "version": self.version,
            "clocks": [clock.to_text() for clock in clocks],
            "properties": {
                name: f"{places[known.clock]} {known.hash or _NO_HASH} {known.confirmed_at}"
                for name, known in self.properties.items()
            },
        }
        if self.lease is not None:
            item["lease"] = {"id": self.lease.id, "until": self.lease.until}
        if self.deleted_at is not None:
            item["deletedAt"] = self.deleted_at.to_text()
        if self.deleting is not None:
            item["deleting"] = _mark_item(self.deleting)
        if self.waiting is not None:
            item["waiting"] = _mark_item(self.waiting)
        if self.untracked:
            item["untracked"] = True
        return item

    @classmethod
    def from_item(cls, item: Item | None) -> ContactRecord:
        """Read what `to_item` wrote; a contact without an item is an empty one."""
        if item is None:
            return cls()
        clocks = [EventClock.from_text(text) for text in item["clocks"]]
        lease, deleted_at = item.get("lease"), item.get("deletedAt")
        return cls(
            properties={name: _property(text, clocks) for name, text in item["properties"].items()},
            version=item["version"],
            lease=Lease(lease["id"], lease["until"]) if lease else None,
            deleted_at=EventClock.from_text(deleted_at) if deleted_at else None,
            deleting=_mark(item.get("deleting")),
            waiting=_mark(item.get("waiting")),
            untracked=item.get("untracked", False),
        )


@dataclass(frozen=True, slots=True)
class Alias:
    """The owner of an email: the key of a contact item, and the clock of the event that gave it the email."""

    owner: str
    clock: EventClock
    version: int = 0

    def to_item(self) -> Item:
        """Write the alias as an item."""
        return {"version": self.version, "owner": self.owner, "clock": self.clock.to_text()}

    @classmethod
    def from_item(cls, item: Item | None) -> Alias | None:
        """Read what `to_item` wrote."""
        return None if item is None else cls(item["owner"], EventClock.from_text(item["clock"]), item["version"])


class EventState(StrEnum):
    """The recorded state of an event's delivery."""

    DELIVERED = "delivered"
    UNKNOWN = "unknown"  # Loops no longer recognises a repeat, and no response ever said that it took the event


def event_key(idempotency_key: str) -> str:
    """Return the key of an event item."""
    return f"event#{idempotency_key}"


def item_bytes(value: Any) -> int:
    """Estimate the size of an item by DynamoDB's rules, rounded up: text in UTF-8, names included."""
    if isinstance(value, dict):
        return 3 + sum(len(name.encode()) + 1 + item_bytes(member) for name, member in value.items())
    if isinstance(value, list):
        return 3 + sum(1 + item_bytes(element) for element in value)
    return len(value.encode()) if isinstance(value, str) else 21  # the most that a number takes


def _property(text: str, clocks: list[EventClock]) -> Property:
    place, digest, confirmed_at = text.split(" ")
    return Property(clocks[int(place)], None if digest == _NO_HASH else digest, int(confirmed_at))


def _mark_item(mark: Mark) -> Item:
    return {"clock": mark.clock.to_text(), "since": mark.since}


def _mark(item: Item | None) -> Mark | None:
    return Mark(EventClock.from_text(item["clock"]), item["since"]) if item else None
