"""Measure how long the largest requests and the slowest redelivery take while Loops and SQS are in trouble.

    python -m bench.batch, with layers/destination on PYTHONPATH

Each answer must leave within 4 s of the request's arrival, and the invocation of redelivery must end within the 20 s that
it is given here. Loops and SQS are in memory: SQS takes 50 ms a call where it does not hang.
"""

from __future__ import annotations

import contextlib
import io
import json
import threading
import time
from typing import Any

from loops_destination.breaker import Breaker
from loops_destination.clock import SystemClock
from loops_destination.delivery import Deliverer
from loops_destination.handlers.redelivery import Redelivery
from loops_destination.handlers.webhook import Webhook
from loops_destination.http_api import WebhookRequest
from loops_destination.loops import Meaning, Response
from loops_destination.messages import Message, QueueName, ascii_json
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.pace import Pacer
from loops_destination.queues import Queues
from loops_destination.received_messages import ReceivedMessage
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Verifier

SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})
MAX_EVENT_AGE_SECONDS = 72 * 3600
HANGING = 10.0  # seconds, which is longer than any deadline
LOOPS_DOWN = Response(Meaning.TRY_AGAIN, 503, Reason.LOOPS_ERROR)
HEAVY = {"@liquid": "{{ properties.text | split: '' | join: ',' }}"}
"""As much work for 240 KB as the limit on the work of one mapping allows."""


class Sqs:
    """An SQS that takes everything; each call lasts `seconds`."""

    def __init__(self, seconds: float) -> None:
        self.stored = 0
        self._seconds = seconds
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803  # boto3's names
        time.sleep(self._seconds)
        with self._lock:
            self.stored += len(Entries)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:  # noqa: ARG002, N803  # boto3's names
        time.sleep(self._seconds)


class TroubledLoops:
    """A Loops that responds 503 after `seconds`, if the call is given as much."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def send(self, request: object, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # the parameters of `Loops.send`
        time.sleep(min(self._seconds, seconds))
        return LOOPS_DOWN


def main() -> None:
    """Print the answer and the time of each case."""
    small = events(1000, text_length=100)
    large = events(1000, text_length=3850)
    answer("4 MB under 3 subscriptions", large, subscriptions=3, sqs_seconds=0.05)
    answer("4 MB under 9 subscriptions", large, subscriptions=9, sqs_seconds=0.05)
    answer("1,000 events under 50 subscriptions", small, subscriptions=50, sqs_seconds=0.05)
    answer("one event, SQS and Loops hanging", events(1), sqs_seconds=HANGING, loops_seconds=HANGING)
    answer("400 events, SQS and Loops hanging", events(400), sqs_seconds=HANGING, loops_seconds=HANGING)
    answer("20 events of 240 KB, heavy templates", events(20, text_length=240_000), mapping=heavy(), sqs_seconds=0.05)
    redeliver("50 events of 240 KB, heavy templates", seconds=20)


def answer(  # noqa: PLR0913  # the parts of a case, named at each call
    title: str,
    sent: list[dict[str, Any]],
    *,
    subscriptions: int = 1,
    mapping: dict[str, Any] | None = None,
    sqs_seconds: float,
    loops_seconds: float = 0.0,
) -> None:
    """Post one batch, and print when it was answered."""
    sqs: Any = Sqs(sqs_seconds)
    clock = SystemClock()
    secrets = SecretStore({"AWSCURRENT": SECRET}.get, clock)
    webhook = Webhook(
        action="sendEvent",
        subscriptions=[subscription(f"events {number}", mapping) for number in range(subscriptions)],
        verifier=Verifier(secrets),
        deliverer=Deliverer(TroubledLoops(loops_seconds), secrets, clock),
        breaker=Breaker(clock),
        store=Queues(dict.fromkeys(QueueName, "queue"), clock, lambda: sqs),
        telemetry=Telemetry("bench", lambda: ""),
        clock=clock,
        max_event_age_seconds=MAX_EVENT_AGE_SECONDS,
    )
    body = json.dumps(sent).encode()
    request = WebhookRequest(body, sign(body, "shared"))
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        reply = webhook.receive(request)
    seconds = time.perf_counter() - began
    print(f"{title}: {reply.status} after {seconds:.2f} s, {sqs.stored:,} messages stored", flush=True)


def redeliver(title: str, seconds: float) -> None:
    """Redeliver a batch with `seconds` of time, and print how long it took."""
    sqs: Any = Sqs(0.05)
    clock = SystemClock()
    secrets = SecretStore({"AWSCURRENT": SECRET}.get, clock)
    redelivery = Redelivery(
        subscriptions=[subscription("events", heavy())],
        deliverer=Deliverer(TroubledLoops(0.1), secrets, clock),
        store=Queues(dict.fromkeys(QueueName, "queue"), clock, lambda: sqs),
        telemetry=Telemetry("bench", lambda: ""),
        clock=clock,
        pacer=Pacer(10, clock),
        calls_at_once=5,
        retry_for_seconds=MAX_EVENT_AGE_SECONDS,
        max_event_age_seconds=MAX_EVENT_AGE_SECONDS,
    )
    now = clock.time()
    (event,) = events(1, text_length=240_000)
    message = Message("key", now, Reason.TIMEOUT, event=ascii_json(event), action="sendEvent", subscription="events")
    records = [ReceivedMessage(str(number), f"receipt-{number}", message.to_json(), now) for number in range(50)]
    began = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        staying = redelivery.deliver(records, seconds)
    print(f"{title}: {len(staying)} stay on the RetryQueue, after {time.perf_counter() - began:.1f} of {seconds} s")


def events(count: int, text_length: int = 100) -> list[dict[str, Any]]:
    """Return events with a property of this length."""
    event = {"type": "track", "userId": "u", "event": "E", "properties": {"text": "x" * text_length}}
    return [event | {"messageId": f"m-{number}"} for number in range(count)]


def heavy() -> dict[str, Any]:
    """Return a mapping whose templates do as much work as they may."""
    names = {"eventName": {"@path": "$.event"}, "userId": {"@path": "$.userId"}}
    return names | {"eventProperties": {f"text{number}": HEAVY for number in range(3)}}


def subscription(name: str, mapping: dict[str, Any] | None) -> Subscription:
    """Return a subscription of `sendEvent`; no mapping takes the default one."""
    definition: dict[str, Any] = {"name": name, "action": "sendEvent"}
    return Subscription.from_json(definition | ({"mapping": mapping} if mapping else {}))


if __name__ == "__main__":
    main()
