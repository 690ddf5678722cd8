"""The event source mapping: a queue's messages, in batches, to a function; what it took is deleted.

Source: AWS' documentation, "Using Lambda with Amazon SQS" and its part on partial batch responses.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.running import Running
from local.runtime import MAX_PAYLOAD_BYTES
from local.template import REGION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from local.runtime import LambdaFunction
    from local.template import QueueSource
    from loops_destination.clock import Clock

IDLE_SECONDS = 0.1
"""Between two looks at an empty queue; Lambda keeps a receive open instead, which comes to the same."""

MESSAGES_A_CALL = 10
"""SQS' quota; Lambda makes larger batches of several receives."""

ENVELOPE_BYTES = 8 * 1024
"""Allowed for what an event holds of a message beside its body."""

DEFAULT_CONCURRENCY = 5
"""The batches that Lambda begins with where no maximum is set."""


class Poller(Running):
    """Brings messages to the function, from background threads while it is entered, or once by `poll_once()`.

    A batch that is not full is not waited for, as `MaximumBatchingWindowInSeconds` would have it.
    """

    def __init__(
        self, function: LambdaFunction, source: QueueSource, queue_url: str, sqs: SQSClient, clock: Clock
    ) -> None:
        self._function = function
        self._source = source
        self._queue_url = queue_url
        self._sqs = sqs
        self._clock = clock
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    def poll_once(self) -> int:
        """Receives a batch, as full as the queue makes it now, and sees it through; the number of messages."""
        messages = self._receive_batch()
        for batch in _batches(messages):
            self._delete(self._taken(batch))
        return len(messages)

    def start(self) -> None:
        """Begins to poll, as many batches at once as the source allows."""
        self._stopping.clear()
        for number in range(self._source.maximum_concurrency or DEFAULT_CONCURRENCY):
            thread = threading.Thread(target=self._poll, name=f"poller-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Lets the batches under way come to their end, and starts no more."""
        self._stopping.set()
        while self._threads:
            self._threads.pop().join()

    def _poll(self) -> None:
        trouble = ""
        while not self._stopping.is_set():
            try:
                found, trouble = self.poll_once(), ""
            except (BotoCoreError, ClientError) as error:  # SQS is down: so it is for Lambda, which tries again
                if str(error) != trouble:
                    print(f"[ERROR] {error}")
                found, trouble = 0, str(error)
            if not found:
                self._clock.sleep(IDLE_SECONDS)

    def _receive_batch(self) -> list[MessageTypeDef]:
        messages: list[MessageTypeDef] = []
        while wanted := min(self._source.batch_size - len(messages), MESSAGES_A_CALL):
            try:
                found = self._receive(wanted)
            except (BotoCoreError, ClientError):
                if not messages:
                    raise
                break  # those that came are not to wait until they are visible again
            messages += found
            if len(found) < wanted:
                break
        return messages

    def _receive(self, wanted: int) -> list[MessageTypeDef]:
        answer = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=wanted,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return answer.get("Messages", [])

    def _taken(self, messages: Sequence[MessageTypeDef]) -> list[MessageTypeDef]:
        """The messages that the function is done with."""
        records = [_record(message, self._source.queue_arn) for message in messages]
        invocation = self._function.invoke({"Records": records})
        if invocation.failed:
            return []
        if not self._source.reports_failures:
            return list(messages)
        failed = _failed(invocation.payload)
        return [] if failed is None else [message for message in messages if message["MessageId"] not in failed]

    def _delete(self, messages: Sequence[MessageTypeDef]) -> None:
        for start in range(0, len(messages), MESSAGES_A_CALL):
            chunk = enumerate(messages[start : start + MESSAGES_A_CALL])
            self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[{"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]} for index, message in chunk],
            )


def _batches(messages: Iterable[MessageTypeDef]) -> Iterator[list[MessageTypeDef]]:
    """The messages in batches whose events Lambda takes."""
    batch: list[MessageTypeDef] = []
    size = 0
    for message in messages:
        length = len(json.dumps(message["Body"])) + ENVELOPE_BYTES
        if batch and size + length > MAX_PAYLOAD_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += length
    if batch:
        yield batch


def _failed(payload: Any) -> set[str] | None:
    """The ids in a partial batch response, None where it is malformed: then Lambda takes the whole batch as failed."""
    if not payload:
        return set()
    try:
        ids = [failure["itemIdentifier"] for failure in payload.get("batchItemFailures") or []]
    except (AttributeError, KeyError, TypeError):
        return None
    return set(ids) if all(isinstance(each, str) and each for each in ids) else None


def _record(message: MessageTypeDef, queue_arn: str) -> dict[str, Any]:
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {name: _attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": REGION,
    }


def _attribute(value: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stringValue": value.get("StringValue"),
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
