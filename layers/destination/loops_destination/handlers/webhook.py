"""The handler of a route: API Gateway's event in, its answer out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from loops_destination.clock import Clock, SystemClock
from loops_destination.delivery import Breaker
from loops_destination.handlers.parts import IN_LAMBDA, Parts
from loops_destination.http_api import decode_request, encode_reply
from loops_destination.verification import Verifier
from loops_destination.webhook import Webhook


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
        self._parts.telemetry.flush()
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
            verifier=Verifier(parts.secrets, parts.settings.trust_unsigned_batch_items),
            deliverer=parts.deliverer,
            breaker=Breaker(parts.clock),
            storage=parts.queues,
            telemetry=parts.telemetry,
            clock=parts.clock,
            max_event_age_seconds=parts.settings.max_event_age_hours * 3600,
        )
