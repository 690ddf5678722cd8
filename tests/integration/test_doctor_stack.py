"""The checks of a deployed stack, against the stack on one machine; a stub plays Lambda and CloudFormation."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from local.http_server import HttpServer
from local.stack import LocalStack
from segment_loops.deployed_stack import AwsAccount, DeployedStack
from segment_loops.doctor.check_result import CheckResult, Status
from segment_loops.doctor.stack_checks import check_stack

PARAMETERS = {"MaxEventAgeHours": "72", "LogLevel": "INFO", "KmsKeyArn": ""}
VARIABLES = {"MAX_EVENT_AGE_HOURS": "72", "POWERTOOLS_LOG_LEVEL": "INFO", "PARAMETERS": "72  INFO"}
LAYER = "arn:aws:lambda:us-east-1:123456789012:layer:MappingsLayer:3"
FUNCTION = "team-SegmentWebhook"
STALE = "SegmentWebhookFunction does not run with today's values of"


@dataclass(frozen=True, slots=True)
class StubbedAccount(AwsAccount):
    """The account of the local stack, with stubs for the services that it does not have."""

    stubs: Mapping[str, Any] = field(default_factory=dict)

    def aws_lambda(self) -> Any:
        return self.stubs["lambda"]

    def cloudformation(self) -> Any:
        return self.stubs["cloudformation"]


@dataclass
class Deployment:
    """A stack as AWS reports it; a test changes what it is about."""

    local: LocalStack
    layer_url: str
    variables: Mapping[str, str] = field(default_factory=lambda: VARIABLES)
    latest_variables: Mapping[str, str] = field(default_factory=lambda: VARIABLES)
    parameters: Mapping[str, str] = field(default_factory=lambda: PARAMETERS)
    source_state: str = "Enabled"
    qualifier: str = "live"
    outputs: Mapping[str, str] = field(default_factory=dict)

    def check(self) -> list[CheckResult]:
        aws_lambda, cloudformation = boto3.client("lambda"), boto3.client("cloudformation")
        with Stubber(aws_lambda) as functions, Stubber(cloudformation) as resources:
            resources.add_response("list_stack_resources", {"StackResourceSummaries": [_resource()]})
            for variables in (self.variables, self.latest_variables):
                answer = {"Environment": {"Variables": dict(variables)}, "Layers": [{"Arn": LAYER}]}
                functions.add_response("get_function_configuration", answer)
            source = {
                "UUID": "12345678-1234-1234-1234-123456789012",
                "State": self.source_state,
                "FunctionArn": f"arn:aws:lambda:us-east-1:123456789012:function:redelivery:{self.qualifier}",
            }
            functions.add_response("list_event_source_mappings", {"EventSourceMappings": [source]})
            functions.add_response("get_layer_version_by_arn", {"Content": {"Location": self.layer_url}})
            account = StubbedAccount(stubs={"lambda": aws_lambda, "cloudformation": cloudformation})
            parameters = {**self.parameters, "LoopsBaseUrl": self.local.loops_url}
            outputs = {**self.local.outputs, "SecretArn": self.local.secret_arn, **self.outputs}
            return list(check_stack(DeployedStack(account, "team", outputs, parameters)))

    def findings(self, status: Status) -> list[str]:
        return [result.text for result in self.check() if result.status is status]


def _resource() -> dict[str, Any]:
    return {
        "LogicalResourceId": "SegmentWebhookFunction",
        "PhysicalResourceId": FUNCTION,
        "ResourceType": "AWS::Lambda::Function",
        "LastUpdatedTimestamp": "2026-03-01T12:00:00Z",
        "ResourceStatus": "UPDATE_COMPLETE",
    }


@pytest.fixture
def running() -> Iterator[LocalStack]:
    with LocalStack(polling=False) as stack:
        yield stack


@pytest.fixture
def subscriptions() -> list[dict[str, Any]]:
    """The deployed subscriptions, which a test may change."""
    return [{"action": "createOrUpdateContact"}]


@pytest.fixture
def deployment(running: LocalStack, subscriptions: list[dict[str, Any]]) -> Iterator[Deployment]:
    def layer(_environ: Any, start_response: Any) -> list[bytes]:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("mappings.json", json.dumps({"subscriptions": subscriptions}))
        start_response("200 OK", [("Content-Length", str(len(content.getvalue())))])
        return [content.getvalue()]

    with HttpServer(layer, 0, "layer") as server:
        yield Deployment(running, f"{server.root}/layer.zip")


def test_a_healthy_stack_passes(deployment: Deployment) -> None:
    """Every check passes, each URL is tested with and without a slash, and one wrong signature is sent."""
    seen: list[tuple[str, int]] = []
    deployment.local.on_exchange.append(lambda exchange: seen.append((exchange.path, exchange.status)))
    results = deployment.check()
    assert [result for result in results if result.status is not Status.OK] == []
    assert seen == [
        *((f"/{name}{slash}", 200) for name in ("contacts", "events", "segment") for slash in ("", "/")),
        ("/segment", 401),
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"parameters": {**PARAMETERS, "MaxEventAgeHours": "96"}}, f"{STALE} MaxEventAgeHours."),
        ({"parameters": {**PARAMETERS, "LogLevel": "DEBUG"}}, f"{STALE} LogLevel."),
        ({"latest_variables": {**VARIABLES, "PARAMETERS": "72 a-key INFO"}}, f"{STALE} PARAMETERS."),
        ({"source_state": "Disabled"}, "The event source of the RetryQueue is disabled: no delivery is tried again."),
        ({"qualifier": "3"}, "No event source leads from the RetryQueue to the alias live."),
    ],
)
def test_each_fault_of_a_deployment_is_found(deployment: Deployment, change: dict[str, Any], text: str) -> None:
    """An alias with older parameters, and an event source that is disabled or leads elsewhere, are problems."""
    for name, value in change.items():
        setattr(deployment, name, value)
    assert deployment.findings(Status.PROBLEM) == [text]


def test_messages_on_the_queues_are_reported(deployment: Deployment) -> None:
    """Dead letters are a problem; deliveries that will be tried again are a warning, hidden ones included."""
    local = deployment.local
    local.sqs.send_message(QueueUrl=local.outputs["RetryQueueUrl"], MessageBody="{}", DelaySeconds=600)
    local.sqs.send_message(QueueUrl=local.outputs["DeadLetterQueueUrl"], MessageBody="{}")
    results = deployment.check()
    assert [(each.status, each.text) for each in results if each.status is not Status.OK] == [
        (Status.WARNING, "The RetryQueue holds 1 delivery."),
        (Status.PROBLEM, "The DeadLetterQueue holds 1 dead letter."),
    ]


def test_a_secret_that_is_not_set_up_is_the_next_step(deployment: Deployment) -> None:
    """A secret without an API key is no problem: a warning names the next step, and the URLs are not tested."""
    deployment.local.put_secret(apiKey="replace-me", sharedSecret="s")
    results = [result for result in deployment.check() if result.status is not Status.OK]
    assert [result.status for result in results] == [Status.WARNING, Status.SKIPPED]
    assert results[0].advice.startswith("Next step: make setup-secret STACK=team")


def test_an_api_key_that_loops_refuses_is_a_problem(deployment: Deployment) -> None:
    """Loops' refusal of the API key is a problem, and the API key is not shown."""
    deployment.local.put_secret(apiKey="wrong-4711", sharedSecret=deployment.local.shared_secret)
    [text] = deployment.findings(Status.PROBLEM)
    assert "Loops answered 401" in text
    assert "4711" not in text


