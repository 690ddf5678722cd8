"""The calls of Loops that many contact updates cost, with the contact ledger and without it, in virtual time.

`python -m bench.burst` runs two traces against the real handlers. A burst: each of 200 contacts changes 20 times within a
minute. Repeats: of ten identify calls of a contact, nine change nothing. The stack has 30 environments of the web
function and two of redelivery; Loops takes ten calls a second and answers the others 429.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.sandbox.rate_limit import rate_limit
from loops_destination.breaker import Breaker
from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import Webhook
from loops_destination.http_api import WebhookRequest
from loops_destination.ledger import Ledger
from loops_destination.loops import Meaning, Response
from loops_destination.loops_request import LoopsRequest
from loops_destination.messages import QueueName, RoutedMessage
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import ENVIRONMENTS, Pacer
from loops_destination.received import ReceivedMessage
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from tests.fakes import CONTACT, NOW
from tests.unit.ledger.fake_store import FakeStore
from tests.virtual_time import VirtualThreads, VirtualTime

CONTACTS = 200
WEB_ENVIRONMENTS = 30
LIMIT = 10
RESPONSE_SECONDS = 0.15
TABLE_SECONDS = 0.005
QUEUE_DELAY_SECONDS = 5
BATCH = 50
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


@dataclass
class VirtualLoops:
    """A Loops that applies the calls within its limit half-way through each, and answers the others 429."""

    clock: VirtualTime
    calls: int = 0
    rate_limited: int = 0
    values: dict[str, int] = field(default_factory=dict)
    last_call: float = NOW

    def __post_init__(self) -> None:
        self._limit = rate_limit(LIMIT, "sliding")

    def send(self, request: LoopsRequest, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # the parameters of `Loops.send`
        self.clock.sleep(RESPONSE_SECONDS / 2)
        assert self._limit is not None
        allowance = self._limit.take(self.clock.time())
        self.calls += 1
        self.last_call = self.clock.time()
        if allowance.granted and "step" in request.body:
            self.values[request.body["userId"]] = request.body["step"]
        self.clock.sleep(RESPONSE_SECONDS / 2)
        if allowance.granted:
            return Response(Meaning.DONE, 200, remaining=allowance.remaining)
        self.rate_limited += 1
        return Response(Meaning.TRY_AGAIN, 429, Reason.RATE_LIMITED, remaining=0)


class SlowStore(FakeStore):
    """A table whose reads and writes take `TABLE_SECONDS`."""

    def __init__(self, clock: VirtualTime) -> None:
        super().__init__(clock)
        self._virtual = clock

    def _answer(self) -> None:
        self._virtual.sleep(TABLE_SECONDS)
        super()._answer()


@dataclass
class VirtualQueue:
    """The RetryQueue."""

    clock: VirtualTime
    records: dict[str, ReceivedMessage] = field(default_factory=dict)
    visible_at: dict[str, float] = field(default_factory=dict)

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:  # noqa: ARG002  # it stores at once
        for routed in messages:
            assert routed.queue is QueueName.RETRY, routed.message.reason
            name = str(len(self.visible_at))
            self.records[name] = ReceivedMessage(name, name, routed.message.to_json(), self.clock.time(), 0)
            self.visible_at[name] = self.clock.time() + max(routed.delay_seconds, QUEUE_DELAY_SECONDS)
        return [True] * len(messages)

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:  # noqa: ARG002  # it hides at once
        for name, seconds in seconds_by_receipt.items():
            self.visible_at[name] = self.clock.time() + seconds

    def receive(self) -> list[ReceivedMessage]:
        """Return the messages of the next batch, in any order, as SQS does."""
        now = self.clock.time()
        names = [name for name in self.records if self.visible_at[name] <= now]
        names = random.sample(names, min(BATCH, len(names)))
        for name in names:
            self.visible_at[name] = now + 360
            self.records[name] = replace(self.records[name], receives=self.records[name].receives + 1)
        return [self.records[name] for name in names]


class Run:
    """One trace on a stack of its own."""

    def __init__(self, trace: Sequence[Identify], *, with_ledger: bool, seed: int = 1) -> None:
        random.seed(seed)
        self.clock = VirtualTime()
        self.trace = trace
        self.loops = VirtualLoops(self.clock)
        self.queue = VirtualQueue(self.clock)
        self.store = SlowStore(self.clock)
        self._with_ledger = with_ledger
        self._secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.clock)
        self._next = iter(trace)
        self._arriving = WEB_ENVIRONMENTS

    def run(self) -> Run:
        """Let all events arrive, and the queue drain."""
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
            self.clock.run(*[self._serve] * WEB_ENVIRONMENTS, *[self._poll] * ENVIRONMENTS)
        return self

    def figures(self) -> dict[str, float]:
        """Return the calls by contact and by change, contacts that ended with an old value, and the seconds it took."""
        newest = {f"u-{identify.contact}": identify.value for identify in self.trace}
        changes = len({(identify.contact, identify.value) for identify in self.trace})
        return {
            "events": len(self.trace),
            "calls": self.loops.calls,
            "of them answered 429": self.loops.rate_limited,
            "calls a contact": round(self.loops.calls / CONTACTS, 2),
            "calls a change": round(self.loops.calls / changes, 2),
            "contacts with an old value": sum(self.loops.values.get(user) != value for user, value in newest.items()),
            "seconds until the last call": round(self.loops.last_call - NOW),
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
            for message in messages:
                if message.message_id not in staying:
                    del self.queue.records[message.message_id]
            self.clock.sleep(BATCHING_SECONDS)

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
