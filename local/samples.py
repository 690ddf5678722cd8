"""The sample requests in events/, sent through the stack, and what is expected of each.

The files carry fixed dates, at which their events would soon be too old to be sent. So they are sent with today's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import urllib3

from local import PROJECT
from local.reports import LoopsCalls, Report, outcomes
from local.stack import SHARED_SECRET
from loops_destination.signature import sign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.stack import LocalStack

EVENTS = PROJECT / "events"
DATES = ("originalTimestamp", "receivedAt", "sentAt", "timestamp")
"""Members of an event, and of a message on the queues, that hold a time."""
MESSAGE_SECONDS = 10.0
"""How long a message is given until it has left the RetryQueue."""
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Expected:
    """What comes of a sample under the mappings of this repository; `calls` are Loops', all of them answered 200."""

    answer: str
    outcomes: Sequence[str]
    calls: Sequence[str]

    def is_met_by(self, report: Report, *, calls_are_seen: bool) -> bool:
        """Whether it came like this; `calls_are_seen` is false where the calls cannot be compared."""
        as_answered = (report.answer, list(report.outcomes)) == (self.answer, list(self.outcomes))
        as_called = [call.request for call in report.calls] == list(self.calls)
        return as_answered and (not calls_are_seen or (as_called and all(call.succeeded for call in report.calls)))


EXPECTED = {
    "identify": Expected("200", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
    "track": Expected("200", ["sendEvent delivered"], ["POST /events/send"]),
    "batch": Expected(
        "200",
        ["createOrUpdateContact delivered", "sendEvent delivered", "filtered"],
        ["PUT /contacts/update", "POST /events/send"],
    ),
    "test-event": Expected("200", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
    "delete": Expected("200", ["deleteContact delivered"], ["POST /contacts/delete"]),
    "sqs-retry": Expected("", ["createOrUpdateContact delivered"], ["PUT /contacts/update"]),
}
"""By the file's name, in the order in which they are sent: the deletion needs the batch's contact."""


def send_samples(stack: LocalStack, calls: LoopsCalls) -> Iterator[Report]:
    """Sends each and reports on it; the stack must be polling, for those that come by the RetryQueue."""
    for name in EXPECTED:
        sample = json.loads((EVENTS / f"{name}.json").read_bytes())
        yield _message(stack, calls, name, sample) if "Records" in sample else _request(stack, calls, name, sample)


def _request(stack: LocalStack, calls: LoopsCalls, name: str, sample: dict[str, Any]) -> Report:
    method, path = sample["requestContext"]["http"]["method"], sample["rawPath"]
    body = _compact(_dated(json.loads(sample["body"]), stack.clock.time())).encode()
    headers = sample["headers"] | {"x-signature": sign(body, SHARED_SECRET)}
    response = urllib3.request(method, stack.gateway.root + path, body=body, headers=headers, retries=False)
    return Report(name, f"{method} {path}", str(response.status), outcomes(response.data), calls.new())


def _message(stack: LocalStack, calls: LoopsCalls, name: str, sample: dict[str, Any]) -> Report:
    message = _dated(json.loads(sample["Records"][0]["body"]), stack.clock.time())
    body = _compact(message | {"event": _dated(message["event"], stack.clock.time())})
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=body)
    end = stack.clock.time() + MESSAGE_SECONDS
    while body in stack.waiting() and stack.clock.time() < end:
        stack.clock.sleep(POLL_SECONDS)
    return Report(name, "(RetryQueue)", "", [_fate(stack, body)], calls.new())


def _dated(value: Any, now: float) -> Any:
    """Return an event, a batch of them or a message with its times set to now."""
    if isinstance(value, list):
        return [_dated(item, now) for item in value]
    today = datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {name: today if name in DATES else item for name, item in value.items()}


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _fate(stack: LocalStack, body: str) -> str:
    message = json.loads(body)
    buried = message["idempotencyKey"] in {json.loads(letter)["idempotencyKey"] for letter in stack.dead_letters()}
    outcome = "still waiting" if body in stack.waiting() else "rejected" if buried else "delivered"
    return f"{message['action']} {outcome}"
