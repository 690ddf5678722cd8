"""What arrives: Segment events, alone or in a batch, each with its own text as it came.

The text is kept because it is the event: it goes to the queues unchanged (numbers keep every digit), and where there
is no messageId it tells one event from another.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NoReturn

from pydantic_core import from_json

from loops_destination.errors import NotAnEvent

MAX_EVENT_BYTES = 256 * 1024  # Segment sends at most 32 KB; its Public API names no more than this for any product
MAX_BODY_BYTES = 5 * 1000 * 1000  # a batch of Segment is at most 4 MB
SEGMENT_RETRIES_SECONDS = 4 * 3600
CLOCK_SKEW_SECONDS = 60  # by which Segment's clock may be ahead of this one
MAX_DEPTH = 200  # of objects and arrays; far above any event, far below Python's recursion limit

TEST_EVENT_PREFIX = "segment-test-message-"
"""How the messageId of an event from Segment's own event tester begins."""

_TOO_DEEP = f"objects and arrays are nested more than {MAX_DEPTH} deep"
_NO_TYPE = "the object has no type, so it is no whole Segment event; check the webhook's data mapping in Segment"
_WRAPPED = re.compile(r'\{\s*"json"\s*:\s*')
_BLANKS = " \t\n\r"
_BLANK = re.compile(f"[{_BLANKS}]*")


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One element of a request: the event, and its JSON text as it came; `event` is None for what is no event."""

    text: str = field(repr=False)
    event: dict[str, Any] | None = field(repr=False)
    problem: str = ""

    @property
    def message_id(self) -> str | None:
        return message_id(self.event) if self.event is not None else None

    @property
    def too_large(self) -> bool:
        # A character is at most 4 bytes: only long texts need to be encoded to be measured.
        return len(self.text) * 4 > MAX_EVENT_BYTES and len(self.text.encode()) > MAX_EVENT_BYTES


def message_id(event: dict[str, Any]) -> str | None:
    """The event's messageId, None when it has none that can tell it from others."""
    value = event.get("messageId")
    return value if isinstance(value, str) and value else None


def is_test_event(event: dict[str, Any]) -> bool:
    """Whether Segment's event tester sent it, where a person waits for the answer."""
    return (message_id(event) or "").startswith(TEST_EVENT_PREFIX)


def first_seen(event: dict[str, Any], arrived: float) -> float:
    """Return the earliest time at which a delivery may have been tried; the age of its idempotency key counts from it.

    Segment sends an event again for four hours, so this is its `receivedAt`, but at most four hours before the arrival.
    Without a `receivedAt`, or with one after the arrival, any arrival may be the last retry: it is those four hours.
    """
    earliest = arrived - SEGMENT_RETRIES_SECONDS
    received = _seconds(event.get("receivedAt"))
    if received is None or received > arrived + CLOCK_SKEW_SECONDS:
        return earliest
    return min(max(received, earliest), arrived)


def age_on_arrival(event: dict[str, Any], arrived: float) -> float:
    """Return how many seconds old an event was when it arrived, by its `receivedAt`, else its `timestamp`.

    0 for an event without a date: it cannot be shown to be old.
    """
    dates = (_seconds(event.get(name)) for name in ("receivedAt", "timestamp"))
    return arrived - next((seconds for seconds in dates if seconds is not None), arrived)


def _seconds(value: Any) -> float | None:
    """Return a date in ISO 8601 in seconds since 1970, in UTC unless it names a zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def parse_body(body: bytes) -> list[Arrival]:
    """Return the elements of a request's body in their order; `NotAnEvent` when it is neither an event nor a batch.

    A batch is an array, or `{"batch": […]}`, the form of Segment's HTTP API.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise NotAnEvent("the body is not UTF-8") from None
    start = _after_blanks(text, 0)
    if text.startswith("[", start):
        return _parse_batch(text, start + 1)
    value = _read(text)
    if isinstance(value, dict) and isinstance(value.get("batch"), list) and not _has_type(value):
        return _parse_batch_object(text, start + 1)
    arrival = _arrival(text.strip(_BLANKS), value)
    if arrival.event is None:
        raise NotAnEvent(arrival.problem)
    return [arrival]


def parse_object(text: str) -> dict[str, Any]:
    """The JSON object that the whole text is, read as an event is read; `NotAnEvent` when it is none."""
    value = _read(text)
    if not isinstance(value, dict):
        raise NotAnEvent("an event is a JSON object")
    return value


