"""Measure how the cost of an event grows, and each step of it: `python -m bench.growth PORT` prints JSON.

`PORT` is that of the loopback server.

Times are in microseconds, each the median of several rounds.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from bench.cases import API_KEY, Case, cases
from bench.ours import aws_on, body_of, handling, http_api_event, requesting
from loops_destination.clock import SystemClock
from loops_destination.events import parse_body
from loops_destination.http_api import Reply, decode_request, encode_reply
from loops_destination.idempotency import idempotency_key_of
from loops_destination.ledger import Called, Effect, Ledger
from loops_destination.loops import LoopsClient
from loops_destination.loops.connections import Connections
from loops_destination.loops_request import LoopsRequest
from loops_destination.observability import Telemetry
from loops_destination.outcomes import Outcome, Result
from loops_destination.signature import sign, verify
from loops_destination.subscriptions import Subscription
from tests.unit.ledger.fake_store import FakeStore

SUBSCRIPTIONS = (1, 10, 50)
BATCHES = (1, 100, 1000)
ROUNDS = 9


def microseconds(run: Callable[[], Any], times: int) -> float:
    """Return the microseconds of one run: the median of the rounds."""
    rounds = []
    run()
    for _ in range(ROUNDS):
        began = time.perf_counter()
        for _ in range(times):
            run()
        rounds.append((time.perf_counter() - began) / times)
    return round(median(rounds) * 1e6, 2)


def by_subscriptions(case: Case, port: int, folder: Path) -> dict[int, float]:
    """Measure the handler by its number of subscriptions, of which only the last matches the event."""
    others = [{**case.subscription, "name": f"other {n}", "trigger": f'event = "Other {n}"'} for n in range(49)]
    return {
        number: microseconds(handling(case, [*others[: number - 1], case.subscription], port, folder), 100)
        for number in SUBSCRIPTIONS
    }


def by_wanted_subscriptions(case: Case, port: int, folder: Path) -> dict[int, float]:
    """Measure the handler by its number of subscriptions, all of which match the event."""
    wanted = [{**case.subscription, "name": f"wanted {n}"} for n in range(max(SUBSCRIPTIONS))]
    return {number: microseconds(handling(case, wanted[:number], port, folder), 20) for number in SUBSCRIPTIONS}


def by_batch(case: Case, port: int, folder: Path) -> dict[int, float]:
    """Measure the handler by the number of events in a batch."""
    return {
        times: microseconds(handling(case, [case.subscription], port, folder, times), max(1, 100 // times))
        for times in BATCHES
    }


def parts(case: Case, port: int) -> dict[str, float]:
    """Measure each step of one event."""
    clock = SystemClock()
    body = body_of([case.event])
    signature = sign(body, "secret")
    subscription = Subscription.from_json(case.subscription)
    client = LoopsClient(f"http://127.0.0.1:{port}/api", clock)
    request = subscription.request(case.event)
    call = client.call(request, API_KEY)
    network = Connections(1)
    telemetry = Telemetry("bench", lambda: "hash key")
    result = Result(Outcome.DELIVERED, status=200, message_id="m", subscription="s", action=case.action)
    event = http_api_event([case.event])
    steps: dict[str, Callable[[], Any]] = {
        "read the HTTP API event": lambda: decode_request(event),
        "verify the signature": lambda: verify(body, signature, ["secret"]),
        "parse": lambda: parse_body(body),
        "match the trigger": lambda: subscription.matches(case.event),
        "make the idempotency key": lambda: idempotency_key_of(case.event, subscription.id),
        "map and coerce": lambda: subscription.request(case.event, "key"),
        "encode the request": lambda: client.call(request, API_KEY),
        "exchange it with Loops": lambda: network(*call, 2),
        "write the log line": lambda: telemetry.result(result, case.event, 1, 0.01),
        "write the metrics": lambda: _counted(telemetry, result),
        "encode the answer": lambda: encode_reply(Reply(200, [result.as_json()])),
    }
    times = {name: microseconds(step, 300) for name, step in steps.items()}
    times["write the metrics"] = round(times["write the metrics"] - times["write the log line"], 2)
    return times


def by_ledger(case: Case) -> dict[str, float]:
    """Measure what the contact ledger adds to a delivery, without the time that its table takes to answer."""
    clock = SystemClock()
    subscription = Subscription.from_json(case.subscription)
    requests = [subscription.request(case.event | {"traits": case.event["traits"] | {"step": step}}) for step in (1, 2)]
    turn = iter(range(10**9))

    def deliver(*alternating: LoopsRequest) -> Callable[[], Any]:
        ledger = Ledger(FakeStore(clock), "stack", clock, resend_unchanged_after=3600, retry_for=3600)

        def run() -> Any:
            step = next(turn)
            event = case.event | {"messageId": f"m-{step:09}"}
            facts = ledger.facts(alternating[step % len(alternating)], event, subscription.id, "key", time.time())
            return ledger.deliver(facts, lambda *_: Called(Effect.APPLIED, None), time.time() + 20)

        return run

    return {
        "a changed contact": microseconds(deliver(*requests), 300),
        "an unchanged one": microseconds(deliver(requests[0]), 300),
    }


def _counted(telemetry: Telemetry, result: Result) -> None:
    telemetry.result(result, None, 1, 0.01)
    telemetry.flush()


def main() -> None:
    """Print all measurements."""
    port = int(sys.argv[1])
    os.environ.update(aws_on(port))
    out = sys.stdout
    with TemporaryDirectory() as name, Path(os.devnull).open("w", encoding="utf-8") as log:
        sys.stdout = log
        folder = Path(name)
        of = {(case.event["type"], case.size): case for case in cases() if case.kind == "default"}
        track = of["track", "typical"]
        sizes = {size: case for (kind, size), case in of.items() if kind == "track"}
        measured = {
            "bytes": {size: len(body_of([case.event])) for size, case in sizes.items()},
            "request by size": {size: microseconds(requesting(case), 200) for size, case in sizes.items()},
            "handler by size": {
                size: microseconds(handling(case, [case.subscription], port, folder), 100)
                for size, case in sizes.items()
            },
            "handler by subscriptions": by_subscriptions(track, port, folder),
            "handler by wanted subscriptions": by_wanted_subscriptions(track, port, folder),
            "parts": parts(track, port),
            "what the contact ledger adds": by_ledger(of["identify", "typical"]),
            "handler by batch": by_batch(track, port, folder),
            "memory": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
    print(json.dumps(measured), file=out)


if __name__ == "__main__":
    main()
