"""The trial of the built functions: they receive the samples in events/, and their answers and calls are compared."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from local.aws import LocalAws
from local.package.emulator import EmulatedFunction, FunctionFailed
from local.reports import QUEUE, NewCalls, Report, result_lines
from local.running import Running
from local.sam_template import Function, SamTemplate
from local.samples import EXPECTED, Expected
from local.sandbox import Fault, Sandbox, SandboxServer
from local.stack import RETRY_QUEUE, SHARED_SECRET
from loops_destination.clock import SystemClock
from loops_destination.signature import sign
from segment_loops.event_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local.package.emulator import Runtime
    from local.sam_template import Application

OUTAGE = Expected("202", ["createOrUpdateContact queued", "  rate-limited"], ["PUT /contacts/update"])
"""The report of a contact while Loops answers 429, which makes the function use SQS; its call is not successful."""

RECOVERY = Expected("", ["createOrUpdateContact delivered"], ["PUT /contacts/update"])
"""The report of the message that it left, once Loops works again."""

_SOMEBODY_ELSE: dict[str, Any] = {"userId": "outage", "traits": {"email": "outage@example.com"}}
"""A person whom no sample names: the contact ledger sends nothing that it knows already."""


class Trial(Running):
    """The functions of a built template, each in an emulator, with moto and the sandbox. A context manager.

    `folder` receives the merged layers and the functions' logs; `environ` is added to the functions' variables.
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
        self._calls = NewCalls(self._sandbox)
        self._running = contextlib.ExitStack()

    def start(self) -> None:
        """Start everything; the functions themselves start with their first invocations."""
        with contextlib.ExitStack() as starting:
            starting.enter_context(self._loops)
            starting.enter_context(self._aws)
            application = self._application()
            self._aws.create_queues(application.queues.values())
            self._aws.create_tables(application.tables.values())
            self._routes = _routes(application.functions)
            self._merge(application)
            for name, function in application.functions.items():
                log = self._folder / f"{name}.log"
                emulated = EmulatedFunction(function, self._runtime, self.opt, log, self._environ)
                self.functions[name] = starting.enter_context(emulated)
            self._running = starting.pop_all()

    def stop(self) -> None:
        """Stop everything."""
        self._running.close()

    def samples(self) -> Iterator[tuple[Report, str]]:
        """Yield the report of each sample, then of an outage of Loops and of the recovery from it.

        With each comes an empty text, or the expected result if the result is another one.
        """
        for name, expected in EXPECTED.items():
            yield self._report(name, _sample(name), expected)
        before = self._aws.messages(RETRY_QUEUE)  # the deletion waits for its second step
        self._sandbox.faults.add(Fault(kind="status", status=429))
        yield self._report("outage", _signed(_sample("identify"), **_SOMEBODY_ELSE), OUTAGE)
        waiting = [each for each in self._aws.messages(RETRY_QUEUE) if each not in before]
        if len(waiting) != 1:
            raise FunctionFailed(f"the RetryQueue has {len(waiting)} new messages after the outage instead of one")
        message = _sample("sqs-retry")
        message["Records"][0]["body"] = waiting[0]
        yield self._report("recovery", message, RECOVERY)

    def first_call(self) -> float:
        """Return the seconds from the start of a function to its first result, including the start of Python."""
        event = _sample("identify")
        function = self.functions[self._routes[event["routeKey"]]]
        function.stop()
        function.start()
        began = time.perf_counter()
        function.invoke(event)
        return time.perf_counter() - began

    def _application(self) -> Application:
        """Create the secret; return the resolved template."""
        template = SamTemplate.read(self._template, {"LoopsBaseUrl": self._loops.url})
        secret = {"apiKey": self._sandbox.api_key, "sharedSecret": SHARED_SECRET}
        values = {name: self._aws.queue_values(name) for name in template.logical_ids("AWS::SQS::Queue")}
        for name in template.logical_ids("AWS::SecretsManager::Secret"):
            values[name] = {"Ref": self._aws.create_secret(name, secret)}
        return template.resolve(values)

    def _merge(self, application: Application) -> None:
        """Merge the layers into one folder as Lambda does: later ones overwrite earlier ones."""
        shutil.rmtree(self.opt, ignore_errors=True)
        layers = dict.fromkeys(layer for function in application.functions.values() for layer in function.layers)
        for layer in layers:
            shutil.copytree(layer, self.opt, dirs_exist_ok=True)

    def _report(self, name: str, event: dict[str, Any], expected: Expected) -> tuple[Report, str]:
        way = QUEUE if "Records" in event else event["routeKey"]
        payload = self.functions[self._routes[way]].invoke(event)
        answer, lines = ("", _outcomes(event, payload)) if way == QUEUE else _answer(payload)
        report = Report(name, way, answer, lines, self._calls.take())
        is_met = expected.is_met_by(report, calls_are_seen=name != "outage")
        return report, "" if is_met else str(expected)


def _sample(name: str) -> dict[str, Any]:
    sample: dict[str, Any] = json.loads((SAMPLES / f"{name}.json").read_bytes())
    return sample


def _signed(sample: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the sample with some members of its event changed."""
    body = json.dumps(json.loads(sample["body"]) | changes)
    return sample | {"body": body, "headers": sample["headers"] | {"x-signature": sign(body.encode(), SHARED_SECRET)}}


def _routes(functions: Mapping[str, Function]) -> dict[str, str]:
    """Return the functions' names by route, or by `QUEUE` for the one that the queue invokes."""
    return {
        way: name
        for name, function in functions.items()
        for way in [
            *(f"{route.method} {route.path}" for route in function.routes),
            *[QUEUE] * len(function.queue_sources),
        ]
    }


def _answer(payload: dict[str, Any]) -> tuple[str, list[str]]:
    return str(payload["statusCode"]), result_lines(payload["body"].encode())


def _outcomes(event: dict[str, Any], payload: dict[str, Any]) -> list[str]:
    staying = {failure["itemIdentifier"] for failure in payload["batchItemFailures"]}
    return [
        f"{json.loads(record['body'])['action']} {'still waiting' if record['messageId'] in staying else 'delivered'}"
        for record in event["Records"]
    ]
