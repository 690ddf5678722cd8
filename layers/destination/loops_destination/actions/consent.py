"""Consent: no trait or property of an event re-subscribes a person who opted out.

Loops takes `subscribed: true` at the top level of a request as the person's wish. Only the field `subscribed`, which the
team maps on purpose, may say so.
"""

from __future__ import annotations

from typing import Any

from loops_destination.actions.coercion import to_boolean
from loops_destination.errors import PayloadError

_SUBSCRIBED = "subscribed"


def without_opt_in(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties that will be sent at the top level, without a `subscribed` that is not false.

    Whatever Segment's types read as false is an opt-out, and sent as `false`. Everything else is dropped, also what
    Loops does not document, such as `"yes"` or null: it might be read as true.
    """
    if _SUBSCRIBED not in properties:
        return properties
    others = {name: value for name, value in properties.items() if name != _SUBSCRIBED}
    return others | {_SUBSCRIBED: False} if _is_false(properties[_SUBSCRIBED]) else others


def _is_false(value: Any) -> bool:
    try:
        return value is not None and not to_boolean(_SUBSCRIBED, value)
    except PayloadError:
        return False
