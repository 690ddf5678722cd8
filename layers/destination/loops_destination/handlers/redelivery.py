"""The handler of the RetryQueue: a batch of messages in, those that stay out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from loops_destination.clock import Clock, SystemClock
from loops_destination.handlers.parts import IN_LAMBDA, Parts
from loops_destination.pace import Pacer
from loops_destination.redelivery import Record, Redelivery


class RedeliveryHandler:
    """The handler of the RetryQueue: a batch of messages in, those that stay out. It is made as `WebhookHandler` is."""

    def __init__(self, service: str, environ: Mapping[str, str] = os.environ, clock: Clock | None = None) -> None:
        self.service = service
        self._environ = environ
        self._clock = clock or SystemClock()
        if IN_LAMBDA in environ:
            with suppress(Exception):
                _ = self._redelivery

    def in_environment(self, environ: Mapping[str, str], clock: Clock) -> RedeliveryHandler:
        """The same handler as a cold start makes it, with nothing shared."""
        return RedeliveryHandler(self.service, environ, clock)

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        records = [_record(record) for record in event["Records"]]
        staying = self._redelivery.deliver(records, context.get_remaining_time_in_millis() / 1000)
        self._parts.telemetry.flush()
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in staying]}

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self.service, self._environ, self._clock)

    @cached_property
    def _redelivery(self) -> Redelivery:
        parts = self._parts
        return Redelivery(
            subscriptions=parts.subscriptions,
            deliverer=parts.deliverer,
            storage=parts.queues,
            telemetry=parts.telemetry,
            clock=parts.clock,
            pacer=Pacer(parts.settings.loops_requests_per_second, parts.clock),
            calls_at_once=parts.calls_at_once,
            retry_for_seconds=parts.settings.retry_for_hours * 3600,
            max_event_age_seconds=parts.settings.max_event_age_hours * 3600,
        )


def _record(record: Mapping[str, Any]) -> Record:
    attributes = record["attributes"]
    sent_at, receives = int(attributes["SentTimestamp"]) / 1000, int(attributes["ApproximateReceiveCount"])
    return Record(record["messageId"], record["receiptHandle"], record["body"], sent_at, receives)
