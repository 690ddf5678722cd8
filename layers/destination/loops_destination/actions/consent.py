"""Consent: no trait or property of an event re-subscribes a person who opted out.

Loops re-subscribes a contact for `subscribed: true` at the top level of a request. Only the field `subscribed`, which a
team maps on purpose, may send it.
"""

from __future__ import annotations

from typing import Any

from loops_destination.actions.coercion import to_boolean
from loops_destination.errors import PayloadError

_SUBSCRIBED = "subscribed"


def without_opt_in(properties: dict[str, Any]) -> dict[str, Any]:
    """Return properties for the top level of a request, without a `subscribed` that could opt in.

    A value that Segment converts to false is an opt-out and becomes `false`. Any other value is removed, including
    those that Loops does not document, such as `"yes"` or null: Loops might take it for true.
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
