"""The drain of a backlog, and the wait at 429, in virtual time."""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext

import pytest

from local.sandbox.rate_limit import Window
from loops_destination.breaker import Breaker
from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import Webhook
from loops_destination.http_api import WebhookRequest
from loops_destination.messages import Message, QueueName, RoutedMessage, ascii_json
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.received_messages import ReceivedMessage
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.verification import Verifier
from tests.fakes import CONTACT, EVENT, IDENTIFY, NOW, TOO_FAST, Keyring, ManualClock, OneByOne, ScriptedLoops
from tests.virtual_stack import BATCH, VirtualLoops, VirtualQueue
from tests.virtual_time import VirtualThreads, VirtualTime

LIMIT = 10
RESPONSE_SECONDS = 0.3
POLL_SECONDS = 0.05  # between two batches of one poller
BACKLOG = 1000
SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})


def track(number: int) -> dict[str, object]:
    return {"type": "track", "messageId": f"m-{number}", "userId": f"u-{number}", "event": "E", "properties": {}}


class Drain:
    """A backlog, two pollers with an environment each, and web functions if new events arrive."""

    def __init__(self, window: Window, *, new_events_a_second: float = 0.0, seed: int = 7) -> None:
        random.seed(seed)  # the jitter of the pauses is the same in each run
        self.clock = VirtualTime()
        self.seed = seed
        self.loops = VirtualLoops(self.clock, window, LIMIT, RESPONSE_SECONDS)
        self.queue = VirtualQueue(self.clock)
        self.new_events_a_second = new_events_a_second
        self.arriving = new_events_a_second > 0
        self.drained = NOW
        for number in range(BACKLOG):
            message = Message(
                idempotency_key=f"key-{number}",
                received_at=NOW,
                reason=Reason.TIMEOUT,
                event=ascii_json(track(number)),
                action="sendEvent",
                subscription="events",
            )
            self.queue.store([RoutedMessage(QueueName.RETRY, message)], NOW)
            self.queue.visible_at[str(number)] = NOW
        self.backlog = {str(number) for number in range(BACKLOG)}

    def run(self) -> None:
        self.clock.run(self._poll, self._poll, self._arrive)

    def _poll(self) -> None:
        redelivery = Redelivery(
            subscriptions=[EVENT],
            deliverer=Deliverer(self.loops, Keyring("key"), self.clock),
            store=self.queue,
            telemetry=Telemetry("drain", lambda: ""),
            clock=self.clock,
            pacer=Pacer(LIMIT, self.clock),
            calls_at_once=5,
            retry_for_seconds=10**6,
            max_event_age_seconds=72 * 3600,
            workers=lambda size: VirtualThreads(self.clock, size),
        )
        while self.backlog & self.queue.records.keys():
            records = self.queue.receive()
            staying = redelivery.deliver(records, 60) if records else []
            if self.backlog.intersection(self.queue.keep_only(records, staying)):
                self.drained = self.clock.time()
            self.clock.sleep(POLL_SECONDS if records else 1.0)
        self.arriving = False

    def _arrive(self) -> None:
        """New events come to two web environments in turn, each call waiting for the one before."""
        secrets = SecretStore({"AWSCURRENT": SECRET}.get, self.clock)
        webhooks = [self._webhook(secrets) for _ in range(2)]
        chance = random.Random(self.seed)
        number = 10**6
        calls = []
        while self.arriving:
            number += 1
            body = json.dumps(track(number)).encode()
            request = WebhookRequest(body, sign(body, "shared"))
            webhook = webhooks[number % 2]
            calls.append(self.clock.spawn(lambda webhook=webhook, request=request: webhook.receive(request)))
            self.clock.sleep(chance.uniform(0.5, 1.5) / self.new_events_a_second)
        self.clock.join(calls)

    def _webhook(self, secrets: SecretStore) -> Webhook:
        return Webhook(
            action="sendEvent",
            subscriptions=[EVENT],
            verifier=Verifier(secrets),
            deliverer=Deliverer(self.loops, secrets, self.clock),
            breaker=Breaker(self.clock),
            store=self.queue,
            telemetry=Telemetry("drain", lambda: ""),
            clock=self.clock,
            max_event_age_seconds=10**6,
        )

    @property
    def rate(self) -> float:
        """The part of Loops' limit that was used until the backlog was drained."""
        taken = sum(call.taken and call.at <= self.drained for call in self.loops.answered)
        return taken / (self.drained - NOW) / LIMIT

    @property
    def rate_limited(self) -> float:
        """The part of the calls that Loops answered 429."""
        return self.loops.rate_limited / len(self.loops.answered)


