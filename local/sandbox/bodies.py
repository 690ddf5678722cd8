"""Request bodies: JSON with texts of the length that Loops allows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from segment_loops.json_app import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TEXT = 500
"""The longest key or string value: in UTF-16 units, as JavaScript counts, including its two quotes."""


def read_json(data: bytes) -> Any:
    """Return the JSON value; raise `ValueError` for text that JavaScript reads differently, such as `NaN` or `1e999`."""
    try:
        return json.loads(data.decode(), parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in a request; raise `ApiError` (400) for other JSON and for texts that are too long."""
    try:
        body = read_json(data)
    except ValueError:
        raise ApiError(400, "Request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise ApiError(400, "Request body must be a JSON object.")
    if any(_length(text) > LONGEST_TEXT for text in _texts(body)):
        raise ApiError(400, "Some body key or value is longer than allowable")
    return body


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 + 2


def _texts(body: Any) -> Iterator[str]:
    """Yield every key and string value, at any depth, without recursion: a body may be nested deeper than Python's stack."""
    pending = [body]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            yield from value
            pending.extend(value.values())
        elif isinstance(value, list):
            pending.extend(value)
