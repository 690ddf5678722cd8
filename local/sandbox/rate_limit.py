"""The limit on a team's requests a second, counted in either of the two usual ways."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

Window = Literal["fixed", "sliding"]

_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """The limit's decision on one request."""

    granted: bool
    limit: int
    remaining: int

    def headers(self) -> dict[str, str]:
        """Return the two headers that Loops sends with every response."""
        return {"x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(self.remaining)}


class RateLimit(Protocol):
    """A limit; requests that are not granted do not count. Times are in seconds and never decrease."""

    def take(self, now: float) -> Allowance:
        """Count a request, if the limit allows one more."""

    def look(self, now: float) -> Allowance:
        """Return the decision without counting a request."""


class FixedWindow:
    """Counts by seconds of the clock: at the turn of a second, twice the limit can pass within one second."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = -math.inf
        self._taken = 0

    def take(self, now: float) -> Allowance:
        """Count a request, if the limit allows one more."""
        allowance = self.look(now)
        if not allowance.granted:
            return allowance
        self._taken += 1
        return Allowance(granted=True, limit=self._limit, remaining=allowance.remaining - 1)

    def look(self, now: float) -> Allowance:
        """Return the decision without counting a request."""
        if math.floor(now) != self._second:
            self._second, self._taken = math.floor(now), 0
        left = self._limit - self._taken
        return Allowance(granted=left > 0, limit=self._limit, remaining=left)


class SlidingWindow:
    """Counts the last second before each request."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: deque[float] = deque()

    def take(self, now: float) -> Allowance:
        """Count a request, if the limit allows one more."""
        allowance = self.look(now)
        if not allowance.granted:
            return allowance
        self._taken.append(now)
        return Allowance(granted=True, limit=self._limit, remaining=allowance.remaining - 1)

    def look(self, now: float) -> Allowance:
        """Return the decision without counting a request."""
        while self._taken and self._taken[0] <= now - _SECOND:
            self._taken.popleft()
        left = self._limit - len(self._taken)
        return Allowance(granted=left > 0, limit=self._limit, remaining=left)


def rate_limit(limit: int | None, window: Window) -> RateLimit | None:
    """Return a new limit of that kind, or None if `limit` is None."""
    if limit is None:
        return None
    return FixedWindow(limit) if window == "fixed" else SlidingWindow(limit)
