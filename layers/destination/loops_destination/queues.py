"""The RetryQueue and the DeadLetterQueue. The SQS client is made when the first message must be stored."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from loops_destination.messages import MAX_MESSAGE_BYTES, Parcel, QueueName

if TYPE_CHECKING:
    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        MessageAttributeValueTypeDef,
        SendMessageBatchRequestEntryTypeDef,
    )

Chunk = TypeVar("Chunk")
Given = TypeVar("Given")

MESSAGES_A_CALL = 10  # SQS's quota for its batch calls
CALLS_AT_ONCE = 16
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
    """Stores messages, and says which were stored."""

    def __init__(self, urls: Mapping[QueueName, str], client: Callable[[], SQSClient] | None = None) -> None:
        self._urls = urls
        self._make_client = client or sqs_client

    @cached_property
    def _client(self) -> SQSClient:
        return self._make_client()

    def _in_parallel(self, call: Callable[[Chunk], Given], chunks: Sequence[Chunk]) -> list[Given]:
        if not chunks:
            return []
        try:
            _ = self._client  # made here, since boto3 makes clients in one thread at a time only
        except BotoCoreError:
            return []
        if len(chunks) == 1:
            return [call(chunks[0])]
        with ThreadPoolExecutor(min(len(chunks), CALLS_AT_ONCE), "sqs") as threads:
            return list(threads.map(call, chunks))

    def store(self, parcels: Sequence[Parcel]) -> list[bool]:
        """Whether SQS holds each of the parcels now; it does not raise."""
        stored = [False] * len(parcels)
        entries = [
            _Entry(index, parcel.queue, parcel.message.to_json(), parcel.attributes)
            for index, parcel in enumerate(parcels)
        ]
        for indexes in self._in_parallel(self._send, list(_calls(entries))):
            for index in indexes:
                stored[index] = True
        return stored

    def postpone(self, seconds_by_receipt: Mapping[str, int]) -> None:
        """Hides each received message for so long; where that fails, its visibility timeout ends as it would."""
        entries = list(seconds_by_receipt.items())
        chunks = [entries[start : start + MESSAGES_A_CALL] for start in range(0, len(entries), MESSAGES_A_CALL)]
        self._in_parallel(self._hide, chunks)

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


def _calls(entries: Iterable[_Entry]) -> Iterator[list[_Entry]]:
    """The entries in groups that each fit into one call."""
    for _, group in groupby(sorted(entries, key=_queue), key=_queue):
        call: list[_Entry] = []
        size = 0
        for entry in group:
            if call and (len(call) == MESSAGES_A_CALL or size + entry.size > MAX_MESSAGE_BYTES):
                yield call
                call, size = [], 0
            call.append(entry)
            size += entry.size
        yield call


def _queue(entry: _Entry) -> QueueName:
    return entry.queue


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
