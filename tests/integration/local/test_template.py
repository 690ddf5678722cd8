"""The SAM template as the local stack reads it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from local.sam_template import Application, QueueSource, Route, SamTemplate, TemplateError
from segment_loops import PROJECT

SAMPLE = """
Parameters:
  Pace: {Type: Number, Default: 10}
  Place: {Type: String, Default: far away}
Globals:
  Function:
    Handler: app.handler
    Timeout: 10
    Layers: [!Ref Shared]
    Environment:
      Variables: {PACE: !Ref Pace, PLACE: !Ref Place, QUEUE: !Ref Waiting}
Resources:
  Web:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/web
      MemorySize: 512
      Environment:
        Variables: {SECRET: !Ref Secret}
      Events:
        Post: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: post, Path: /web}}
        PutBelow: {Type: HttpApi, Properties: {ApiId: !Ref Api, Method: PUT, Path: "/web/{proxy+}"}}
  Worker:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: functions/worker
      Timeout: 30
      Events:
        Waiting:
          Type: SQS
          Properties:
            Queue: !GetAtt Waiting.Arn
            BatchSize: 50
            FunctionResponseTypes: [ReportBatchItemFailures]
            ScalingConfig: {MaximumConcurrency: 2}
  Shared:
    Type: AWS::Serverless::LayerVersion
    Properties: {ContentUri: layers/shared}
  Waiting:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: its-name
      VisibilityTimeout: 180
      SqsManagedSseEnabled: true
      RedrivePolicy: {deadLetterTargetArn: !GetAtt Dead.Arn, maxReceiveCount: 1000}
"""
VALUES = {
    "Waiting": {"Ref": "https://waiting", "Arn": "arn:waiting"},
    "Dead": {"Arn": "arn:dead"},
    "Secret": {"Ref": "arn:secret"},
    "Api": {"Ref": "api"},
}


@pytest.fixture
def application(tmp_path: Path) -> Application:
    (tmp_path / "template.yaml").write_text(SAMPLE)
    return SamTemplate.read(tmp_path / "template.yaml", {"Place": "here"}).resolve(VALUES)


def _output(tmp_path: Path, value: str, **document: Any) -> Any:
    """Return the resolved value of an output with this value in YAML."""
    text = f"{yaml.safe_dump({'Description': 'A sample'} | document)}\nOutputs:\n  It:\n    Value: {value}\n"
    (tmp_path / "template.yaml").write_text(text)
    return SamTemplate.read(tmp_path / "template.yaml").resolve({"Queue": {"Ref": "url", "Arn": "arn"}}).outputs["It"]


def test_the_projects_template_is_supported() -> None:
    """The project's template resolves with its default parameters, and every handler exists."""
    template = SamTemplate.read(PROJECT / "template.yaml")
    named = {name: {"Ref": name, "Arn": f"arn:{name}"} for name in template.logical_ids("AWS::SQS::Queue")}
    application = template.resolve({**named, "Secret": {"Ref": "arn:secret"}})
    assert {function.code.name for function in application.functions.values()} == {
        "contact_upsert",
        "send_event",
        "segment_webhook",
        "redelivery",
    }
    assert all((function.code / "app.py").is_file() for function in application.functions.values())


LEDGER = ("AWS::DynamoDB::Table", "AWS::IAM::ManagedPolicy", "AWS::CloudWatch::Alarm")


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, {"ContactLedgerTable", "ContactLedgerPolicy", "LedgerUnavailableAlarm"}),
        ({"ContactLedger": "false"}, set()),
    ],
)
def test_the_contact_ledger_is_optional(parameters: dict[str, str], found: set[str]) -> None:
    """By default the stack has the contact ledger's table; with ContactLedger=false, nothing of it."""
    template = SamTemplate.read(PROJECT / "template.yaml", parameters)
    names = {name for each in LEDGER for name in template.logical_ids(each)}
    assert {name for name in names if "Ledger" in name} == found
    named = {name: {"Ref": name, "Arn": f"arn:{name}"} for name in template.logical_ids("AWS::SQS::Queue")}
    application = template.resolve({**named, "Secret": {"Ref": "arn:secret"}})
    assert {table.key for table in application.tables.values()} == ({"key"} if found else set())
    tables = {function.environment["CONTACT_LEDGER_TABLE"] for function in application.functions.values()}
    assert tables == ({"ContactLedgerTable"} if found else {""})


