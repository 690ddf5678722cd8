"""The pace of one environment: so many calls of Loops a second, fewer while others use up the team's limit."""

from __future__ import annotations

import threading

from loops_destination.clock import Clock


class Pacer:
    """Hands out turns, evenly spaced; to be shared by threads.

    `rate` is in calls per second.
    """

    LOW = 1
    """Calls left in Loops' window at which to make room: the web functions need theirs at once."""

    def __init__(self, rate: float, clock: Clock) -> None:
        self._interval = 1 / rate
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def wait_for_turn(self, deadline: float) -> bool:
        """Waits until a call may be made; False at once where that is not before the deadline."""
        with self._lock:
            turn = max(self._next, self._clock.time())
            if turn >= deadline:
                return False
            self._next = turn + self._interval
        if (wait := turn - self._clock.time()) > 0:
            self._clock.sleep(wait)
        return True

    def note(self, remaining: int | None) -> None:
        """Takes in how many calls Loops says are left in this second."""
        if remaining is not None and remaining <= self.LOW:
            with self._lock:
                self._next = max(self._next, self._clock.time()) + self._interval
