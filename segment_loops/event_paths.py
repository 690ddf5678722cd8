"""The paths of everything in an event, as keys and as they are written in a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

Keys = tuple[str, ...]

_PLAIN_KEY = re.compile(r"[\w-]+")


def values_in(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield everything in a value with the keys that lead to it, an object or array before its members."""
    if keys:
        yield keys, value
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in members:
        yield from values_in(item, (*keys, str(key)))


def written(keys: Keys, *, is_in_template: bool = False) -> str:
    """Return the path as a person writes it; in a template it has no `$`."""
    path = "".join(f".{key}" if _PLAIN_KEY.fullmatch(key) else f"['{key}']" for key in keys).removeprefix(".")
    return path if is_in_template else f"$.{path}"  # `$` without a dot is a name of its own
