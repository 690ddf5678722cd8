"""The Idempotency-Key of a delivery: the same one on every path that the delivery can take."""

from __future__ import annotations

import json
from hashlib import sha1
from json.encoder import encode_basestring_ascii
from typing import Any
from uuid import UUID

from loops_destination.events import message_id

NAMESPACE = UUID("0fdf5faf-92f2-48c4-980b-37efbe261383")
"""Of this package alone. A change would make every delivery under way a new one, and mail people twice."""

_compact = json.JSONEncoder(separators=(",", ":")).encode  # in ASCII


def idempotency_key(event: dict[str, Any], subscription_id: str, raw: str | None = None) -> str:
    """A UUIDv5, in 36 characters (Loops takes up to 100), of the event under a subscription.

    Segment's retries carry the same messageId, so that tells the event. Without one its text does: `raw`, the text as
    it came, or else compact JSON of the event.
    """
    known_by = message_id(event)
    if known_by is not None:
        return _uuid("messageId", known_by, subscription_id)
    return _uuid("event", _compact(event) if raw is None else raw, subscription_id)


def _uuid(*parts: str) -> str:
    # As JSON no two lists of parts read the same, and a lone surrogate, which UTF-8 cannot hold, stays escaped.
    return _uuid5(f"[{','.join(map(encode_basestring_ascii, parts))}]".encode())


def _uuid5(name: bytes) -> str:
    """The UUID of RFC 9562, section 5.5; `uuid.uuid5` makes an object of it first, at twice the cost."""
    digest = bytearray(sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50  # the version
    digest[8] = digest[8] & 0x3F | 0x80  # the variant
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
