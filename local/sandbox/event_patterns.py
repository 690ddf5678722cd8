"""Event patterns: the events that a workflow listens for, which people create in Loops' web app."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from local.sandbox.properties import PropertyType
from segment_loops.json_app import ApiError

SMALLEST_PAGE = 10
LARGEST_PAGE = 50


@dataclass(frozen=True, slots=True)
class EventPattern:
    """An event that workflows listen for, and the types of its properties."""

    id: str
    event_name: str
    properties: Mapping[str, PropertyType] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return `{"id", "eventName", "eventProperties", "incomingWebhookPlatform"}`."""
        return {
            "id": self.id,
            "eventName": self.event_name,
            "eventProperties": [{"name": name, "type": kind} for name, kind in self.properties.items()],
            "incomingWebhookPlatform": None,
        }


def page_of(patterns: Sequence[EventPattern], size: str, cursor: str) -> dict[str, Any]:
    """Return a page of patterns; raise `ApiError` (400) for a size or a cursor that Loops does not know."""
    if not (size.isdecimal() and SMALLEST_PAGE <= int(size) <= LARGEST_PAGE):
        raise ApiError(400, f"perPage must be between {SMALLEST_PAGE} and {LARGEST_PAGE}.")
    ids = [pattern.id for pattern in patterns]
    if cursor and cursor not in ids:
        raise ApiError(400, "Unknown cursor.")
    start = ids.index(cursor) if cursor else 0
    end = start + int(size)
    return {
        "pagination": {"nextCursor": ids[end] if end < len(ids) else None, "perPage": int(size)},
        "data": [pattern.as_json() for pattern in patterns[start:end]],
    }
