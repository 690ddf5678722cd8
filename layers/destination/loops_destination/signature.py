"""Segment's `X-Signature`, checked on the raw bytes before anything is parsed.

The header is the lowercase hex HMAC-SHA1 of the body under the shared secret. Of a batch Segment signs only the first
item, byte for byte as it stands in the body; of an item wrapped as `{"json": …}` it signs the value.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from loops_destination.events import MAX_EVENT_BYTES

_BLANK = rb"[ \t\n\r]*+"
_BATCH = re.compile(_BLANK + rb"\[" + _BLANK)
_WRAPPER = re.compile(rb"\{" + _BLANK + rb'"json"' + _BLANK + rb":" + _BLANK)
_WRAPPER_END = re.compile(_BLANK + rb"\}")
_ITEM_END = re.compile(_BLANK + rb"([,\]])")
_SCALAR = re.compile(rb"[^\s,\[\]{}\"]++")
# A string that never ends is one token up to the end of the body, so no input is scanned twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[{}\[\]]', re.DOTALL)


class Coverage(StrEnum):
    """The extent of a body that its signature covers."""

    BODY = "body"
    FIRST = "first"
    NOTHING = "nothing"


class SignablePart(NamedTuple):
    """A part of a body that Segment may have signed, and the rest of the body: a batch of its own, or empty."""

    signed: bytes
    rest: bytes

    def __repr__(self) -> str:
        return f"SignablePart({len(self.signed)} bytes, {len(self.rest)} after them)"


def verify(body: bytes, signature: str, secrets: Sequence[str]) -> Coverage:
    """Return the largest extent of a body that its signature covers under one of the secrets. An empty secret never counts."""
    for part, coverage in zip(signable_parts(body), (Coverage.BODY, Coverage.FIRST), strict=False):
        if is_signed(part.signed, signature, secrets):
            return coverage
    return Coverage.NOTHING


def signable_parts(body: bytes) -> list[SignablePart]:
    """Return the whole body and, if it is a batch, its first item.

    A wrapped item with anything beside its one `json` key is left out: nobody could say which of its values was signed.
    """
    whole = SignablePart(body, b"")
    opening = _BATCH.match(body)
    if opening is None:
        return [whole]
    first = _first_item(body, opening.end())
    return [whole] if first is None else [whole, first]


def is_signed(part: bytes, signature: str, secrets: Sequence[str]) -> bool:
    """Return whether the signature is that of these bytes under one of the secrets. An empty secret never counts."""
    given = _encode(signature)
    return _any(
        hmac.compare_digest(hmac.digest(_encode(secret), part, "sha1").hex().encode(), given)
        for secret in secrets
        if secret
    )


def sign(body: bytes, secret: str) -> str:
    """Return the `X-Signature` that Segment would send for these bytes."""
    return hmac.digest(_encode(secret), body, "sha1").hex()


def bearer_matches(authorization: str, tokens: Sequence[str]) -> bool:
    """Return whether an `Authorization` header carries one of the bearer tokens. An empty token never counts."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    candidate = _encode(given.strip())
    return _any(hmac.compare_digest(candidate, _encode(token)) for token in tokens if token)


def _first_item(body: bytes, start: int) -> SignablePart | None:
    wrapper = _WRAPPER.match(body, start)
    start = wrapper.end() if wrapper else start
    end = _value_end(body, start)
    if end is None:
        return None
    closing = _WRAPPER_END.match(body, end) if wrapper else None
    if wrapper and closing is None:
        return None
    after = _ITEM_END.match(body, closing.end() if closing else end)
    if after is None:
        return None
    rest = b"[" + body[after.end() :] if after[1] == b"," else b""
    return SignablePart(body[start:end], rest)


def _value_end(body: bytes, start: int) -> int | None:
    """Return where the JSON value that begins at `start` ends, found by its quotes and brackets alone.

    It scans no further than an event can be long, so that an unsigned body costs little, whatever it contains.
    """
    scalar = _SCALAR.match(body, start)
    if scalar:
        return scalar.end()
    depth = 0
    for token in _TOKEN.finditer(body, start, start + MAX_EVENT_BYTES):
        mark = token[0]
        depth += 1 if mark in (b"{", b"[") else -1 if mark in (b"}", b"]") else 0
        if depth <= 0:
            return token.end() if depth == 0 else None
    return None


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _any(results: Iterable[bool]) -> bool:
    """Return `any(results)`, but look at every result, so that the time taken does not reveal which one matched."""
    return True in list(results)
