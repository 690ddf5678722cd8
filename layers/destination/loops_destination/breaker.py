"""The breaker that keeps a web function from calling Loops while Loops is in trouble or at its limit."""

from __future__ import annotations

from http import HTTPStatus

from loops_destination.clock import Clock
from loops_destination.outcomes import Outcome, Reason, Result

_NOT_CALLED_OUTCOMES = {Outcome.UNCHANGED, Outcome.SUPERSEDED}
_NOT_CALLED_REASONS = {
    Reason.CONTACT_BUSY,
    Reason.DELETION_BEGUN,
    Reason.LEDGER_UNAVAILABLE,
    Reason.NO_TIME_LEFT,
    Reason.PAUSED,
}


class Breaker:
    """A breaker for one environment of a web function; while it is open, deliveries are queued without a call.

    It opens for ten seconds. Each time that it opens again soon after closing, the pause doubles, up to a minute: while
    redelivery drains a backlog at the full rate, each call of a web function costs a queued delivery its turn.
    """

    PAUSE_SECONDS = 10
    LONGEST_PAUSE_SECONDS = 60
    FAILURES = 3
    """Failures in a row that open it; a 429 opens it at once."""
    RESERVE = 3
    """The breaker opens when Loops reports fewer calls than this left for the team in the current second."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = self.PAUSE_SECONDS
        self._open_until = 0.0

    @property
    def is_open(self) -> bool:
        return self._clock.time() < self._open_until

    def record(self, result: Result) -> None:
        """Count the result of an attempt, if Loops was called."""
        if result.outcome in _NOT_CALLED_OUTCOMES or (result.reason in _NOT_CALLED_REASONS and result.status is None):
            return
        failed = (
            result.outcome is Outcome.QUEUED
            and result.reason is not Reason.UNKNOWN_CONTACT
            and (result.status is None or result.status >= HTTPStatus.BAD_REQUEST)  # else the ledger failed, not Loops
        )
        self._failures = self._failures + 1 if failed else 0
        at_limit = result.remaining is not None and result.remaining < self.RESERVE
        if at_limit or result.reason is Reason.RATE_LIMITED or self._failures >= self.FAILURES:
            self._open()

    def _open(self) -> None:
        now = self._clock.time()
        again = now < self._open_until + self._pause
        self._pause = min(2 * self._pause, self.LONGEST_PAUSE_SECONDS) if again else self.PAUSE_SECONDS
        self._open_until = now + self._pause
        self._failures = 0