def test_a_table_with_a_sort_key_is_an_error(tmp_path: Path) -> None:
    """The local stack supports tables with a partition key only."""
    keys = [{"AttributeName": "a", "KeyType": "HASH"}, {"AttributeName": "b", "KeyType": "RANGE"}]
    resources = {"Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"KeySchema": keys}}}
    (tmp_path / "template.yaml").write_text(yaml.safe_dump({"Resources": resources}))
    with pytest.raises(TemplateError, match=r"Table.*partition key only"):
        SamTemplate.read(tmp_path / "template.yaml").resolve({})


def test_a_functions_properties_are_merged_with_globals(application: Application, tmp_path: Path) -> None:
    """Globals and the function's own properties are merged, with parameters and references resolved."""
    web, worker = application.functions["Web"], application.functions["Worker"]
    assert (web.code, worker.code) == (tmp_path / "functions" / "web", tmp_path / "functions" / "worker")
    assert web.layers == [tmp_path / "layers" / "shared"]
    assert [(each.handler, each.timeout, each.memory) for each in (web, worker)] == [
        ("app.handler", 10, 512),
        ("app.handler", 30, 128),
    ]
    everywhere = {"PACE": "10", "PLACE": "here", "QUEUE": "https://waiting"}
    assert web.environment == everywhere | {"SECRET": "arn:secret"}
    assert worker.environment == everywhere


def test_a_function_has_its_routes_and_queues(application: Application) -> None:
    """A function has the routes and queues that invoke it, with their settings."""
    assert application.functions["Web"].routes == [Route("POST", "/web"), Route("PUT", "/web/{proxy+}")]
    (source,) = application.functions["Worker"].queue_sources
    assert source == QueueSource("arn:waiting", batch_size=50, maximum_concurrency=2, reports_failures=True)


def test_folders_are_those_of_functions_and_layers(application: Application, tmp_path: Path) -> None:
    """The folders to upload are listed by the names of their resources."""
    template = SamTemplate.read(tmp_path / "template.yaml")
    folders = {name: str(folder.relative_to(tmp_path)) for name, folder in template.folders().items()}
    assert folders == {"Web": "functions/web", "Worker": "functions/worker", "Shared": "layers/shared"}
    assert application.functions["Worker"].layers == [template.folders()["Shared"]]


def test_queues_have_the_attributes_that_sqs_takes(application: Application) -> None:
    """A queue's properties become attributes, as text; its name is not one of them."""
    assert application.queues["Waiting"].attributes == {
        "VisibilityTimeout": "180",
        "SqsManagedSseEnabled": "true",
        "RedrivePolicy": '{"deadLetterTargetArn": "arn:dead", "maxReceiveCount": 1000}',
    }


@pytest.mark.parametrize(
    ("value", "resolved"),
    [
        ("!Ref Size", "5"),
        ("!Ref Queue", "url"),
        ("!Ref Alarm", "Alarm"),
        ("!Ref AWS::Region", "us-east-1"),
        ("!GetAtt Queue.Arn", "arn"),
        ("!GetAtt [Queue, Arn]", "arn"),
        ("{Fn::GetAtt: [Queue, Arn]}", "arn"),
        ("!Sub '${Size} of ${Queue.Arn} in ${AWS::Region}, ${!Size}'", "5 of arn in us-east-1, ${Size}"),
        ("!Sub ['${Own}-${Size}', {Own: !Ref Queue}]", "url-5"),
        ("!Join ['-', [a, !Ref Size]]", "a-5"),
        ("!If [IsFive, yes, no]", "True"),
        ("!If [IsNotFive, a, b]", "b"),
        ("!If [Both, a, b]", "b"),
        ("!If [Either, a, b]", "a"),
    ],
)
def test_intrinsic_functions_resolve(tmp_path: Path, value: str, resolved: str) -> None:
    """Each intrinsic function gives CloudFormation's result, in its short and in its long form."""
    conditions = {
        "IsFive": {"Fn::Equals": [{"Ref": "Size"}, "5"]},
        "IsNotFive": {"Fn::Not": [{"Condition": "IsFive"}]},
        "Both": {"Fn::And": [{"Condition": "IsFive"}, {"Condition": "IsNotFive"}]},
        "Either": {"Fn::Or": [{"Condition": "IsFive"}, {"Condition": "IsNotFive"}]},
    }
    resources = {"Queue": {"Type": "AWS::SQS::Queue"}, "Alarm": {"Type": "AWS::CloudWatch::Alarm"}}
    parameters = {"Size": {"Type": "Number", "Default": 5}}
    assert _output(tmp_path, value, Parameters=parameters, Conditions=conditions, Resources=resources) == resolved


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("!Select [0, [a, b]]", "Outputs/It: Fn::Select is not supported"),
        ("!Ref Nothing", "Outputs/It/Ref: the local stack has no Ref of Nothing"),
        ("!GetAtt Queue.Url", "no Url of Queue"),
        ("!If [Nowhere, a, b]", "the condition Nowhere does not exist"),
    ],
)
def test_unsupported_values_are_an_error(tmp_path: Path, value: str, message: str) -> None:
    """A value that the local stack does not support is an error that names its place."""
    with pytest.raises(TemplateError, match=message):
        _output(tmp_path, value)


