"""Paths into an event, such as `$.traits.address['zip code']` or `properties.products[0].name`."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import reduce
from typing import Any

from loops_destination.javascript import UNDEFINED, array_index, is_falsy, length, unit_at

__all__ = ["Getter", "compile_path", "getter", "keys_of", "split"]

Getter = Callable[[Any], Any]
"""A function that finds one place in a value; it returns `UNDEFINED` where nothing is found, and never raises."""

# A bracket separates only before an index or a quoted name; elsewhere it is part of the name.
_SEPARATOR = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")
_QUOTES = str.maketrans("", "", "'\"")


def compile_path(path: str) -> Getter:
    """Return the getter of a path."""
    return getter(keys_of(path))


def keys_of(path: str) -> tuple[str, ...]:
    """Split a path into its keys; the first `$.` is optional. `$.`, `.` and `""` have no keys: the whole value.

    `$` alone is a property of that name, as it is at Segment.
    """
    return split(path.replace("$.", "", 1))


def split(path: str) -> tuple[str, ...]:
    """Split a path without `$.` into its keys; a dot in a quoted name separates too, as it does at Segment."""
    return tuple(key.translate(_QUOTES) for key in _SEPARATOR.split(path) if key)


def getter(keys: tuple[str, ...]) -> Getter:
    """Return a getter that walks a value key by key, by JavaScript's rules.

    A falsy value on the way (`null`, `0`, `false`, `""`) ends the walk and is the result. Arrays and strings have indices
    and a `length`.
    """

    def get(value: Any) -> Any:
        found = value
        try:
            # Nearly every path leads through objects alone, so that no value on the way needs a test of its type.
            for key in keys:
                found = found.get(key, UNDEFINED)
        except AttributeError:
            return reduce(_step, keys, value)
        return found

    return get


def _step(value: Any, key: str) -> Any:
    if is_falsy(value):
        return value
    if isinstance(value, dict):
        return value.get(key, UNDEFINED)
    if isinstance(value, list):
        return _element(value, key)
    if isinstance(value, str):
        return _unit(value, key)
    return UNDEFINED


def _element(array: list[Any], key: str) -> Any:
    if key == "length":
        return len(array)
    index = array_index(key)
    return array[index] if index is not None and index < len(array) else UNDEFINED


def _unit(text: str, key: str) -> Any:
    if key == "length":
        return length(text)
    index = array_index(key)
    return UNDEFINED if index is None else unit_at(text, index)
