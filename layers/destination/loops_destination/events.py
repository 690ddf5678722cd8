"""The body of a request, parsed into Segment events, each with its JSON text as it came.

The text goes onto the queues unchanged, so that numbers keep every digit. It also identifies an event that has no
messageId.
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

MAX_EVENT_BYTES = 256 * 1024  # Segment sends at most 32 KB; its Public API names no higher limit for any product
MAX_BODY_BYTES = 5 * 1000 * 1000  # a batch from Segment has at most 4 MB
SEGMENT_RETRIES_SECONDS = 4 * 3600
CLOCK_SKEW_SECONDS = 60  # Segment's clock may run this far ahead of AWS's
MAX_DEPTH = 200  # of objects and arrays: far above any event, far below Python's recursion limit

TEST_EVENT_PREFIX = "segment-test-message-"
"""The beginning of the messageId of an event from Segment's event tester."""

_TOO_DEEP = f"objects and arrays are nested more than {MAX_DEPTH} deep"
_NOT_AN_OBJECT = "an event is a JSON object"
_NO_TYPE = "the object has no type, so it is not a whole Segment event; check the webhook's data mapping in Segment"
_WRAPPED = re.compile(r'\{\s*"json"\s*:\s*')
_BLANKS = " \t\n\r"
_BLANK = re.compile(f"[{_BLANKS}]*")

_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_MD5 = "[0-9a-f]{32}"
_SEGMENT_ID = re.compile(
    rf"""
    {_UUID}                                                                  # most SDKs
    | (?:ajs|node)(?:-next)? - (?:[0-9]{{13}}-|{_MD5}-)? (?:{_UUID}|{_MD5})  # analytics.js, analytics-node
    | node-[0-9A-Za-z]{{32}}                                                 # analytics-node, at first
    | (?:api-|personas_) [0-9A-Za-z]{{27}}                                   # Segment's API and Engage: a KSUID
    | personas_[0-9a-z]{{21}}                                                # Engage's journeys
    | [0-9][0-9A-Za-z]{{26}}                                                 # a KSUID; until 2051 they begin with a digit
    | segment-test-message-[0-9a-z]{{1,8}}                                   # the event tester
    """,
    re.VERBOSE,
)
"""The forms of messageId that Segment generates. The sender chose any other, which may contain a name or an address."""


@dataclass(frozen=True, slots=True, eq=False)
class Arrival:
    """One item of a request, alone or in a batch: its JSON text as it came, and the event.

    If the item is not an event, `event` is None and `problem` says why.
    """

    text: str = field(repr=False)
    event: dict[str, Any] | None = field(repr=False)
    problem: str = ""

    @property
    def message_id(self) -> str | None:
        return message_id(self.event) if self.event is not None else None

    @property
    def too_large(self) -> bool:
        # A character has at most 4 bytes in UTF-8, so only a long text must be encoded to be measured.
        return len(self.text) * 4 > MAX_EVENT_BYTES and len(self.text.encode()) > MAX_EVENT_BYTES


def message_id(event: dict[str, Any]) -> str | None:
    """Return the event's messageId, or None if it is missing, empty or not text."""
    value = event.get("messageId")
    return value if isinstance(value, str) and value else None


def is_segment_id(value: Any) -> bool:
    """Return True for a messageId in a form that Segment generates; any other may contain a name or an address."""
    return isinstance(value, str) and _SEGMENT_ID.fullmatch(value) is not None


def is_test_event(event: dict[str, Any]) -> bool:
    """Return whether the event comes from Segment's event tester, where a person waits for the response."""
    return (message_id(event) or "").startswith(TEST_EVENT_PREFIX)


def first_seen(event: dict[str, Any], arrived: float) -> float:
    """Return the earliest time at which the event may have been sent to Loops, in seconds since 1970.

    The age of an idempotency key counts from this time. It is the event's `receivedAt`, but at most four hours before
    `arrived`, because Segment retries for four hours. Without a `receivedAt`, or with one after `arrived`, it is four
    hours before `arrived`: the request may be Segment's last retry.
    """
    earliest = arrived - SEGMENT_RETRIES_SECONDS
    received = _seconds(event.get("receivedAt"))
    if received is None or received > arrived + CLOCK_SKEW_SECONDS:
        return earliest
    return min(max(received, earliest), arrived)


def age_on_arrival(event: dict[str, Any], arrived: float) -> float:
    """Return the event's age at `arrived` in seconds, by its `receivedAt` or else its `timestamp`.

    An event with neither has the age 0.
    """
    dates = (_seconds(event.get(name)) for name in ("receivedAt", "timestamp"))
    return arrived - next((seconds for seconds in dates if seconds is not None), arrived)


def _seconds(value: Any) -> float | None:
    """Return an ISO 8601 date in seconds since 1970, or None for any other value. UTC is assumed if it has no zone."""
    if not isinstance(value, str):
        return None
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()


