"""Which of the calls that the sandbox saw belong to which delivery."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from local.cli.loops import Call
    from local.sandbox import Exchange, Sandbox

IDEMPOTENCY_KEY = "Idempotency-Key"

KEPT = 1000
"""Calls that nobody has claimed, as somebody else's, before the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One call of Loops and its answer; `status` is None where the connection was reset, `time` in seconds."""

    time: float
    status: int | None
    body: Any
    fault: str | None

    def as_json(self) -> dict[str, Any]:
        """Under the same names."""
        return {"time": self.time, "status": self.status, "body": self.body, "fault": self.fault}


class Calls:
    """The sandbox's journal; each call is claimed once, by the delivery whose request it is."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._seen = 0
        self._open: list[Exchange] = []
        self._lock = threading.Lock()

    def claim(self, request: Call) -> list[Answered]:
        """The calls that made this request and belong to nobody yet."""
        body = json.loads(request.body)
        wanted = (request.method, urlsplit(request.url).path, request.headers.get(IDEMPOTENCY_KEY), body)
        with self._lock:
            self._open += self._new()
            found = [each for each in self._open if (each.method, each.path, each.key, each.body) == wanted]
            self._open = [each for each in self._open if each not in found][-KEPT:]
        return [Answered(each.time, each.status, each.answer, each.fault) for each in found]

    def _new(self) -> list[Exchange]:
        with self._sandbox.lock:
            exchanges = self._sandbox.journal.all()
        if len(exchanges) < self._seen:  # the sandbox was reset
            self._seen = 0
        new, self._seen = exchanges[self._seen :], len(exchanges)
        return new
