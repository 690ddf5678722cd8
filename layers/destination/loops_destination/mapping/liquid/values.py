"""LiquidJS's rules for printing, converting and comparing values."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from enum import Enum
from typing import Any, Final

from loops_destination.javascript import (
    UNDEFINED,
    array_index,
    is_number,
    json_text,
    length,
    scalar_text,
    string,
    trim,
    unit_at,
)

# JavaScript prints larger integers with an exponent; smaller ones stay exact here.
_LARGEST_INTEGER = 10**21

_DECIMAL = re.compile(
    r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
)  # can match any text in one way only
_RADIX = re.compile(r"0(?:[xX][0-9a-fA-F]+|[oO][0-7]+|[bB][01]+)")


class Word(Enum):
    """The words `nil`, `empty` and `blank`, which have their own rules of comparison."""

    NIL = None
    EMPTY = ""
    BLANK = "blank"


def plain(value: Any) -> Any:
    """Return the value; a word becomes the JSON value that filters see."""
    if isinstance(value, Word):
        return None if value is Word.NIL else ""
    return value


def shown(value: Any) -> str:
    """Return the value as a template prints it: null as nothing, an array as its elements without a separator."""
    value = plain(value)
    if isinstance(value, str):
        return value
    if value is None or value is UNDEFINED:
        return ""
    if isinstance(value, list):
        return "".join(map(shown, value))
    return json_text(value) if isinstance(value, dict) else scalar_text(value)


def numeric(value: Any) -> float:
    """Return `Number(value)`: NaN for a value that is neither a number nor written like one."""
    value = plain(value)
    if isinstance(value, bool) or value is None:
        return int(value or 0)
    if isinstance(value, list):
        value = string(value)
    if isinstance(value, str):
        return _numeral(trim(value))
    return bounded(value) if is_number(value) else math.nan


def number(value: Any) -> float:
    """Return the number that arithmetic uses for the value: 0 if it is not a number."""
    result = numeric(value)
    return 0 if math.isnan(result) else result


def bounded(value: float) -> float:
    """Return the number; an integer that JavaScript would not print in full becomes a float."""
    if isinstance(value, float) or abs(value) < _LARGEST_INTEGER:
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def is_true(value: Any) -> bool:
    """Return True for every value except false, null and undefined."""
    value = plain(value)
    return not (value is False or value is None or value is UNDEFINED)


def equal(left: Any, right: Any) -> bool:
    """`==`: equal values of the same type; arrays by their elements, objects only if they are the same object."""
    if isinstance(left, Word):
        return _is_word(left, right)
    if isinstance(right, Word):
        return _is_word(right, left)
    if isinstance(left, list):
        return isinstance(right, list) and len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) or isinstance(left, bool) is not isinstance(right, bool):
        return left is right
    return bool(left == right)


def contains(left: Any, right: Any) -> bool:
    """`contains`: an array contains an element, a string contains a text."""
    left = plain(left)
    if isinstance(left, list):
        return any(equal(item, right) for item in left)
    return isinstance(left, str) and string(plain(right)) in left


def _compared(relation: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(left: Any, right: Any) -> bool:
        if isinstance(left, Word) or isinstance(right, Word):
            return False
        left, right = (string(side) if isinstance(side, list | dict) else side for side in (left, right))
        if isinstance(left, str) and isinstance(right, str):
            return relation(left.encode("utf-16-be", "surrogatepass"), right.encode("utf-16-be", "surrogatepass"))
        return relation(numeric(left), numeric(right))

    return compare


OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": equal,
    "!=": lambda left, right: not equal(left, right),
    "<": _compared(operator.lt),
    ">": _compared(operator.gt),
    "<=": _compared(operator.le),
    ">=": _compared(operator.ge),
    "contains": contains,
    "and": lambda left, right: is_true(left) and is_true(right),
    "or": lambda left, right: is_true(left) or is_true(right),
}


def member(value: Any, key: Any) -> Any:
    """`value[key]`; a negative index counts from the end of an array, which also has `first`, `last` and `size`."""
    key = plain(key)
    if value is None or value is UNDEFINED:
        return value
    if isinstance(value, list):
        return _element(value, key)
    name = string(key)
    if isinstance(value, dict):
        return value.get(name, len(value) if name == "size" else UNDEFINED)
    if isinstance(value, str):
        index = array_index(name)
        return length(value) if name in {"length", "size"} else UNDEFINED if index is None else unit_at(value, index)
    return UNDEFINED


def _element(array: list[Any], key: Any) -> Any:
    places = {"first": 0, "last": -1}
    name = string(key)
    if name in {"length", "size"}:
        return len(array)
    index = key if is_number(key) else places.get(name, array_index(name))
    if index is None or index % 1 != 0 or not -len(array) <= index < len(array):
        return UNDEFINED
    return array[int(index)]


def _is_word(word: Word, other: Any) -> bool:
    if word is Word.NIL:
        return plain(other) is None or other is UNDEFINED
    if other in (Word.EMPTY, Word.BLANK):
        return False
    if word is Word.BLANK and not isinstance(other, list | dict):
        return other is False or not is_true(other) or (isinstance(other, str) and not trim(other))
    return isinstance(other, str | list | dict) and not other


def _numeral(text: str) -> float:
    if not text:
        return 0
    if text.lstrip("+-") == "Infinity" and len(text) <= len("+Infinity"):
        return float(text)
    if _RADIX.fullmatch(text):
        return bounded(int(text, 0))
    if not _DECIMAL.fullmatch(text):
        return math.nan
    is_exact = text.lstrip("+-").isdecimal() and len(text) <= len(str(_LARGEST_INTEGER))
    return int(text) if is_exact else float(text)
