"""The use that mappings make of a Loops team: contact properties, mailing lists and event names.

Some names are written in the mapping; others come with events, such as the traits that `{"@path": "$.traits"}` passes
on, and are found in sample events.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from loops_destination.errors import MappingError, PayloadError
from loops_destination.subscriptions import Entry
from segment_loops.mappings_file import mapping_definition

LONGEST_TEXT = 500
"""The longest string that Loops accepts, with its two quotes, in UTF-16 units as JavaScript counts them."""

_PROPERTY_FIELDS = frozenset({"customAttributes", "contactProperties"})
_NOT_PROPERTIES = frozenset({"email", "userId", "subscribed", "mailingLists", "eventName", "eventProperties"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?", re.ASCII)
_DATE_VALUE = re.compile(r"-?\d+", re.ASCII)


@dataclass(slots=True)
class Usage:
    """The names that the enabled subscriptions use.

    `written` are the properties that a mapping names. `values` are the properties of the requests that the sample events
    become, each with its values. `too_long` are the paths of the strings in them that Loops refuses.
    """

    written: set[str] = field(default_factory=set)
    values: dict[str, list[Any]] = field(default_factory=dict)
    mailing_lists: set[str] = field(default_factory=set)
    event_names: set[str] = field(default_factory=set)
    too_long: set[str] = field(default_factory=set)

    @property
    def properties(self) -> list[str]:
        """The names of all properties."""
        return sorted(self.written | self.values.keys())


def usage_of(entries: Sequence[Entry], events: Iterable[dict[str, Any]]) -> Usage:
    """Return what the enabled subscriptions use, by their definitions and by the requests of these events."""
    usage = Usage()
    enabled = [entry for entry in entries if entry.subscription.enabled]
    for entry in enabled:
        _add_definition(usage, mapping_definition(entry))
    for event in events:
        for entry in enabled:
            _add_event(usage, entry, event)
    return usage


def suggested_type(values: Sequence[Any]) -> str | None:
    """Return the type for a property with these values; None if they are null, nested or of several types."""
    kinds = {_type_of(value) for value in values if value is not None}
    if kinds == {"string", "date"}:
        return "string"
    return kinds.pop() if len(kinds) == 1 else None


def fits(value: Any, kind: str) -> bool:
    """Return whether Loops can store the value in a property of this type."""
    if value is None or kind not in {"string", "number", "boolean", "date"}:
        return True
    found = _type_of(value)
    if kind == "date":
        return found in {"date", "number"} or (isinstance(value, str) and bool(_DATE_VALUE.fullmatch(value)))
    return found == kind or (found == "date" and kind == "string")


def _add_definition(usage: Usage, definition: Any) -> None:
    fields = _literal(definition)
    for name in _PROPERTY_FIELDS & fields.keys():
        properties = _literal(fields[name])
        usage.written |= properties.keys() - _NOT_PROPERTIES
        usage.mailing_lists |= _literal(properties.get("mailingLists")).keys()
    usage.mailing_lists |= _literal(fields.get("mailingLists")).keys()
    if isinstance(event_name := fields.get("eventName"), str) and "{{" not in event_name:
        usage.event_names.add(event_name)


def _literal(definition: Any) -> dict[str, Any]:
    """Return an object of the mapping; an empty one if the value is a directive or no object."""
    is_literal = isinstance(definition, dict) and not any(key.startswith("@") for key in definition)
    return definition if is_literal else {}


def _add_event(usage: Usage, entry: Entry, event: dict[str, Any]) -> None:
    if not entry.subscription.matches(event):
        return
    try:
        body = entry.subscription.request(event, "").body
    except (MappingError, PayloadError):
        return  # `preview` shows why
    for name in body.keys() - _NOT_PROPERTIES:
        usage.values.setdefault(name, []).append(body[name])
    usage.mailing_lists |= _literal(body.get("mailingLists")).keys()
    if entry.subscription.action.keyed:
        usage.event_names.add(body["eventName"])
    usage.too_long |= set(_too_long(body))


def _too_long(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if len(value.encode("utf-16-le", "surrogatepass")) // 2 + 2 > LONGEST_TEXT:
            yield path
    elif isinstance(value, dict):
        for name, part in value.items():
            yield from _too_long(part, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for part in value:
            yield from _too_long(part, path)


def _type_of(value: Any) -> str | None:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "date" if _DATE.fullmatch(value) else "string"
    return None
