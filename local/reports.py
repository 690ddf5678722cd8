"""What is told of one event's way: what came in, what was answered, what Loops got."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from local.sandbox import Exchange, Sandbox


@dataclass(frozen=True, slots=True)
class Call:
    """A call that Loops got: `PUT /contacts/update`, whom or what it was about, and Loops' status, None for a reset."""

    request: str
    subject: str
    status: int | None

    def __str__(self) -> str:
        words = [self.request, self.subject] if self.succeeded else [self.request, f"({self.status})", self.subject]
        return " ".join(words)

    @property
    def succeeded(self) -> bool:
        return self.status == HTTPStatus.OK


@dataclass(frozen=True, slots=True)
class Report:
    """One line of the table; `outcomes` has one text for each delivery, or the reason of a refusal."""

    name: str
    request: str
    answer: str
    outcomes: Sequence[str]
    calls: Sequence[Call]


class LoopsCalls:
    """The calls that the sandbox got since it was asked the last time; none where Loops is the real one."""

    def __init__(self, sandbox: Sandbox | None) -> None:
        self._sandbox = sandbox
        self._seen = 0

    def new(self) -> list[Call]:
        """Those that nobody was told of yet."""
        if self._sandbox is None:
            return []
        with self._sandbox.lock:
            calls = [_call(exchange) for exchange in self._sandbox.journal.all()[self._seen :]]
        self._seen += len(calls)
        return calls


def outcomes(body: bytes) -> list[str]:
    """What a webhook's answer says of each delivery, with the reason in a line of its own; what else it says otherwise."""
    try:
        content = json.loads(body)
    except ValueError:
        return [body.decode(errors="replace")]
    results = content.get("results") or [{"outcome": content.get("reason") or content.get("message")}]
    return [line for result in results for line in _lines(result)]


def _lines(result: dict[str, Any]) -> list[str]:
    line = " ".join(word for word in (result.get("action"), result.get("outcome") or "stored nowhere") if word)
    return [line, f"  {result['reason']}"] if result.get("reason") else [line]


def _call(exchange: Exchange) -> Call:
    body = exchange.body if isinstance(exchange.body, dict) else {}
    subject = body.get("eventName") or body.get("email") or body.get("userId") or ""
    return Call(f"{exchange.method} {exchange.path.removeprefix('/api/v1')}", str(subject), exchange.status)
