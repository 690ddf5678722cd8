"""What both kinds of handlers are made of."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import ceil

from loops_destination.clock import Clock
from loops_destination.delivery import Deliverer
from loops_destination.errors import SecretError
from loops_destination.loops import LoopsClient
from loops_destination.messages import QueueName
from loops_destination.observability import Telemetry
from loops_destination.pace import ENVIRONMENTS
from loops_destination.queues import Queues
from loops_destination.secret_store import SecretStore, from_secrets_manager
from loops_destination.settings import Settings
from loops_destination.subscriptions import Subscription, load_subscriptions

IN_LAMBDA = "AWS_LAMBDA_FUNCTION_NAME"  # a variable that Lambda sets
SLOW_ANSWER_SECONDS = 1.0  # at which the pace is still kept


class Parts:
    """The parts of one function; the subscriptions are read when they are first asked for."""

    def __init__(self, service: str, environ: Mapping[str, str], clock: Clock) -> None:
        self.settings = settings = Settings.from_environment(environ)
        self.clock = clock
        self.calls_at_once = ceil(settings.loops_requests_per_second / ENVIRONMENTS * SLOW_ANSWER_SECONDS)
        # Before the client of Secrets Manager, which takes as long as the certificates that are read meanwhile.
        loops = LoopsClient(settings.loops_base_url, clock, connections=self.calls_at_once)
        self.secrets = SecretStore(from_secrets_manager(settings.secret_id), clock)
        self.deliverer = Deliverer(loops, self.secrets, clock)
        self.telemetry = Telemetry(service, self._hash_key, settings.metrics_namespace, settings.powertools_log_level)
        self.queues = Queues(
            {QueueName.RETRY: settings.retry_queue_url, QueueName.DEAD_LETTER: settings.dead_letter_queue_url}, clock
        )

    def _hash_key(self) -> str:
        """What happened is told whatever the state of the secret; then without telling users apart."""
        try:
            return self.secrets.current().shared_secret
        except SecretError:
            return ""

    @cached_property
    def subscriptions(self) -> list[Subscription]:
        return load_subscriptions(self.settings.mappings_file.read_bytes())
