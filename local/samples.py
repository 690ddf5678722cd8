"""The sample requests in events/, sent through the stack, and what is expected of each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3

from local import PROJECT
from local.reports import LoopsCalls, Report, outcomes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from local.stack import LocalStack

EVENTS = PROJECT / "events"
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
    response = urllib3.request(
        method, stack.gateway.root + path, body=sample["body"].encode(), headers=sample["headers"], retries=False
    )
    return Report(name, f"{method} {path}", str(response.status), outcomes(response.data), calls.new())


def _message(stack: LocalStack, calls: LoopsCalls, name: str, sample: dict[str, Any]) -> Report:
    body = sample["Records"][0]["body"]
    stack.sqs.send_message(QueueUrl=stack.outputs["RetryQueueUrl"], MessageBody=body)
    end = stack.clock.time() + MESSAGE_SECONDS
    while body in stack.waiting() and stack.clock.time() < end:
        stack.clock.sleep(POLL_SECONDS)
    return Report(name, "(RetryQueue)", "", [_fate(stack, body)], calls.new())


def _fate(stack: LocalStack, body: str) -> str:
    message = json.loads(body)
    buried = message["key"] in {json.loads(letter)["key"] for letter in stack.dead_letters()}
    outcome = "still waiting" if body in stack.waiting() else "rejected" if buried else "delivered"
    return f"{message['action']} {outcome}"
