"""The faults that the sandbox simulates in the next calls."""

from __future__ import annotations

import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

FaultKind = Literal["status", "reset", "garbage", "delay", "truncated", "trickle"]

_FAILURE: JsonValue = {"success": False, "message": "This failure is simulated by the sandbox."}


class Fault(BaseModel):
    """One way in which a call fails; it has the same fields in Python and in JSON.

    - `status`: the answer has this `status`, and `body` as JSON, or no body if that is null
    - `reset`: the connection is reset before an answer is sent
    - `garbage`: the answer has status 200 and a page of HTML
    - `delay`: the true answer is sent late
    - `truncated`: the connection is closed in the middle of the true answer
    - `trickle`: the true answer is sent byte by byte over `seconds`

    Every kind but `trickle` waits `seconds` first. With `status`, `reset` and `garbage` the request is not processed,
    unless `processed` is true. With `delay` it is processed after the wait, or before it if `processed` is true.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: FaultKind
    times: int | None = Field(default=1, ge=1)
    """The number of calls that it affects; null: all, until the faults are cleared."""
    path: str | None = None
    """The end of the paths that it affects, such as `/events/send`; null: all."""
    status: int = Field(default=503, ge=200, le=599)
    body: JsonValue = _FAILURE
    seconds: float = Field(default=0, ge=0, allow_inf_nan=False)
    processed: bool = False

    @property
    def sends_answer(self) -> bool:
        """True if it sends the true answer, for which the request must be processed."""
        return self.kind in {"delay", "truncated", "trickle"}

    @property
    def wait(self) -> float:
        """The seconds to wait first."""
        return 0 if self.kind == "trickle" else self.seconds

    def affects(self, path: str) -> bool:
        """Return True if it affects calls of this path."""
        return self.path is None or path.endswith(self.path)


class Faults:
    """The faults to simulate. A call is affected by one fault only: the first added of those that match."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Add the faults."""
        with self._lock:
            self._pending.extend(faults)

    def replace(self, fault: Fault) -> None:
        """Add the fault in place of those that differ from it only in `times`."""
        with self._lock:
            same = fault.model_copy(update={"times": 1})
            self._pending = [each for each in self._pending if each.model_copy(update={"times": 1}) != same]
            self._pending.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._pending.clear()

    def all(self) -> list[Fault]:
        """Return the remaining faults, with the calls that they still affect in `times`."""
        with self._lock:
            return list(self._pending)

    def take(self, path: str) -> Fault | None:
        """Return the fault that affects this call, if any, and count the call."""
        with self._lock:
            for index, fault in enumerate(self._pending):
                if fault.affects(path):
                    self._pending[index : index + 1] = _left_of(fault)
                    return fault
        return None


def _left_of(fault: Fault) -> list[Fault]:
    if fault.times is None:
        return [fault]
    return [fault.model_copy(update={"times": fault.times - 1})] if fault.times > 1 else []
