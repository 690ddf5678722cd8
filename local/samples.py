"""The samples in events/, sent through the stack, and the expected result of each.

The dates in the files are fixed, so their events would soon be too old; the current time replaces them.
Two variations of the first sample show what the contact ledger does: it is repeated, and an older one arrives late.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import urllib3

from local.reports import QUEUE, NewCalls, Report, result_lines
from local.stack import RETRY_QUEUE, LocalStack
from loops_destination.signature import sign
from segment_loops.event_files import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DATES = ("originalTimestamp", "receivedAt", "sentAt", "timestamp")
"""The members of an event, or of a message on the queues, that hold a time."""

MESSAGE_SECONDS = 10.0
"""The longest time to wait for a message to leave the RetryQueue."""

POLL_SECONDS = 0.02

SAMPLES_SECONDS = 30.0
"""The longest time that the samples take: that between a deletion's two steps."""

AN_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Expected:
    """The expected report of a sample under this repository's mappings; every call to Loops must be answered 200."""

    answer: str
    results: Sequence[str]
    calls: Sequence[str]

    def is_met_by(self, report: Report, *, calls_are_seen: bool) -> bool:
        """Return True if the report is as expected; without `calls_are_seen` its calls are not compared."""
        as_answered = (report.answer, list(report.results)) == (self.answer, list(self.results))
        as_called = [call.request for call in report.calls] == list(self.calls)
        return as_answered and (not calls_are_seen or (as_called and all(call.succeeded for call in report.calls)))

    def __str__(self) -> str:
        return ", ".join([*([self.answer] if self.answer else []), *self.results, *self.calls])


EXPECTED = {
    "identify": Expected("200", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
    "track": Expected("200", ["sendEvent delivered"], ["POST /events/send"]),
    "batch": Expected(
        "200",
        ["createOrUpdateContact delivered", "sendEvent delivered", "filtered"],
        ["PUT /contacts/update", "POST /events/send"],
    ),
    "test-event": Expected("200", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
    "delete": Expected("202", ["deleteContact queued", "  deletion-begun"], []),
    "sqs-retry": Expected("", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
}
"""The samples by file name, in the order in which they are sent: the deletion needs the batch's contact."""

REPEATED = Expected("200", ["createOrUpdateContact unchanged"], [])
OLDER = Expected("200", ["createOrUpdateContact superseded"], [])
DELETED = Expected("", ["deleteContact delivered"], ["POST /contacts/delete"])
"""The expected report of the deletion's second step."""


def send_samples(
    stack: LocalStack, calls: NewCalls, leap: Callable[[float], object]
) -> Iterator[tuple[Report, Expected]]:
    """Send each sample, and yield its report and the expected one; a deletion has two, because it has two steps.

    The stack must be polling, for samples that arrive on the RetryQueue. `leap` lets seconds pass.
    """
    for name, expected in EXPECTED.items():
        sample = json.loads((SAMPLES / f"{name}.json").read_bytes())
        if "Records" in sample:
            yield _message(stack, calls, name, sample), expected
            continue
        yield _request(stack, calls, name, sample), expected
        if name == "identify":
            yield _request(stack, calls, "repeated", sample, messageId="repeated"), REPEATED
            older = {"messageId": "older", "traits": {"email": "older@example.com"}}
            yield _request(stack, calls, "older", sample, age=AN_HOUR, **older), OLDER
    yield _deletion(stack, calls, leap), DELETED


def _request(
    stack: LocalStack, calls: NewCalls, name: str, sample: dict[str, Any], *, age: float = 0.0, **changes: Any
) -> Report:
    """Post a sample's event, with some members changed, as if it had happened `age` seconds ago."""
    method, path = sample["requestContext"]["http"]["method"], sample["rawPath"]
    event = json.loads(sample["body"])
    body = _compact(_dated(event | changes if changes else event, stack.clock.time() - age)).encode()
    headers = sample["headers"] | {"x-signature": sign(body, stack.shared_secret)}
    response = urllib3.request(method, stack.gateway.root + path, body=body, headers=headers, retries=False)
    return Report(name, f"{method} {path}", str(response.status), result_lines(response.data), calls.take())


def _message(stack: LocalStack, calls: NewCalls, name: str, sample: dict[str, Any]) -> Report:
    message = _dated(json.loads(sample["Records"][0]["body"]), stack.clock.time())
    body = _compact(message | {"event": _dated(message["event"], stack.clock.time())})
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=body)
    return _attempt(stack, calls, name, body)


def _deletion(stack: LocalStack, calls: NewCalls, leap: Callable[[float], object]) -> Report:
    """Let the time pass until the deletion's second step, and return its report."""
    waiting = [each for each in stack.aws.queued(RETRY_QUEUE) if json.loads(each.body)["action"] == "deleteContact"]
    if not waiting:
        return Report("delete", QUEUE, "", [], calls.take())
    leap(max(waiting[0].next_at - stack.clock.time(), 0))
    return _attempt(stack, calls, "delete", waiting[0].body)


def _attempt(stack: LocalStack, calls: NewCalls, name: str, body: str) -> Report:
    """Wait until a message has left the RetryQueue, and return its report."""
    end = stack.clock.time() + MESSAGE_SECONDS
    while body in stack.waiting() and stack.clock.time() < end:
        stack.clock.sleep(POLL_SECONDS)
    return Report(name, QUEUE, "", [_outcome(stack, body)], calls.take())


def _dated(value: Any, now: float) -> Any:
    """Return an event, a batch or a message with its times set to `now`, in seconds since 1970."""
    if isinstance(value, list):
        return [_dated(item, now) for item in value]
    today = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {name: today if name in DATES else item for name, item in value.items()}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _outcome(stack: LocalStack, body: str) -> str:
    message = json.loads(body)
    buried = message["idempotencyKey"] in {
        json.loads(dead_letter)["idempotencyKey"] for dead_letter in stack.dead_letters()
    }
    outcome = "still waiting" if body in stack.waiting() else "rejected" if buried else "delivered"
    return f"{message['action']} {outcome}"
