"""The pace at which redelivery calls Loops: the share of one environment in the calls that Loops allows the team."""

from __future__ import annotations

import threading

from loops_destination.clock import Clock

ENVIRONMENTS = 2  # MaximumConcurrency of the RetryQueue's event source; environments cannot see each other
USED = 0.985  # of the limit: calls arrive less evenly than they are sent


class Pacer:
    """A source of evenly spaced turns to call Loops, shared by the threads of one environment.

    `limit` is the number of calls a second that Loops allows the team.
    """

    def __init__(self, limit: float, clock: Clock) -> None:
        self._interval = ENVIRONMENTS / (limit * USED)
        self._clock = clock
        self._next = 0.0
        self._lock = threading.Lock()

    def wait_for_turn(self, deadline: float) -> bool:
        """Wait for the next turn; return False at once if it does not come before the deadline, in seconds since 1970."""
        with self._lock:
            turn = max(self._next, self._clock.time())
            if turn >= deadline:
                return False
            self._next = turn + self._interval
        if (wait := turn - self._clock.time()) > 0:
            self._clock.sleep(wait)
        return True
