"""JSON values as JavaScript sees them: Segment's mappings were written against its rules.

A value is what `json.loads` gives, or `UNDEFINED`. Sources: ECMA-262 (Number::toString, ToBoolean, JSON.stringify), where
a string is a sequence of UTF-16 units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Any, Final, final

# JavaScript keeps these apart from a number's exponent: below and above, it prints one.
_SMALLEST_POINT = -6
_LARGEST_POINT = 21

_WIDEST_INDENT = 10

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
WHITESPACE = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


@final
class Undefined:
    """The type of `UNDEFINED`, JavaScript's value of what is not there."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


def is_falsy(value: Any) -> bool:
    """Whether JavaScript counts the value as false: `[]` and `{}` are true there, `NaN` is false."""
    if isinstance(value, str | int):
        return not value
    if isinstance(value, float):
        return value == 0 or math.isnan(value)
    return value is None or value is UNDEFINED


def is_number(value: Any) -> bool:
    """Whether the value is a JSON number; Python counts booleans among its integers, JSON does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """What JSON calls the value's type; for messages, which must not show the value itself."""
    if value is None or value is UNDEFINED:
        return "null" if value is None else "nothing"
    names = {
        bool: "a boolean",
        str: "a string",
        dict: "an object",
        list: "an array",
        int: "a number",
        float: "a number",
    }
    return next((name for kind, name in names.items() if isinstance(value, kind)), "no JSON value")


def scalar_text(value: str | float) -> str:
    """`String(value)`; integers are printed exactly, where JavaScript would round those above 2**53."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    try:
        return str(value)
    except ValueError:  # Python refuses to print an integer of thousands of digits; to JavaScript it is infinite
        return "Infinity" if value > 0 else "-Infinity"


def json_text(value: Any, indent: Any = 0) -> str:
    """`JSON.stringify(value, null, indent)`: escaped no more than needed; numbers that are not finite become `null`.

    `indent` is a number of blanks, or what stands for them; ten are the most that count.
    """
    step = indent[:_WIDEST_INDENT] if isinstance(indent, str) else ""
    if is_number(indent) and indent >= 1:
        step = " " * int(min(indent, _WIDEST_INDENT))
    return _written(value, "\n" if step else "", step)


def trim(text: str) -> str:
    """`text.trim()`; Python's `strip` keeps the byte order mark, and takes separators that JavaScript keeps."""
    return text.strip(WHITESPACE)


def length(text: str) -> int:
    """`text.length`, in UTF-16 units."""
    return len(text) if text.isascii() else len(_units(text)) // 2


def unit_at(text: str, index: int) -> str | Undefined:
    """`text[index]` for an index from 0: one UTF-16 unit, so a lone surrogate where a pair stands."""
    if text.isascii():
        return text[index] if index < len(text) else UNDEFINED
    unit = _units(text)[2 * index : 2 * index + 2]
    return unit.decode("utf-16-le", "surrogatepass") if unit else UNDEFINED


def split_surrogates(text: str) -> str:
    """The text with each character beyond U+FFFF as its two surrogates: one Python character a UTF-16 unit."""
    return _ASTRAL.sub(lambda character: _two_units(ord(character.group()) - 0x10000), text)


def join_surrogates(text: str) -> str:
    """The text with each pair of surrogates as the one character it stands for: how JavaScript's strings are compared."""
    if text.isascii() or not _SURROGATE_PAIR.search(text):
        return text
    return _units(text).decode("utf-16-le", "surrogatepass")


def has_surrogates(text: str) -> bool:
    """Whether the text holds surrogates of their own: half a character each."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _two_units(offset: int) -> str:
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def array_index(key: str) -> int | None:
    """The index that the key stands for in an array: a plain decimal below 2**32 - 1, so not `01` or `-1`."""
    if not (key.isdecimal() and key.isascii()) or len(key) > len(str(2**32)) or (key[0] == "0" and key != "0"):
        return None
    index = int(key)
    return index if index < 2**32 - 1 else None


def in_order(value: dict[str, Any]) -> Iterable[str]:
    """The keys in JavaScript's order: array indices by their size, then the others as they were written."""
    if not any(map(str.isdecimal, value)):
        return value
    indices = sorted((key for key in value if array_index(key) is not None), key=int)
    return [*indices, *(key for key in value if array_index(key) is None)]


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _float_text(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    sign = "-" if value < 0 else ""
    digits, point = _decimal(abs(value))
    if len(digits) <= point <= _LARGEST_POINT:
        return f"{sign}{digits:0<{point}}"
    if 0 < point <= _LARGEST_POINT:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if _SMALLEST_POINT < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{point - 1:+d}"


def _decimal(value: float) -> tuple[str, int]:
    # Python and JavaScript agree on the shortest digits, not on how to lay them out: 0.digits * 10**point.
    mantissa, _, exponent = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    written = (whole + fraction).lstrip("0")
    leading_zeros = len(whole + fraction) - len(written)
    return written.rstrip("0"), len(whole) - leading_zeros + int(exponent or 0)


def _written(value: Any, line: str, step: str) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        colon, inner = ": " if step else ":", line + step
        members = [
            f"{_quoted(key)}{colon}{_written(value[key], inner, step)}"
            for key in in_order(value)
            if value[key] is not UNDEFINED
        ]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}" if members else "{}"
    if isinstance(value, list):
        inner = line + step
        elements = [_written(element, inner, step) for element in value]
        return f"[{inner}{f',{inner}'.join(elements)}{line}]" if elements else "[]"
    return _number_text(value) if isinstance(value, int | float) else "null"


def _number_text(value: float) -> str:
    text = scalar_text(value)
    return "null" if text.endswith(("y", "N")) else text  # Infinity and NaN


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    if quoted.isascii() or not _SURROGATE.search(quoted):
        return quoted
    return _SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", join_surrogates(quoted))
