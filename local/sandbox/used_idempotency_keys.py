"""The idempotency keys that Loops remembers as used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from local.sandbox.assumptions import Assumptions

LONGEST_IDEMPOTENCY_KEY = 100
"""In characters."""

REMEMBERED = 24 * 3600
"""Seconds for which Loops remembers an idempotency key."""

_REFUSED = frozenset({400, 404, 413, 422})
_FAILED = range(500, 600)


class UsedIdempotencyKeys:
    """The idempotency keys used in the last 24 hours."""

    def __init__(self) -> None:
        self._expiry: dict[str, float] = {}
        self._bodies: dict[str, Any] = {}

    def used(self, key: str, now: float) -> bool:
        """Return True if an event with this idempotency key is answered 409 now."""
        return key in self._expiry and now < self._expiry[key]

    def used_by(self, key: str, body: Any) -> bool:
        """Return True if the event that used up the idempotency key had this body."""
        return key in self._bodies and self._bodies[key] == body

    def settle(self, key: str, body: Any, *, used: bool, now: float) -> None:
        """Remember an idempotency key that an attempt used up; one that is remembered already does not expire later."""
        if used and not self.used(key, now):
            self._expiry[key] = now + REMEMBERED
            self._bodies[key] = body


def uses_idempotency_key(status: int | None, assumptions: Assumptions, *, processed: bool) -> bool:
    """Return True if an attempt uses up its idempotency key.

    `status` is that of the response, None if there was none; `processed` says whether the event was processed.
    """
    if status in _FAILED and assumptions.idempotency_key_after_failure != "processed":
        return assumptions.idempotency_key_after_failure == "always"
    return processed or (status in _REFUSED and assumptions.idempotency_key_after_refusal)
