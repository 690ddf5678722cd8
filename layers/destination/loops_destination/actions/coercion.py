"""The types of an action's fields: for each type, a function that converts the mapped value of a field.

A value that cannot be converted raises `PayloadError`. The rules are those of the JSON schema validator that Segment
uses: an array of one scalar counts as that scalar, and `[null]` as the empty value. A plain null is never passed here.
"""

from __future__ import annotations

import re
from typing import Any

from loops_destination.actions.date_text import is_date
from loops_destination.errors import PayloadError, Problem
from loops_destination.javascript import is_number, scalar_text

_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*"
_is_email = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})+").fullmatch


def to_string(field: str, value: Any) -> str:
    """Return text; numbers and booleans become text as JavaScript prints them."""
    if isinstance(value, str):
        return value
    value = _sole(value)
    if value is None:
        return ""
    if isinstance(value, str | int | float):  # a boolean is an int in Python
        return scalar_text(value)
    raise PayloadError(Problem(field, "must be text, a number or a boolean"))


def to_email(field: str, value: Any) -> str:
    """Return an email address: a dot-atom, `@`, and a domain of at least two labels, all in ASCII."""
    address = to_string(field, value)
    if _is_email(address) is None:
        raise PayloadError(Problem(field, "must be an email address"))
    return address


def to_boolean(field: str, value: Any) -> bool:
    """Return a boolean; `"true"`, `"false"`, 1 and 0 are accepted too."""
    value = _sole(value)
    if value in (True, "true"):  # 1 equals True in Python
        return True
    if value is None or value in (False, "false"):
        return False
    raise PayloadError(Problem(field, "must be a boolean"))


def to_object(field: str, value: Any) -> dict[str, Any]:
    """Return the object itself; an array of one object is not accepted."""
    if not isinstance(value, dict):
        raise PayloadError(Problem(field, "must be an object"))
    return value


def to_datetime(field: str, value: Any) -> str | int | float:
    """Return the date unchanged: any number, or text that JavaScript parses as a date."""
    value = _sole(value)
    if is_number(value) or (isinstance(value, str) and is_date(value)):
        return value  # type: ignore[no-any-return]
    raise PayloadError(Problem(field, "must be a date: text in ISO 8601 or RFC 2822, or a number"))


def _sole(value: Any) -> Any:
    return value[0] if isinstance(value, list) and len(value) == 1 else value
