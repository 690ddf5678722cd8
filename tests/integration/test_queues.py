"""The queues on moto's SQS."""

import json
from typing import Any

import boto3
import pytest

from loops_destination.clock import SystemClock
from loops_destination.messages import Message, QueueName, RoutedMessage
from loops_destination.outcomes import Reason
from loops_destination.queues import FIRST_RETRY_SECONDS, Queues, sqs_client
from tests.fakes import NOW


@pytest.fixture
def sqs(aws: str) -> Any:  # noqa: ARG001  # the client talks to it
    return boto3.client("sqs")


@pytest.fixture
def urls(sqs: Any) -> dict[QueueName, str]:
    return {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in QueueName}


def soon() -> float:
    return SystemClock().time() + 60


def message(number: int, size: int = 10) -> Message:
    event = json.dumps({"type": "track", "n": number, "x": "x" * size})
    return Message(
        idempotency_key=f"key-{number}",
        received_at=NOW,
        reason=Reason.REFUSED,
        event=event,
        action="sendEvent",
        subscription="s",
        status=400,
    )


def held(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Receive and return all messages on a queue."""
    received = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
    ).get("Messages"):
        received += batch
    return received


def test_each_message_goes_to_its_queue(sqs: Any, urls: dict[QueueName, str]) -> None:
    """A dead letter is visible at once, with its attributes; a message on the RetryQueue is delayed by five seconds."""
    messages = [RoutedMessage(QueueName.DEAD_LETTER, message(1)), RoutedMessage(QueueName.RETRY, message(2))]
    assert Queues(urls, SystemClock()).store(messages, soon()) == [True, True]
    (letter,) = held(sqs, urls[QueueName.DEAD_LETTER])
    assert json.loads(letter["Body"])["idempotencyKey"] == "key-1"
    assert {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()} == {
        "reason": "refused",
        "status": "400",
        "action": "sendEvent",
        "subscription": "s",
    }
    waiting = sqs.get_queue_attributes(QueueUrl=urls[QueueName.RETRY], AttributeNames=["All"])["Attributes"]
    assert waiting["ApproximateNumberOfMessagesDelayed"] == "1"
    assert FIRST_RETRY_SECONDS > 0


def test_many_and_large_messages_are_all_stored(sqs: Any, urls: dict[QueueName, str]) -> None:
    """Many messages, or large ones, are split into as many calls as SQS' quotas require."""
    messages = [RoutedMessage(QueueName.DEAD_LETTER, message(number, 300_000)) for number in range(7)]
    messages += [RoutedMessage(QueueName.DEAD_LETTER, message(number)) for number in range(7, 40)]
    assert Queues(urls, SystemClock()).store(messages, soon()) == [True] * 40
    keys = {json.loads(letter["Body"])["idempotencyKey"] for letter in held(sqs, urls[QueueName.DEAD_LETTER])}
    assert keys == {f"key-{number}" for number in range(40)}


def test_a_message_that_sqs_does_not_take_is_reported(urls: dict[QueueName, str]) -> None:
    """Messages for a missing queue, or too large for SQS, are reported as not stored; the others are stored."""
    queues = Queues({**urls, QueueName.DEAD_LETTER: urls[QueueName.DEAD_LETTER] + "-gone"}, SystemClock())
    too_large = RoutedMessage(QueueName.RETRY, message(3, 1_100_000))
    messages = [
        RoutedMessage(QueueName.DEAD_LETTER, message(1)),
        RoutedMessage(QueueName.RETRY, message(2)),
        too_large,
        RoutedMessage(QueueName.RETRY, message(4)),
    ]
    assert queues.store(messages, soon()) == [False, True, False, True]


def test_an_unreachable_sqs_stores_nothing(urls: dict[QueueName, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """While SQS cannot be reached, messages are reported as not stored, and hiding messages raises nothing."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    queues = Queues(urls, SystemClock())
    assert queues.store([RoutedMessage(QueueName.RETRY, message(1))], soon()) == [False]
    queues.postpone({"receipt": 5}, soon())


def test_without_messages_no_client_is_created() -> None:
    """Storing or hiding no messages creates no SQS client."""
    created: list[str] = []
    queues = Queues({}, SystemClock(), lambda: created.append("client") or sqs_client())
    assert queues.store([], soon()) == []
    queues.postpone({}, soon())
    assert created == []


def test_each_message_is_hidden_for_its_own_time(sqs: Any, urls: dict[QueueName, str]) -> None:
    """Each received message is hidden for its own number of seconds, in batches of ten."""
    url = urls[QueueName.RETRY]
    for number in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number}")
    receipts = [received["ReceiptHandle"] for received in held(sqs, url)]
    Queues(urls, SystemClock()).postpone(dict.fromkeys(receipts[:11], 0) | {receipts[11]: 600}, soon())
    assert len(held(sqs, url)) == 11
