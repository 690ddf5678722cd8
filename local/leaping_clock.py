"""Time that may run faster than real time, and can leap forward while nothing happens."""

from __future__ import annotations

import time


class LeapingClock:
    """A clock that starts `behind` seconds ago, and counts `factor` seconds in a real one."""

    def __init__(self, factor: float = 1.0, *, behind: float = 0.0) -> None:
        self._factor = factor
        self._began = time.monotonic()
        self._offset = time.time() - behind

    def time(self) -> float:
        return self._offset + (time.monotonic() - self._began) * self._factor

    def sleep(self, seconds: float) -> None:
        time.sleep(max(seconds, 0) / self._factor)

    def leap(self, seconds: float) -> None:
        """Let `seconds` pass at once."""
        self._offset += seconds
