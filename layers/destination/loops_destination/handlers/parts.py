"""The parts that every function shares, built from the environment's variables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from math import ceil

from loops_destination.clock import Clock
from loops_destination.delivery import Deliverer
from loops_destination.errors import SecretError
from loops_destination.ledger import Ledger
from loops_destination.loops import LoopsClient
from loops_destination.messages import QueueName
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Result
from loops_destination.pace import ENVIRONMENTS
from loops_destination.queues import Queues
from loops_destination.secret_store import SecretStore, from_secrets_manager
from loops_destination.settings import Settings
from loops_destination.subscriptions import Subscription, load_subscriptions

SLOW_RESPONSE_SECONDS = 1.0  # redelivery keeps its pace while Loops responds within this time


class Parts:
    """The parts that the webhook and redelivery have in common; raises `SettingsError` for a wrong variable.

    `on_result` is called with every result that is logged.
    """

    def __init__(
        self,
        service: str,
        environ: Mapping[str, str],
        clock: Clock,
        on_result: Callable[[Result], None] | None = None,
    ) -> None:
        self.settings = settings = Settings.from_environment(environ)
        self.clock = clock
        self.calls_at_once = ceil(settings.loops_requests_per_second / ENVIRONMENTS * SLOW_RESPONSE_SECONDS)
        # Created before the client of Secrets Manager: certificates are loaded in the background while that client is
        # created.
        loops = LoopsClient(settings.loops_base_url, clock, connections=self.calls_at_once)
        self.secrets = SecretStore(from_secrets_manager(settings.secret_id), clock)
        self.deliverer = Deliverer(loops, self.secrets, clock, self._ledger())
        self.telemetry = Telemetry(
            service, self._hash_key, settings.metrics_namespace, settings.powertools_log_level, on_result
        )
        self.queues = Queues(
            {QueueName.RETRY: settings.retry_queue_url, QueueName.DEAD_LETTER: settings.dead_letter_queue_url}, clock
        )

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions of the mappings file, compiled; raises `DefinitionError` or `OSError`."""
        return load_subscriptions(self.settings.mappings_file.read_bytes())

    def _ledger(self) -> Ledger | None:
        """Return the contact ledger; None if the stack has no table for it, and then no code for DynamoDB is imported."""
        settings = self.settings
        if not settings.contact_ledger_table:
            return None
        from loops_destination.ledger.store import DynamoStore, dynamodb_client  # noqa: PLC0415

        # Made here, like the client of Secrets Manager: boto3 must not make clients in several threads at once, and a
        # function's init has a whole processor.
        client = dynamodb_client(self.calls_at_once)
        return Ledger(
            DynamoStore(settings.contact_ledger_table, self.clock, client),
            settings.stack_id,
            self.clock,
            resend_unchanged_after=settings.resend_unchanged_after_hours * 3600,
            retry_for=settings.retry_for_hours * 3600,
        )

    def _hash_key(self) -> str:
        """Return the key for hashing users in the log; empty, which leaves them out, while the secret is unavailable."""
        try:
            return self.secrets.current().shared_secret
        except SecretError:
            return ""
