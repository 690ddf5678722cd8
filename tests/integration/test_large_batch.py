"""A batch as large as Segment's, with Loops down."""

from __future__ import annotations

import json
import threading
from typing import Any

from loops_destination.delivery import Breaker, Deliverer
from loops_destination.http_api import WebhookRequest
from loops_destination.messages import QueueName
from loops_destination.observability import Telemetry
from loops_destination.queues import CALLS_AT_ONCE, Queues
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.verification import Gatekeeper
from loops_destination.webhook import STORING_SECONDS, Webhook
from tests.fakes import DOWN, ManualClock, ScriptedLoops

SECRET = json.dumps({"apiKey": "key", "sharedSecret": "shared"})
SQS_SECONDS = 0.05


class Sqs:
    """Takes everything; holds its first callers until as many wait as may call at once."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []
        self._lock = threading.Lock()
        self._gathered = threading.Barrier(CALLS_AT_ONCE)

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803  # boto3's names
        with self._lock:
            self.calls.append(Entries)
            first = len(self.calls) <= CALLS_AT_ONCE
        if first:
            self._gathered.wait(timeout=30)
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}


def test_a_whole_batch_is_stored_in_full_calls_at_once() -> None:
    """A thousand events of 4 MB under three subscriptions are 300 full calls, sixteen under way at once.

    At 50 ms a call these fit into the time that is kept for storing; `bench/batch.py` measures the whole.
    """
    sqs: Any = Sqs()
    clock = ManualClock()
    secrets = SecretStore({"AWSCURRENT": SECRET}.get, clock)
    webhook = Webhook(
        action="sendEvent",
        subscriptions=[Subscription.from_json({"name": f"s{number}", "action": "sendEvent"}) for number in range(3)],
        gatekeeper=Gatekeeper(secrets),
        deliverer=Deliverer(ScriptedLoops(DOWN), secrets, clock),
        breaker=Breaker(clock),
        storage=Queues(dict.fromkeys(QueueName, "queue"), lambda: sqs),
        telemetry=Telemetry("large-batch", lambda: ""),
        clock=clock,
        max_event_age_seconds=72 * 3600,
    )
    event = {"type": "track", "userId": "u", "event": "E", "properties": {"text": "x" * 3850}}
    body = json.dumps([event | {"messageId": f"m-{number}"} for number in range(1000)]).encode()
    reply = webhook.receive(WebhookRequest(body, sign(body, "shared")))

    assert reply.status == 202
    keys = {json.loads(entry["MessageBody"])["key"] for call in sqs.calls for entry in call}
    assert len(keys) == 3000
    assert len(sqs.calls) == 300
    assert len(sqs.calls) / CALLS_AT_ONCE * SQS_SECONDS < STORING_SECONDS