def test_absent_properties_and_resources_are_left_out() -> None:
    """A property with AWS::NoValue is not set, and a resource whose condition is false does not exist."""
    document = {
        "Conditions": {"Never": {"Fn::Equals": ["a", "b"]}},
        "Resources": {
            "Kept": {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "AWS::NoValue"}}},
            "Gone": {"Type": "AWS::SQS::Queue", "Condition": "Never"},
        },
    }
    template = SamTemplate(document)
    assert template.logical_ids("AWS::SQS::Queue") == ["Kept"]
    queues = template.resolve({}).queues
    assert {name: queue.attributes for name, queue in queues.items()} == {"Kept": {}}


def test_globals_add_to_a_functions_environment() -> None:
    """Globals add variables to a function's environment; its own variables take precedence."""
    document = {
        "Globals": {"Function": {"Handler": "app.handler", "Environment": {"Variables": {"A": 1, "B": "everywhere"}}}},
        "Resources": {
            "It": {
                "Type": "AWS::Serverless::Function",
                "Properties": {"CodeUri": "it", "Environment": {"Variables": {"B": "own", "C": True}}},
            }
        },
    }
    function = SamTemplate(document).resolve({}).functions["It"]
    assert function.environment == {"A": "1", "B": "own", "C": "true"}
    assert (function.timeout, function.memory) == (3, 128)


@pytest.mark.parametrize(
    ("path", "message"),
    [("/web/", "API Gateway creates no route for /web/"), ("/web/{id}", "does not support the variable in /web/{id}")],
)
def test_an_unsupported_path_is_an_error(path: str, message: str) -> None:
    """A path that API Gateway or the local gateway does not support is an error that names its place."""
    event = {"Type": "HttpApi", "Properties": {"Method": "POST", "Path": path}}
    properties = {"CodeUri": "it", "Handler": "app.handler", "Events": {"Post": event}}
    document = {"Resources": {"It": {"Type": "AWS::Serverless::Function", "Properties": properties}}}
    with pytest.raises(TemplateError, match=f"Resources/It/Properties/Events/Post: .*{re.escape(message)}"):
        SamTemplate(document).resolve({})


def test_unsupported_event_sources_are_an_error() -> None:
    """A kind of event source that the local stack does not support is an error."""
    properties = {"CodeUri": "it", "Handler": "app.handler", "Events": {"Nightly": {"Type": "Schedule"}}}
    document = {"Resources": {"It": {"Type": "AWS::Serverless::Function", "Properties": properties}}}
    with pytest.raises(
        TemplateError,
        match="Resources/It/Properties/Events/Nightly: the local stack does not support events of type Schedule",
    ):
        SamTemplate(document).resolve({})


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ({}, {"Sise": "5"}, "Parameters/Sise: the parameter does not exist"),
        ({"Size": {"Type": "Number"}}, {}, "Parameters/Size: the parameter has no default"),
    ],
)
def test_parameters_must_be_declared_and_have_values(
    declared: dict[str, Any], given: dict[str, str], message: str
) -> None:
    """An unknown parameter, and one without a value, are errors."""
    with pytest.raises(TemplateError, match=message):
        SamTemplate({"Parameters": declared}, given)
