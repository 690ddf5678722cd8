"""How many requests a second a team may make, counted in either of the two usual ways."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

Window = Literal["fixed", "sliding"]

_SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Allowance:
    """What the limit says to one request."""

    granted: bool
    limit: int
    remaining: int

    def headers(self) -> dict[str, str]:
        """The two headers that Loops sends with every answer."""
        return {"x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(self.remaining)}


class RateLimit(Protocol):
    """A request that is not granted does not count; times are in seconds and do not run backwards."""

    def take(self, now: float) -> Allowance:
        """Counts a request, if one is left."""

    def look(self, now: float) -> Allowance:
        """The same without counting."""


class FixedWindow:
    """So many in each second of the clock: around its stroke twice as many can pass within one second."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._second = -math.inf
        self._taken = 0

    def take(self, now: float) -> Allowance:
        """Counts a request, if one is left."""
        allowance = self.look(now)
        if not allowance.granted:
            return allowance
        self._taken += 1
        return Allowance(granted=True, limit=self._limit, remaining=allowance.remaining - 1)

    def look(self, now: float) -> Allowance:
        """The same without counting."""
        if math.floor(now) != self._second:
            self._second, self._taken = math.floor(now), 0
        left = self._limit - self._taken
        return Allowance(granted=left > 0, limit=self._limit, remaining=left)


class SlidingWindow:
    """So many in any second whatever."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken: deque[float] = deque()

    def take(self, now: float) -> Allowance:
        """Counts a request, if one is left."""
        allowance = self.look(now)
        if not allowance.granted:
            return allowance
        self._taken.append(now)
        return Allowance(granted=True, limit=self._limit, remaining=allowance.remaining - 1)

    def look(self, now: float) -> Allowance:
        """The same without counting."""
        while self._taken and self._taken[0] <= now - _SECOND:
            self._taken.popleft()
        left = self._limit - len(self._taken)
        return Allowance(granted=left > 0, limit=self._limit, remaining=left)


def rate_limit(limit: int | None, window: Window) -> RateLimit | None:
    """A fresh limit of that kind; None when there is none."""
    if limit is None:
        return None
    return FixedWindow(limit) if window == "fixed" else SlidingWindow(limit)
