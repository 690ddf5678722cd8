"""What becomes of an event under each subscription: matched, mapped, and sent when that is asked for.

It is the product's own code that says it; here it is only asked step by step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from local.cli.loops import SHOWN_KEY, Call, Recorder, answer_json, nowhere
from local.cli.mappings import Entry
from loops_destination.clock import SystemClock
from loops_destination.delivery import Deliverer, Delivery, prepare
from loops_destination.errors import MappingError
from loops_destination.events import Arrival
from loops_destination.idempotency import idempotency_key
from loops_destination.loops import LoopsClient
from loops_destination.loops.connections import Connections
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Outcome, Result
from loops_destination.pace import Pacer
from loops_destination.trigger import Finding

CALL_SECONDS = 8.0
CALLS_A_SECOND = 10


@dataclass(slots=True)
class Preview:
    """What becomes of one event under one subscription; the parts are None where it does not come so far."""

    entry: Entry
    findings: Sequence[Finding]
    matches: bool
    mapped: Any = None
    call: Call | None = None
    problem: Result | None = None
    answer: Call | None = None
    result: Result | None = None

    @property
    def fails(self) -> bool:
        """Whether the event is taken and not delivered."""
        return self.problem is not None or (self.result is not None and self.result.outcome is not Outcome.DELIVERED)

    def as_json(self) -> dict[str, Any]:
        """All of it, in an object that leaves out what there is not."""
        shown: dict[str, Any] = {
            "subscription": self.entry.subscription.id,
            "name": self.entry.name,
            "action": self.entry.action.slug,
            "enabled": self.entry.subscription.enabled,
            "matches": self.matches,
            "conditions": [
                {"condition": each.condition, "held": each.held, "decided": each.decided} for each in self.findings
            ],
        }
        if self.matches:
            shown["mapped"] = self.mapped
        if self.problem is not None:
            shown |= _result_as_json(self.problem)
        if self.call is not None:
            shown["request"] = _request_as_json(self.call)
        if self.result is not None:
            answer = self.answer.answer if self.answer else None
            shown["answer"] = answer and {"status": answer.status, "body": answer_json(answer.body)}
            shown |= _result_as_json(self.result)
        return shown


@dataclass(frozen=True, slots=True)
class _Key:
    """The one API key; `deliverer` asks for it as the functions ask for the secret's."""

    key: str = field(repr=False)

    def api_key(self) -> str:
        return self.key

    def refresh(self) -> bool:
        return False


class Sender:
    """Brings deliveries to one Loops, no faster than it allows."""

    def __init__(self, url: str, key: str) -> None:
        clock = SystemClock()
        self._recorder = Recorder(Connections(1))
        self._deliverer = Deliverer(LoopsClient(url, clock, self._recorder, connections=1), _Key(key), clock)
        self._pacer = Pacer(CALLS_A_SECOND, clock)

    def send(self, delivery: Delivery, request: LoopsRequest) -> tuple[Call | None, Result]:
        """Loops' answer, None where there was none in time, and what the functions make of it."""
        self._pacer.wait_for_turn(float("inf"))
        self._recorder.calls.clear()
        result = self._deliverer.deliver(delivery, request, deadline=SystemClock().time() + CALL_SECONDS)
        calls = self._recorder.calls
        return (calls[-1] if calls else None), result


def previews(arrival: Arrival, entries: Sequence[Entry], url: str, sender: Sender | None = None) -> list[Preview]:
    """What becomes of the event under each entry, `url` being Loops'; nothing is sent without a sender."""
    return [preview(entry, arrival, url, sender) for entry in entries if arrival.event is not None]


def preview(entry: Entry, arrival: Arrival, url: str, sender: Sender | None = None) -> Preview:
    """What becomes of the event under this entry."""
    event = arrival.event or {}
    shown = Preview(entry, entry.trigger.explain(event), entry.subscription.matches(event))
    if not shown.matches:
        return shown
    key = idempotency_key(event, entry.subscription.id, arrival.text)
    delivery = Delivery(entry.subscription, event, key, SystemClock().time())
    shown.mapped = _mapped(entry, event)
    prepared = prepare(delivery)
    if isinstance(prepared, Result):
        shown.problem = prepared
        return shown
    shown.call = _as_sent(prepared, url)
    if sender is not None:
        shown.answer, shown.result = sender.send(delivery, prepared)
    return shown


def _mapped(entry: Entry, event: dict[str, Any]) -> Any:
    try:
        return entry.mapping.resolve(event)
    except MappingError:
        return None  # `prepare` tells why


def _as_sent(request: LoopsRequest, url: str) -> Call:
    """The request as the client makes it, without the key."""
    recorder = Recorder(nowhere)
    LoopsClient(url, SystemClock(), recorder, connections=1).send(request, SHOWN_KEY, CALL_SECONDS)
    return recorder.calls[0]


def _request_as_json(call: Call) -> dict[str, Any]:
    body = json.loads(call.body)
    return {"method": call.method, "url": call.url, "headers": dict(call.headers), "body": body}


def _result_as_json(result: Result) -> dict[str, Any]:
    parts = {"outcome": result.outcome, "reason": result.reason, "detail": result.detail}
    return {name: value for name, value in parts.items() if value is not None}
