"""The queues' calls of SQS and their deadlines, on an SQS in memory."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError

from loops_destination.clock import SystemClock
from loops_destination.handlers.webhook import STORING_SECONDS, STORING_SECONDS_PER_DELIVERY
from loops_destination.messages import Message, QueueName, RoutedMessage
from loops_destination.outcomes import Reason
from loops_destination.queues import CALLS_AT_ONCE, Queues
from tests.fakes import NOW, ManualClock

ROUTED = RoutedMessage(
    QueueName.RETRY,
    Message(
        idempotency_key="k",
        received_at=NOW,
        reason=Reason.TIMEOUT,
        event="{}",
        action="sendEvent",
        subscription="events",
    ),
)
URLS = dict.fromkeys(QueueName, "queue")


class TickingClock(ManualClock):
    """A clock that advances by 0.1 s each time that it is read."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()

    def time(self) -> float:
        with self._lock:
            self.now += 0.1
            return self.now


class Sqs:
    """An SQS that runs `before` and then takes all messages."""

    def __init__(self, before: Callable[[], object]) -> None:
        self.calls = 0
        self._before = before
        self._lock = threading.Lock()

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: ARG002, N803  # boto3's names
        with self._lock:
            self.calls += 1
        self._before()
        return {"Successful": [{"Id": entry["Id"]} for entry in Entries]}

    def change_message_visibility_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> None:  # noqa: ARG002, N803  # boto3's names
        with self._lock:
            self.calls += 1
        self._before()


def test_a_whole_batch_is_stored_in_full_calls_at_once() -> None:
    """A thousand events under three subscriptions are 300 full calls of SQS, sixteen of them under way at once.

    At 50 ms a call these fit into the time that a request of 3,000 deliveries keeps for storing.
    """
    gathered = threading.Barrier(CALLS_AT_ONCE)
    waiting = iter(range(CALLS_AT_ONCE))
    sqs: Any = Sqs(lambda: next(waiting, None) is None or gathered.wait(timeout=30))
    event = json.dumps({"type": "track", "properties": {"text": "x" * 3850}})
    routed = RoutedMessage(QueueName.RETRY, replace(ROUTED.message, event=event))
    assert Queues(URLS, ManualClock(), lambda: sqs).store([routed] * 3000, NOW + 60) == [True] * 3000
    assert sqs.calls == 300
    assert sqs.calls / CALLS_AT_ONCE * 0.05 < STORING_SECONDS + 3000 * STORING_SECONDS_PER_DELIVERY


def test_no_call_begins_that_cannot_end_by_the_deadline() -> None:
    """Storing and hiding stop calling SQS when the time left is too short for a call; the rest is not stored."""
    sqs: Any = Sqs(lambda: None)
    stored = Queues(URLS, TickingClock(), lambda: sqs).store([ROUTED] * 1000, NOW + 1.05)
    assert 0 < sqs.calls < 10
    assert stored.count(True) == 10 * sqs.calls
    sqs.calls = 0
    Queues(URLS, TickingClock(), lambda: sqs).postpone({str(number): 5 for number in range(1000)}, NOW + 1.05)
    assert 0 < sqs.calls < 10


def test_a_call_that_hangs_is_abandoned_at_the_deadline() -> None:
    """A message that SQS does not confirm by the deadline counts as not stored, even if it is confirmed later."""
    released, ended = threading.Event(), threading.Event()

    def hang() -> None:
        released.wait(timeout=60)
        ended.set()

    sqs: Any = Sqs(hang)
    clock = SystemClock()
    queues = Queues(URLS, clock, lambda: sqs)
    stored = queues.store([ROUTED], clock.time() + 0.3)
    queues.postpone({"receipt": 5}, clock.time() + 0.3)
    assert (sqs.calls, ended.is_set()) == (2, False)
    released.set()
    ended.wait(timeout=60)
    assert stored == [False]


def test_only_errors_that_are_not_of_aws_are_raised() -> None:
    """An error of AWS means that the messages are not stored; any other error is raised."""

    def time_out() -> None:
        raise ReadTimeoutError(endpoint_url="sqs")

    def fail() -> None:
        raise ZeroDivisionError

    failing: Any = Sqs(time_out)
    assert Queues(URLS, ManualClock(), lambda: failing).store([ROUTED], NOW + 60) == [False]
    faulty: Any = Sqs(fail)
    with pytest.raises(ZeroDivisionError):
        Queues(URLS, ManualClock(), lambda: faulty).store([ROUTED], NOW + 60)
