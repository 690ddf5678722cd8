"""The idempotency key of a delivery, the same for every attempt on every path to Loops."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any
from uuid import UUID, uuid5

from loops_destination.events import message_id

NAMESPACE = UUID("0fdf5faf-92f2-48c4-980b-37efbe261383")
"""Never change it: every delivery under way would get a new idempotency key, and people would get emails twice."""

_compact = json.JSONEncoder(separators=(",", ":")).encode  # in ASCII


def idempotency_key_of(event: dict[str, Any], subscription_id: str, raw: str | None = None) -> str:
    """Return the idempotency key of an event under a subscription: a UUIDv5 of 36 characters, where Loops allows 100.

    The messageId identifies the event, because Segment's retries repeat it. An event without one is identified by its
    text: `raw`, as it was received, or else compact ASCII JSON of the event.
    """
    known_by = message_id(event)
    if known_by is not None:
        return _uuid("messageId", known_by, subscription_id)
    return _uuid("event", _compact(event) if raw is None else raw, subscription_id)


def _uuid(*parts: str) -> str:
    # A JSON array: different parts never give the same text, and a lone surrogate, which UTF-8 cannot hold, is escaped.
    return str(uuid5(NAMESPACE, f"[{','.join(map(encode_basestring_ascii, parts))}]"))
