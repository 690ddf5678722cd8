"""The RetryQueue and the DeadLetterQueue on SQS."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loops_destination.clock import Clock
from loops_destination.messages import MAX_MESSAGE_BYTES, QueueName, RoutedMessage

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        MessageAttributeValueTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

Chunk = TypeVar("Chunk")

MESSAGES_A_CALL = 10  # SQS's quota for its batch calls
CALLS_AT_ONCE = 16
SHORTEST_CALL_SECONDS = 0.1  # with less time left, a call is not begun
FIRST_RETRY_SECONDS = 5  # before a message on the RetryQueue is first received
_ENTRY_OVERHEAD_BYTES = 1024  # a margin for what else counts towards the quota


class _SqsEntry(NamedTuple):
    number: int
    queue: QueueName
    body: str
    attributes: Mapping[str, str]
    delay_seconds: int

    @property
    def size(self) -> int:
        values = sum(len(name) + len(value.encode("utf-8", "surrogatepass")) for name, value in self.attributes.items())
        return len(self.body) + values + _ENTRY_OVERHEAD_BYTES


class Queues:
    """The two queues. The SQS client is created by the first call that needs it.

    Every method returns by its deadline, in seconds since 1970. A call of SQS that still runs then is abandoned: SQS may
    store its messages all the same, and their idempotency keys make the duplicates harmless.
    """

    def __init__(
        self, urls: Mapping[QueueName, str], clock: Clock, client: Callable[[], SQSClient] | None = None
    ) -> None:
        self._urls = urls
        self._clock = clock
        self._make_client = client or sqs_client

    @cached_property
    def _client(self) -> SQSClient:
        return self._make_client()

    def store(self, messages: Sequence[RoutedMessage], deadline: float) -> list[bool]:
        """Store the messages, and return for each one if SQS confirmed it by the deadline; raise no error of AWS."""
        stored = [False] * len(messages)

        def send(entries: Sequence[_SqsEntry]) -> None:
            for number in self._send(entries):
                stored[number] = True

        self._in_parallel(send, _calls(messages), most=len(messages), deadline=deadline)
        return list(stored)  # a copy, which abandoned calls cannot change

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:
        """Hide each received message for its seconds; if that fails, its visibility timeout goes on as it is."""
        entries = list(seconds_by_receipt.items())
        chunks = [entries[start : start + MESSAGES_A_CALL] for start in range(0, len(entries), MESSAGES_A_CALL)]
        self._in_parallel(self._hide, iter(chunks), most=len(chunks), deadline=deadline)

    def _in_parallel(
        self, call: Callable[[Chunk], None], chunks: Iterator[Chunk], *, most: int, deadline: float
    ) -> None:
        """Run `call` on each chunk, several at once, and begin none that cannot end by the deadline.

        `most` is an upper bound on the number of chunks. Each chunk is taken from the iterator just before its call.
        """
        if not most:
            return
        try:
            _ = self._client  # created here: boto3 must not create clients in several threads at once
        except BotoCoreError:
            return
        taking = threading.Lock()

        def work() -> None:
            while True:
                with taking:
                    if deadline - self._clock.time() < SHORTEST_CALL_SECONDS:
                        return
                    chunk = next(chunks, None)
                if chunk is None:
                    return
                call(chunk)

        threads = ThreadPoolExecutor(min(most, CALLS_AT_ONCE), "sqs")
        try:
            futures = [threads.submit(work) for _ in range(min(most, CALLS_AT_ONCE))]
            for ended in wait(futures, max(deadline - self._clock.time(), 0)).done:
                ended.result()  # raises any error that did not come from AWS
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, entries: Sequence[_SqsEntry]) -> list[int]:
        """Send one call, and return the numbers of the entries that SQS took."""
        requests: list[SendMessageBatchRequestEntryTypeDef] = [_request(entry) for entry in entries]
        try:
            response = self._client.send_message_batch(QueueUrl=self._urls[entries[0].queue], Entries=requests)
        except (BotoCoreError, ClientError):
            return []
        return [int(taken["Id"]) for taken in response.get("Successful", [])]

    def _hide(self, receipts: Sequence[tuple[str, int]]) -> None:
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for index, (receipt, seconds) in enumerate(receipts)
        ]
        with suppress(BotoCoreError, ClientError):
            self._client.change_message_visibility_batch(QueueUrl=self._urls[QueueName.RETRY], Entries=entries)


def sqs_client() -> SQSClient:
    """Return an SQS client with short timeouts; its region and endpoint come from the environment."""
    config = Config(
        connect_timeout=1,
        read_timeout=1,
        retries={"total_max_attempts": 2, "mode": "standard"},
        max_pool_connections=CALLS_AT_ONCE,
    )
    return boto3.client("sqs", config=config)


def _calls(messages: Sequence[RoutedMessage]) -> Iterator[list[_SqsEntry]]:
    """Yield the messages in groups that each fit into one call, encoding each group when it is asked for."""
    for queue in QueueName:
        call: list[_SqsEntry] = []
        size = 0
        for number, routed in enumerate(messages):
            if routed.queue is not queue:
                continue
            entry = _SqsEntry(number, queue, routed.message.to_json(), routed.attributes, routed.delay_seconds)
            if call and (len(call) == MESSAGES_A_CALL or size + entry.size > MAX_MESSAGE_BYTES):
                yield call
                call, size = [], 0
            call.append(entry)
            size += entry.size
        if call:
            yield call


def _request(entry: _SqsEntry) -> SendMessageBatchRequestEntryTypeDef:
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value} for name, value in entry.attributes.items()
    }
    delay = max(FIRST_RETRY_SECONDS, entry.delay_seconds) if entry.queue is QueueName.RETRY else 0
    return {
        "Id": str(entry.number),
        "MessageBody": entry.body,
        "MessageAttributes": attributes,
        "DelaySeconds": delay,
    }
