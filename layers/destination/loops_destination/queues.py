"""The RetryQueue and the DeadLetterQueue. The SQS client is made when the first message must be stored."""

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
from loops_destination.messages import MAX_MESSAGE_BYTES, Parcel, QueueName

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
FIRST_RETRY_SECONDS = 5
_ENTRY_OVERHEAD_BYTES = 1024  # allowed for attributes and their names, which count towards the quota


class _Entry(NamedTuple):
    number: int
    queue: QueueName
    body: str
    attributes: Mapping[str, str]

    @property
    def size(self) -> int:
        values = sum(len(name) + len(value.encode("utf-8", "surrogatepass")) for name, value in self.attributes.items())
        return len(self.body) + values + _ENTRY_OVERHEAD_BYTES


class Queues:
    """Stores messages on the two queues and hides received ones; every method returns by its deadline.

    Deadlines are in seconds since 1970. A call of SQS that still runs at the deadline is abandoned: SQS may store its
    messages all the same, and the idempotency key makes the duplicates harmless.
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

    def store(self, parcels: Sequence[Parcel], deadline: float) -> list[bool]:
        """Say for each parcel if SQS confirmed by the deadline that it holds it; no error of AWS is raised."""
        stored = [False] * len(parcels)

        def send(entries: Sequence[_Entry]) -> None:
            for index in self._send(entries):
                stored[index] = True

        self._in_parallel(send, _calls(parcels), most=len(parcels), deadline=deadline)
        return list(stored)  # a copy, which abandoned calls cannot change

    def postpone(self, seconds_by_receipt: Mapping[str, int], deadline: float) -> None:
        """Hide each received message for its seconds; where that fails, it is hidden for its visibility timeout."""
        entries = list(seconds_by_receipt.items())
        chunks = [entries[start : start + MESSAGES_A_CALL] for start in range(0, len(entries), MESSAGES_A_CALL)]
        self._in_parallel(self._hide, iter(chunks), most=len(chunks), deadline=deadline)

    def _in_parallel(
        self, call: Callable[[Chunk], None], chunks: Iterator[Chunk], *, most: int, deadline: float
    ) -> None:
        """Call SQS with each chunk, several at once, as long as a call can end before the deadline.

        `most` is the largest possible number of chunks. A chunk is not made before its call can begin.
        """
        if not most:
            return
        try:
            _ = self._client  # made here, since boto3 makes clients in one thread at a time only
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
                ended.result()  # raises what is no error of AWS
        finally:
            threads.shutdown(wait=False, cancel_futures=True)

    def _send(self, entries: Sequence[_Entry]) -> list[int]:
        """The indexes of the entries that SQS took."""
        requests: list[SendMessageBatchRequestEntryTypeDef] = [_request(entry) for entry in entries]
        try:
            answer = self._client.send_message_batch(QueueUrl=self._urls[entries[0].queue], Entries=requests)
        except (BotoCoreError, ClientError):
            return []
        return [int(taken["Id"]) for taken in answer.get("Successful", [])]

    def _hide(self, receipts: Sequence[tuple[str, int]]) -> None:
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for index, (receipt, seconds) in enumerate(receipts)
        ]
        with suppress(BotoCoreError, ClientError):
            self._client.change_message_visibility_batch(QueueUrl=self._urls[QueueName.RETRY], Entries=entries)


def sqs_client() -> SQSClient:
    """A client that gives up in time for the webhook to answer; its region and endpoint come from the environment."""
    config = Config(
        connect_timeout=1,
        read_timeout=1,
        retries={"total_max_attempts": 2, "mode": "standard"},
        max_pool_connections=CALLS_AT_ONCE,
    )
    return boto3.client("sqs", config=config)


def _calls(parcels: Sequence[Parcel]) -> Iterator[list[_Entry]]:
    """Yield the parcels in groups that each fit into one call; their JSON is made when their group is asked for."""
    for queue in QueueName:
        call: list[_Entry] = []
        size = 0
        for number, parcel in enumerate(parcels):
            if parcel.queue is not queue:
                continue
            entry = _Entry(number, queue, parcel.message.to_json(), parcel.attributes)
            if call and (len(call) == MESSAGES_A_CALL or size + entry.size > MAX_MESSAGE_BYTES):
                yield call
                call, size = [], 0
            call.append(entry)
            size += entry.size
        if call:
            yield call


def _request(entry: _Entry) -> SendMessageBatchRequestEntryTypeDef:
    attributes: dict[str, MessageAttributeValueTypeDef] = {
        name: {"DataType": "String", "StringValue": value} for name, value in entry.attributes.items()
    }
    delay = FIRST_RETRY_SECONDS if entry.queue is QueueName.RETRY else 0
    return {
        "Id": str(entry.number),
        "MessageBody": entry.body,
        "MessageAttributes": attributes,
        "DelaySeconds": delay,
    }
