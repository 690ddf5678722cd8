"""The benchmark's own side: `python -m bench.ours PORT`, with the same protocol as bench/peer/peer.js.

`PORT` is that of the loopback server. Each line on stdin is a task, {"task", "case", "untimed", "timed"}. The answer is a
line on stdout: {"seconds"} of all timed runs, which follow the untimed ones, or {"outcome"} of one run if both are 0.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.cases import API_KEY, SHARED_SECRET, Case, cases
from functions.contact_upsert import app as contact_upsert
from functions.send_event import app as send_event
from loops_destination.clock import SystemClock
from loops_destination.events import parse_body
from loops_destination.handlers.lambda_handler import LambdaHandler
from loops_destination.http_api import WebhookRequest
from loops_destination.idempotency import idempotency_key_of
from loops_destination.loops import LoopsClient
from loops_destination.loops.client import HttpCall
from loops_destination.mapping import Mapping
from loops_destination.secret_store import SecretStore
from loops_destination.signature import sign
from loops_destination.subscriptions import Subscription
from loops_destination.trigger import Trigger
from loops_destination.verification import Verifier

SECRET = json.dumps({"apiKey": API_KEY, "sharedSecret": SHARED_SECRET})
HANDLERS = {"createOrUpdateContact": contact_upsert.handler, "sendEvent": send_event.handler}

Run = Callable[[], Any]


class Ours:
    """The function to measure for each task and case, built once, as an environment builds its parts."""

    def __init__(self, port: int, folder: Path) -> None:
        self._makers: dict[str, Callable[[Case], Run]] = {
            "mapping": resolving,
            "trigger": matching,
            "trigger_once": matching,
            "request": requesting,
            "handler": lambda case: handling(case, [case.subscription], port, folder),
        }
        self._runs: dict[tuple[str, int], Run] = {}

    def outcome(self, task: str, case: int) -> Any:
        """Return the result of one run as a JSON value."""
        value = self._run(task, case)()
        if isinstance(value, HttpCall):
            return {**value._asdict(), "body": json.loads(value.body)}
        return value

    def seconds(self, task: str, case: int, untimed: int, timed: int) -> float:
        """Return the seconds of all timed runs."""
        run = self._run(task, case)
        for _ in range(untimed):
            run()
        began = time.perf_counter()
        for _ in range(timed):
            run()
        return time.perf_counter() - began

    def _run(self, task: str, case: int) -> Run:
        if (task, case) not in self._runs:
            self._runs[task, case] = self._makers[task](cases()[case])
        return self._runs[task, case]


def resolving(case: Case) -> Run:
    """Build task a: resolve the mapping."""
    resolve, event = Mapping(case.mapping).resolve, case.event
    return lambda: resolve(event)


def matching(case: Case) -> Run:
    """Build task b: match the trigger."""
    matches, event = Trigger(case.trigger).matches, case.event
    return lambda: matches(event)


def requesting(case: Case) -> Run:
    """Build task c: from the raw body, whose signature is verified, to the encoded request."""
    clock = SystemClock()
    secrets = SecretStore({"AWSCURRENT": SECRET}.get, clock)
    verifier, client = Verifier(secrets), LoopsClient("https://app.loops.so/api", clock)
    subscription = Subscription.from_json(case.subscription)
    body = body_of([case.event])
    request = WebhookRequest(body, sign(body, SHARED_SECRET))

    def run() -> HttpCall | None:
        (trusted,) = verifier.trusted_bodies(request)
        (arrival,) = parse_body(trusted)
        event = arrival.event
        if event is None or not subscription.matches(event):
            return None
        idempotency_key = idempotency_key_of(event, subscription.id, arrival.text)
        return client.call(subscription.request(event, idempotency_key), secrets.api_key())

    return run


def handling(case: Case, subscriptions: list[dict[str, Any]], port: int, folder: Path, times: int = 1) -> Run:
    """Build task d: from an HTTP API event with the event `times` times to the answer, over a real connection to `port`."""
    handler = warm_handler(HANDLERS[case.action], subscriptions, port, folder)
    event = http_api_event([case.event] * times)

    def run() -> str:
        event["requestContext"]["timeEpoch"] = int(time.time() * 1000)
        answer = handler(event, None)
        if answer["statusCode"] != 200:  # noqa: PLR2004  # HTTP's OK
            raise RuntimeError(answer["body"])
        return "delivered"

    return run


def warm_handler(handler: LambdaHandler, subscriptions: list[dict[str, Any]], port: int, folder: Path) -> LambdaHandler:
    """Return a handler in an environment of its own; the loopback server plays Loops and Secrets Manager."""
    file = folder / f"{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(subscriptions), "utf-8")
    environ = {
        "SECRET_ID": "bench",
        "RETRY_QUEUE_URL": "https://sqs.invalid/retry",
        "DEAD_LETTER_QUEUE_URL": "https://sqs.invalid/dead-letter",
        "MAPPINGS_FILE": str(file),
        "LOOPS_BASE_URL": f"http://127.0.0.1:{port}/api",
        # A batch makes more calls per second than Loops allows.
        "LOOPS_REQUESTS_PER_SECOND": "1000",
        # The events have fixed dates: the guard checks their age, and must accept them.
        "MAX_EVENT_AGE_HOURS": "1000000",
    }
    return handler.in_environment(environ, SystemClock())


def http_api_event(events: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the input that API Gateway gives the function: one event, or several as a batch signed as a whole."""
    body = body_of(events)
    return {
        "version": "2.0",
        "routeKey": "POST /segment",
        "rawPath": "/segment",
        "headers": {
            "accept": "*/*",
            "content-length": str(len(body)),
            "content-type": "application/json",
            "host": "abcdefghij.execute-api.us-east-1.amazonaws.com",
            "user-agent": "Segment.io/2.0",
            "x-amzn-trace-id": "Root=1-67891233-abcdef012345678912345678",
            "x-forwarded-for": "192.0.2.1",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-signature": sign(body, SHARED_SECRET),
        },
        "requestContext": {"stage": "$default", "timeEpoch": 0},
        "body": body.decode(),
        "isBase64Encoded": False,
    }


def body_of(events: list[dict[str, Any]]) -> bytes:
    """Return the webhook body with these events."""
    return json.dumps(events[0] if len(events) == 1 else events, separators=(",", ":")).encode()


def aws_on(port: int) -> dict[str, str]:
    """Return the environment variables that lead boto3 to the loopback server."""
    return {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{port}",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_LAMBDA_LOG_LEVEL": "INFO",
    }


def main() -> None:
    """Answer each line until stdin ends."""
    port = int(sys.argv[1])
    os.environ.update(aws_on(port))
    answers = os.fdopen(os.dup(1), "w")
    with TemporaryDirectory() as folder, Path(os.devnull).open("w", encoding="utf-8") as log:
        sys.stdout = log  # log lines are written, but discarded
        ours = Ours(port, Path(folder))
        for line in sys.stdin:
            answer = _answer(ours, **json.loads(line))
            print(json.dumps(answer), file=answers, flush=True)


def _answer(ours: Ours, task: str, case: int, untimed: int, timed: int) -> dict[str, Any]:
    if not timed:
        return {"outcome": ours.outcome(task, case)}
    return {"seconds": ours.seconds(task, case, untimed, timed)}


if __name__ == "__main__":
    main()
