"""Who sent this: Segment's `X-Signature`, checked on the raw bytes before anything is parsed.

The header is the lowercase hex HMAC-SHA1 of the body under the shared secret. For a batch Segment signs the first
element only, byte for byte as it stands in the body; inside `{"json": …}` it signs the value.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from loops_destination.events import MAX_EVENT_BYTES

_EMPTY_BATCH = b"[]"
_BLANK = rb"[ \t\n\r]*+"
_BATCH = re.compile(_BLANK + rb"\[" + _BLANK)
_WRAPPER = re.compile(rb"\{" + _BLANK + rb'"json"' + _BLANK + rb":" + _BLANK)
_WRAPPER_END = re.compile(_BLANK + rb"\}")
_ELEMENT_END = re.compile(_BLANK + rb"([,\]])")
_SCALAR = re.compile(rb"[^\s,\[\]{}\"]++")
# A string that never ends is one token up to the end of the body, so no input is walked over twice.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[{}\[\]]', re.DOTALL)


class Coverage(StrEnum):
    """How much of a body its signature vouches for."""

    BODY = "body"
    FIRST = "first"
    NOTHING = "nothing"


class FirstElement(NamedTuple):
    """The signed bytes of a batch's first element, and what follows it as a batch of its own."""

    signed: bytes
    rest: bytes

    def __repr__(self) -> str:
        return f"FirstElement({len(self.signed)} bytes signed, {len(self.rest)} beside them)"

    @property
    def is_alone(self) -> bool:
        """Whether the batch holds nothing else."""
        return self.rest == _EMPTY_BATCH


def verify(body: bytes, signature: str, secrets: Sequence[str]) -> Coverage:
    """What the signature covers under any of the secrets; an empty secret vouches for nothing."""
    keys = [secret.encode("utf-8", "surrogatepass") for secret in secrets if secret]
    given = signature.encode("utf-8", "surrogatepass")
    if _signed(body, given, keys):
        return Coverage.BODY
    first = first_element(body)
    if first is not None and _signed(first.signed, given, keys):
        return Coverage.FIRST
    return Coverage.NOTHING


def sign(body: bytes, secret: str) -> str:
    """The `X-Signature` that Segment would send for these bytes."""
    return hmac.digest(secret.encode("utf-8", "surrogatepass"), body, "sha1").hex()


def bearer_matches(authorization: str, tokens: Sequence[str]) -> bool:
    """Whether an `Authorization` header bears one of the tokens; an empty token never does."""
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    candidate = given.strip().encode("utf-8", "surrogatepass")
    return _any(hmac.compare_digest(candidate, token.encode("utf-8", "surrogatepass")) for token in tokens if token)


def first_element(body: bytes) -> FirstElement | None:
    """The first element of a batch, sliced from the raw bytes; None when the body is no batch of at least one.

    A wrapper with anything beside its one `json` key is None too: which of its values was signed could not be told.
    """
    opening = _BATCH.match(body)
    if opening is None:
        return None
    wrapper = _WRAPPER.match(body, opening.end())
    start = wrapper.end() if wrapper else opening.end()
    end = _value_end(body, start)
    closing = _WRAPPER_END.match(body, end) if wrapper and end else None
    if end is None or (wrapper and closing is None):
        return None
    after = _ELEMENT_END.match(body, closing.end() if closing else end)
    if after is None:
        return None
    rest = b"[" + body[after.end() :] if after[1] == b"," else _EMPTY_BATCH
    return FirstElement(body[start:end], rest)


def _value_end(body: bytes, start: int) -> int | None:
    """Where the JSON value that begins at `start` ends, told by its quotes and brackets alone.

    It looks no further than an event can be long: an unsigned body costs little, whatever is in it.
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


def _signed(message: bytes, given: bytes, keys: Sequence[bytes]) -> bool:
    return _any(hmac.compare_digest(hmac.digest(key, message, "sha1").hex().encode(), given) for key in keys)


def _any(results: Iterable[bool]) -> bool:
    """`any` that looks at every result, so that the time it takes does not tell which key matched."""
    return True in list(results)