def test_a_url_that_leads_nowhere_is_a_problem(deployment: Deployment) -> None:
    """A URL that is answered 404 is a problem, and a warning if only the one with a slash is."""
    deployment.outputs = {"ContactsUrl": f"{deployment.local.gateway.root}/nowhere"}
    results = [result for result in deployment.check() if result.status is not Status.OK]
    assert [result.status for result in results] == [Status.PROBLEM, Status.WARNING]
    assert all("with 404, not with 200" in result.text for result in results)


def test_a_url_that_takes_a_wrong_signature_is_a_problem(deployment: Deployment) -> None:
    """An answer other than 401 to a wrong signature is a problem."""

    def accept(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "2")])
        return [b"{}"]

    with HttpServer(accept, 0, "anything") as server:
        deployment.outputs = {"SegmentUrl": server.root}
        assert deployment.findings(Status.PROBLEM) == [
            f"{server.root} answers a wrong signature with 200, not with 401."
        ]


def test_a_bearer_token_replaces_the_signature(deployment: Deployment) -> None:
    """A secret with a bearer token and no shared secret passes every check."""
    local = deployment.local
    local.put_secret(apiKey=local.sandbox.api_key, sharedSecret="", bearerToken="a-token")
    assert [result for result in deployment.check() if result.status is not Status.OK] == []


@pytest.mark.parametrize("subscriptions", [[{"action": "sendEvent", "trigger": 'type != "unknown"'}]])
def test_no_subscription_gets_a_test_event(deployment: Deployment) -> None:
    """If a deployed subscription matches every event that could be sent, none is, and the URLs are skipped."""
    before = len(deployment.local.sandbox.journal.all())
    assert deployment.findings(Status.SKIPPED) == [
        "The URLs were not tested, because a subscription matches every event that could be sent."
    ]
    assert {entry.method for entry in deployment.local.sandbox.journal.all()[before:]} == {"GET"}
