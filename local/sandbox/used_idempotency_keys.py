"""Which idempotency keys are used up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.sandbox.assumptions import Assumptions

LONGEST_KEY = 100
"""Characters."""

REMEMBERED = 24 * 3600
"""Seconds that Loops remembers a key for."""

_REFUSED = frozenset({400, 404, 413, 422})
_FAILED = range(500, 600)


class IdempotencyKeys:
    """The keys of the last 24 hours."""

    def __init__(self) -> None:
        self._expiry: dict[str, float] = {}

    def used(self, key: str, now: float) -> bool:
        """Whether an event with this key answers 409 now."""
        return key in self._expiry and now < self._expiry[key]

    def settle(self, key: str, *, used: bool, now: float) -> None:
        """Remembers a key that an attempt used up; one that is remembered already does not live longer for it."""
        if used and not self.used(key, now):
            self._expiry[key] = now + REMEMBERED


def uses_key(answered: int | None, assumptions: Assumptions, *, processed: bool) -> bool:
    """Whether an attempt uses up its key, by the status it was answered with (None: no answer) and what it did."""
    if answered in _FAILED and assumptions.key_after_failure != "processed":
        return assumptions.key_after_failure == "always"
    return processed or (answered in _REFUSED and assumptions.key_after_refusal)
