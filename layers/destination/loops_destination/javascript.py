"""JavaScript's rules for JSON values, because Segment evaluates mappings and triggers in JavaScript.

A value is one that `json.loads` returns, or `UNDEFINED`. The rules are those of ECMA-262 (ToBoolean, Number::toString,
JSON.stringify), where a string is a sequence of UTF-16 units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from json.encoder import encode_basestring
from typing import Any, Final, final

from pydantic_core import to_json

# At these exponents and beyond, JavaScript prints a number with its exponent.
_SMALL_EXPONENT = -7
_LARGE_EXPONENT = 21

_WIDEST_INDENT = 10

# Where pydantic's JSON may differ from JavaScript's: indices do not come first, 5.0 is `5.0`, and exponents begin elsewhere.
_INDEX_KEY = re.compile(rb'"[0-9]+":')
_WHOLE_FLOAT = re.compile(rb"\.0[],}]")
_EXPONENT = re.compile(rb"e[-+]?[0-9]+[],}]")

_SURROGATE = re.compile("[\ud800-\udfff]")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
WHITESPACE = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"


@final
class Undefined:
    """The type of `UNDEFINED`: the value of anything that is missing, as in JavaScript."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNDEFINED"


UNDEFINED: Final = Undefined()


def is_falsy(value: Any) -> bool:
    """Return True if JavaScript counts the value as false: `NaN` is false, `[]` and `{}` are not."""
    if isinstance(value, (str, int)):
        return not value
    if isinstance(value, float):
        return value == 0 or math.isnan(value)
    return value is None or value is UNDEFINED


def is_number(value: Any) -> bool:
    """Return True for a JSON number; in Python, unlike JSON, a boolean is an integer too."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def type_name(value: Any) -> str:
    """Return the name of the value's JSON type with its article, for messages that must not show the value itself."""
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
    return next((name for kind, name in names.items() if isinstance(value, kind)), "not a JSON value")


def scalar_text(value: str | float) -> str:
    """Return `String(value)`; integers above 2**53 keep all their digits, which JavaScript would round."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float_text(value)
    try:
        return str(value)
    except ValueError:  # Python refuses to print an integer of thousands of digits; in JavaScript it is infinite
        return "Infinity" if value > 0 else "-Infinity"


def string(value: Any) -> str:
    """Return `String(value)`, but objects as JSON; in an array, null and missing elements are empty."""
    if isinstance(value, list):
        return ",".join("" if item is None or item is UNDEFINED else string(item) for item in value)
    if value is None or value is UNDEFINED:
        return "null" if value is None else "undefined"
    return json_text(value) if isinstance(value, dict) else scalar_text(value)


def json_text(value: Any, indent: Any = 0) -> str:
    """Return `JSON.stringify(value, null, indent)`; numbers that are not finite become `null`.

    `indent` is a number of spaces, at most ten, or a string to indent with, of which the first ten characters count.
    """
    step = _indent_text(indent) if indent else ""
    if step:
        return _written(value, "\n", step)
    return _written_by_pydantic(value) or _written(value, "", "")


def trim(text: str) -> str:
    """Return `text.trim()`; Python's `strip` keeps the byte order mark, and removes separators that JavaScript keeps."""
    return text.strip(WHITESPACE)


def length(text: str) -> int:
    """Return `text.length`, in UTF-16 units."""
    return len(text) if text.isascii() else len(_units(text)) // 2


def unit_at(text: str, index: int) -> str | Undefined:
    """Return `text[index]` for an index from 0: one UTF-16 unit, which may be half of a surrogate pair."""
    if text.isascii():
        return text[index] if index < len(text) else UNDEFINED
    unit = _units(text)[2 * index : 2 * index + 2]
    return unit.decode("utf-16-le", "surrogatepass") if unit else UNDEFINED


def split_surrogates(text: str) -> str:
    """Split each character beyond U+FFFF into its two surrogates, so that one Python character is one UTF-16 unit."""
    return _ASTRAL.sub(lambda character: _two_units(ord(character.group()) - 0x10000), text)


