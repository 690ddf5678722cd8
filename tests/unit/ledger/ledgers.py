"""A ledger with a fake store and a small Loops, and the events that a test sends through them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from loops_destination.ledger import Called, Effect, Facts, Ledger, Verdict
from loops_destination.ledger.record import ContactRecord
from loops_destination.loops_request import LoopsRequest
from tests.fakes import NOW, ManualClock
from tests.unit.ledger.fake_store import FakeStore
from tests.unit.ledger.simulation import PATHS, Crash
from tests.unit.ledger.small_loops import SmallLoops

Call = Callable[[LoopsRequest, float], Called[str]]

EMAIL = "adam@loops.so"


@dataclass(frozen=True)
class Sent:
    """A delivery of a test: an action at a second of event time."""

    action: str
    second: float
    body: dict[str, Any]
    user: str = "u-1"
    subscription: str = "s"

    @property
    def name(self) -> str:
        return f"{self.action}-{self.second}-{self.user.removeprefix('u-')}"

    def request(self) -> LoopsRequest:
        headers = {"Idempotency-Key": self.name} if self.action == "event" else {}
        return LoopsRequest(*PATHS[self.action], {"userId": self.user, **self.body}, headers)


def update(second: float, **body: Any) -> Sent:
    """An identify call of the person."""
    return Sent("update", second, {"email": EMAIL, **body, "mailingLists": body.get("mailingLists", {})})


def event(second: float, **properties: Any) -> Sent:
    """A track call with contact properties; without any, it takes no lease."""
    return Sent("event", second, {"eventName": "e", "eventProperties": {"n": 1}, **properties})


def deletion(second: float) -> Sent:
    """A deletion request."""
    return Sent("deletion", second, {})


class Bench:
    """Everything that a delivery meets, in manual time."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = FakeStore(self.clock)
        self.loops = SmallLoops()
        self.calls: list[LoopsRequest] = []
        self.ledger = Ledger(self.store, "stack", self.clock, resend_unchanged_after=168 * 3600, retry_for=72 * 3600)

    def facts(self, sent: Sent) -> Facts:
        moment = datetime.fromtimestamp(NOW - 1000 + sent.second, UTC).isoformat()
        content = {"messageId": sent.name, "timestamp": moment, "receivedAt": moment}
        return self.ledger.facts(sent.request(), content, sent.subscription, sent.name, NOW)

    def deliver(self, sent: Sent, call: Call | None = None, **options: Any) -> Verdict[str]:
        """Deliver with as much time as the queue gives."""
        counted = self._counted(call or self.loops.call)
        return self.ledger.deliver(self.facts(sent), counted, self.clock.time() + 60, **options)

    def delete(self, sent: Sent) -> Verdict[str]:
        """Take both steps of a deletion."""
        self.deliver(sent)
        self.clock.sleep(30)
        return self.deliver(sent)

    def contact(self, sent: Sent) -> ContactRecord:
        return ContactRecord.from_item(self.store.read(self.facts(sent).contact_key))

    def value(self, name: str, user: str = "u-1") -> Any:
        """The value that Loops has."""
        return self.loops.contacts.get(user, {}).get(name)

    def items(self) -> list[str]:
        return [key + item for key, item in self.store.items.items()]

    def item(self, prefix: str) -> dict[str, Any]:
        (found,) = [json.loads(item) for key, item in self.store.items.items() if key.startswith(prefix)]
        return dict(found)

    def _counted(self, call: Call) -> Call:
        def counted(request: LoopsRequest, seconds: float) -> Called[str]:
            self.calls.append(request)
            return call(request, seconds)

        return counted


def responds(effect: Effect) -> Call:
    """A Loops that applies nothing and responds like this."""
    return lambda _request, _seconds: Called(effect, effect.name)


def loses_its_response(loops: SmallLoops) -> Call:
    """A Loops that applies the call, but whose response gets lost."""

    def call(request: LoopsRequest, _seconds: float) -> Called[str]:
        loops.apply(request)
        return Called(Effect.UNKNOWN, "timeout")

    return call


def crashes_after(loops: SmallLoops) -> Call:
    """A Loops that applies the call, and whose caller dies before the response arrives."""

    def call(request: LoopsRequest, _seconds: float) -> Called[str]:
        loops.apply(request)
        raise Crash

    return call
