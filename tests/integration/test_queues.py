"""The queues, on moto's SQS over HTTP."""

import json
from typing import Any

import boto3
import pytest

from loops_destination.clock import SystemClock
from loops_destination.messages import Message, Parcel, QueueName
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
    return Message(f"key-{number}", NOW, Reason.REFUSED, event=event, action="sendEvent", subscription="s", status=400)


def held(sqs: Any, url: str) -> list[dict[str, Any]]:
    """Everything on a queue, whether it is hidden or not."""
    received = []
    while batch := sqs.receive_message(
        QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], VisibilityTimeout=600
    ).get("Messages"):
        received += batch
    return received


def test_each_parcel_goes_to_its_queue(sqs: Any, urls: dict[QueueName, str]) -> None:
    """Dead letters are there at once, with their cause as attributes; deliveries wait a moment before they are tried."""
    parcels = [Parcel(QueueName.DEAD_LETTER, message(1)), Parcel(QueueName.RETRY, message(2))]
    assert Queues(urls, SystemClock()).store(parcels, soon()) == [True, True]
    (letter,) = held(sqs, urls[QueueName.DEAD_LETTER])
    assert json.loads(letter["Body"])["key"] == "key-1"
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
    """More than ten messages, and messages that fill a call, are split into as many calls as it takes."""
    parcels = [Parcel(QueueName.DEAD_LETTER, message(number, 300_000)) for number in range(7)]
    parcels += [Parcel(QueueName.DEAD_LETTER, message(number)) for number in range(7, 40)]
    assert Queues(urls, SystemClock()).store(parcels, soon()) == [True] * 40
    keys = {json.loads(letter["Body"])["key"] for letter in held(sqs, urls[QueueName.DEAD_LETTER])}
    assert keys == {f"key-{number}" for number in range(40)}


def test_what_sqs_does_not_take_is_told(urls: dict[QueueName, str]) -> None:
    """A queue that is gone, and a message that SQS refuses, are told one by one; the others are stored."""
    queues = Queues({**urls, QueueName.DEAD_LETTER: urls[QueueName.DEAD_LETTER] + "-gone"}, SystemClock())
    too_large = Parcel(QueueName.RETRY, message(3, 1_100_000))
    parcels = [
        Parcel(QueueName.DEAD_LETTER, message(1)),
        Parcel(QueueName.RETRY, message(2)),
        too_large,
        Parcel(QueueName.RETRY, message(4)),
    ]
    assert queues.store(parcels, soon()) == [False, True, False, True]


def test_an_sqs_that_is_not_there_is_told(urls: dict[QueueName, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """When SQS cannot be reached nothing is claimed, and hiding messages does not raise."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    queues = Queues(urls, SystemClock())
    assert queues.store([Parcel(QueueName.RETRY, message(1))], soon()) == [False]
    queues.postpone({"receipt": 5}, soon())


def test_no_client_is_made_for_nothing() -> None:
    """Where nothing must be stored, SQS is neither imported into memory nor called."""
    made = []
    queues = Queues({}, SystemClock(), lambda: made.append("client") or sqs_client())
    assert queues.store([], soon()) == []
    queues.postpone({}, soon())
    assert made == []


def test_messages_are_hidden_for_as_long_as_told(sqs: Any, urls: dict[QueueName, str]) -> None:
    """Each received message is hidden for its own time, more than ten of them too."""
    url = urls[QueueName.RETRY]
    for number in range(12):
        sqs.send_message(QueueUrl=url, MessageBody=f"{number}")
    receipts = [received["ReceiptHandle"] for received in held(sqs, url)]
    Queues(urls, SystemClock()).postpone(dict.fromkeys(receipts[:11], 0) | {receipts[11]: 600}, soon())
    assert len(held(sqs, url)) == 11