def join_surrogates(text: str) -> str:
    """Join each pair of surrogates into its character, so that equal JavaScript strings are equal in Python."""
    if text.isascii() or not _SURROGATE_PAIR.search(text):
        return text
    return _units(text).decode("utf-16-le", "surrogatepass")


def has_surrogates(text: str) -> bool:
    """Return True if the text contains a surrogate, which is half a character."""
    return not text.isascii() and _SURROGATE.search(text) is not None


def _two_units(offset: int) -> str:
    return chr(0xD800 + (offset >> 10)) + chr(0xDC00 + (offset & 0x3FF))


def array_index(key: str) -> int | None:
    """Return the array index that a key denotes: a plain decimal below 2**32 - 1, not `01` or `-1`; else None."""
    if not (key.isdecimal() and key.isascii()) or len(key) > len(str(2**32)) or (key[0] == "0" and key != "0"):
        return None
    index = int(key)
    return index if index < 2**32 - 1 else None


def in_order(value: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    """Return the members in JavaScript's order: array indices in ascending order, then the other keys as written."""
    if not any(map(str.isdecimal, value)):
        return value.items()
    indices = sorted((key for key in value if array_index(key) is not None), key=int)
    return [(key, value[key]) for key in [*indices, *(key for key in value if array_index(key) is None)]]


def _units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _float_text(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = repr(value).partition("e")
    if exponent:
        return _with_exponent(mantissa, int(exponent))
    return mantissa.removesuffix(".0") if value else "0"  # not -0


def _with_exponent(mantissa: str, exponent: int) -> str:
    # Python and JavaScript print the same digits, but Python uses an exponent more often.
    sign, digits = mantissa[: mantissa.startswith("-")], mantissa.lstrip("-").replace(".", "")
    if 0 < exponent < _LARGE_EXPONENT:
        return f"{sign}{digits:0<{exponent + 1}}"
    if _SMALL_EXPONENT < exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    return f"{mantissa}e{exponent:+d}"


def _indent_text(indent: Any) -> str:
    if isinstance(indent, str):
        return indent[:_WIDEST_INDENT]
    return " " * int(min(indent, _WIDEST_INDENT)) if is_number(indent) and indent >= 1 else ""


def _written_by_pydantic(value: Any) -> str | None:
    """Return the compact JSON of an object or array, written fast by pydantic; None where JavaScript's may differ.

    The output is searched for possible differences. A false alarm, inside a string, costs only time.
    """
    if not isinstance(value, (dict, list)):
        return None
    try:
        text = to_json(value, inf_nan_mode="null")
    except ValueError:  # `UNDEFINED`, or half a surrogate pair
        return None
    if _INDEX_KEY.search(text) or _WHOLE_FLOAT.search(text) or _EXPONENT.search(text):
        return None
    return text.decode()


def _written(value: Any, line: str, step: str) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, dict):
        colon, inner = ": " if step else ":", line + step
        members = [
            f"{_quoted(key)}{colon}{_written(item, inner, step)}"
            for key, item in in_order(value)
            if item is not UNDEFINED
        ]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}" if members else "{}"
    if isinstance(value, list):
        inner = line + step
        elements = [_written(element, inner, step) for element in value]
        return f"[{inner}{f',{inner}'.join(elements)}{line}]" if elements else "[]"
    return _number_text(value) if isinstance(value, (int, float)) else "null"


def _number_text(value: float) -> str:
    text = scalar_text(value)
    return "null" if text.endswith(("y", "N")) else text  # Infinity and NaN


def _quoted(text: str) -> str:
    quoted = encode_basestring(text)
    if quoted.isascii() or not _SURROGATE.search(quoted):
        return quoted
    return _SURROGATE.sub(lambda half: f"\\u{ord(half.group()):04x}", join_surrogates(quoted))
