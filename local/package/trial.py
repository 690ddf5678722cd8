"""The built functions at work: the samples of events/ go in, and what they answer and what Loops got is looked at."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.aws import LocalAws
from local.package.emulator import EmulatedFunction, FunctionFailed
from local.reports import LoopsCalls, Report, outcomes
from local.running import Running
from local.samples import EVENTS, EXPECTED, Expected
from local.sandbox import Fault, Sandbox, SandboxServer
from local.stack import RETRY_QUEUE, SHARED_SECRET
from local.template import Function, Template
from loops_destination.clock import SystemClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.package.emulator import Runtime
    from local.template import Application

OUTAGE = Expected("202", ["createOrUpdateContact queued", "  loops-error"], ["PUT /contacts/update"])
"""Of a contact while Loops fails, so that the runtime's SQS client is put to use; the call is not one that succeeds."""

RECOVERY = Expected("", ["createOrUpdateContact delivered"], ["PUT /contacts/update"])
"""Of the message that it left, once Loops is back."""

_QUEUE = "(RetryQueue)"


class Trial(Running):
    """The functions of a built template, each in an emulator, against moto and the sandbox; a context manager.

    `folder` gets the merged layers and the functions' logs, `environ` is added to the functions' variables.
    """

    def __init__(
        self, template: Path, runtime: Runtime, folder: Path, environ: Mapping[str, str] | None = None
    ) -> None:
        self.opt = folder / "opt"
        self.functions: dict[str, EmulatedFunction] = {}
        self._template = template
        self._runtime = runtime
        self._folder = folder
        self._environ = environ or {}
        self._sandbox = Sandbox(limit=None)
        self._loops = SandboxServer(self._sandbox)
        self._aws = LocalAws(SystemClock())
        self._calls = LoopsCalls(self._sandbox)
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        """Everything; the functions start with their first calls."""
        with contextlib.ExitStack() as starting:
            starting.enter_context(self._loops)
            starting.enter_context(self._aws)
            application = self._application()
            self._aws.create_queues(application.queues.values())
            self._routes = _routes(application.functions)
            self._merge(application)
            for name, function in application.functions.items():
                log = self._folder / f"{name}.log"
                emulated = EmulatedFunction(function, self._runtime, self.opt, log, self._environ)
                self.functions[name] = starting.enter_context(emulated)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Ends everything."""
        self._running.close()

    def samples(self) -> Iterator[tuple[Report, bool]]:
        """What came of each sample, and whether that was expected; then an outage of Loops, and its end."""
        for name, expected in EXPECTED.items():
            yield self._report(name, _sample(name), expected)
        self._sandbox.faults.add(Fault(kind="status", status=503))
        yield self._report("outage", _sample("identify"), OUTAGE)
        waiting = self._aws.messages(RETRY_QUEUE)
        if len(waiting) != 1:
            raise FunctionFailed(f"{len(waiting)} messages are on the RetryQueue instead of the one of the outage")
        message = _sample("sqs-retry")
        message["Records"][0]["body"] = waiting[0]
        yield self._report("recovery", message, RECOVERY)

    def first_call(self) -> float:
        """Seconds from the start of a function to its first answer, Python's own start included."""
        event = _sample("identify")
        function = self.functions[self._routes[event["routeKey"]]]
        function.stop()
        function.start()
        began = time.perf_counter()
        function.invoke(event)
        return time.perf_counter() - began

    def _application(self) -> Application:
        """The template with its queues and its secret in place."""
        template = Template.read(self._template, {"LoopsBaseUrl": self._loops.url})
        secret = {"apiKey": self._sandbox.api_key, "sharedSecret": SHARED_SECRET}
        values = {name: self._aws.queue_values(name) for name in template.logical_ids("AWS::SQS::Queue")}
        for name in template.logical_ids("AWS::SecretsManager::Secret"):
            values[name] = {"Ref": self._aws.create_secret(name, secret)}
        return template.resolve(values)

    def _merge(self, application: Application) -> None:
        """What Lambda makes of the layers: one folder, the later over the earlier."""
        shutil.rmtree(self.opt, ignore_errors=True)
        layers = dict.fromkeys(layer for function in application.functions.values() for layer in function.layers)
        for layer in layers:
            shutil.copytree(layer, self.opt, dirs_exist_ok=True)

    def _report(self, name: str, event: dict[str, Any], expected: Expected) -> tuple[Report, bool]:
        way = _QUEUE if "Records" in event else event["routeKey"]
        payload = self.functions[self._routes[way]].invoke(event)
        answer, lines = ("", _fates(event, payload)) if way == _QUEUE else _answer(payload)
        report = Report(name, way, answer, lines, self._calls.new())
        return report, expected.is_met_by(report, calls_are_seen=name != "outage")


def _sample(name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_bytes())
    return sample


def _routes(functions: Mapping[str, Function]) -> dict[str, str]:
    """The function's name by what its events come by."""
    return {
        way: name
        for name, function in functions.items()
        for way in [
            *(f"{route.method} {route.path}" for route in function.routes),
            *[_QUEUE] * len(function.queue_sources),
        ]
    }


def _answer(payload: dict[str, Any]) -> tuple[str, list[str]]:
    return str(payload["statusCode"]), outcomes(payload["body"].encode())


def _fates(event: dict[str, Any], payload: dict[str, Any]) -> list[str]:
    staying = {failure["itemIdentifier"] for failure in payload["batchItemFailures"]}
    return [
        f"{json.loads(record['body'])['action']} {'still waiting' if record['messageId'] in staying else 'delivered'}"
        for record in event["Records"]
    ]
