"""The facts by which people recognise an event: its name, and whom it is about."""

from __future__ import annotations

from typing import Any

_EMAILS = (("traits", "email"), ("properties", "email"), ("context", "traits", "email"), ("email",))
"""The places of an email address, in the order of the default mappings."""


def event_name(event: dict[str, Any]) -> str | None:
    """Return the name of a track event, or of a page or a screen; None for all other events."""
    return text_at(event, "event") or text_at(event, "name")


def email_of(event: dict[str, Any]) -> str | None:
    """Return the email address of the person whom the event is about, if it has one at a usual place."""
    return next((text for path in _EMAILS if (text := text_at(event, *path))), None)


def user_id_of(event: dict[str, Any]) -> str | None:
    """Return the event's userId as text."""
    user_id = event.get("userId")
    return None if user_id in (None, "") else str(user_id)


def text_at(event: dict[str, Any], *path: str) -> str | None:
    """Return the text at a path; None if there is none, or an empty one."""
    value: Any = event
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) and value else None
