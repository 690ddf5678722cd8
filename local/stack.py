"""The whole application on one machine: its gateway, its functions, its queues and secret, and a Loops to deliver to."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from local import PROJECT
from local.aws import LocalAws
from local.gateway import API_ID, Exchange, Gateway
from local.http_server import HttpServer
from local.poller import Poller
from local.running import Running
from local.runtime import Invocation, LambdaFunction, ignore
from local.sandbox import Sandbox, SandboxServer
from local.studio import Studio
from local.template import REGION, Template
from loops_destination.clock import Clock, SystemClock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mypy_boto3_sqs.client import SQSClient

    from local.template import Application

SHARED_SECRET = "sample-shared-secret"  # noqa: S105  # what the samples in events/ are signed with
RETRY_QUEUE = "RetryQueue"
DEAD_LETTER_QUEUE = "DeadLetterQueue"
MAPPINGS = PROJECT / "layers" / "mappings" / "mappings.json"

_PUBLIC_ROOT = f"https://{API_ID}.execute-api.{REGION}.amazonaws.com"
"""How the outputs' URLs begin on AWS."""


class LocalStack(Running):
    """template.yaml, running; a context manager, one at a time in a process.

    Loops is `sandbox`, unless `loops_url` names another. `secret` is what the stack's secret holds at the start, and
    `parameters` are the template's. Port 0 is any free one. With `polling` false nothing happens on the RetryQueue but
    by `redeliver()`. All that waits or asks for the time uses `clock`. `on_exchange` is told of every request at the
    gateway, `on_invocation` of every call of a function; both are called in the thread of what they are told of. With
    `studio` the gateway serves the page for people, which is told of the same.
    """

    def __init__(  # noqa: PLR0913  # what can be chosen of a stack; all of it by name
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
        on_exchange: Callable[[Exchange], None] = ignore,
        on_invocation: Callable[[Invocation], None] = ignore,
        studio: bool = False,
    ) -> None:
        self.clock = clock or SystemClock()
        self.sandbox = sandbox or Sandbox(clock=self.clock.time, sleep=self.clock.sleep)
        self.loops = SandboxServer(self.sandbox, port=loops_port)
        self.aws = LocalAws(self.clock, aws_port)
        self.functions: dict[str, LambdaFunction] = {}
        self.pollers: list[Poller] = []
        self.outputs: Mapping[str, str] = {}
        self._secret = secret or {"apiKey": self.sandbox.api_key, "sharedSecret": SHARED_SECRET}
        self._loops_url = loops_url
        self._parameters = parameters or {}
        self.mappings = mappings
        self._polling = polling
        self._environments = environments
        self._on_exchange = on_exchange
        self._on_invocation = on_invocation
        self._studio = Studio(self, self._secret["sharedSecret"]) if studio else None
        self._gateway_port = gateway_port
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        """Everything, from Loops to the gateway; PortInUse when another program has a port."""
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
        """Everything, in reverse; what is under way comes to its end."""
        self._running.close()

    @property
    def is_sandboxed(self) -> bool:
        """Whether Loops is the sandbox, and not one with real people in it."""
        return self._loops_url is None

    def waiting(self) -> list[str]:
        """The bodies of all messages on the RetryQueue, hidden and delayed ones too."""
        return self.aws.messages(RETRY_QUEUE)

    def dead_letters(self) -> list[str]:
        """The bodies of all messages on the DeadLetterQueue."""
        return self.aws.messages(DEAD_LETTER_QUEUE)

    def redeliver(self) -> int:
        """Sees everything through that can be received from the RetryQueue now; the number of its messages."""
        total = 0
        for poller in self.pollers:
            while count := poller.poll_once():
                total += count
        return total

    def put_secret(self, **values: str) -> None:
        """Makes these values (`apiKey`, `sharedSecret`, `bearerToken`) the secret's live version."""
        self.aws.put_secret(self.secret_arn, values)

    def freeze(self) -> None:
        """Ends the functions' idle environments: what they knew is forgotten, and the next calls are cold starts."""
        for function in self.functions.values():
            function.freeze()

    def _provisioned(self) -> tuple[Application, str]:
        """The template with its queues and its secret in place."""
        template = Template.read(PROJECT / "template.yaml", {"LoopsBaseUrl": self.loops_url, **self._parameters})
        (secret,) = template.logical_ids("AWS::SecretsManager::Secret")
        secret_arn = self.aws.create_secret(secret, self._secret)
        queues = {name: self.aws.queue_values(name) for name in template.logical_ids("AWS::SQS::Queue")}
        api = {name: {"Ref": API_ID} for name in template.logical_ids("AWS::Serverless::HttpApi")}
        application = template.resolve({**queues, **api, secret: {"Ref": secret_arn}})
        self.aws.create_queues(application.queues.values())
        return application, secret_arn

    def _functions(self, application: Application) -> dict[str, LambdaFunction]:
        environ = {"MAPPINGS_FILE": str(self.mappings)}  # on Lambda the layer brings it to /opt
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
        return HttpServer(Gateway(routes, self.clock, self._exchanged, self._studio), self._gateway_port, "gateway")

    def _exchanged(self, exchange: Exchange) -> None:
        if self._studio is not None:
            self._studio.deliveries.exchanged(exchange)
        self._on_exchange(exchange)

    def _invoked(self, invocation: Invocation) -> None:
        if self._studio is not None:
            self._studio.deliveries.invoked(invocation)
        self._on_invocation(invocation)


def _local(outputs: Mapping[str, str], gateway_url: str) -> dict[str, str]:
    """The outputs with the gateway in the place of API Gateway."""
    return {name: value.replace(_PUBLIC_ROOT, gateway_url) for name, value in outputs.items()}
