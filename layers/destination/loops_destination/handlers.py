"""What Lambda calls: built once per environment from its variables, with every part in its place."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from math import ceil
from typing import Any

from loops_destination.clock import Clock, SystemClock
from loops_destination.delivery import Breaker, Deliverer
from loops_destination.errors import SecretError
from loops_destination.http_api import decode_request, encode_reply
from loops_destination.loops import LoopsClient
from loops_destination.messages import QueueName
from loops_destination.observability import Journal
from loops_destination.pace import ENVIRONMENTS, Pacer
from loops_destination.queues import Queues
from loops_destination.redelivery import Record, Redelivery
from loops_destination.secrets import SecretStore, from_secrets_manager
from loops_destination.settings import Settings
from loops_destination.subscriptions import Subscription, load_subscriptions
from loops_destination.trust import Gatekeeper
from loops_destination.webhook import Webhook

IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"  # a variable that Lambda sets
SLOW_ANSWER_SECONDS = 1.0  # at which the pace is still kept


class Parts:
    """What both kinds of handlers are made of, each made when it is first asked for."""

    def __init__(self, service: str, environ: Mapping[str, str], clock: Clock) -> None:
        self.settings = Settings.from_environment(environ)
        self.clock = clock
        self.secrets = SecretStore(from_secrets_manager(self.settings.secret_id), clock)
        self.journal = Journal(
            service,
            self._hash_key,
            self.settings.metrics_namespace,
            self.settings.powertools_log_level,
        )
        self.queues = Queues(
            {
                QueueName.RETRY: self.settings.retry_queue_url,
                QueueName.DEAD_LETTER: self.settings.dead_letter_queue_url,
            }
        )

    def _hash_key(self) -> str:
        """What happened is told whatever the state of the secret; then without telling users apart."""
        try:
            return self.secrets.current().signing
        except SecretError:
            return ""

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        return load_subscriptions(self.settings.mappings_file.read_bytes())

    def deliverer(self, calls_at_once: int) -> Deliverer:
        loops = LoopsClient(self.settings.loops_base_url, self.clock, connections=calls_at_once)
        return Deliverer(loops, self.secrets, self.clock)


class WebhookHandler:
    """The handler of a route: API Gateway's event in, its answer out.

    In Lambda it makes its parts when it is imported, since a function's init has a whole processor and its first event
    has not; what fails then is tried again, and told, by the first call. Elsewhere it reads `environ` at that call.
    """

    def __init__(
        self, service: str, actions: Sequence[str], environ: Mapping[str, str] = os.environ, clock: Clock | None = None
    ) -> None:
        self.service = service
        self.actions = actions
        self._environ = environ
        self._clock = clock or SystemClock()
        if IN_LAMBDA in environ:
            with suppress(Exception):
                _ = self._webhook

    def in_environment(self, environ: Mapping[str, str], clock: Clock) -> WebhookHandler:
        """The same handler as a cold start makes it, with nothing shared."""
        return WebhookHandler(self.service, self.actions, environ, clock)

    def __call__(self, event: dict[str, Any], context: object) -> dict[str, Any]:  # noqa: ARG002  # Lambda passes it
        reply = self._webhook.receive(decode_request(event))
        self._parts.journal.flush()
        return encode_reply(reply)

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self.service, self._environ, self._clock)

    @cached_property
    def _webhook(self) -> Webhook:
        parts = self._parts
        return Webhook(
            action=self.actions[0] if len(self.actions) == 1 else None,
            subscriptions=[wanted for wanted in parts.subscriptions if wanted.action.slug in self.actions],
            gatekeeper=Gatekeeper(parts.secrets, parts.settings.trust_unsigned_batch_items),
            deliverer=parts.deliverer(calls_at_once=1),
            breaker=Breaker(parts.clock),
            storage=parts.queues,
            journal=parts.journal,
            clock=parts.clock,
        )


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
        self._parts.journal.flush()
        return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in staying]}

    @cached_property
    def _parts(self) -> Parts:
        return Parts(self.service, self._environ, self._clock)

    @cached_property
    def _redelivery(self) -> Redelivery:
        parts = self._parts
        limit = parts.settings.loops_requests_per_second
        calls_at_once = ceil(limit / ENVIRONMENTS * SLOW_ANSWER_SECONDS)
        return Redelivery(
            subscriptions=parts.subscriptions,
            deliverer=parts.deliverer(calls_at_once),
            storage=parts.queues,
            journal=parts.journal,
            clock=parts.clock,
            pacer=Pacer(limit, parts.clock),
            calls_at_once=calls_at_once,
            retry_for_seconds=parts.settings.retry_for_hours * 3600,
        )


def _record(record: Mapping[str, Any]) -> Record:
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    return Record(record["messageId"], record["receiptHandle"], record["body"], sent_at)