def _parse_batch(text: str, position: int) -> list[Arrival]:
    """Return the elements of a body that is an array, whose bracket opens before the position."""
    arrivals, end = _elements(text, position)
    if _after_blanks(text, end) != len(text):
        raise NotAnEvent("the body goes on after the batch")
    return arrivals


def _parse_batch_object(text: str, position: int) -> list[Arrival]:
    """Return the elements of the `batch` of a JSON object, whose brace opens before the position."""
    batches = []
    end = position
    while not text.startswith("}", end):
        key, end = _scan(text, _after_blanks(text, position))
        start = _after_blanks(text, _after_blanks(text, end) + 1)  # behind the colon
        _, end = _scan(text, start)
        if key == "batch":
            batches.append(start + 1)
        end = _after_blanks(text, end)
        position = end + 1  # behind the comma
    if len(batches) != 1:
        raise NotAnEvent("the body has the key batch more than once")
    arrivals, _ = _elements(text, batches[0])
    return arrivals


def _elements(text: str, position: int) -> tuple[list[Arrival], int]:
    """Return the elements of the array whose bracket opens before the position, and where the array ends."""
    arrivals: list[Arrival] = []
    position = _after_blanks(text, position)
    closed = text.startswith("]", position)
    while not closed:
        value, end = _scan(text, position)
        arrivals.append(_arrival(text[position:end], value))
        position = _after_blanks(text, end)
        closed = text.startswith("]", position)
        if not closed and not text.startswith(",", position):
            raise NotAnEvent(f"the batch has no comma or bracket at character {position}")
        if not closed:
            position = _after_blanks(text, position + 1)
    return arrivals, position + 1


def _arrival(text: str, value: Any) -> Arrival:
    if not isinstance(value, dict):
        return Arrival(text, None, "an event is a JSON object")
    if len(value) == 1 and "json" in value:
        return _unwrapped(text)
    if not _has_type(value):
        return Arrival(text, None, _NO_TYPE)
    return Arrival(text, None, _TOO_DEEP) if too_deep(text, value) else Arrival(text, value)


def _has_type(value: dict[str, Any]) -> bool:
    """Tell a Segment event, which always has its `type` as text, from other JSON objects."""
    return isinstance(value.get("type"), str) and value["type"] != ""


def _unwrapped(text: str) -> Arrival:
    """What Extensible Webhook wraps as `{"json": event}`; a key given twice is refused, for either could be meant."""
    opening = _WRAPPED.match(text)
    if opening is not None:
        value, end = _scan(text, opening.end())
        if _after_blanks(text, end) == len(text) - 1:
            inner = text[opening.end() : end]
            if isinstance(value, dict) and len(value) == 1 and "json" in value:
                return Arrival(inner, None, "an event is wrapped once")
            return _arrival(inner, value)
    return Arrival(text, None, 'a wrapped event is {"json": event}, with the key once')


def _read(text: str) -> Any:
    """The value that the whole text is.

    pydantic's parser is twice as fast as `json`'s and tells the same of what it takes. It refuses some JSON that `json`
    takes (half a surrogate pair, a number of thousands of digits), and its problems have no place: those are read again.
    """
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except (ValueError, TypeError):  # the latter where the text itself holds half a pair
        value, end = _scan(text, _after_blanks(text, 0))
        if _after_blanks(text, end) != len(text):
            raise NotAnEvent(f"the body goes on after its JSON value, at character {end}") from None
        return value


def _scan(text: str, position: int) -> tuple[Any, int]:
    """The value that begins at the position, and where it ends."""
    try:
        return _scan_exactly(text, position)
    except json.JSONDecodeError as error:
        raise NotAnEvent(f"the body is not JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise NotAnEvent(_TOO_DEEP) from None


def _scan_exactly(text: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than Python converts; rare, so only then is each one looked at
        return _LONG_INTEGERS_DECODER.raw_decode(text, position)


def _refuse_constant(name: str) -> NoReturn:
    raise NotAnEvent(f"the body is not JSON: {name} is no JSON value")


def _integer(digits: str) -> int | float:
    """Exact up to Python's limit of digits; beyond it infinity, as JavaScript reads it."""
    try:
        return int(digits)
    except ValueError:
        return -math.inf if digits.startswith("-") else math.inf


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
_LONG_INTEGERS_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_integer)


def _after_blanks(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def too_deep(text: str, value: Any) -> bool:
    """Whether the value of this text is nested deeper than this package's recursions are meant for."""
    if text.count("{") + text.count("[") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for container in level
            for item in (container.values() if isinstance(container, dict) else container)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True
