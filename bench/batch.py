"""A batch as large as Segment's, with Loops down: how long until every delivery is stored.

    python -m bench.batch, with layers/destination on PYTHONPATH

A thousand events, 4 MB, under three subscriptions are three thousand messages; each call of SQS takes 50 ms. The
answer has 4 seconds from the arrival of the request.
"""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from loops_destination.clock import SystemClock
from loops_destination.delivery import Breaker, Deliverer
from loops_destination.http_api import WebhookRequest
from loops_destination.loops import Meaning, Response
from loops_destination.messages import QueueName
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Reason
from loops_destination.queues import Queues
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Gatekeeper
from loops_destination.webhook import Webhook

EVENTS = 1000
EVENT_BYTES = 4000
SUBSCRIPTIONS = 3
SQS_SECONDS = 0.05
SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})


class SlowSqs:
    """Takes everything, after 50 ms."""

    def __init__(self) -> None:
        self.stored = 0
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803  # boto3's face
        time.sleep(SQS_SECONDS)
        with self._lock:
            self.stored += len(Entries)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


class LoopsDown:
    """Answers 503 at once."""

    def send(self, request: object, api_key: str, seconds: float) -> Response:  # noqa: ARG002  # Loops' face
        return Response(Meaning.TRY_AGAIN, 503, Reason.LOOPS_ERROR)


def main() -> None:
    """Prints what was stored, and in what time."""
    sqs: Any = SlowSqs()
    clock = SystemClock()
    secrets = SecretStore({"AWSCURRENT": SECRET}.get, clock)
    webhook = Webhook(
        action="sendEvent",
        subscriptions=[
            Subscription.from_json({"name": f"events {number}", "action": "sendEvent"})
            for number in range(SUBSCRIPTIONS)
        ],
        gatekeeper=Gatekeeper(secrets),
        deliverer=Deliverer(LoopsDown(), secrets, clock),
        breaker=Breaker(clock),
        storage=Queues(dict.fromkeys(QueueName, "queue"), lambda: sqs),
        telemetry=Telemetry("bench", lambda: "", level="ERROR"),
        clock=clock,
        max_event_age_seconds=72 * 3600,
    )
    event = {"type": "track", "userId": "u", "event": "E", "properties": {"text": "x" * (EVENT_BYTES - 120)}}
    body = json.dumps([event | {"messageId": f"m-{number}"} for number in range(EVENTS)]).encode()
    began = time.perf_counter()
    reply = webhook.receive(WebhookRequest(body, sign(body, "shared")))
    seconds = time.perf_counter() - began
    print(f"{len(body) / 1e6:.1f} MB, {sqs.stored} messages stored, answered {reply.status} after {seconds:.2f} s")


if __name__ == "__main__":
    main()
