"""A stack on moto, a sandbox to send to, and the command line called in this process."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3
import pytest

from local.sandbox import Sandbox, SandboxServer
from loops_destination.messages import Message
from loops_destination.outcomes import Reason
from segment_loops.commands.main import main


class Run(NamedTuple):
    """The result of a command."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Calls the command line as its script does."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Run:
        self._capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return Run(status, *self._capsys.readouterr())


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    monkeypatch.delenv("LOOPS_API_KEY", raising=False)
    return CommandLine(capsys)


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(Sandbox(limit=None)) as server:
        yield server


@dataclass
class QueuePair:
    """Two queues, and the messages on them."""

    sqs: Any
    retry_queue_url: str
    dead_letter_queue_url: str

    def bury(self, message: Message | str) -> None:
        """Put a message on the DeadLetterQueue, as the functions do."""
        body = message if isinstance(message, str) else message.to_json()
        attributes: Mapping[str, str] = {} if isinstance(message, str) else message.attributes
        self.sqs.send_message(
            QueueUrl=self.dead_letter_queue_url,
            MessageBody=body,
            MessageAttributes={name: {"DataType": "String", "StringValue": text} for name, text in attributes.items()},
        )

    def waiting(self) -> list[str]:
        """Return the messages that can be received from the RetryQueue."""
        return self._bodies(self.retry_queue_url)

    def dead_letters(self) -> list[str]:
        """Return the messages that can be received from the DeadLetterQueue, and so none that is hidden."""
        return self._bodies(self.dead_letter_queue_url)

    def _bodies(self, url: str) -> list[str]:
        received: list[list[Any]] = []
        while batch := self.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            received.append(batch)
        for batch in received:
            entries = [
                {"Id": each["MessageId"], "ReceiptHandle": each["ReceiptHandle"], "VisibilityTimeout": 0}
                for each in batch
            ]
            self.sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)
        return [each["Body"] for batch in received for each in batch]


@pytest.fixture
def queues(aws: str) -> QueuePair:  # noqa: ARG001  # the client talks to it
    sqs = boto3.client("sqs")
    return QueuePair(sqs, *(sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("retry", "dead")))


@pytest.fixture
def stack(queues: QueuePair, sandbox: SandboxServer) -> str:
    """The name of a stack with these queues, and with the sandbox's API key in its secret."""
    secret = boto3.client("secretsmanager").create_secret(
        Name="secret", SecretString=json.dumps({"apiKey": sandbox.sandbox.api_key, "sharedSecret": "s"})
    )
    outputs = {
        "RetryQueueUrl": queues.retry_queue_url,
        "DeadLetterQueueUrl": queues.dead_letter_queue_url,
        "SecretArn": secret["ARN"],
    }
    template = {
        "Parameters": {"LoopsRequestsPerSecond": {"Type": "Number"}, "LoopsBaseUrl": {"Type": "String"}},
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    boto3.client("cloudformation").create_stack(
        StackName="team-loops",
        TemplateBody=json.dumps(template),
        Parameters=[
            {"ParameterKey": "LoopsRequestsPerSecond", "ParameterValue": "1000"},
            {"ParameterKey": "LoopsBaseUrl", "ParameterValue": sandbox.url},
        ],
    )
    return "team-loops"


def dead_letter(
    number: int, reason: Reason = Reason.REFUSED, *, received_at: float, action: str = "sendEvent", **parts: Any
) -> Message:
    """Return the message of a dead letter, for an event of the user with this number."""
    event = {"type": "track", "messageId": f"m-{number}", "userId": f"u-{number}", "event": "Signed Up"}
    given: dict[str, Any] = {"subscription": "Send an event", "attempts": 3, **parts}
    return Message(f"key-{number}", received_at, reason, event=json.dumps(event), action=action, **given)


@pytest.fixture
def free_port() -> int:
    """A free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])