def parse_body(body: bytes) -> list[Arrival]:
    """Return the items of a request's body in order. Raises `NotAnEvent` if it is neither an event nor a batch.

    A batch is an array, or an object `{"batch": […]}` as in Segment's HTTP API. An item of a batch that is not an event
    does not raise.
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
    """Parse a text that is one JSON object, by the same rules as an event. Raises `NotAnEvent` for any other text."""
    value = _read(text)
    if not isinstance(value, dict):
        raise NotAnEvent(_NOT_AN_OBJECT)
    return value


def _parse_batch(text: str, position: int) -> list[Arrival]:
    """Return the items of a body that is an array; `position` follows its opening bracket."""
    arrivals, end = _items(text, position)
    if _after_blanks(text, end) != len(text):
        raise NotAnEvent(f"the body goes on after the batch, at character {end}")
    return arrivals


def _parse_batch_object(text: str, position: int) -> list[Arrival]:
    """Return the items of an object's `batch`; `position` follows the opening brace of the object."""
    batches = []
    end = position
    while not text.startswith("}", end):
        key, end = _scan(text, _after_blanks(text, position))
        start = _after_blanks(text, _after_blanks(text, end) + 1)  # after the colon
        _, end = _scan(text, start)
        if key == "batch":
            batches.append(start + 1)
        end = _after_blanks(text, end)
        position = end + 1  # after the comma
    if len(batches) != 1:
        raise NotAnEvent("the body has the key batch more than once")
    arrivals, _ = _items(text, batches[0])
    return arrivals


def _items(text: str, position: int) -> tuple[list[Arrival], int]:
    """Return the items of an array, and the position after it; `position` follows its opening bracket."""
    arrivals: list[Arrival] = []
    position = _after_blanks(text, position)
    closed = text.startswith("]", position)
    while not closed:
        value, end = _scan(text, position)
        arrivals.append(_arrival(text[position:end], value))
        position = _after_blanks(text, end)
        closed = text.startswith("]", position)
        if not closed and not text.startswith(",", position):
            raise NotAnEvent(f"the batch has no comma or closing bracket at character {position}")
        if not closed:
            position = _after_blanks(text, position + 1)
    return arrivals, position + 1


def _arrival(text: str, value: Any) -> Arrival:
    if not isinstance(value, dict):
        return Arrival(text, None, _NOT_AN_OBJECT)
    if len(value) == 1 and "json" in value:
        return _unwrapped(text)
    if not _has_type(value):
        return Arrival(text, None, _NO_TYPE)
    return Arrival(text, None, _TOO_DEEP) if too_deep(text, value) else Arrival(text, value)


def _has_type(value: dict[str, Any]) -> bool:
    """Return whether the object is a Segment event: every event has a `type`."""
    return isinstance(value.get("type"), str) and value["type"] != ""


def _unwrapped(text: str) -> Arrival:
    """Return the event that Extensible Webhook wraps as `{"json": event}`.

    An item with the key twice is not an event, because either value could be meant.
    """
    opening = _WRAPPED.match(text)
    if opening is not None:
        value, end = _scan(text, opening.end())
        if _after_blanks(text, end) == len(text) - 1:
            inner = text[opening.end() : end]
            if isinstance(value, dict) and len(value) == 1 and "json" in value:
                return Arrival(inner, None, 'an event is wrapped in {"json": …} only once')
            return _arrival(inner, value)
    return Arrival(text, None, 'a wrapped event is {"json": event} and has the key json only once')


def _read(text: str) -> Any:
    """Parse a text that is one JSON value.

    pydantic's parser is twice as fast as `json`'s, and returns the same values. But it rejects some JSON that `json`
    accepts (half a surrogate pair, a number of thousands of digits), and its errors have no position. So what it rejects
    is parsed again by `json`.
    """
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except (ValueError, TypeError):  # TypeError: the text itself contains half a surrogate pair
        value, end = _scan(text, _after_blanks(text, 0))
        if _after_blanks(text, end) != len(text):
            raise NotAnEvent(f"the body goes on after its JSON value, at character {end}") from None
        return value


def _scan(text: str, position: int) -> tuple[Any, int]:
    """Return the JSON value that begins at the position, and the position after it."""
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
    except ValueError:  # an integer has more digits than Python converts
        return _LONG_INTEGERS_DECODER.raw_decode(text, position)


def _reject_constant(name: str) -> NoReturn:
    raise NotAnEvent(f"the body is not JSON: {name} is not a JSON value")


def _integer(digits: str) -> int | float:
    """Return the exact integer, or infinity if it has more digits than Python converts. JavaScript reads infinity too."""
    try:
        return int(digits)
    except ValueError:
        return -math.inf if digits.startswith("-") else math.inf


_DECODER = json.JSONDecoder(parse_constant=_reject_constant)
_LONG_INTEGERS_DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_int=_integer)


def _after_blanks(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def too_deep(text: str, value: Any) -> bool:
    """Return whether a JSON value, of which this is the text, is nested more than `MAX_DEPTH` deep."""
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