@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_a_backlog_is_drained_at_the_rate_that_loops_allows(window: Window) -> None:
    """A backlog of 1,000 events leaves at 95 % of the limit or more, and no call is answered 429."""
    drain = Drain(window)
    drain.run()
    assert drain.rate >= 0.95
    assert drain.rate_limited == 0
    assert drain.queue.records == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("window", ["fixed", "sliding"])
def test_a_backlog_is_drained_while_new_events_arrive(window: Window, seed: int) -> None:
    """With five new events a second, all calls use at least 95 % of the limit, and at most 2 % are answered 429."""
    drain = Drain(window, new_events_a_second=5, seed=seed)
    drain.run()
    assert drain.rate >= 0.95
    assert drain.rate_limited <= 0.02


LONGEST_RETRY_SECONDS = 312 * 3600  # RetryForHours' maximum
MAX_RECEIVES = 1000  # maxReceiveCount of the RetryQueue, which is SQS's maximum
POLL_SECONDS_RATE_LIMITED = 10  # Lambda polls more often: in 13 days that is a hundredth more receives


class RateLimited:
    """Contact updates on the RetryQueue, while Loops answers 429 to every call."""

    def __init__(self, messages: int) -> None:
        random.seed(7)  # the jitter of the pauses is the same in each run
        self.clock = ManualClock()
        self.receives: Counter[str] = Counter()
        self.letters: list[tuple[Reason, float]] = []
        held = Message(
            idempotency_key="key",
            received_at=NOW,
            reason=Reason.TIMEOUT,
            event=ascii_json(IDENTIFY),
            action="createOrUpdateContact",
            subscription="contacts",
        )
        self._body = held.to_json()
        self._agenda = [(NOW, str(number)) for number in range(messages)]

    def run(self) -> None:
        redelivery = Redelivery(
            subscriptions=[CONTACT],
            deliverer=Deliverer(ScriptedLoops(TOO_FAST), Keyring("key"), self.clock),
            store=self,
            telemetry=Telemetry("rate-limited", lambda: "", level="ERROR"),
            clock=self.clock,
            pacer=Pacer(LIMIT, self.clock),
            calls_at_once=5,
            retry_for_seconds=LONGEST_RETRY_SECONDS,
            max_event_age_seconds=72 * 3600,
            workers=lambda _: nullcontext(OneByOne()),
        )
        while self._agenda:
            self.clock.now = max(self.clock.now, self._agenda[0][0]) + POLL_SECONDS_RATE_LIMITED
            redelivery.deliver(list(self._receive()), 60)

    def _receive(self) -> Iterator[ReceivedMessage]:
        for _ in range(BATCH):
            if not self._agenda or self._agenda[0][0] > self.clock.now:
                return
            _, name = heapq.heappop(self._agenda)
            self.receives[name] += 1
            yield ReceivedMessage(
                message_id=name, receipt=name, body=self._body, sent_at=NOW, receives=self.receives[name]
            )

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:  # noqa: ARG002  # it stores at once
        self.letters += [(routed.message.reason, self.clock.now - NOW) for routed in messages]
        return [True] * len(messages)

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:  # noqa: ARG002  # it hides at once
        for name, seconds in seconds_by_receipt.items():
            heapq.heappush(self._agenda, (self.clock.now + seconds, name))


@pytest.mark.parametrize("messages", [1, 100, 500])
def test_a_delivery_at_429_waits_for_all_of_retry_for_hours(messages: int) -> None:
    """At 429 for 312 hours, a delivery is received at most 550 of 1,000 times, and its dead letter gives the reason."""
    held = RateLimited(messages)
    held.run()
    assert max(held.receives.values()) <= 0.55 * MAX_RECEIVES
    assert len(held.letters) == len(held.receives) == messages
    for reason, waited in held.letters:
        assert reason is Reason.RETRIES_EXHAUSTED
        assert LONGEST_RETRY_SECONDS <= waited < LONGEST_RETRY_SECONDS + 2 * 3600
