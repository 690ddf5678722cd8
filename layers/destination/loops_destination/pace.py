"""The pace of one environment of `redelivery`: its share of the calls that Loops allows the team."""

from __future__ import annotations

import threading

from loops_destination.clock import Clock

ENVIRONMENTS = 2  # MaximumConcurrency of the RetryQueue's event source; they cannot see each other
USED = 0.985  # of what is allowed: calls arrive less evenly than they are sent


class Pacer:
    """Hands out turns, evenly spaced; to be shared by threads.

    `limit` is how many calls a second Loops allows the team.
    """

    def __init__(self, limit: float, clock: Clock) -> None:
        self._interval = ENVIRONMENTS / (limit * USED)
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
