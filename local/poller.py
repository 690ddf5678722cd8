"""The event source mapping: it passes a queue's messages to a function in batches, and deletes the processed ones.

Source: AWS's documentation, "Using Lambda with Amazon SQS", including its section on partial batch responses.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from local.running import Running
from local.runtime import MAX_PAYLOAD_BYTES
from segment_loops.local_addresses import REGION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mypy_boto3_sqs.client import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

    from local.runtime import LambdaFunction
    from local.sam_template import QueueSource
    from loops_destination.clock import Clock

IDLE_SECONDS = 0.1
"""Pause before an empty queue is polled again; Lambda keeps a receive open instead, to the same effect."""

MESSAGES_A_CALL = 10
"""SQS's quota; Lambda fills larger batches with several receives."""

ENVELOPE_BYTES = 8 * 1024
"""Allowance for everything in an event about a message except its body."""

DEFAULT_CONCURRENCY = 5
"""The number of concurrent batches with which Lambda begins if no maximum is set."""


class Poller(Running):
    """Passes messages to a function: continuously in background threads once started, or once by `poll_once()`.

    It does not wait for a batch to fill, as with `MaximumBatchingWindowInSeconds: 0`.
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
        """Receive a batch of the messages available now, and process it; return the number of messages."""
        messages = self._receive_batch()
        for batch in _batches(messages):
            self._delete(self._processed(batch))
        return len(messages)

    def start(self) -> None:
        """Start polling, with as many concurrent batches as the source allows."""
        self._stopping.clear()
        for number in range(self._source.maximum_concurrency or DEFAULT_CONCURRENCY):
            thread = threading.Thread(target=self._poll, name=f"poller-{number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Stop polling, once the batches in progress are finished."""
        self._stopping.set()
        while self._threads:
            self._threads.pop().join()

    def _poll(self) -> None:
        trouble = ""
        while not self._stopping.is_set():
            try:
                found, trouble = self.poll_once(), ""
            except (BotoCoreError, ClientError) as error:  # while SQS is down, Lambda tries again too
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
                break  # process what has been received, or it would stay hidden until its timeout
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

    def _processed(self, messages: Sequence[MessageTypeDef]) -> list[MessageTypeDef]:
        """Invoke the function; return the messages that it does not want again."""
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
    """Yield the messages in batches within Lambda's payload limit."""
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
    """Return the failed message ids in a partial batch response.

    None means a malformed response, which Lambda treats as a failure of the whole batch.
    """
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
