"""The whole stack on one machine: its gateway, functions, queues and secret, and a Loops to deliver to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from local.aws import LocalAws
from local.gateway import API_ID, Exchange, Gateway
from local.http_server import HttpServer
from local.poller import Poller
from local.running import Running
from local.runtime import Invocation, LambdaFunction
from local.sam_template import STACK_ID, SamTemplate
from local.sandbox import Sandbox, SandboxServer
from loops_destination.clock import Clock, SystemClock
from loops_destination.ledger.hashes import Hasher
from loops_destination.ledger.store import DynamoStore
from segment_loops import PROJECT
from segment_loops.contact_ledger import ContactLedger
from segment_loops.local_addresses import REGION
from segment_loops.mappings_file import MAPPINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from _typeshed.wsgi import WSGIApplication
    from mypy_boto3_sqs.client import SQSClient

    from local.sam_template import Application

SHARED_SECRET = "sample-shared-secret"  # noqa: S105  # the samples in events/ are signed with it
RETRY_QUEUE = "RetryQueue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"

_PUBLIC_ROOT = f"https://{API_ID}.execute-api.{REGION}.amazonaws.com"
"""The beginning of the outputs' URLs on AWS."""


class LocalStack(Running):
    """template.yaml, running. A context manager; a process can run one stack at a time.

    Loops is `sandbox`, unless `loops_url` names another. `secret` holds the initial values of the stack's secret, and
    `parameters` are the template's. Port 0 means any free port. With `polling` false, messages leave the RetryQueue
    only by `redeliver()`. Everything that waits or needs the time uses `clock`.

    `on_exchange` and `on_invocation` hold functions that are called after every request at the gateway and after every
    invocation, in the same thread. `mounts` holds applications that the gateway serves beside the API, as in `Gateway`.
    """

    def __init__(  # noqa: PLR0913  # every setting has a default, and is passed by name
        self,
        *,
        clock: Clock | None = None,
        sandbox: Sandbox | None = None,
        loops_url: str | None = None,
        secret: Mapping[str, str] | None = None,
        parameters: Mapping[str, str] | None = None,
        mappings: Path = MAPPINGS,
        gateway_port: int = 0,
        loops_port: int = 0,
        aws_port: int = 0,
        polling: bool = True,
        environments: int = 10,
    ) -> None:
        self.clock = clock or SystemClock()
        self.sandbox = sandbox or Sandbox(clock=self.clock.time, sleep=self.clock.sleep)
        self.loops = SandboxServer(self.sandbox, port=loops_port)
        self.aws = LocalAws(self.clock, aws_port)
        self.functions: dict[str, LambdaFunction] = {}
        self.pollers: list[Poller] = []
        self.outputs: Mapping[str, str] = {}
        self.mappings = mappings
        self.on_exchange: list[Callable[[Exchange], None]] = []
        self.on_invocation: list[Callable[[Invocation], None]] = []
        self.mounts: dict[str, WSGIApplication] = {}
        self._secret = secret or {"apiKey": self.sandbox.api_key, "sharedSecret": SHARED_SECRET}
        self._loops_url = loops_url
        self._parameters = parameters or {}
        self._polling = polling
        self._environments = environments
        self._gateway_port = gateway_port
        self._running = contextlib.ExitStack()
        self._ledger_table = ""

    def start(self) -> None:
        """Start everything, from Loops to the gateway; raise `PortInUse` if another program listens on a port."""
        with contextlib.ExitStack() as starting:
            self.loops_url = self._loops_url or starting.enter_context(self.loops).url
            starting.enter_context(self.aws)
            application, self.secret_arn = self._provisioned()
            self.sqs: SQSClient = self.aws.sqs_client()
            starting.callback(self.sqs.close)
            self.functions = self._functions(application)
            self.pollers = self._pollers(application)
            if self._polling:
                for poller in self.pollers:
                    starting.enter_context(poller)
            self.gateway = starting.enter_context(self._gateway(application))
            self.outputs = _local(application.outputs, self.gateway.root)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop everything, once the requests in progress are finished."""
        self._running.close()

    @property
    def is_sandboxed(self) -> bool:
        """True if Loops is the sandbox, which has no real contacts."""
        return self._loops_url is None

    @property
    def shared_secret(self) -> str:
        """The shared secret with which the stack started."""
        return self._secret["sharedSecret"]

    def waiting(self) -> list[str]:
        """Return the bodies of all messages on the RetryQueue, hidden and delayed ones included."""
        return self.aws.messages(RETRY_QUEUE)

    def dead_letters(self) -> list[str]:
        """Return the bodies of all messages on the DeadLetterQueue."""
        return self.aws.messages(DEAD_LETTER_QUEUE)

    def contact_ledger(self) -> ContactLedger | None:
        """Return the contact ledger; None if the stack keeps none."""
        if not self._ledger_table:
            return None
        store = DynamoStore(self._ledger_table, self.clock, self.aws.dynamodb_client())
        return ContactLedger(store, Hasher(STACK_ID), self.clock, self._ledger_table)

    def redeliver(self) -> int:
        """Process all messages that can be received from the RetryQueue now; return their number."""
        total = 0
        for poller in self.pollers:
            while count := poller.poll_once():
                total += count
        return total

    def put_secret(self, **values: str) -> None:
        """Make these values (`apiKey`, `sharedSecret`, `bearerToken`) the secret's current version."""
        self.aws.put_secret(self.secret_arn, values)

    def freeze(self) -> None:
        """End the functions' idle environments: the next invocations are cold starts that remember nothing."""
        for function in self.functions.values():
            function.freeze()

    def _provisioned(self) -> tuple[Application, str]:
        """Create the template's queues, tables and secret; return the resolved template and the secret's ARN."""
        template = SamTemplate.read(PROJECT / "template.yaml", {"LoopsBaseUrl": self.loops_url, **self._parameters})
        (secret,) = template.logical_ids("AWS::SecretsManager::Secret")
        secret_arn = self.aws.create_secret(secret, self._secret)
        queues = {name: self.aws.queue_values(name) for name in template.logical_ids("AWS::SQS::Queue")}
        api = {name: {"Ref": API_ID} for name in template.logical_ids("AWS::Serverless::HttpApi")}
        application = template.resolve({**queues, **api, secret: {"Ref": secret_arn}})
        self.aws.create_queues(application.queues.values())
        self.aws.create_tables(application.tables.values())
        self._ledger_table = next(iter(application.tables), "")
        return application, secret_arn

    def _functions(self, application: Application) -> dict[str, LambdaFunction]:
        environ = {"MAPPINGS_FILE": str(self.mappings)}  # on Lambda, the layer puts it into /opt
        return {
            name: LambdaFunction(
                function,
                self.clock,
                environ=environ,
                environments=self._environments,
                listener=self._invoked,
            )
            for name, function in application.functions.items()
        }

    def _pollers(self, application: Application) -> list[Poller]:
        urls = {values["Arn"]: values["Ref"] for values in map(self.aws.queue_values, application.queues)}
        return [
            Poller(self.functions[name], source, urls[source.queue_arn], self.sqs, self.clock)
            for name, function in application.functions.items()
            for source in function.queue_sources
        ]

    def _gateway(self, application: Application) -> HttpServer:
        routes = {
            route: self.functions[name] for name, function in application.functions.items() for route in function.routes
        }
        return HttpServer(Gateway(routes, self.clock, self._exchanged, self.mounts), self._gateway_port, "gateway")

    def _exchanged(self, exchange: Exchange) -> None:
        for listener in self.on_exchange:
            listener(exchange)

    def _invoked(self, invocation: Invocation) -> None:
        for listener in self.on_invocation:
            listener(invocation)


def _local(outputs: Mapping[str, str], gateway_url: str) -> dict[str, str]:
    """Return the outputs with the local gateway's URL in place of API Gateway's."""
    return {name: value.replace(_PUBLIC_ROOT, gateway_url) for name, value in outputs.items()}
