"""Faults on demand: what goes wrong with the next calls."""

from __future__ import annotations

import threading
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

FaultKind = Literal["status", "reset", "garbage", "delay", "truncated", "trickle"]

_FAILURE: JsonValue = {"success": False, "message": "The sandbox was told to fail."}


class Fault(BaseModel):
    """One way in which a call goes wrong; takes the same names in Python and, as JSON, over HTTP.

    - `status`: answered with `status` and `body` as JSON; a `body` of null answers without one
    - `reset`: the connection is reset instead of an answer
    - `garbage`: answered with status 200 and a page of HTML
    - `delay`: the true answer, late
    - `truncated`: the true answer, cut off in its middle with the connection
    - `trickle`: the true answer, byte by byte over `seconds`

    Every kind but `trickle` waits `seconds` before it strikes. The first three keep the request from taking effect
    unless it is `processed` first; a delayed one is processed after the wait, or before it if `processed`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: FaultKind
    times: int | None = Field(default=1, ge=1)
    """How many calls it strikes; null: every one, until the faults are cleared."""
    path: str | None = None
    """The end of the paths it strikes, as `/events/send`; null: all."""
    status: int = Field(default=503, ge=200, le=599)
    body: JsonValue = _FAILURE
    seconds: float = Field(default=0, ge=0, allow_inf_nan=False)
    processed: bool = False

    @property
    def tells_truth(self) -> bool:
        """Whether the true answer is behind it, so that the request has to be processed in any case."""
        return self.kind in {"delay", "truncated", "trickle"}

    @property
    def wait(self) -> float:
        """Seconds to wait before it strikes."""
        return 0 if self.kind == "trickle" else self.seconds

    def strikes(self, path: str) -> bool:
        """Whether a call of this path is meant."""
        return self.path is None or path.endswith(self.path)


class Faults:
    """The faults to come; of several that mean a call, the one added first strikes, alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: list[Fault] = []

    def add(self, *faults: Fault) -> None:
        """Queues the faults."""
        with self._lock:
            self._pending.extend(faults)

    def clear(self) -> None:
        """From now on all goes well."""
        with self._lock:
            self._pending.clear()

    def all(self) -> list[Fault]:
        """Those that wait, their `times` being what is left."""
        with self._lock:
            return list(self._pending)

    def take(self, path: str) -> Fault | None:
        """The fault that strikes this call, used up by one."""
        with self._lock:
            for index, fault in enumerate(self._pending):
                if fault.strikes(path):
                    self._pending[index : index + 1] = _left_of(fault)
                    return fault
        return None


def _left_of(fault: Fault) -> list[Fault]:
    if fault.times is None:
        return [fault]
    return [fault.model_copy(update={"times": fault.times - 1})] if fault.times > 1 else []
