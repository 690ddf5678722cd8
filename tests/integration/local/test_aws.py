"""SQS and Secrets Manager on this machine: access, time and faults."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError

from local.aws import LocalAws
from local.sam_template import Queue, SamTemplate
from local.sandbox import Fault
from local.stack import DEAD_LETTER_QUEUE, RETRY_QUEUE, LocalStack
from segment_loops import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

    import urllib3
    from mypy_boto3_sqs.client import SQSClient

    from tests.integration.local.conftest import Clock


@pytest.fixture
def aws(clock: Clock) -> Iterator[LocalAws]:
    with LocalAws(clock) as aws:
        aws.create_queues([Queue("Sample", {"VisibilityTimeout": "30"})])
        yield aws


@pytest.fixture
def sqs(aws: LocalAws) -> SQSClient:
    return boto3.client("sqs", endpoint_url=aws.url, config=Config(retries={"total_max_attempts": 1}))


def _send(aws: LocalAws, sqs: SQSClient, **options: Any) -> None:
    sqs.send_message(QueueUrl=aws.queue_values("Sample")["Ref"], MessageBody="hello", **options)


def _receive(aws: LocalAws, sqs: SQSClient, **options: Any) -> list[str]:
    answer = sqs.receive_message(QueueUrl=aws.queue_values("Sample")["Ref"], **options)
    return [message["Body"] for message in answer.get("Messages", [])]


def test_the_users_credentials_are_never_used(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, clients use its endpoint and credentials; afterwards the environment is restored."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "the-users-own")
    monkeypatch.setenv("AWS_PROFILE", "the-users-own")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "https://elsewhere.example.com")
    before = dict(os.environ)
    with LocalAws(clock) as aws:
        client = boto3.client("sqs")
        assert client.meta.endpoint_url == aws.url
        assert "the-users-own" not in os.environ.values()
        credentials = boto3.DEFAULT_SESSION and boto3.DEFAULT_SESSION.get_credentials()
        assert credentials
        assert credentials.access_key == "local"
    assert dict(os.environ) == before


def test_queues_have_the_templates_attributes(stack: LocalStack) -> None:
    """The queues have the attributes in the template, including the redrive policy."""
    values = {name: stack.aws.queue_values(name) for name in (RETRY_QUEUE, DEAD_LETTER_QUEUE)}
    template = SamTemplate.read(PROJECT / "template.yaml")
    application = template.resolve({**values, **{name: {"Ref": name} for name in ("Api", "Secret")}})
    assert set(application.queues) == set(values)
    for name, queue in application.queues.items():
        url = values[name]["Ref"]
        held = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        found = {
            name: value for name, value in queue.attributes.items() if name != "RedriveAllowPolicy"
        }  # moto keeps it
        assert dict(held) | found == dict(held)
        assert held["QueueArn"] == values[name]["Arn"]
    assert values[DEAD_LETTER_QUEUE]["Arn"] in application.queues[RETRY_QUEUE].attributes["RedrivePolicy"]


def test_each_start_is_empty(clock: Clock) -> None:
    """Messages of an earlier AWS in the same process are gone."""
    for _ in range(2):
        with LocalAws(clock) as aws:
            aws.create_secret("Sample", {"apiKey": "k"})
            aws.create_queues([Queue("Sample", {})])
            assert aws.messages("Sample") == []
            _send(aws, aws.sqs_client())


def test_queues_use_the_clock(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """Delays and visibility timeouts end by the clock."""
    _send(aws, sqs, DelaySeconds=5)
    assert _receive(aws, sqs) == []
    clock.sleep(6)
    assert _receive(aws, sqs) == ["hello"]
    assert _receive(aws, sqs) == []
    clock.sleep(31)
    assert _receive(aws, sqs) == ["hello"]


def test_listing_a_queue_shows_everything_and_changes_nothing(aws: LocalAws, sqs: SQSClient) -> None:
    """Hidden and delayed messages are listed too, and listed messages can still be received."""
    _send(aws, sqs)
    _send(aws, sqs, DelaySeconds=5)
    assert aws.messages("Sample") == ["hello", "hello"]
    assert _receive(aws, sqs) == ["hello"]
    assert aws.messages("Sample") == ["hello", "hello"]


def test_a_moved_message_names_its_source(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A message beyond its maxReceiveCount is on the dead-letter queue, and names its source queue as on SQS."""
    arn = aws.queue_values("Sample")["Arn"]
    policy = {"deadLetterTargetArn": arn, "maxReceiveCount": 1}
    aws.create_queues([Queue("Source", {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": "30"})])
    source = aws.queue_values("Source")
    sqs.send_message(QueueUrl=source["Ref"], MessageBody="moved")
    _send(aws, sqs)
    assert len(sqs.receive_message(QueueUrl=source["Ref"])["Messages"]) == 1
    clock.sleep(31)
    assert "Messages" not in sqs.receive_message(QueueUrl=source["Ref"])
    url, names = aws.queue_values("Sample")["Ref"], ["DeadLetterQueueSourceArn"]
    answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, MessageSystemAttributeNames=names)  # type: ignore[arg-type]  # the stubs list the names
    found = {message["Body"]: message.get("Attributes", {}) for message in answer["Messages"]}
    assert found == {"hello": {}, "moved": {"DeadLetterQueueSourceArn": source["Arn"]}}
    assert {held.body: held.source_arn for held in aws.queued("Sample")} == {"hello": None, "moved": source["Arn"]}


def test_a_receive_does_not_wait(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A receive with a wait time is answered at once, because it would block all other requests."""
    before = clock.time()
    assert _receive(aws, sqs, WaitTimeSeconds=20) == []
    assert clock.time() == before


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="status", status=500), ClientError),
        (Fault(kind="status", status=503, path="/SendMessage"), ClientError),
        (Fault(kind="reset"), HTTPClientError),
    ],
)
def test_a_fault_affects_one_call(aws: LocalAws, sqs: SQSClient, fault: Fault, error: type[Exception]) -> None:
    """The affected call fails and has no effect; the next one succeeds."""
    aws.faults["sqs"].add(fault)
    with pytest.raises(error):
        _send(aws, sqs)
    assert aws.messages("Sample") == []
    _send(aws, sqs)
    assert aws.messages("Sample") == ["hello"]


def test_a_fault_affects_its_service_and_operation_only(aws: LocalAws, sqs: SQSClient) -> None:
    """Other services and operations work while a fault lasts."""
    aws.faults["secretsmanager"].add(Fault(kind="status", times=None))
    aws.faults["sqs"].add(Fault(kind="status", path="/DeleteMessage", times=None))
    _send(aws, sqs)
    assert _receive(aws, sqs) == ["hello"]


def test_an_outage_lasts_until_recovery(aws: LocalAws, sqs: SQSClient) -> None:
    """Without a service's name every service is down until `recover()`."""
    aws.outage()
    for _ in range(2):
        with pytest.raises(ClientError, match="503"):
            _send(aws, sqs)
    aws.recover()
    _send(aws, sqs)


def test_a_delay_uses_the_clock(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A delayed answer is the true one, and its delay passes on the clock."""
    aws.faults["sqs"].add(Fault(kind="delay", seconds=7))
    before = clock.time()
    _send(aws, sqs)
    assert clock.time() == before + 7
    assert aws.messages("Sample") == ["hello"]


def test_a_call_with_a_lost_answer_has_its_effect(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A call whose answer is lost has taken effect, with or without a delay."""
    aws.faults["sqs"].add(Fault(kind="reset", processed=True, seconds=2))
    before = clock.time()
    with pytest.raises(HTTPClientError):
        _send(aws, sqs)
    assert clock.time() == before + 2
    assert aws.messages("Sample") == ["hello"]


@pytest.mark.parametrize(
    "headers",
    [{"Host": "evil.example.com"}, {"Origin": "https://evil.example.com"}, {"Origin": "null"}, {"Host": "[broken"}],
)
def test_other_hosts_and_origins_are_denied(aws: LocalAws, pool: urllib3.PoolManager, headers: dict[str, str]) -> None:
    """A request under a foreign Host or from a foreign Origin is denied."""
    target = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    assert pool.request("POST", aws.url, body=b"{}", headers=target | headers).status == 403
    assert pool.request("POST", aws.url, body=b"{}", headers=target).status == 200


def test_only_this_process_can_read_the_secret(stack: LocalStack, pool: urllib3.PoolManager) -> None:
    """A request without this process's session token cannot read the secret."""
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
    response = pool.request("POST", stack.aws.url, json={"SecretId": stack.secret_arn}, headers=headers)
    assert response.status == 403
    assert stack.sandbox.api_key not in response.data.decode()


@pytest.mark.parametrize("path", ["/moto-api/reset", "/"])
def test_nothing_else_of_moto_is_served(aws: LocalAws, sqs: SQSClient, pool: urllib3.PoolManager, path: str) -> None:
    """Moto's own controls and its other services cannot be reached."""
    _send(aws, sqs)
    assert pool.request("POST", aws.url + path, body=b"").status == 400
    assert aws.messages("Sample") == ["hello"]
