"""The template as it is read: its own, and what it says in CloudFormation's language."""

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
    """What an output of this value, written in YAML, resolves to."""
    text = f"{yaml.safe_dump({'Description': 'A sample'} | document)}\nOutputs:\n  It:\n    Value: {value}\n"
    (tmp_path / "template.yaml").write_text(text)
    return SamTemplate.read(tmp_path / "template.yaml").resolve({"Queue": {"Ref": "url", "Arn": "arn"}}).outputs["It"]


def test_the_projects_own_template_is_understood() -> None:
    """The template of this project resolves without its parameters being given, and every handler is there."""
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


def test_a_function_has_what_globals_and_its_own_properties_say(application: Application, tmp_path: Path) -> None:
    """Globals and the function's own properties are merged, parameters and references being filled in."""
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
    """What invokes a function is read with how it does so."""
    assert application.functions["Web"].routes == [Route("POST", "/web"), Route("PUT", "/web/{proxy+}")]
    (source,) = application.functions["Worker"].queue_sources
    assert source == QueueSource("arn:waiting", batch_size=50, maximum_concurrency=2, reports_failures=True)


def test_folders_are_those_of_functions_and_layers(application: Application, tmp_path: Path) -> None:
    """What is uploaded is known by the names of its resources."""
    template = SamTemplate.read(tmp_path / "template.yaml")
    folders = {name: str(folder.relative_to(tmp_path)) for name, folder in template.folders().items()}
    assert folders == {"Web": "functions/web", "Worker": "functions/worker", "Shared": "layers/shared"}
    assert application.functions["Worker"].layers == [template.folders()["Shared"]]


def test_queues_have_the_attributes_that_sqs_takes(application: Application) -> None:
    """A queue's properties become attributes, all of them texts; its name is none."""
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
    """Each intrinsic function gives what CloudFormation would, short and long form alike."""
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
        ("!Select [0, [a, b]]", "Outputs/It: Fn::Select is not known"),
        ("!Ref Nothing", "Outputs/It/Ref: the local stack has no Ref of Nothing"),
        ("!GetAtt Queue.Url", "no Url of Queue"),
        ("!If [Nowhere, a, b]", "there is no condition Nowhere"),
    ],
)
def test_what_cannot_be_resolved_is_an_error(tmp_path: Path, value: str, message: str) -> None:
    """What the local stack does not know is an error that names the place."""
    with pytest.raises(TemplateError, match=message):
        _output(tmp_path, value)


def test_absent_things_are_absent() -> None:
    """A property of AWS::NoValue is not set, and a resource whose condition does not hold does not exist."""
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


def test_lists_in_globals_are_joined_to_the_functions_own() -> None:
    """Globals add to a function's environment, and its own variables win."""
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
    [("/web/", "API Gateway makes no route of /web/"), ("/web/{id}", "does not know the variable in /web/{id}")],
)
def test_a_path_that_is_never_routed_is_an_error(path: str, message: str) -> None:
    """A path that API Gateway or the local gateway cannot route is an error, which names its place."""
    event = {"Type": "HttpApi", "Properties": {"Method": "POST", "Path": path}}
    properties = {"CodeUri": "it", "Handler": "app.handler", "Events": {"Post": event}}
    document = {"Resources": {"It": {"Type": "AWS::Serverless::Function", "Properties": properties}}}
    with pytest.raises(TemplateError, match=f"Resources/It/Properties/Events/Post: .*{re.escape(message)}"):
        SamTemplate(document).resolve({})


def test_events_that_cannot_come_are_an_error() -> None:
    """A kind of event source that the local stack does not have is an error, not silence."""
    properties = {"CodeUri": "it", "Handler": "app.handler", "Events": {"Nightly": {"Type": "Schedule"}}}
    document = {"Resources": {"It": {"Type": "AWS::Serverless::Function", "Properties": properties}}}
    with pytest.raises(TemplateError, match="Resources/It/Properties/Events/Nightly: events of type Schedule"):
        SamTemplate(document).resolve({})


@pytest.mark.parametrize(
    ("declared", "given", "message"),
    [
        ({}, {"Sise": "5"}, "Parameters/Sise: there is no such parameter"),
        ({"Size": {"Type": "Number"}}, {}, "Parameters/Size: it has no default"),
    ],
)
def test_parameters_must_be_declared_and_have_values(
    declared: dict[str, Any], given: dict[str, str], message: str
) -> None:
    """A parameter that the template does not have, or that has no value, is an error."""
    with pytest.raises(TemplateError, match=message):
        SamTemplate({"Parameters": declared}, given)
