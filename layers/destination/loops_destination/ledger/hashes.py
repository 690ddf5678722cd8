"""Keyed hashes: the ledger compares people and values without storing either.

They are pseudonyms, not secrets: anyone who has the stack id and guesses a user id can find that person's item.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from hashlib import blake2b
from typing import Any

from loops_destination.javascript import json_text

CONTACT_KEY_PREFIX = "contact#"

_KEY_BYTES = 16
_VALUE_BYTES = 12  # 96 bits: two values of one property never collide by chance


class Hasher:
    """Hashes for one stack: another stack's hashes of the same people are different."""

    def __init__(self, stack_id: str) -> None:
        self._key = blake2b(stack_id.encode(), digest_size=32).digest()

    def contact_key(self, user_id: str) -> str:
        """Return the key of a contact item."""
        return f"{CONTACT_KEY_PREFIX}{self._hash(b'contact', user_id)}"

    def email_key(self, email: str) -> str:
        """Return the key of an alias item; the case of the email does not matter."""
        return f"email#{self._hash(b'email', email.lower())}"

    def value_salt(self, user_id: str) -> bytes:
        """Return the salt of a contact's values. It needs the user id, so the table alone does not give it away."""
        return blake2b(_encoded(user_id), digest_size=32, key=self._key, person=b"salt").digest()

    @property
    def shared_salt(self) -> bytes:
        """The salt of emails and consent flags, one for all contacts: an email's new owner takes over its flags."""
        return self._key

    def _hash(self, purpose: bytes, text: str) -> str:
        return _text(blake2b(_encoded(text), digest_size=_KEY_BYTES, key=self._key, person=purpose).digest())


def value_hash(salt: bytes, name: str, value: Any) -> str:
    """Hash the value of a property; the name is part of it, so equal values of two properties look different."""
    content = _encoded(f"{name}\0{canonical(value)}")
    return _text(blake2b(content, digest_size=_VALUE_BYTES, key=salt, person=b"value").digest())


def canonical(value: Any) -> str:
    """Write a JSON value so that two texts are equal when Loops sees the same value.

    Loops runs JavaScript: 1 and 1.0 are one number there, and the order of an object's keys means nothing.
    """
    return json_text(_sorted(value))


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(item) for item in value] if isinstance(value, list) else value


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(digest: bytes) -> str:
    return urlsafe_b64encode(digest).decode().rstrip("=")
