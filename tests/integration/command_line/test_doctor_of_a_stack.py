"""`segment-loops doctor --stack` on the stack on one machine, with moto for CloudFormation and Lambda."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app

from local.http_server import HttpServer
from local.stack import LocalStack
from tests.integration.command_line.conftest import CommandLine

SUBSCRIPTIONS = {"subscriptions": [{"id": "contact", "action": "createOrUpdateContact"}]}
EVENT = {"type": "identify", "messageId": "m-1", "userId": "u-1", "traits": {"email": "ada@example.com"}}
ROLE = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}],
}


def archive(name: str, text: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(name, text)
    return content.getvalue()


@pytest.fixture
def local() -> Iterator[LocalStack]:
    with LocalStack(polling=False) as stack:
        yield stack


@pytest.fixture
def moto(local: LocalStack) -> Iterator[None]:
    """The local stack's moto with all its services.

    Here it also knows the call that reads a layer, which moto lacks, and names the alias of an event source, which moto
    replaces by its version.
    """
    served: Any = DomainDispatcherApplication(create_backend_app)

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/layer.zip":
            content = archive("mappings.json", json.dumps(SUBSCRIPTIONS))
        elif environ["PATH_INFO"] == "/2018-10-31/layers" and "find=LayerVersion" in environ["QUERY_STRING"]:
            content = json.dumps({"Content": {"Location": f"{server.root}/layer.zip"}}).encode()
        elif environ["PATH_INFO"].startswith("/2015-03-31/event-source-mappings"):
            content = re.sub(rb"(:function:[\w-]+):\d+", rb"\1:live", b"".join(served(environ, lambda *_: None)))
        else:
            return served(environ, start_response)
        start_response("200 OK", [("Content-Length", str(len(content)))])
        return [content]

    assert local.secret_arn  # it replaces the environment's AWS variables first
    # Undone here, before the local stack restores the environment; the fixture `monkeypatch` would be undone after it.
    with HttpServer(application, 0, "moto") as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", server.root)
        yield


@pytest.fixture
def source(local: LocalStack, moto: None) -> str:  # noqa: ARG001  # the clients talk to it
    """The id of the event source of a stack `team`, which has one function, with the URLs and queues of the local stack."""
    functions, cloudformation = boto3.client("lambda"), boto3.client("cloudformation")
    layer = functions.publish_layer_version(LayerName="mappings", Content={"ZipFile": archive("mappings.json", "{}")})
    template = {
        "Parameters": {"LoopsBaseUrl": {"Type": "String"}},
        "Resources": {
            "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": ROLE}},
            "RedeliveryFunction": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "Runtime": "python3.13",
                    "Handler": "app.handler",
                    "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                    "Code": {"ZipFile": "handler = None"},
                    "Environment": {"Variables": {"LOOPS_BASE_URL": {"Ref": "LoopsBaseUrl"}}},
                },
            },
        },
        "Outputs": {name: {"Value": value} for name, value in local.outputs.items()},
    }
    cloudformation.create_stack(
        StackName="team",
        TemplateBody=json.dumps(template),
        Parameters=[{"ParameterKey": "LoopsBaseUrl", "ParameterValue": local.loops_url}],
        Capabilities=["CAPABILITY_IAM"],
    )
    resource = cloudformation.describe_stack_resource(StackName="team", LogicalResourceId="RedeliveryFunction")
    name = resource["StackResourceDetail"]["PhysicalResourceId"]
    functions.update_function_configuration(FunctionName=name, Layers=[layer["LayerVersionArn"]])
    version = functions.publish_version(FunctionName=name)["Version"]
    alias = functions.create_alias(FunctionName=name, Name="live", FunctionVersion=version)["AliasArn"]
    url = local.outputs["RetryQueueUrl"]
    queue = local.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    return str(functions.create_event_source_mapping(EventSourceArn=queue, FunctionName=alias)["UUID"])


Doctor = Callable[[], tuple[int, Any]]


@pytest.fixture
def doctor(cli: CommandLine, source: str, tmp_path: Path) -> Doctor:  # noqa: ARG001  # the stack exists
    """Run the command, with mappings and an event that the team is ready for; return its status and its JSON."""
    mappings, events = tmp_path / "mappings.json", tmp_path / "events.json"
    mappings.write_text(json.dumps(SUBSCRIPTIONS))
    events.write_text(json.dumps([EVENT]))

    def run() -> tuple[int, Any]:
        done = cli("doctor", "--stack", "team", "--mappings", mappings, "--events", events, "--json")
        return done.status, json.loads(done.out[done.out.index("{\n") :])  # the functions' log comes before it

    return run


def found(report: Any, *statuses: str) -> list[str]:
    return [check["text"] for check in report["checks"] if check["status"] in statuses]


def test_a_healthy_stack_passes(doctor: Doctor, local: LocalStack) -> None:
    """For a healthy stack every check of it and of its team passes, and the exit status is 0."""
    seen: list[int] = []
    local.on_exchange.append(lambda exchange: seen.append(exchange.status))
    status, report = doctor()
    assert (status, report["ok"], found(report, "warning", "problem", "skipped")) == (0, True, [])
    assert seen == [200] * 6 + [401]
    assert {
        "The alias live of 1 function runs with the stack's parameters.",
        "The event source of the RetryQueue is enabled for the alias live.",
        "The DeadLetterQueue is empty.",
        "The mappings use no mailing lists.",
    } <= set(found(report, "ok"))


def test_a_stack_with_a_problem_fails(doctor: Doctor, source: str) -> None:
    """A problem is named with the command that solves it, and the exit status is 1."""
    boto3.client("lambda").update_event_source_mapping(UUID=source, Enabled=False)
    status, report = doctor()
    [problem] = [check for check in report["checks"] if check["status"] == "problem"]
    assert (status, report["ok"]) == (1, False)
    assert problem["text"] == "The event source of the RetryQueue is disabled: no delivery is tried again."
    assert problem["advice"].endswith(f"aws lambda update-event-source-mapping --enabled --uuid {source}")


def test_a_first_deployment_succeeds_without_an_api_key(doctor: Doctor, local: LocalStack) -> None:
    """A secret that is not set up yet is the next step, and the exit status is 0, so that `make deploy` succeeds."""
    local.put_secret(apiKey="replace-me", sharedSecret="s")
    status, report = doctor()
    assert (status, found(report, "problem")) == (0, [])
    assert found(report, "warning") == ["The secret has no API key that can be used yet."]
    assert "The Loops team was not checked, because the secret has no API key yet." in found(report, "skipped")


def test_an_unknown_stack_is_an_error(cli: CommandLine, source: str) -> None:  # noqa: ARG001  # another stack exists
    """A stack that does not exist is an error that names it, with the exit status 1."""
    run = cli("doctor", "--stack", "nowhere")
    assert run.status == 1
    assert "The stack nowhere: " in run.err
