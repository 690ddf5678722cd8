"""The event source mapping: the records that a function gets, and the messages that are deleted."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import LocalAws
from local.poller import Poller
from local.sam_template import Queue, QueueSource
from local.sandbox import Fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.runtime import Invocation, LambdaFunction
    from tests.integration.local.conftest import Clock

STAY = "return {'batchItemFailures': [{'itemIdentifier': r['messageId']} for r in event['Records'] if r['body'] == 'stay']}"


class Bench:
    """A queue and its pollers."""

    def __init__(self, aws: LocalAws, clock: Clock, make_function: Callable[..., LambdaFunction]) -> None:
        self.aws = aws
        self.clock = clock
        self.sqs = aws.sqs_client()
        self.url = aws.queue_values("Sample")["Ref"]
        self.make_function = make_function
        self.batches: list[list[Any]] = []
        self.arrived = threading.Event()

    def send(self, *bodies: str, **options: Any) -> None:
        for body in bodies:
            self.sqs.send_message(QueueUrl=self.url, MessageBody=body, **options)

    def poller(
        self,
        body: str,
        *,
        batch_size: int = 10,
        concurrency: int | None = 2,
        reports: bool = True,
        shared: object = None,
    ) -> Poller:
        source = QueueSource("arn:aws:sqs:us-east-1:123456789012:Sample", batch_size, concurrency, reports)
        function = self.make_function(body, shared=shared, listener=self._heard)
        return Poller(function, source, self.url, self.sqs, self.clock)

    def _heard(self, invocation: Invocation) -> None:
        self.batches.append(invocation.event["Records"])
        self.arrived.set()

    @property
    def left(self) -> list[str]:
        return self.aws.messages("Sample")


@pytest.fixture
def bench(clock: Clock, make_function: Callable[..., LambdaFunction]) -> Iterator[Bench]:
    with LocalAws(clock) as aws:
        aws.create_queues([Queue("Sample", {"VisibilityTimeout": "30"})])
        yield Bench(aws, clock, make_function)


def test_records_are_as_lambda_makes_them(bench: Bench, clock: Clock) -> None:
    """A record has the message's body, ids and attributes under Lambda's names."""
    bench.send("hello", MessageAttributes={"reason": {"DataType": "String", "StringValue": "timeout"}})
    clock.sleep(60)
    assert bench.poller("return None").poll_once() == 1
    ((record,),) = bench.batches
    assert (record["body"], record["eventSource"], record["awsRegion"]) == ("hello", "aws:sqs", "us-east-1")
    assert record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:Sample"
    assert record["attributes"]["SentTimestamp"] == str(int((clock.time() - 60) * 1000))
    assert record["attributes"]["ApproximateReceiveCount"] == "1"
    assert record["messageAttributes"] == {
        "reason": {"stringValue": "timeout", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
    }
    assert {"messageId", "receiptHandle", "md5OfBody"} <= record.keys()


def test_only_failed_messages_stay(bench: Bench) -> None:
    """Messages that the function reports as failed stay, all others are deleted."""
    bench.send("go", "stay", "go")
    assert bench.poller(STAY).poll_once() == 3
    assert bench.left == ["stay"]


@pytest.mark.parametrize(
    "body",
    [
        "raise ValueError",
        "return {'batchItemFailures': [{'itemIdentifier': ''}]}",
        "return {'batchItemFailures': [{'itemIdentifier': None}]}",
        "return {'batchItemFailures': [{'id': 'x'}]}",
        "return {'batchItemFailures': ['x']}",
        "return {'batchItemFailures': 5}",
        "return ['x']",
    ],
)
def test_a_failed_batch_stays_whole(bench: Bench, clock: Clock, body: str) -> None:
    """If the function fails, or its response is malformed, every message stays and is received again."""
    bench.send("one", "two")
    poller = bench.poller(body)
    assert poller.poll_once() == 2
    assert bench.left == ["one", "two"]
    assert poller.poll_once() == 0
    clock.sleep(31)
    assert poller.poll_once() == 2
    assert [record["attributes"]["ApproximateReceiveCount"] for record in bench.batches[1]] == ["2", "2"]


@pytest.mark.parametrize("body", ["return None", "return {}", "return {'batchItemFailures': []}"])
def test_an_empty_response_is_a_success(bench: Bench, body: str) -> None:
    """A response without failures deletes the whole batch."""
    bench.send("one", "two")
    bench.poller(body).poll_once()
    assert bench.left == []


def test_without_partial_batch_responses_the_response_is_ignored(bench: Bench) -> None:
    """If the event source does not use partial batch responses, a successful invocation deletes the whole batch."""
    bench.send("stay")
    bench.poller(STAY, reports=False).poll_once()
    assert bench.left == []


@pytest.mark.parametrize(("batch_size", "batches"), [(2, [2, 2, 2]), (12, [12, 12, 1]), (50, [25, 0, 0])])
def test_batches_have_their_size(bench: Bench, batch_size: int, batches: list[int]) -> None:
    """A batch has as many messages as the event source allows, even more than a single receive returns."""
    bench.send(*map(str, range(25)))
    poller = bench.poller("return None", batch_size=batch_size)
    assert [poller.poll_once() for _ in range(3)] == batches
    assert len(bench.left) == 25 - sum(batches)


def test_messages_received_before_an_outage_are_processed(bench: Bench) -> None:
    """If SQS fails while a batch is received, the messages received so far are processed."""
    bench.send(*map(str, range(15)))
    faults = bench.aws.faults["sqs"]
    faults.add(Fault(kind="delay", path="/ReceiveMessage"), Fault(kind="status", path="/ReceiveMessage"))
    assert bench.poller("return None", batch_size=20).poll_once() == 10
    assert len(bench.left) == 5


def test_a_batch_stays_within_lambdas_payload_limit(bench: Bench) -> None:
    """Messages too large for one event are passed in several, and none is left out."""
    bench.send(*["x" * 1_000_000] * 8)
    assert bench.poller("return None").poll_once() == 8
    assert [len(batch) for batch in bench.batches] == [6, 2]
    assert bench.left == []


class Gauge:
    """Counts the calls in progress: each waits until the expected number is, and `enough` is set after twice as many."""

    def __init__(self, together: int) -> None:
        self.most = 0
        self.enough = threading.Event()
        self._inside = self._done = 0
        self._together = together
        self._lock = threading.Lock()
        self._full = threading.Barrier(together, timeout=10)

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        self._full.wait()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            self._done += 1
            if self._done == 2 * self._together:
                self.enough.set()


@pytest.mark.parametrize(("concurrency", "most"), [(2, 2), (None, 5)])
def test_concurrent_batches_reach_the_maximum(bench: Bench, concurrency: int | None, most: int) -> None:
    """In the background, as many batches as allowed are processed at once, and never more."""
    gauge = Gauge(most)
    bench.send(*map(str, range(most * 2)))
    with bench.poller("with self.shared: return None", batch_size=1, concurrency=concurrency, shared=gauge):
        assert gauge.enough.wait(10)
    assert gauge.most == most
    assert bench.left == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("poller")]


def test_polling_continues_after_an_outage(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    """While SQS is down the pollers report it and wait; afterwards they continue."""
    bench.send("hello")
    bench.aws.outage("sqs")
    with bench.poller("return None"):
        printed = ""
        for _ in range(500):
            printed += capsys.readouterr().out
            if "503" in printed:
                break
            threading.Event().wait(0.01)
        assert printed.startswith("[ERROR] ")
        assert bench.left == ["hello"]
        bench.aws.recover()
        assert bench.arrived.wait(10)
    assert bench.left == []
