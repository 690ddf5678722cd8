"""JSON that a person wrote, read without guessing what was meant."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NoReturn

from loops_destination.errors import InvalidJson


def read_json(text: str) -> Any:
    """Return the JSON value of the whole text.

    Raises `InvalidJson` where `json.loads` raises, and where it would guess: for a repeated key, NaN and Infinity.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        message = f"not JSON: {error.msg}" if text.strip() else "not JSON: it is empty"
        raise InvalidJson(message, error.lineno, error.colno) from None
    except ValueError:  # Python converts no integer of more than 4,300 digits
        raise InvalidJson("a number is too long") from None
    except RecursionError:
        raise InvalidJson("nested too deeply") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        times = Counter(key for key, _ in pairs)
        repeated = ", ".join(json.dumps(key) for key in value if times[key] > 1)
        raise InvalidJson(f"an object has the key {repeated} more than once")
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidJson(f"not JSON: {name} is not a JSON value")
