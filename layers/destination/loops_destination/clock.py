"""A clock that is passed in, so that tests can run in virtual time."""

from __future__ import annotations

from time import sleep, time
from typing import Protocol


class Clock(Protocol):
    """A source of time, in seconds since 1970, and a way to wait."""

    def time(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


class SystemClock:
    """The machine's clock."""

    time = staticmethod(time)
    sleep = staticmethod(sleep)
