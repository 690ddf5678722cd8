"""A preview of an event under a subscription: the trigger's result, the request, and Loops' response.

The product's own code decides all of it; the preview only shows each step.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from loops_destination.clock import SystemClock
from loops_destination.delivery import Deliverer, Delivery, prepare
from loops_destination.errors import MappingError
from loops_destination.events import Arrival
from loops_destination.idempotency import idempotency_key_of
from loops_destination.loops import LoopsClient
from loops_destination.loops.connections import Connections
from loops_destination.loops_request import LoopsRequest
from loops_destination.outcomes import Outcome, Result
from loops_destination.pace import Pacer
from loops_destination.subscriptions import Entry
from loops_destination.trigger import Finding
from segment_loops.json_values import json_or_text
from segment_loops.loops_access import SHOWN_API_KEY, RecordedCall, Recorder, send_nothing
from segment_loops.mappings_file import name_of
from segment_loops.trigger_explanation import finding_as_json

CALL_SECONDS = 8.0
CALLS_A_SECOND = 10


@dataclass(slots=True)
class Preview:
    """One event under one subscription. A step that the event does not reach is None.

    `findings` are the trigger's conditions; `mapped` is the mapped payload; `request` is what would be sent; `rejection`
    is the result of an event that cannot be sent; `call` and `result` are set once it was sent.
    """

    entry: Entry
    findings: Sequence[Finding]
    matches: bool
    mapped: Any = None
    request: RecordedCall | None = None
    rejection: Result | None = None
    call: RecordedCall | None = None
    result: Result | None = None

    @property
    def fails(self) -> bool:
        """True if the event matches but cannot be sent, or was sent and not delivered."""
        failed = self.result is not None and self.result.outcome in {Outcome.QUEUED, Outcome.REJECTED, None}
        return self.rejection is not None or failed

    def as_json(self) -> dict[str, Any]:
        """Return every step that the event reached."""
        shown: dict[str, Any] = {
            "subscription": self.entry.subscription.id,
            "name": name_of(self.entry),
            "action": self.entry.subscription.action.slug,
            "enabled": self.entry.subscription.enabled,
            "matches": self.matches,
            "conditions": [finding_as_json(each) for each in self.findings],
        }
        if self.matches:
            shown["mapped"] = self.mapped
        if self.rejection is not None:
            shown |= _result_as_json(self.rejection)
        if self.request is not None:
            shown["request"] = _request_as_json(self.request)
        if self.result is not None:
            response = self.call.response if self.call else None
            shown["response"] = response and {"status": response.status, "body": json_or_text(response.body)}
            shown |= _result_as_json(self.result)
        return shown


@dataclass(frozen=True, slots=True)
class _OneApiKey:
    """The source of API keys that the product's deliverer asks, with a single one."""

    value: str = field(repr=False)

    def api_key(self) -> str:
        return self.value

    def refresh(self) -> bool:
        return False


class Sender:
    """Sends deliveries to Loops, no faster than Loops allows."""

    def __init__(self, url: str, api_key: str) -> None:
        clock = SystemClock()
        self._recorder = Recorder(Connections(1))
        client = LoopsClient(url, clock, self._recorder, connections=1)
        self._deliverer = Deliverer(client, _OneApiKey(api_key), clock)
        self._pacer = Pacer(CALLS_A_SECOND, clock)

    def send(self, delivery: Delivery, request: LoopsRequest) -> tuple[RecordedCall | None, Result]:
        """Send the request; return the last call, None if there was none in time, and the functions' result."""
        self._pacer.wait_for_turn(float("inf"))
        self._recorder.calls.clear()
        result = self._deliverer.deliver(delivery, request, deadline=SystemClock().time() + CALL_SECONDS)
        calls = self._recorder.calls
        return (calls[-1] if calls else None), result


def preview_event(
    entry: Entry, arrival: Arrival, url: str, sender: Sender | None = None, idempotency_key: str | None = None
) -> Preview:
    """Preview the event under a subscription, with Loops at the base URL `url`; send it if there is a sender.

    The idempotency key is derived from the event by default.
    """
    event = arrival.event or {}
    preview = Preview(entry, entry.subscription.trigger.explain(event), entry.subscription.matches(event))
    if not preview.matches:
        return preview
    idempotency_key = idempotency_key or idempotency_key_of(event, entry.subscription.id, arrival.text)
    delivery = Delivery(entry.subscription, event, idempotency_key, SystemClock().time())
    preview.mapped = _mapped(entry, event)
    prepared = prepare(delivery)
    if isinstance(prepared, Result):
        preview.rejection = prepared
        return preview
    preview.request = _as_sent(prepared, url)
    if sender is not None:
        preview.call, preview.result = sender.send(delivery, prepared)
    return preview


def _mapped(entry: Entry, event: dict[str, Any]) -> Any:
    try:
        return entry.subscription.mapping.resolve(event)
    except MappingError:
        return None  # `prepare` says why


def _as_sent(request: LoopsRequest, url: str) -> RecordedCall:
    """Return the request exactly as the client makes it, but without the API key."""
    recorder = Recorder(send_nothing)
    LoopsClient(url, SystemClock(), recorder, connections=1).send(request, SHOWN_API_KEY, CALL_SECONDS)
    return recorder.calls[0]


def _request_as_json(call: RecordedCall) -> dict[str, Any]:
    return {"method": call.method, "url": call.url, "headers": dict(call.headers), "body": json.loads(call.body)}


def _result_as_json(result: Result) -> dict[str, Any]:
    parts = {"outcome": result.outcome, "reason": result.reason, "detail": result.detail}
    return {name: value for name, value in parts.items() if value is not None}
