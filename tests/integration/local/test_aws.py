"""SQS and Secrets Manager on this machine: whose they are, what time it is for them, and their faults."""

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


def test_the_users_own_credentials_are_out_of_reach(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it runs, clients get its endpoint and its credentials; afterwards the environment is what it was."""
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


def test_the_queues_are_the_templates(stack: LocalStack) -> None:
    """The queues have the attributes that the template gives them, the redrive policy too."""
    values = {name: stack.aws.queue_values(name) for name in (RETRY_QUEUE, DEAD_LETTER_QUEUE)}
    template = SamTemplate.read(PROJECT / "template.yaml")
    application = template.resolve({**values, **{name: {"Ref": name} for name in ("Api", "Secret")}})
    assert set(application.queues) == set(values)
    for name, queue in application.queues.items():
        url = values[name]["Ref"]
        held = stack.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        told = {
            name: value for name, value in queue.attributes.items() if name != "RedriveAllowPolicy"
        }  # moto keeps it
        assert dict(held) | told == dict(held)
        assert held["QueueArn"] == values[name]["Arn"]
    assert values[DEAD_LETTER_QUEUE]["Arn"] in application.queues[RETRY_QUEUE].attributes["RedrivePolicy"]


def test_each_start_is_a_new_beginning(clock: Clock) -> None:
    """What an earlier AWS of the process held is gone."""
    for _ in range(2):
        with LocalAws(clock) as aws:
            aws.create_secret("Sample", {"apiKey": "k"})
            aws.create_queues([Queue("Sample", {})])
            assert aws.messages("Sample") == []
            _send(aws, aws.sqs_client())


def test_the_queues_go_by_the_clock(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """Delays and visibility timeouts end when the clock says so, and not before."""
    _send(aws, sqs, DelaySeconds=5)
    assert _receive(aws, sqs) == []
    clock.sleep(6)
    assert _receive(aws, sqs) == ["hello"]
    assert _receive(aws, sqs) == []
    clock.sleep(31)
    assert _receive(aws, sqs) == ["hello"]


def test_a_look_at_a_queue_shows_all_and_changes_nothing(aws: LocalAws, sqs: SQSClient) -> None:
    """Hidden and delayed messages are seen too, and a message looked at can be received."""
    _send(aws, sqs)
    _send(aws, sqs, DelaySeconds=5)
    assert aws.messages("Sample") == ["hello", "hello"]
    assert _receive(aws, sqs) == ["hello"]
    assert aws.messages("Sample") == ["hello", "hello"]


def test_a_message_that_sqs_moved_names_the_queue_it_came_from(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """Beyond its maxReceiveCount a message is on the dead-letter queue, which names its source, as SQS does."""
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
    told = {message["Body"]: message.get("Attributes", {}) for message in answer["Messages"]}
    assert told == {"hello": {}, "moved": {"DeadLetterQueueSourceArn": source["Arn"]}}
    assert {held.body: held.source_arn for held in aws.held("Sample")} == {"hello": None, "moved": source["Arn"]}


def test_a_receive_does_not_wait(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A receive that asks to wait is answered at once, since it would hold up everybody."""
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
def test_a_fault_strikes_once(aws: LocalAws, sqs: SQSClient, fault: Fault, error: type[Exception]) -> None:
    """A call meets the fault and takes no effect; the next one goes well."""
    aws.faults["sqs"].add(fault)
    with pytest.raises(error):
        _send(aws, sqs)
    assert aws.messages("Sample") == []
    _send(aws, sqs)
    assert aws.messages("Sample") == ["hello"]


def test_a_fault_is_for_its_service_and_operation(aws: LocalAws, sqs: SQSClient) -> None:
    """Other services and other operations go well, for as long as the fault lasts."""
    aws.faults["secretsmanager"].add(Fault(kind="status", times=None))
    aws.faults["sqs"].add(Fault(kind="status", path="/DeleteMessage", times=None))
    _send(aws, sqs)
    assert _receive(aws, sqs) == ["hello"]


def test_an_outage_lasts_until_it_is_over(aws: LocalAws, sqs: SQSClient) -> None:
    """Without a name every service is down, and stays so until it recovers."""
    aws.outage()
    for _ in range(2):
        with pytest.raises(ClientError, match="503"):
            _send(aws, sqs)
    aws.recover()
    _send(aws, sqs)


def test_a_delay_goes_by_the_clock(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A slow service takes the clock's time, and gives its true answer then."""
    aws.faults["sqs"].add(Fault(kind="delay", seconds=7))
    before = clock.time()
    _send(aws, sqs)
    assert clock.time() == before + 7
    assert aws.messages("Sample") == ["hello"]


def test_a_lost_answer_leaves_its_effect(aws: LocalAws, sqs: SQSClient, clock: Clock) -> None:
    """A call whose answer is lost, after whatever wait, has taken effect."""
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
def test_a_page_from_elsewhere_gets_nothing(aws: LocalAws, pool: urllib3.PoolManager, headers: dict[str, str]) -> None:
    """A request under a foreign Host, or from a foreign Origin, is refused whatever it asks for."""
    target = {"X-Amz-Target": "AmazonSQS.ListQueues", "Content-Type": "application/x-amz-json-1.0"}
    assert pool.request("POST", aws.url, body=b"{}", headers=target | headers).status == 403
    assert pool.request("POST", aws.url, body=b"{}", headers=target).status == 200


def test_the_secret_is_for_this_process(stack: LocalStack, pool: urllib3.PoolManager) -> None:
    """Who has no session token of this process cannot read the secret."""
    headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
    response = pool.request("POST", stack.aws.url, json={"SecretId": stack.secret_arn}, headers=headers)
    assert response.status == 403
    assert stack.sandbox.api_key not in response.data.decode()


@pytest.mark.parametrize("path", ["/moto-api/reset", "/"])
def test_nothing_else_of_moto_is_served(aws: LocalAws, sqs: SQSClient, pool: urllib3.PoolManager, path: str) -> None:
    """Moto's own controls and its other services are out of reach."""
    _send(aws, sqs)
    assert pool.request("POST", aws.url + path, body=b"").status == 400
    assert aws.messages("Sample") == ["hello"]
