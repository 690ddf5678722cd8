"""The calls of Loops that many contact updates cost, with the contact ledger and without it, in virtual time.

`python -m bench.burst` runs two traces against the real handlers. A burst: each of 200 contacts changes 20 times within a
minute. Repeats: of ten identify calls of a contact, nine change nothing. The stack has 30 environments of the web
function and two of redelivery; Loops takes ten calls a second and answers the others 429.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from loops_destination.breaker import Breaker
from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import Webhook
from loops_destination.http_api import WebhookRequest
from loops_destination.ledger import Ledger
from loops_destination.loops_request import LoopsRequest
from loops_destination.observability import Telemetry
from loops_destination.pace import ENVIRONMENTS, Pacer
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from tests.fakes import CONTACT, NOW
from tests.unit.ledger.fake_store import FakeStore
from tests.virtual_stack import VirtualLoops, VirtualQueue
from tests.virtual_time import VirtualThreads, VirtualTime

CONTACTS = 200
WEB_ENVIRONMENTS = 30
LIMIT = 10
RESPONSE_SECONDS = 0.15
TABLE_SECONDS = 0.005
BATCHING_SECONDS = 1.0
SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})


@dataclass(frozen=True)
class Identify:
    """An identify call of a contact: the value that it sets, and when."""

    at: float
    contact: int
    value: int

    @property
    def event(self) -> dict[str, Any]:
        """The event as Segment posts it."""
        time = datetime.fromtimestamp(self.at, UTC).isoformat()
        return {
            "type": "identify",
            "messageId": f"m-{self.contact}-{self.at:.6f}",
            "userId": f"u-{self.contact}",
            "timestamp": time,
            "receivedAt": time,
            "traits": {"email": f"u-{self.contact}@example.com", "plan": "pro", "step": self.value},
        }


def burst(seed: int) -> list[Identify]:
    """Return 20 changes of each contact, at random times within a minute."""
    chance = random.Random(seed)  # noqa: S311  # a seeded run
    return _in_order(
        Identify(at, contact, step)
        for contact in range(CONTACTS)
        for step, at in enumerate(sorted(NOW + chance.uniform(0, 60) for _ in range(20)))
    )


def repeats(seed: int) -> list[Identify]:
    """Return 20 identify calls of each contact within 20 minutes; one in ten changes a value."""
    chance = random.Random(seed)  # noqa: S311  # a seeded run
    return _in_order(
        Identify(at, contact, step // 10)
        for contact in range(CONTACTS)
        for step, at in enumerate(sorted(NOW + chance.uniform(0, 1200) for _ in range(20)))
    )


def _in_order(calls: Iterator[Identify]) -> list[Identify]:
    return sorted(calls, key=lambda identify: identify.at)


class SlowStore(FakeStore):
    """A table whose reads and writes take `TABLE_SECONDS`."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(clock)
        self._virtual = clock

    def _answer(self) -> None:
        self._virtual.sleep(TABLE_SECONDS)
        super()._answer()


class Run:
    """One trace on a stack of its own."""

    def __init__(self, trace: Sequence[Identify], *, with_ledger: bool, seed: int = 1) -> None:
        random.seed(seed)
        self.clock = VirtualTime()
        self.trace = trace
        self.loops = VirtualLoops(self.clock, "sliding", LIMIT, RESPONSE_SECONDS, self._applied)
        self.queue = VirtualQueue(self.clock, shuffled=True)
        self.store = SlowStore(self.clock)
        self._with_ledger = with_ledger
        self._secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.clock)
        self._next = iter(trace)
        self._values: dict[str, int] = {}
        self._arriving = WEB_ENVIRONMENTS

    def run(self) -> Run:
        """Let all events arrive, and the queue drain."""
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            self.clock.run(*[self._serve] * WEB_ENVIRONMENTS, *[self._poll] * ENVIRONMENTS)
        return self

    def figures(self) -> dict[str, float]:
        """Return the calls by contact and by change, contacts that ended with an old value, and the seconds it took."""
        newest = {f"u-{identify.contact}": identify.value for identify in self.trace}
        calls = len(self.loops.answered)
        changes = len({(identify.contact, identify.value) for identify in self.trace})
        return {
            "events": len(self.trace),
            "calls": calls,
            "of them answered 429": self.loops.rate_limited,
            "calls a contact": round(calls / CONTACTS, 2),
            "calls a change": round(calls / changes, 2),
            "contacts with an old value": sum(self._values.get(user) != value for user, value in newest.items()),
            "seconds until the last call": round(self.loops.answered[-1].at - NOW),
        }

    def _serve(self) -> None:
        webhook = Webhook(
            action="createOrUpdateContact",
            subscriptions=[CONTACT],
            verifier=Verifier(self._secrets),
            deliverer=self._deliverer(),
            breaker=Breaker(self.clock),
            store=self.queue,
            telemetry=Telemetry("burst", lambda: "", level="ERROR"),
            clock=self.clock,
            max_event_age_seconds=72 * 3600,
        )
        for identify in self._next:
            self.clock.sleep(identify.at - self.clock.time())
            body = json.dumps(identify.event).encode()
            reply = webhook.receive(WebhookRequest(body, sign(body, "shared")))
            assert reply.status < 300, reply  # noqa: PLR2004  # delivered, queued, or nothing to send
        self._arriving -= 1

    def _poll(self) -> None:
        redelivery = Redelivery(
            subscriptions=[CONTACT],
            deliverer=self._deliverer(),
            store=self.queue,
            telemetry=Telemetry("burst", lambda: "", level="ERROR"),
            clock=self.clock,
            pacer=Pacer(LIMIT, self.clock),
            calls_at_once=LIMIT // ENVIRONMENTS,
            retry_for_seconds=288 * 3600,
            max_event_age_seconds=72 * 3600,
            workers=lambda size: VirtualThreads(self.clock, size),
        )
        while self._arriving or self.queue.records:
            messages = self.queue.receive()
            staying = redelivery.deliver(messages, 60) if messages else []
            self.queue.keep_only(messages, staying)
            self.clock.sleep(BATCHING_SECONDS)

    def _applied(self, request: LoopsRequest) -> None:
        if "step" in request.body:
            self._values[request.body["userId"]] = request.body["step"]

    def _deliverer(self) -> Deliverer:
        week, twelve_days = 168 * 3600, 288 * 3600
        ledger = Ledger(self.store, "stack", self.clock, resend_unchanged_after=week, retry_for=twelve_days)
        return Deliverer(self.loops, self._secrets, self.clock, ledger if self._with_ledger else None)


def measure(seed: int = 1) -> dict[str, dict[str, float]]:
    """Return the figures of both traces, each with the ledger and without."""
    return {
        f"{name}, {'with' if with_ledger else 'without'} the ledger": Run(trace(seed), with_ledger=with_ledger)
        .run()
        .figures()
        for name, trace in (("burst", burst), ("repeats", repeats))
        for with_ledger in (True, False)
    }


def main() -> None:
    """Print the figures."""
    print(json.dumps(measure(), indent=1))


if __name__ == "__main__":
    main()
