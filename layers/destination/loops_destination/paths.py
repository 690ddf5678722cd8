"""Paths into an event: `$.traits.address['zip code']` or `properties.products[0].name`, compiled into getters.

A path is split once. Its getter then walks a value by JavaScript's rules: a falsy value met on the way (`null`, `0`,
`false`, `""`) ends the walk and is the answer, arrays and strings know their indices and `length`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from loops_destination.javascript import UNDEFINED, array_index, is_falsy, length, unit_at

__all__ = ["Getter", "compile_path", "getter", "keys_of", "split", "step"]

Getter = Callable[[Any], Any]

# A bracket counts only around an index or a quoted name; any other is part of the name.
_SEPARATOR = re.compile(r"""\[(?=["'0-9])|\.|(?<=["'0-9])\]+""")
_QUOTES = str.maketrans("", "", "'\"")


def compile_path(path: str) -> Getter:
    """What finds `path` in a value."""
    return getter(keys_of(path))


def keys_of(path: str) -> tuple[str, ...]:
    """The keys of a path; `$.` before it is optional, and `$`, `$.`, `.` and the empty path are the whole."""
    return split("" if path == "$" else path.replace("$.", "", 1))


def split(path: str) -> tuple[str, ...]:
    """The keys of a path without `$.`; a quoted name ends at a dot too, as it does for Segment."""
    return tuple(key.translate(_QUOTES) for key in _SEPARATOR.split(path) if key)


def getter(keys: tuple[str, ...]) -> Getter:
    """What walks a value along the keys; it gives `UNDEFINED` where nothing is found, and never raises."""
    if not keys:
        return _whole
    if len(keys) == 1:
        return _one(*keys)
    if len(keys) == 2:  # noqa: PLR2004  one to three keys have their own closures
        return _two(*keys)
    if len(keys) == 3:  # noqa: PLR2004  as above
        return _three(*keys)

    def get(value: Any) -> Any:
        for key in keys:
            value = value.get(key, UNDEFINED) if type(value) is dict else step(value, key)
        return value

    return get


def _whole(value: Any) -> Any:
    return value


def _one(key: str) -> Getter:
    def get(value: Any) -> Any:
        return value.get(key, UNDEFINED) if type(value) is dict else step(value, key)

    return get


def _two(first: str, second: str) -> Getter:
    def get(value: Any) -> Any:
        inner = value.get(first, UNDEFINED) if type(value) is dict else step(value, first)
        return inner.get(second, UNDEFINED) if type(inner) is dict else step(inner, second)

    return get


def _three(first: str, second: str, third: str) -> Getter:
    def get(value: Any) -> Any:
        outer = value.get(first, UNDEFINED) if type(value) is dict else step(value, first)
        inner = outer.get(second, UNDEFINED) if type(outer) is dict else step(outer, second)
        return inner.get(third, UNDEFINED) if type(inner) is dict else step(inner, third)

    return get


def step(value: Any, key: str) -> Any:
    """What a value has under one key; `UNDEFINED` where that is nothing."""
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
