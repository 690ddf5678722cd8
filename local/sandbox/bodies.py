"""Request bodies: JSON, and the length that Loops allows its texts."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from local.sandbox.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST_TEXT = 500
"""Characters of a key or string value, its two quotes among them; as JavaScript counts them, in UTF-16 units."""


def read_json(data: bytes) -> Any:
    """The JSON value; ValueError for all that JavaScript would not parse to the same value, as `NaN` or `1e999`."""
    try:
        return json.loads(data.decode(), parse_constant=_refuse_number, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def read_object(data: bytes) -> dict[str, Any]:
    """The JSON object that a request must hold, every text in it short enough; Refusal (400) otherwise."""
    try:
        body = read_json(data)
    except ValueError:
        raise Refusal(400, "Request body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise Refusal(400, "Request body must be a JSON object.")
    if any(_length(text) > LONGEST_TEXT for text in _texts(body)):
        raise Refusal(400, "Some body key or value is longer than allowable")
    return body


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse_number(text)


def _refuse_number(text: str) -> float:
    raise ValueError(f"{text} is no JSON number")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2 + 2


def _texts(body: Any) -> Iterator[str]:
    """Every key and string value, at every depth; a stack, since a body may nest deeper than Python recurses."""
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
